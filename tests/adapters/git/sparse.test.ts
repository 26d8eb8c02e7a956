import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { cloneRepository } from '../../../src/adapters/git/cloneRepository.ts';
import { isBelow, parseLeftOut } from '../../../src/adapters/git/sparse.ts';
import { openWorktrees } from '../../../src/adapters/git/worktrees.ts';
import { gitIn, makeBareHub, tempDir } from '../../support/repo.ts';

const temps: { remove(): void }[] = [];
afterEach(() => temps.splice(0).forEach((temp) => temp.remove()));

/** A hub with an archive, and a clone of it as `cambium clone` makes it. */
async function clone(): Promise<string> {
  const temp = tempDir('sparse');
  temps.push(temp);
  const [seed, hub, path] = [join(temp.path, 'seed'), makeBareHub(join(temp.path, 'hub.git')), join(temp.path, 'clone')];
  gitIn('.', ['init', '--quiet', '--initial-branch=main', seed]);
  for (const [file, text] of Object.entries({ 'tasks/one.md': 'one\n', 'tasks/archive/2026-03/14/old.md': 'old\n', 'agents/spawns/2026-03/01A.json': '{}\n', 'agents/roster.json': '{}\n', 'src/app.ts': 'app\n' })) {
    mkdirSync(join(seed, file, '..'), { recursive: true });
    writeFileSync(join(seed, file), text);
  }
  gitIn(seed, ['add', '--all']);
  gitIn(seed, ['-c', 'user.name=Maria', '-c', 'user.email=maria@example.org', 'commit', '--quiet', '-m', 'start']);
  gitIn(seed, ['push', '--quiet', hub, 'main']);
  await cloneRepository(hub, 'main', path);
  return path;
}

test('a clone has everything but what only machines add to, and all of it in git', async () => {
  const path = await clone();
  const files = gitIn(path, ['ls-files']).split('\n');
  expect(files.filter((file) => existsSync(join(path, file)))).toEqual(['agents/roster.json', 'src/app.ts', 'tasks/one.md']);
  expect([files.length, gitIn(path, ['status', '--porcelain']), gitIn(path, ['show', 'HEAD:tasks/archive/2026-03/14/old.md'])]).toEqual([5, '', 'old']);
});

test('a folder of the code that is new since the clone is pulled like any other', async () => {
  const path = await clone();
  mkdirSync(join(path, 'lib'));
  writeFileSync(join(path, 'lib/new.ts'), 'new\n');
  gitIn(path, ['add', '--all']);
  gitIn(path, ['-c', 'user.name=M', '-c', 'user.email=m@example.org', 'commit', '--quiet', '-m', 'new']);
  gitIn(path, ['reset', '--quiet', '--hard', 'HEAD~1']);
  gitIn(path, ['merge', '--quiet', '--ff-only', 'HEAD@{1}']);
  expect(readFileSync(join(path, 'lib/new.ts'), 'utf8')).toBe('new\n');
});

test('a folder that is there already is refused with what git says', async () => {
  const path = await clone();
  await expect(cloneRepository(join(path, '../hub.git'), 'main', path)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('already exists') });
});

test('what an agent makes in such a clone is captured without deleting what it does not see', async () => {
  const path = await clone();
  const worktrees = openWorktrees(join(path, '.git'), join(path, '.cambium/worktrees'));
  const tree = await worktrees.create('one-1', gitIn(path, ['rev-parse', 'HEAD']));
  expect([existsSync(join(tree, 'tasks/archive')), existsSync(join(tree, 'src/app.ts'))]).toEqual([false, true]);
  writeFileSync(join(tree, 'made.txt'), 'made\n');
  const captured = await worktrees.capture('one-1');
  expect(gitIn(path, ['diff', '--name-status', 'HEAD', captured.tree])).toBe('A\tmade.txt');
});

test.each([
  ['our own patterns', '/*\n!/tasks/archive/\n!/agents/spawns/\n', ['tasks/archive', 'agents/spawns'], true],
  ['one more folder of the person\'s', '# mine\n/*\n\n!/big files/\n', ['big files'], true],
  ['a folder that a later line takes in again', '/*\n!/tasks/archive/\n/tasks/archive/2026-03/\n', [], false],
  ['a pattern with a star', '/*\n!/tasks/archive/\n!*.bin\n', ['tasks/archive'], false],
  ['cones', '/*\n!/*/\n/src/\n', [], false],
  ['patterns that take in little', 'src/\n!/tasks/archive/\n', ['tasks/archive'], false],
  ['no patterns', '', [], false],
])('%s are told from the pattern file', (_, text, folders, nothingElse) => {
  expect(parseLeftOut(text)).toEqual({ folders, nothingElse });
});

test('a folder ends at its slash', () => {
  expect(['tasks/archive', 'tasks/archive/x', 'tasks/archived.md', 'tasks'].map((path) => isBelow(['tasks/archive'], path))).toEqual([true, true, false, false]);
});
