/** Two globs overlap when some path matches both: held against every path over a small alphabet. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { globToRegExp } from '../../src/model/glob.ts';
import { globsOverlap } from '../../src/model/globOverlap.ts';

describe('overlap', () => {
  test.each([
    ['src/**', 'src/api/x.ts'], ['src/**', 'src/**/x.ts'], ['**/x.ts', 'x.ts'], ['src/*/a', 'src/?/a'], ['a*c', '*b*'], ['**', 'anything/at/all'], ['docs/**/*.md', 'docs/*.md'], ['a/**/b', 'a/b'],
  ])('%s and %s', (left, right) => {
    expect([globsOverlap(left, right), globsOverlap(right, left)]).toEqual([true, true]);
  });
});

describe('nothing matches both', () => {
  test.each([
    ['src/**', 'docs/**'], ['src/*', 'src/a/b'], ['*.ts', '*.js'], ['src/**/x.ts', 'src/y.ts'], ['a?', 'a/'], ['a', 'ab'], ['src/api/**', 'src/api'], ['**/a', '**/b'],
  ])('%s and %s', (left, right) => {
    expect([globsOverlap(left, right), globsOverlap(right, left)]).toEqual([false, false]);
  });
});

/** Every path of up to five characters over these. */
const PATHS = [1, 2, 3, 4, 5].flatMap((length) => Array.from({ length: 3 ** length }, (_, at) => [...at.toString(3).padStart(length, '0')].map((digit) => 'ab/'[Number(digit)]).join('')));

test('a path that matches both is seen, whatever the globs', () => {
  const glob = fc.array(fc.constantFrom('a', 'b', '/', '*', '?', '**', '**/'), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
  fc.assert(fc.property(glob, glob, (left, right) => {
    const [ours, theirs] = [globToRegExp(left), globToRegExp(right)];
    const common = PATHS.find((path) => ours.test(path) && theirs.test(path));
    if (common !== undefined) expect(globsOverlap(left, right)).toBe(true);
    // Where both could only be short, the paths above are all there are.
    else if (!/\*/.test(left) && left.length <= 5) expect(globsOverlap(left, right)).toBe(false);
  }), { seed: 7, numRuns: 300 });
});

test('globs made to be slow are answered at once', () => {
  const hostile = `${'*a'.repeat(200)}z`;
  expect(typeof globsOverlap(hostile, `${'**/b'.repeat(200)}y`)).toBe('boolean');
});
