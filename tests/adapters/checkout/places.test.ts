/** Checkouts that stand elsewhere than usual: linked worktrees, a git directory on another disk, sha256, two daemons at once. */
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { gitIn, tempDir } from '../../support/repo.ts';
import { deskAt, HALF_SAVED_MS, openDesk } from './desk.ts';
import type { Desk } from './desk.ts';

const desks: Desk[] = [];
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.close();
});

const SHARED_MEMORY = '/dev/shm';
const hasOtherDisk = existsSync(SHARED_MEMORY) && statSync(SHARED_MEMORY).dev !== statSync(tmpdir()).dev;

async function freshDesk(init: readonly string[], gitDir?: string, remove?: () => void): Promise<Desk> {
  const temp = tempDir('place');
  const root = join(temp.path, 'work');
  gitIn('.', ['init', '--quiet', '--initial-branch=main', ...init, root]);
  for (const [key, value] of [['user.name', 'Maria'], ['user.email', 'maria@example.org']] as const) gitIn(root, ['config', key, value]);
  const desk = await deskAt(root, gitDir ?? join(root, '.git'), () => {
    temp.remove();
    remove?.();
  });
  desks.push(desk);
  desk.commit({ 'tasks/one.md': 'one\n', 'src/app.ts': 'app\n' });
  return desk;
}

test('a linked worktree is advanced by its own index, and the main one is left alone', async () => {
  const desk = await openDesk();
  desks.push(desk);
  desk.git('switch', '-qc', 'elsewhere');
  desk.git('worktree', 'add', '-q', `${desk.root}-linked`, 'main');
  const linked = await deskAt(`${desk.root}-linked`, join(desk.gitDir, 'worktrees', 'work-linked'));
  desks.push(linked);
  const target = await linked.landed({ 'tasks/one.md': 'theirs\n' });
  expect(await linked.advance(target)).toMatchObject({ moved: true, skipped: [] });
  expect([linked.git('rev-parse', 'HEAD'), linked.read('tasks/one.md'), linked.status()]).toEqual([target, 'theirs\n', '']);
  expect([desk.read('tasks/one.md'), desk.status()]).toEqual(['one\n', '']);
});

test.skipIf(!hasOtherDisk)('a git directory on another file system (needs /dev/shm): files are exchanged in a hidden folder of the work tree', async () => {
  const elsewhere = realpathSync(mkdtempSync(join(SHARED_MEMORY, 'cambium-')));
  const gitDir = join(elsewhere, 'repository');
  const desk = await freshDesk([`--separate-git-dir=${gitDir}`], gitDir, () => rmSync(elsewhere, { recursive: true }));
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n', 'tasks/two.md': 'two\n' });
  const { synced, ...moved } = await desk.advance(target);
  expect(moved).toEqual({ moved: true, skipped: [], displaced: [] });
  expect([desk.read('tasks/one.md'), desk.status()]).toEqual(['theirs\n', '']);
  desk.passTime(HALF_SAVED_MS);
  await desk.advance(target, synced);
  expect(readdirSync(join(desk.root, '.cambium/passes'))).toEqual(['.gitignore']);
});

test('a sha256 repository', async () => {
  const desk = await freshDesk(['--object-format=sha256']);
  desk.write('tasks/one.md', 'mine\n');
  expect((await desk.edits()).edits).toEqual([{ path: 'tasks/one.md', mode: '100644', oid: desk.git('hash-object', 'tasks/one.md') }]);
  const target = await desk.landed({ 'tasks/one.md': 'mine\n', 'src/app.ts': 'better\n' });
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [] });
  expect([desk.read('src/app.ts'), desk.status()]).toEqual(['better\n', '']);
});

test('of two advances at once one moves the checkout, and nothing is left behind by the other', async () => {
  const desk = await freshDesk([]);
  const [head, synced, target] = [desk.git('rev-parse', 'HEAD'), desk.tree(), await desk.landed({ 'tasks/one.md': 'theirs\n', 'tasks/two.md': 'two\n' })];
  const moves = await Promise.all([desk.checkout, desk.reopen(), desk.reopen()].map((checkout) => checkout.advance({ head, target, synced })));
  expect(moves.filter(({ moved }) => moved)).toHaveLength(1);
  expect([desk.git('rev-parse', 'HEAD'), desk.read('tasks/one.md'), desk.status(), existsSync(join(desk.gitDir, 'index.lock'))]).toEqual([target, 'theirs\n', '', false]);
});
