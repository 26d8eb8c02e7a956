/** Which of two versions is newer, and what status says of it. */
import { describe, expect, test } from 'vitest';
import { compareVersions, versionNote } from '../../src/model/version.ts';

describe('the newer of two versions', () => {
  test.each([
    ['0.1.0', '0.2.0'], ['0.2.0', '0.10.0'], ['0.9.9', '1.0.0'], ['1.0.0', '1.0.1'], ['0.2.0-dev', '0.2.0'], ['v0.1.0', '0.2.0'], ['nonsense', '0.0.1'],
  ])('%s is older than %s', (older, newer) => {
    expect(Math.sign(compareVersions(older, newer))).toBe(-1);
    expect(Math.sign(compareVersions(newer, older))).toBe(1);
  });

  test.each([['0.2.0', 'v0.2.0'], ['0.2.0+build.1', '0.2.0'], ['1', '1.0.0']])('%s is as new as %s', (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });
});

describe('beside a node status says', () => {
  test.each([
    ['0.1.0', '0.2.0', '0.1.0, this is 0.2.0: upgrade there'], ['0.3.0', '0.2.0', '0.3.0, this is 0.2.0: upgrade here'], ['0.2.0', '0.2.0', null], [null, '0.2.0', null],
  ])('of %s, where this is %s: %s', (theirs, ours, said) => {
    expect(versionNote(theirs, ours, false)).toBe(said);
  });

  test('this clone\'s own, whose daemon was started before an upgrade, that it is to be started anew', () => {
    expect(versionNote('0.1.0', '0.2.0', true)).toBe('0.1.0, this is 0.2.0: start its daemon anew');
  });
});
