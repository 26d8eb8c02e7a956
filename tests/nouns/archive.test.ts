import { describe, expect, test } from 'vitest';
import { archiveDay, archivedMonth, archivedName, archivedPath, chainEntry, monthOf, pinOf, reopenedPath, ulidTime } from '../../src/model/archive.ts';

describe('the day of an end', () => {
  test.each([
    ['2026-11-21T23:59:59Z', '2026-11/21'], ['2027-01-01T00:00:00Z', '2027-01/01'], ['+012026-01-01T00:00:00Z', '9999-12/31'], ['-000001-01-01T00:00:00Z', '1970-01/01'],
  ])('%s is filed under %s', (time, day) => expect(archiveDay(Date.parse(time))).toBe(day));

  test('gives the month of the archive ref', () => expect(monthOf(Date.parse('2026-11-21T00:00:00Z'))).toBe('2026-11'));
});

describe('a file of the archive', () => {
  const path = archivedPath('a', '2026-11/21');

  test.each([
    [path, { task: 'a', kind: 'instruction' }], [path.replace('.md', '.result.md'), { task: 'a', kind: 'result' }], [reopenedPath('a', path), { task: 'a', kind: 'reopened' }],
    ['tasks/archive/2026-11/README.md', null], ['tasks/archive/a.png', null],
  ])('%s speaks of %j', (file, named) => expect(archivedName(file.slice(file.lastIndexOf('/') + 1))).toEqual(named));

  test('tells its month', () => expect([archivedMonth(path), archivedMonth('tasks/archive/old/a.md')]).toEqual(['2026-11', '']));
});

describe('a ref that keeps work', () => {
  test.each([
    ['refs/cambium/wip/a/2', 'a', chainEntry('a', 'a.wip.2')], ['refs/cambium/stale/a/1', 'a', chainEntry('a', 'a.stale.1')], ['refs/cambium/review/a/3', 'a', chainEntry('a', 'a.review.3')],
    ['refs/heads/review/a', 'a', chainEntry('a', 'a.review')], ['refs/cambium/rescue/vm-a/01JD0ZB7QK0000000000000000', null, 'rescue/vm-a.01JD0ZB7QK0000000000000000'],
  ])('%s is that of %s', (ref, task, entry) => expect(pinOf(ref, 'x')).toEqual({ ref, oid: 'x', task, entry }));

  test.each(['refs/cambium/wip/a', 'refs/cambium/wip/a/b', 'refs/heads/review/a/b', 'refs/cambium/rescue/x', 'refs/cambium/nodes/a', 'refs/heads/main'])('%s is none', (ref) => expect(pinOf(ref, 'x')).toBeNull());

  test('never stands where a chain stands: ids have no dots', () => expect(chainEntry('a')).toMatch(/^[0-9a-f]{2}\/a$/));
});

test.each([['refs/cambium/rescue/vm-a/01ARYZ6S41TSV4RRFFQ69G5FAV', 1_469_918_176_385], ['refs/cambium/rescue/vm-a/2026-11-21', null]])('the time of %s is %s', (ref, ms) => expect(ulidTime(ref)).toBe(ms));
