import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli, cliJson } from '../support/cli.ts';
import { gitIn, tempDir } from '../support/repo.ts';

const { path: root, remove } = tempDir('check-cli');

beforeAll(() => {
  gitIn(root, ['init', '--quiet', '--initial-branch=main']);
  mkdirSync(join(root, 'tasks'));
  mkdirSync(join(root, 'docs'));
  writeFileSync(join(root, 'cambium.yaml'), 'schema: cambium.fleet/1\n');
  writeFileSync(join(root, 'tasks/good.md'), '# Good\n');
  writeFileSync(join(root, 'tasks/odd.md'), '---\ncolour: red\n---\nDo it.\n');
  writeFileSync(join(root, 'tasks/bad.md'), '---\ntitle: "\\e[2Jgone"\npriority: 9\n"\\e[2J": 1\n---\n');
});

afterAll(remove);

test('a clean file is said to be good, with exit 0, and so is one with a warning unless --strict', async () => {
  expect(await cli(['check', 'tasks/good.md'], { cwd: root })).toEqual({ exit: 0, stdout: '✓ 1 file checked, all good.\n', stderr: '' });
  const text = 'tasks/odd.md:2:1: LEVEL  The key `colour` is not known to this version; it is kept and means nothing.  unknown-key\n  → Check the spelling; call it `x-colour` if it is your own.\n';
  expect(await cli(['check', 'tasks/odd.md'], { cwd: root })).toEqual({ exit: 0, stdout: `${text.replace('LEVEL', 'warning')}\n! 1 file checked: 1 warning.\n`, stderr: '' });
  expect(await cli(['check', '--strict', 'tasks/odd.md'], { cwd: root })).toEqual({ exit: 1, stdout: `${text.replace('LEVEL', 'error')}\n✗ 1 file checked: 1 error.\n`, stderr: '' });
});

test('errors are told with exit 1, paths as seen from where one stands, and no control characters', async () => {
  const { exit, stdout } = await cli(['check'], { cwd: join(root, 'docs'), env: { FORCE_COLOR: undefined } });
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^\.\.\/tasks\/bad\.md:2:1: error /m);
  expect(stdout).toMatch(/^\.\.\/tasks\/bad\.md:3:1: error /m);
  expect(stdout).toMatch(/^✗ 4 files checked: 2 errors, 2 warnings\.$/m);
  expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});

test('with --json it is one object, its paths those of the tree', async () => {
  const { exit, ok, data } = await cliJson<{ files: number; errors: readonly object[]; warnings: readonly object[] }>(['check', 'bad.md'], { cwd: join(root, 'tasks') });
  expect({ exit, ok }).toEqual({ exit: 1, ok: true });
  expect(Object.keys(data)).toEqual(['files', 'errors', 'warnings', 'skipped']);
  expect(data).toMatchObject({ files: 1, errors: [{ path: 'tasks/bad.md', line: 2 }, { path: 'tasks/bad.md', line: 3, column: 1, level: 'error', code: 'bad-value', message: '`priority` must be a whole number from 0 to 4.', mend: 'Write for example `priority: 2`.' }] });
});

test('what the fleet does not read is named, and is no error', async () => {
  writeFileSync(join(root, 'docs/x.md'), 'x');
  expect(await cli(['check', 'docs/x.md'], { cwd: root })).toEqual({ exit: 0, stdout: 'docs/x.md is nothing that the fleet reads.\nNothing was checked.\n', stderr: '' });
});

test('a file that is not there is a mistake in the command', async () => {
  expect(await cli(['check', 'tasks/none.md'], { cwd: root })).toMatchObject({ exit: 2, stdout: '' });
});
