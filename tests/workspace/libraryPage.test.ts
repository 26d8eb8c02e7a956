/** The examples of docs/library.md run as they are printed, against the built package. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cliPath, start } from '../support/cli.ts';
import type { Running } from '../support/cli.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

const page = readFileSync(new URL('../../docs/library.md', import.meta.url), 'utf8');
const [first = '', second = ''] = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string);

let place: TestWorkspace;
beforeEach(async () => {
  place = await makeWorkspace();
});
afterEach(() => place.remove());

/** `import … from 'cambium'` is the build that the tests made; the folder is the one of this test. */
function run(code: string): Running {
  const script = code.replace('\'cambium\'', JSON.stringify(cliPath().replace(/cli\.js$/, 'index.js'))).replaceAll('\'my-fleet\'', JSON.stringify(place.root)).replace('5_000', '100');
  return start(process.execPath, ['--input-type=module', '-e', script], { cwd: place.root });
}

test('the first adds a task and counts', async () => {
  const { exit, stdout, stderr } = await run(first).ended;
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  expect(stdout).toMatch(/^write-a-greeting-\w{4} /);
  expect(stdout).toContain('ready: 1');
});

test('the second hands out work and tells how it went', async () => {
  const head = first.split('\n').slice(0, 3).join('\n');
  const coordinator = run(`${head}\n${second}\nawait workspace.close();`);
  const workspace = await place.open();
  let claim = null;
  while (claim === null && coordinator.child.exitCode === null) claim = await workspace.claimTask('worker-1');
  await workspace.completeTask('task-1731159000123', 'worker-1', { epoch: 1, result: 'Written.' });
  expect(await coordinator.ended).toMatchObject({ exit: 0, stdout: expect.stringContaining('Written.') as string });
});

test('every function that the page names is there', async () => {
  const workspace = (await place.open()) as unknown as Record<string, unknown>;
  const named = [...page.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell]) => [...(cell as string).matchAll(/`(\w+)/g)].map(([, name]) => name as string)).filter((name) => name !== 'function');
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => typeof workspace[name] !== 'function')).toEqual([]);
  const missing = Object.keys(workspace).filter((name) => typeof workspace[name] === 'function' && name !== 'close' && !named.includes(name));
  expect(missing).toEqual([]);
});
