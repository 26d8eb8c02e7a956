import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createRunbook } from '../../../src/adapters/providers/runbook.ts';
import { bootMs } from '../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../../src/adapters/system/supervisor.ts';
import type { SpawnReport } from '../../../src/ports/provider.ts';
import { providerContract } from '../../contracts/provider.ts';
import { ended, livingWithMark } from '../../contracts/supervisor.ts';
import { distDir } from '../../support/build.ts';
import { endOf, requestOf, taskOf } from '../../support/spawnRequest.ts';
import { tempDir, until } from '../../support/temp.ts';

const programs = programsOf(distDir());
const runbook = createRunbook({ program: programs.runbook, node: process.execPath });
const supervisor = createSupervisor({ programs });
const folder = tempDir('runbook');
afterAll(() => folder.remove());
let made = 0;

providerContract('runbook', () => runbook);

/** Runs the instruction for real and gives the report, the log and the folder it ran in. */
async function run(instruction: string, during: (scratch: string) => Promise<void> = async () => undefined): Promise<{ report: SpawnReport; log: string; id: string; directory: string }> {
  made += 1;
  const id = `runbook-${made}-${bootMs()}`;
  const [scratch, directory] = [join(folder.path, id), join(folder.path, `${id}-work`)];
  mkdirSync(directory);
  const request = requestOf({ instruction, scratch, directory, worktree: directory, task: taskOf({ acceptanceCriteria: ['It works'] }) });
  await supervisor.start(id, scratch, runbook.prepare(request), { timeoutMs: 60_000, silenceMs: 60_000, graceMs: 200, deadlineBootMs: bootMs() + 60_000 });
  await during(scratch);
  const end = await ended(supervisor, scratch);
  const report = await runbook.interpret(request, end, (name) => supervisor.readFile(scratch, name));
  return { report, log: (await supervisor.readFile(scratch, 'output.log')) ?? '', id, directory };
}

test('blocks run in order in the working directory, and all passing meets the criteria', async () => {
  const { report, log, directory } = await run('# T\n```sh\npwd; echo one > a\n```\ntext\n```shell\ncat a; cat; echo two >&2\n```\n');
  expect(report).toMatchObject({ ok: true, failure: null, criteria: [{ text: 'It works', met: true, evidence: 'all 2 blocks exited 0' }] });
  expect(log).toBe(`${directory}\none\ntwo\n`);
  expect(report.report).toMatch(/## Block 1 of 2: exit 0, [\d.]+ s\n\n```sh\npwd; echo one > a\n```\n\n```text\n\/.*\n```\n\n## Block 2 of 2/);
});

test('the first block that fails ends the run, and the report says which and how', async () => {
  const { report, log } = await run('```sh\necho one\n```\n```sh\necho two; exit 7\n```\n```sh\necho three\n```\n');
  expect(report).toMatchObject({ ok: false, failure: 'crashed', retryable: true, criteria: [{ met: false, evidence: 'Block 2, at line 4 of the instruction, exited 7.' }] });
  expect(log).toBe('one\ntwo\n');
  expect(report.report).not.toContain('Block 3');
});

test.each([['a failing command', 'false; echo on'], ['an unset variable', 'echo $no_such_variable; echo on']])('%s ends its block', async (_, script) => {
  const { report, log } = await run(`\`\`\`sh\n${script}\n\`\`\`\n`);
  expect(report.ok).toBe(false);
  expect(log).not.toContain('on\n');
});

test('no block at all is an empty runbook, which no retry mends, and a bash block is named as not run', async () => {
  const { report } = await run('Just prose.\n\n```bash\necho no\n```\n');
  expect(report).toMatchObject({ ok: false, failure: 'empty', retryable: false });
  expect(report.report).toContain('no fenced `sh` block');
  expect(report.report).toContain('line 3 (bash)');
});

test('an unclosed block runs nothing', async () => {
  const { report, log } = await run('```sh\necho one\n```\n\n```sh\nrm -rf half/writ');
  expect(report).toMatchObject({ ok: false, failure: 'empty', retryable: false });
  expect(report.report).toContain('begins at line 5 is not closed');
  expect(log).toBe('');
});

test('output cannot break out of its fence, is capped at its end, and is redacted', async () => {
  const { report } = await run("```sh\nseq 1 20000; printf '````\\n# Forged\\n'; echo ghp_abcdefghijklmnopqrstuvwxyz0123456789\n```\n");
  expect(report.report).toContain('`````text\n');
  expect(report.report).toMatch(/The first \d+ bytes of output are left out/);
  expect(report.report).toContain('[redacted]\n`````');
  expect(report.report).not.toContain('ghp_');
  expect(report.report.length).toBeLessThan(20_000);
});

test('a service left in the background neither holds up the run nor outlives it', async () => {
  const { report, id } = await run('```sh\nsleep 600 &\necho started\n```\n```sh\necho used\n```\n');
  expect(report.ok).toBe(true);
  expect(livingWithMark(id)).toEqual([]);
});

test('a block that is cut short is named with the reason', async () => {
  const { report, id } = await run('```sh\necho begun\n```\n```sh\nsleep 600\n```\n', async (scratch) => {
    // Its report names a block before it runs.
    await until(async () => (await supervisor.readFile(scratch, 'report.json'))?.includes('sleep 600') === true || null);
    await supervisor.stop(scratch, 'asked');
  });
  expect(report).toMatchObject({ ok: false, failure: null, retryable: true });
  expect(report.report).toContain('stopped on request');
  expect(report.report).toContain('Block 2 of 2: did not end');
  expect(livingWithMark(id)).toEqual([]);
});

test('a report that claims fewer blocks than the instruction has is no success', async () => {
  const request = requestOf({ instruction: '```sh\na\n```\n```sh\nb\n```\n' });
  const forged = JSON.stringify({ blocks: [{ line: 1, command: 'a', exit: 0, seconds: 0, output: '', omitted: 0 }] });
  expect(await runbook.interpret(request, endOf(), async () => forged)).toMatchObject({ ok: false, failure: 'crashed' });
});

test('the runbook needs nothing that could be missing', async () => {
  expect(await runbook.probe()).toHaveProperty('version');
});
