import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openWorktrees } from '../../../src/adapters/git/worktrees.ts';
import type { Oid } from '../../../src/model/ids.ts';
import type { Worktrees } from '../../../src/ports/worktrees.ts';
import { gitIn, makeClone, tempDir, writeCommit } from '../../support/repo.ts';

let temp: ReturnType<typeof tempDir>;
let clone: string;
let base: Oid;
let worktrees: Worktrees;
beforeEach(() => {
  temp = tempDir('worktrees');
  clone = makeClone(join(temp.path, 'clone'), 'nowhere');
  base = writeCommit(clone, 'base', { files: { 'kept.txt': 'kept\n', 'gone.txt': 'gone\n', '.gitignore': '*.log\n' } });
  worktrees = openWorktrees(join(clone, '.git'), join(clone, '.cambium/worktrees'));
});
afterEach(() => temp.remove());

const filesOf = (tree: Oid): readonly string[] => gitIn(clone, ['ls-tree', '-r', '--name-only', tree]).split('\n');

test('a worktree stands on its commit, with no branch of its own', async () => {
  const path = await worktrees.create('a-1', base);
  expect(readFileSync(join(path, 'kept.txt'), 'utf8')).toBe('kept\n');
  expect(gitIn(path, ['rev-parse', 'HEAD'])).toBe(base);
  expect(() => gitIn(path, ['symbolic-ref', '-q', 'HEAD'])).toThrow();
  expect([await worktrees.exists('a-1'), await worktrees.exists('b-1')]).toEqual([true, false]);
  expect(await worktrees.list()).toEqual(['a-1']);
});

describe('what is captured', () => {
  test('are files that were added, changed and deleted, without those that are ignored', async () => {
    const path = await worktrees.create('a-1', base);
    writeFileSync(join(path, 'new.txt'), 'new\n');
    writeFileSync(join(path, 'kept.txt'), 'changed\n');
    writeFileSync(join(path, 'noise.log'), 'noise\n');
    rmSync(join(path, 'gone.txt'));
    const { tree, head } = await worktrees.capture('a-1');
    expect(head).toBe(base);
    expect(filesOf(tree)).toEqual(['.gitignore', 'kept.txt', 'new.txt']);
    expect(gitIn(clone, ['show', `${tree}:kept.txt`])).toBe('changed');
  });

  test('is what stands there now, also at the second time', async () => {
    const path = await worktrees.create('a-1', base);
    writeFileSync(join(path, 'new.txt'), 'first\n');
    const first = await worktrees.capture('a-1');
    writeFileSync(join(path, 'new.txt'), 'second\n');
    rmSync(join(path, 'kept.txt'));
    const second = await worktrees.capture('a-1');
    expect(gitIn(clone, ['show', `${first.tree}:new.txt`])).toBe('first');
    expect(gitIn(clone, ['show', `${second.tree}:new.txt`])).toBe('second');
    expect(filesOf(second.tree)).not.toContain('kept.txt');
  });

  test('names the commit that the agent made there', async () => {
    const path = await worktrees.create('a-1', base);
    writeFileSync(join(path, 'new.txt'), 'new\n');
    gitIn(path, ['add', '--all']);
    gitIn(path, ['commit', '--quiet', '-m', 'the agent has committed']);
    const { tree, head } = await worktrees.capture('a-1');
    expect(head).toBe(gitIn(path, ['rev-parse', 'HEAD']));
    expect(tree).toBe(gitIn(path, ['rev-parse', 'HEAD^{tree}']));
  });

  test('leaves the agent\'s index as it is, and does not wait for its lock', async () => {
    const path = await worktrees.create('a-1', base);
    writeFileSync(join(path, 'new.txt'), 'new\n');
    const lock = join(gitIn(path, ['rev-parse', '--absolute-git-dir']), 'index.lock');
    writeFileSync(lock, '');
    expect(filesOf((await worktrees.capture('a-1')).tree)).toContain('new.txt');
    rmSync(lock);
    expect(gitIn(path, ['status', '--porcelain'])).toBe('?? new.txt');
  });
});

describe('a worktree that is in the way', () => {
  test('of a new one of its name goes, with what stood in it', async () => {
    const path = await worktrees.create('a-1', base);
    writeFileSync(join(path, 'half.txt'), 'of an attempt that was given up\n');
    await worktrees.capture('a-1');
    const next = writeCommit(clone, 'next', { parents: [base], files: { 'next.txt': 'next\n' } });
    await worktrees.create('a-1', next);
    expect(existsSync(join(path, 'half.txt'))).toBe(false);
    expect(filesOf((await worktrees.capture('a-1')).tree)).toEqual(['next.txt']);
  });

  test('goes also when git no longer knows it, or when it never was one', async () => {
    const path = await worktrees.create('a-1', base);
    rmSync(join(clone, '.git/worktrees'), { recursive: true });
    await worktrees.create('a-1', base);
    expect(gitIn(path, ['rev-parse', 'HEAD'])).toBe(base);
    mkdirSync(worktrees.path('b-1'));
    writeFileSync(join(worktrees.path('b-1'), 'left behind.txt'), '');
    await worktrees.create('b-1', base);
    expect(existsSync(join(worktrees.path('b-1'), 'left behind.txt'))).toBe(false);
  });
});

test('`git worktree prune` does not take a worktree away while its folder is out of sight', async () => {
  const path = await worktrees.create('a-1', base);
  const aside = join(temp.path, 'aside');
  renameSync(path, aside);
  gitIn(clone, ['worktree', 'prune', '--expire=now']);
  renameSync(aside, path);
  expect(gitIn(path, ['rev-parse', 'HEAD'])).toBe(base);
});

test('removing leaves neither a folder nor a trace in git, and is no error where nothing is', async () => {
  await worktrees.create('a-1', base);
  await worktrees.capture('a-1');
  await worktrees.remove('a-1');
  expect(await worktrees.list()).toEqual([]);
  expect(existsSync(join(clone, '.cambium/worktrees/.index/a-1'))).toBe(false);
  expect(gitIn(clone, ['worktree', 'list', '--porcelain'])).not.toContain('a-1');
  await worktrees.remove('a-1');
});
