import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAdditions } from '../../../src/adapters/git/additions.ts';
import { readLog } from '../../../src/adapters/git/readLog.ts';
import type { Oid } from '../../../src/model/ids.ts';
import { gitIn, makeClone, tempDir } from '../../support/repo.ts';

const temp = tempDir('log');
const clone = makeClone(join(temp.path, 'clone'), 'nowhere');
const gitDir = join(clone, '.git');
afterAll(() => temp.remove());

let seconds = 1_795_219_200;

/** A commit whose tree has these files, a minute after the one before it. */
function commit(message: string, parents: readonly Oid[], files: readonly string[]): Oid {
  const blob = gitIn(clone, ['hash-object', '-w', '--stdin'], 'text\n');
  const folder = gitIn(clone, ['mktree', '-z'], files.map((name) => `100644 blob ${blob}\t${name}\0`).join(''));
  const tree = gitIn(clone, ['mktree'], `040000 tree ${folder}\ttasks\n`);
  seconds += 60;
  return gitIn(clone, ['-c', 'user.name=Maria', 'hash-object', '-t', 'commit', '-w', '--stdin'], [
    `tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author Maria <maria@example.org> ${seconds} +0100`, `committer Node <node@example.org> ${seconds} +0000`, '', message, '',
  ].join('\n'));
}

let first: Oid, second: Oid, side: Oid, merged: Oid, newest: Oid;
beforeAll(() => {
  first = commit('b: add\n\nTask: b', [], ['b.md']);
  second = commit('a: add', [first], ['a.md', 'b.md']);
  side = commit('c: add\n\nTask: c', [first], ['b.md', 'c.md', 'ü 1.md']);
  merged = commit('merge what Maria has pushed', [second, side], ['a.md', 'b.md', 'c.md', 'ü 1.md']);
  newest = commit('a: done by ann\n\nIt went well.\n\nTask: a\nEpoch: 2', [merged], ['a.md', 'b.md', 'c.md', 'ü 1.md']);
});

describe('the log', () => {
  const subjects = async (options: { limit: number; task?: string }): Promise<readonly string[]> => (await readLog(gitDir, newest, options)).map(({ subject }) => subject);

  test('is newest first, along first parents, with author, time and trailers', async () => {
    expect(await subjects({ limit: 20 })).toEqual(['a: done by ann', 'merge what Maria has pushed', 'a: add', 'b: add']);
    expect((await readLog(gitDir, newest, { limit: 1 }))[0]).toEqual({ oid: newest, at: new Date(seconds * 1000).toISOString(), author: 'Maria', subject: 'a: done by ann', trailers: { Task: 'a', Epoch: '2' } });
  });

  test('of one task has what names it in a trailer or in front of the subject', async () => {
    expect(await subjects({ limit: 20, task: 'a' })).toEqual(['a: done by ann', 'a: add']);
    expect(await subjects({ limit: 1, task: 'b' })).toEqual(['b: add']);
  });
});

describe('when a file first stood on main', () => {
  const additions = async (from: Oid, not: Oid | null, commitsMax = 100): Promise<Record<string, number>> => Object.fromEntries(await openAdditions(gitDir).additions(from, not, 'tasks', commitsMax));
  const at = (oid: Oid): number => Number(gitIn(clone, ['show', '-s', '--format=%ct', oid]));

  test('is the commit on main that brought it: for a merged branch the merge', async () => {
    expect(await additions(newest, null)).toEqual({ 'tasks/b.md': at(first), 'tasks/a.md': at(second), 'tasks/c.md': at(merged), 'tasks/ü 1.md': at(merged) });
  });

  test('is looked up only where it is not yet known', async () => {
    expect(await additions(newest, second)).toEqual({ 'tasks/c.md': at(merged), 'tasks/ü 1.md': at(merged) });
    expect(await additions(newest, newest)).toEqual({});
  });

  test('is, for a file that went and came again, its first time', async () => {
    const without = commit('a: away', [newest], ['b.md']);
    const again = commit('a: add again', [without], ['a.md', 'b.md']);
    expect((await additions(again, null))['tasks/a.md']).toBe(at(second));
  });
});
