import matter from 'gray-matter';
import { describe, expect, test } from 'vitest';
import { bodyText, readFrontMatter } from '../../src/observe/frontMatter.ts';
import { isQuarantined } from '../../src/observe/text.ts';

const read = (text: string) => readFrontMatter('tasks/x.md', text, () => 'any');
const labelsOf = (text: string) => (read(text) as unknown as { data: { labels: string[] } }).data.labels;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('each key is known by its line in the file', () => {
  const front = read('---\n# a comment\ntitle: x\n\nlabels:\n  - a\npriority: 1\n---\nbody');
  expect(isQuarantined(front) ? front : [...front.lines]).toEqual([['title', 3], ['labels', 5], ['priority', 7]]);
});

test('lines are right after blank lines at the top of the block', () => {
  expect(read('---\n\n\ntitle: x\nbad: [\n---\n')).toMatchObject({ line: 5 });
  const front = read('---\n\n\ntitle: x\n---\n');
  expect(isQuarantined(front) ? front : front.lines.get('title')).toBe(4);
});

test('a malformed file is malformed at every look', () => {
  const text = '---\ntitle: [\n---\nbody';
  expect(read(text)).toEqual(read(text));
  expect(isQuarantined(read(text))).toBe(true);
});

test('gray-matter keeps nothing in its cache, so what one caller does to the data no other sees', () => {
  const text = '---\nlabels: [a]\n---\nbody';
  labelsOf(text).push('mine');
  expect(labelsOf(text)).toEqual(['a']);
  expect(Object.keys((matter as unknown as { cache: object }).cache)).toEqual([]);
});

describe('scalars stay what their author wrote', () => {
  test.each([
    ['007', '007'], ['1.10', '1.10'], ['2026-11-20', '2026-11-20'], ['12e5', '12e5'], ['0x1F', '0x1F'], ['1:30', '1:30'], ['.5', '.5'], ['-0', '-0'], ['.nan', '.nan'], ['"7"', '7'],
    ['7', 7], ['1.5', 1.5], ['-3', -3], ['true', true], ['no', 'no'], ['~', null], ['!!str 007', '007'],
  ])('%s', (source, value) => {
    expect(read(`---\nkey: ${source}\n---\n`)).toMatchObject({ data: { key: value } });
  });
});

test('the body is everything after the closing fence, byte for byte', () => {
  expect(bodyText(encode('---\ntitle: x\n---\n\n  one\n---\ntwo'))).toBe('\n  one\n---\ntwo');
  expect(bodyText(encode('no front matter\n'))).toBe('no front matter\n');
  expect(() => bodyText(encode('---\ntitle: x'))).toThrow(expect.objectContaining({ code: 'bad-file' }));
});
