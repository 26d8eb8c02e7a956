import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { mergeText } from '../../src/adapters/diff3.ts';
import { tempDir } from '../support/temp.ts';

const temp = tempDir('diff3');
afterAll(() => temp.remove());

const merge = (base: string, ours: string, theirs: string): string | null => {
  const merged = mergeText(Buffer.from(base), Buffer.from(ours), Buffer.from(theirs));
  return merged === null ? null : Buffer.from(merged).toString();
};

test.each([
  ['changes apart', 'a\nb\nc\nd\n', 'A\nb\nc\nd\n', 'a\nb\nc\nD\n', 'A\nb\nc\nD\n'],
  ['the same change', 'a\nb\n', 'a\nB\n', 'a\nB\n', 'a\nB\n'],
  ['an insertion and a removal apart', 'a\nb\nc\nd\n', 'n\na\nb\nc\nd\n', 'a\nb\nc\n', 'n\na\nb\nc\n'],
  ['a last line without its end', 'a\nb\nc', 'A\nb\nc', 'a\nb\nC', 'A\nb\nC'],
  ['no change', 'a', 'a', 'a', 'a'],
  ['from nothing to one text', '', 'a\n', 'a\n', 'a\n'],
])('%s merge', (_, base, ours, theirs, result) => expect(merge(base, ours, theirs)).toBe(result));

test.each([
  ['one line changed twice', 'a\nb\nc\n', 'a\nX\nc\n', 'a\nY\nc\n'],
  ['touching lines', 'a\nb\n', 'A\nb\n', 'a\nB\n'],
  ['two insertions at one place', 'a\nb\n', 'a\nx\nb\n', 'a\ny\nb\n'],
  ['a change in what the other removed', 'a\nb\nc\n', 'a\nc\n', 'a\nB\nc\n'],
  ['a binary file', 'a\0\nb\nc\n', 'A\0\nb\nc\n', 'a\0\nb\nC\n'],
])('%s conflict', (_, base, ours, theirs) => expect(merge(base, ours, theirs)).toBeNull());

test('bytes that are not UTF-8 are kept', () => {
  const base = Buffer.from('\xff\nb\nc\n', 'latin1');
  const merged = mergeText(base, Buffer.from('\xff\xfe\nb\nc\n', 'latin1'), Buffer.from('\xff\nb\n\x80\n', 'latin1'));
  expect(Buffer.from(merged ?? []).toString('latin1')).toBe('\xff\xfe\nb\n\x80\n');
});

test('sides that differ in thousands of lines are a conflict, soon', () => {
  const [base, ours, theirs] = ['a', 'b', 'c'].map((name) => Array.from({ length: 5_000 }, (_, index) => `${name} ${index}\n`).join('')) as [string, string, string];
  expect(merge(base, ours, theirs)).toBeNull();
});

/** Keeps, replaces, drops or adds to each line, with lines that are nowhere else, so that the differences are beyond doubt. */
const edits = fc.array(fc.constantFrom('keep', 'keep', 'keep', 'replace', 'drop', 'add'), { minLength: 8, maxLength: 14 });
const apply = (side: string, made: readonly string[]): string => made.map((edit, index) => ({
  keep: `line ${index}\n`, replace: `${side} ${index}\n`, drop: '', add: `line ${index}\n${side} after ${index}\n`,
})[edit]).join('');

test('where git merge-file merges, the result is that of git; where it finds a conflict, so do we', () => {
  fc.assert(fc.property(edits, edits, (left, right) => {
    const length = Math.min(left.length, right.length);
    const base = Array.from({ length }, (_, index) => `line ${index}\n`).join('');
    const texts = [apply('ours', left.slice(0, length)), base, apply('theirs', right.slice(0, length))] as const;
    const paths = texts.map((text, index) => {
      const path = join(temp.path, String(index));
      writeFileSync(path, text);
      return path;
    });
    const git = spawnSync('git', ['merge-file', '-p', ...paths], { encoding: 'utf8' });
    expect(merge(base, texts[0], texts[2])).toBe(git.status === 0 ? git.stdout : null);
  }), { numRuns: 150 });
});
