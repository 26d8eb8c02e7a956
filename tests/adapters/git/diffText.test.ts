/** The difference of two commits as people read it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diffText } from '../../../src/adapters/git/diffText.ts';
import { gitIn } from '../../support/repo.ts';
import { tempDir } from '../../support/temp.ts';

let temp: ReturnType<typeof tempDir>;
beforeEach(() => {
  temp = tempDir('diff');
  gitIn(temp.path, ['init', '--quiet']);
  for (const [key, value] of [['user.name', 'Test'], ['user.email', 't@example.org']] as const) gitIn(temp.path, ['config', key, value]);
});
afterEach(() => temp.remove());

function commit(files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(temp.path, path, '..'), { recursive: true });
    writeFileSync(join(temp.path, path), text);
  }
  gitIn(temp.path, ['add', '--all']);
  gitIn(temp.path, ['commit', '--quiet', '-m', 'x']);
  return gitIn(temp.path, ['rev-parse', 'HEAD']).trim();
}

const diff = (before: string, after: string, exclude: readonly string[] = [], bytesMax = 100_000): ReturnType<typeof diffText> => diffText(join(temp.path, '.git'), before, after, { exclude, bytesMax });

test('leaves out what the globs name, at any depth, and nothing else', async () => {
  const before = commit({ 'a.txt': 'one\n' });
  const after = commit({ 'a.txt': 'two\n', 'tasks/a.result.md': 'r\n', 'tasks/web/b.result.md': 'r\n', 'tasks/c.md': 'c\n' });
  const { text, cut } = await diff(before, after, ['tasks/**/*.result.md']);
  expect(text).toContain('+two');
  expect(text).toContain('tasks/c.md');
  expect(text).not.toContain('result.md');
  expect(cut).toBe(false);
});

test('holds no more than it was asked for, and says that there is more', async () => {
  const before = commit({ 'a.txt': 'one\n' });
  const after = commit({ 'a.txt': 'x\n'.repeat(2_000_000) });
  const { text, cut } = await diff(before, after, [], 1_000);
  expect([text.length, cut]).toEqual([1_000, true]);
});

test('fails by name where a commit is not there', async () => {
  const before = commit({ 'a.txt': 'one\n' });
  await expect(diff(before, 'd'.repeat(40))).rejects.toMatchObject({ code: 'git-failed' });
});
