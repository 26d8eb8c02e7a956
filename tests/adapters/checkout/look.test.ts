import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openCheckout } from '../../../src/adapters/checkout/checkout.ts';
import { deskAt, openDesk, shiftedClock } from './desk.ts';
import type { Desk } from './desk.ts';

const desks: Desk[] = [];
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.close();
});

async function open(...args: Parameters<typeof openDesk>): Promise<Desk> {
  const desk = await openDesk(...args);
  desks.push(desk);
  return desk;
}

/** A desk whose `main` and `other` change the same line, so that joining them stops half way. */
async function torn(): Promise<Desk> {
  const desk = await open();
  desk.git('switch', '-qc', 'other');
  desk.commit({ 'src/app.ts': 'theirs\n' });
  desk.git('switch', '-q', 'main');
  desk.commit({ 'src/app.ts': 'ours\n' });
  return desk;
}

const fails = (desk: Desk, ...args: string[]): void => expect(() => desk.git(...args)).toThrow();
const reason = async (desk: Desk): Promise<string> => {
  const look = await desk.checkout.look();
  return look.state === 'busy' ? look.reason : look.state;
};

test('a clean checkout on the branch is ready at its commit', async () => {
  const desk = await open();
  expect(await desk.checkout.look()).toEqual({ state: 'ready', head: desk.git('rev-parse', 'HEAD') });
});

test('unsaved-for-commit edits and untracked files do not make a checkout busy', async () => {
  const desk = await open();
  desk.write('src/app.ts', 'changed\n');
  desk.write('note.txt', 'new\n');
  expect(await reason(desk)).toBe('ready');
});

test.each([
  ['a merge is under way', (desk: Desk) => fails(desk, 'merge', 'other')],
  ['a rebase is under way', (desk: Desk) => fails(desk, 'rebase', 'other')],
  ['a rebase is under way', (desk: Desk) => fails(desk, 'rebase', '--apply', 'other')],
  ['a cherry-pick is under way', (desk: Desk) => fails(desk, 'cherry-pick', 'other')],
  ['a revert is under way', (desk: Desk) => fails(desk, 'revert', 'HEAD~1')],
  ['a bisect is under way', (desk: Desk) => void desk.git('bisect', 'start')],
])('%s: the checkout is busy', async (words, begin) => {
  const desk = await torn();
  if (words.includes('revert')) {
    desk.commit({ 'src/app.ts': 'once\n' });
    desk.commit({ 'src/app.ts': 'twice\n' });
  }
  begin(desk);
  expect(await reason(desk)).toBe(words);
});

test('staged files are counted, and told to be committed or unstaged', async () => {
  const desk = await open();
  for (const name of ['a', 'b', 'c']) desk.write(name, name);
  desk.git('add', 'a', 'b', 'c');
  expect(await reason(desk)).toBe('3 files are staged: commit or unstage them');
  desk.git('reset', '-q', 'a', 'b');
  expect(await reason(desk)).toBe('1 file is staged: commit or unstage it');
});

test('a file that is only intended to be added counts as staged', async () => {
  const desk = await open();
  desk.write('later.txt', '');
  desk.git('add', '--intent-to-add', 'later.txt');
  expect(await reason(desk)).toBe('1 file is staged: commit or unstage it');
});

test('conflict stages without a merge count as staged', async () => {
  const desk = await torn();
  desk.write('src/app.ts', 'mine\n');
  desk.git('stash', '-q');
  desk.git('reset', '-q', '--hard', 'other');
  fails(desk, 'stash', 'pop');
  expect(await reason(desk)).toMatch(/staged/);
});

test('a held index.lock makes the checkout busy', async () => {
  const desk = await open();
  writeFileSync(join(desk.gitDir, 'index.lock'), '');
  expect(await reason(desk)).toMatch(/another git command holds the index/);
});

test('a detached HEAD, another branch and an unborn branch are named', async () => {
  const desk = await open();
  desk.git('switch', '-q', '--detach');
  expect(await reason(desk)).toMatch(/HEAD is detached/);
  desk.git('switch', '-qc', 'feature');
  expect(await reason(desk)).toBe('feature is checked out, not main');
  desk.git('branch', '-qD', 'main');
  desk.git('switch', '-q', '--orphan', 'main');
  expect(await reason(desk)).toBe('the branch main has no commit yet');
});

test('a bare repository and a vanished work tree have no checkout', async () => {
  const desk = await open();
  const rest = { gitDir: desk.gitDir, commonDir: desk.gitDir, branch: 'main', store: desk.store, clock: shiftedClock(), halfSavedMs: 1, settleMs: 1 };
  expect(await openCheckout({ root: null, ...rest }).look()).toEqual({ state: 'absent' });
  expect(await openCheckout({ root: join(desk.root, 'gone'), ...rest }).look()).toEqual({ state: 'absent' });
});

test('an unchanged checkout is looked at without any git process', async () => {
  const desk = await open();
  const first = await desk.checkout.look();
  const path = process.env['PATH'];
  process.env['PATH'] = '/nowhere';
  try {
    expect(await desk.checkout.look()).toEqual(first);
    await expect(desk.reopen().look()).rejects.toMatchObject({ code: 'git-missing' });
  } finally {
    process.env['PATH'] = path;
  }
});

test('a commit, a staged file and packed refs are seen by the next look', async () => {
  const desk = await open();
  await desk.checkout.look();
  const head = desk.commit({ 'src/app.ts': 'next\n' });
  expect(await desk.checkout.look()).toEqual({ state: 'ready', head });
  desk.git('pack-refs', '--all');
  const packed = desk.commit({ 'src/app.ts': 'again\n' });
  expect(await desk.checkout.look()).toEqual({ state: 'ready', head: packed });
  desk.write('x', 'x');
  desk.git('add', 'x');
  expect(await reason(desk)).toMatch(/staged/);
});

test('a linked worktree is judged by its own HEAD and index', async () => {
  const desk = await open();
  desk.git('switch', '-qc', 'elsewhere');
  const root = `${desk.root}-linked`;
  desk.git('worktree', 'add', '-q', root, 'main');
  const linked = await deskAt(root, join(desk.gitDir, 'worktrees', 'work-linked'));
  desks.push(linked);
  expect(await reason(linked)).toBe('ready');
  linked.write('staged', '');
  linked.git('add', 'staged');
  expect(await reason(linked)).toMatch(/staged/);
  expect(await reason(desk)).toMatch(/elsewhere/);
});

test('the person is who git would sign as, and never guessed', async () => {
  const desk = await open();
  expect(await desk.checkout.person()).toMatchObject({ name: 'Maria', email: 'maria@example.org' });
  const before = process.env['GIT_CONFIG_GLOBAL'];
  process.env['GIT_CONFIG_GLOBAL'] = '/dev/null';
  try {
    desk.git('config', '--unset', 'user.email');
    await expect(desk.checkout.person()).rejects.toMatchObject({ code: 'no-identity', hint: expect.stringContaining('git config --global user.email') });
  } finally {
    if (before === undefined) delete process.env['GIT_CONFIG_GLOBAL'];
    else process.env['GIT_CONFIG_GLOBAL'] = before;
  }
});

test('an operation that git keeps in a folder of its own is seen even when HEAD and index are as before', async () => {
  const desk = await open();
  await desk.checkout.look();
  mkdirSync(join(desk.gitDir, 'sequencer'));
  expect(await reason(desk)).toMatch(/series of cherry-picks/);
});
