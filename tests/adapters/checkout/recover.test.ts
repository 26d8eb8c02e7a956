import { existsSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { identify, selfIdentity } from '../../../src/adapters/system/identity.ts';
import { advanceAndDie } from './crash.ts';
import type { Moment } from './crash.ts';
import { openDesk } from './desk.ts';
import type { Desk } from './desk.ts';

const desks: Desk[] = [];
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.close();
});

const FILES = { 'tasks/one.md': 'one\n', 'tasks/two.md': 'two\n', 'src/old.ts': 'old\n' };
const LANDED = { 'tasks/one.md': 'theirs\n', 'tasks/two.md': null, 'src/new.ts': 'new\n' };

interface Scene {
  readonly desk: Desk;
  readonly head: string;
  readonly target: string;
}

/** A desk where a pass was killed at that moment. */
async function crashed(moment: Moment): Promise<Scene> {
  const desk = await openDesk({ files: FILES });
  desks.push(desk);
  const [head, target] = [desk.git('rev-parse', 'HEAD'), await desk.landed(LANDED)];
  expect(await advanceAndDie({ root: desk.root, gitDir: desk.gitDir, head, target, synced: desk.tree() }, moment)).toBe('died');
  return { desk, head, target };
}

const PREPARED: Moment = { call: 'linkSync', with: 'index.lock' };
const LOCKED: Moment = { call: 'linkSync', with: 'index.old' };
const FILE_TAKEN_AWAY: Moment = { call: 'linkSync', with: 'incoming/tasks/one.md' };
const EXCHANGED: Moment = { call: 'spawn', with: '--refresh' };
const INDEX_PLACED: Moment = { call: 'spawn', with: 'cambium: advance' };
const BRANCH_MOVED: Moment = { call: 'renameSync', with: 'record.json' };

const hasIntent = (desk: Desk): boolean => existsSync(join(desk.gitDir, 'cambium/checkout-intent.json'));
const isLocked = (desk: Desk): boolean => existsSync(join(desk.gitDir, 'index.lock'));
const branchOf = (desk: Desk): string => desk.git('rev-parse', 'refs/heads/main');

test('a crash between taking a file away and putting the new one: recovery puts all back and frees the index', async () => {
  const { desk, head, target } = await crashed(FILE_TAKEN_AWAY);
  await desk.reopen().recover();
  expect([desk.read('tasks/one.md'), desk.read('tasks/two.md'), desk.read('src/new.ts')]).toEqual(['one\n', 'two\n', null]);
  expect([branchOf(desk), desk.status(), isLocked(desk), hasIntent(desk)]).toEqual([head, '', false, false]);
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [], displaced: [] });
  expect(desk.status()).toBe('');
});

test('a crash between index and branch: recovery moves the branch', async () => {
  const { desk, head, target } = await crashed(INDEX_PLACED);
  expect([branchOf(desk), desk.git('diff', '--cached', '--name-only', target)]).toEqual([head, '']);
  await desk.reopen().recover();
  expect([branchOf(desk), desk.status(), desk.read('tasks/one.md'), isLocked(desk), hasIntent(desk)]).toEqual([target, '', 'theirs\n', false, false]);
});

test('a crash after the branch moved: recovery only cleans up', async () => {
  const { desk, target } = await crashed(BRANCH_MOVED);
  expect([branchOf(desk), isLocked(desk)]).toEqual([target, true]);
  await desk.reopen().recover();
  expect([branchOf(desk), desk.status(), isLocked(desk), hasIntent(desk)]).toEqual([target, '', false, false]);
});

test('a crash right after the lock was taken: recovery frees it', async () => {
  const { desk, head } = await crashed(LOCKED);
  expect([isLocked(desk), hasIntent(desk)]).toEqual([true, false]);
  await desk.reopen().recover();
  expect([isLocked(desk), branchOf(desk), desk.status()]).toEqual([false, head, '']);
});

test('a look recovers by itself', async () => {
  const { desk, head } = await crashed(FILE_TAKEN_AWAY);
  expect(await desk.reopen().look()).toEqual({ state: 'ready', head });
  expect([desk.read('tasks/one.md'), desk.status()]).toEqual(['one\n', '']);
});

test('a file the person saved after the crash stays', async () => {
  const { desk } = await crashed(FILE_TAKEN_AWAY);
  desk.write('tasks/one.md', 'saved after the crash\n');
  await desk.reopen().recover();
  expect([desk.read('tasks/one.md'), desk.read('tasks/two.md'), desk.status()]).toEqual(['saved after the crash\n', 'two\n', 'M tasks/one.md']);
});

test('a new file that the person has edited since the crash is not taken back', async () => {
  const { desk } = await crashed(EXCHANGED);
  expect(desk.read('tasks/one.md')).toBe('theirs\n');
  desk.write('tasks/one.md', 'theirs, and mine\n');
  await desk.reopen().recover();
  expect(desk.read('tasks/one.md')).toBe('theirs, and mine\n');
});

test('a person who deleted the stale lock and committed keeps that commit, and what is left is put back', async () => {
  const { desk } = await crashed(FILE_TAKEN_AWAY);
  rmSync(join(desk.gitDir, 'index.lock'));
  desk.write('src/old.ts', 'mine\n');
  desk.git('commit', '-qm', 'mine', 'src/old.ts');
  const own = branchOf(desk);
  expect(await desk.reopen().look()).toEqual({ state: 'ready', head: own });
  expect([desk.read('tasks/one.md'), desk.read('tasks/two.md'), branchOf(desk), desk.status()]).toEqual(['one\n', 'two\n', own, '']);
});

test('on another branch recovery waits, and status still says where the person is', async () => {
  const { desk } = await crashed(FILE_TAKEN_AWAY);
  rmSync(join(desk.gitDir, 'index.lock'));
  desk.git('switch', '-qc', 'elsewhere');
  expect(await desk.reopen().look()).toEqual({ state: 'busy', reason: 'elsewhere is checked out, not main' });
  expect([desk.read('tasks/one.md'), isLocked(desk), hasIntent(desk)]).toEqual([null, false, true]);
  desk.git('switch', '-q', 'main');
  expect(await desk.reopen().look()).toMatchObject({ state: 'ready' });
  expect([desk.read('tasks/one.md'), desk.status()]).toEqual(['one\n', '']);
});

test('an index.lock of git is never removed, nor one whose owner lives or cannot be known', async () => {
  const desk = await openDesk({ files: FILES });
  desks.push(desk);
  const lock = join(desk.gitDir, 'index.lock');
  writeFileSync(lock, '');
  await desk.reopen().recover();
  expect(isLocked(desk)).toBe(true);
  rmSync(lock);
  for (const owner of [identify(process.ppid), { ...selfIdentity(), namespace: 'of another container' }]) {
    const folder = join(desk.gitDir, 'cambium/passes/foreign');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'lock'), JSON.stringify(owner));
    linkSync(join(folder, 'lock'), lock);
    await desk.reopen().recover();
    expect(isLocked(desk)).toBe(true);
    rmSync(lock);
    rmSync(folder, { recursive: true });
  }
});

test('an abandoned preparation is cleared away by the next pass', async () => {
  const { desk, target } = await crashed(PREPARED);
  expect(await desk.advance(target)).toMatchObject({ moved: true });
  desk.passTime(2000);
  await desk.advance(target);
  expect(readdirSync(join(desk.gitDir, 'cambium/passes'))).toEqual([]);
});

test('a pass that was killed before it had a name is cleared away too', async () => {
  const { desk, target } = await crashed({ call: 'renameSync', with: 'cambium/passes/.' });
  expect(readdirSync(join(desk.gitDir, 'cambium/passes'))).toEqual([expect.stringMatching(/^\./)]);
  expect(await desk.advance(target)).toMatchObject({ moved: true });
  expect(readdirSync(join(desk.gitDir, 'cambium/passes'))).toEqual([expect.not.stringMatching(/^\./)]);
});

test('a person who took the new files into a commit after the crash keeps them', async () => {
  const { desk } = await crashed(EXCHANGED);
  rmSync(join(desk.gitDir, 'index.lock'));
  desk.git('add', 'tasks/one.md');
  desk.git('commit', '-qm', 'took it');
  await desk.reopen().recover();
  expect([desk.read('tasks/one.md'), desk.read('tasks/two.md'), desk.read('src/new.ts'), desk.status()]).toEqual(['theirs\n', 'two\n', null, '']);
});
