import { describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { ARCHIVED_MAX, dueForArchive, whyNotArchived } from '../../src/orient/archivable.ts';
import { orient } from '../../src/orient/situation.ts';
import { NOW, chainOf, fleetOf, resultOf, taskOf } from '../support/situations.ts';
import type { FleetParts } from '../support/situations.ts';
import type { Fleet } from '../../src/model/snapshot.ts';

const DAY_MS = 86_400_000;
const nowMs = Date.parse(NOW);
const daysAgo = (days: number): string => new Date(nowMs - days * DAY_MS).toISOString();

/** Ended tasks by the days since their end. */
function ended(ages: Readonly<Record<string, number>>, more: FleetParts = {}, endedMax = 500): Fleet {
  const tasks = [...Object.keys(ages).map((id) => taskOf(id)), ...(more.tasks ?? [])];
  return fleetOf({
    ...more, tasks, results: Object.entries(ages).map(([id, days]) => resultOf(id, 'done', { ended: daysAgo(days) })), chains: [...Object.keys(ages).map((id) => chainOf(id, 'done')), ...(more.chains ?? [])],
    more: { config: { ...DEFAULT_CONFIG, archive: { afterDays: 7, endedMax, spawnDays: 14 } }, ...more.more },
  });
}

describe('what leaves tasks/', () => {
  test('has ended for long enough, the oldest first', () => expect(dueForArchive(ended({ a: 8, b: 6.9, c: 30 }), nowMs)).toEqual(['c', 'a']));
  test('is young too where too many have ended, and only as many as are too many', () => expect(dueForArchive(ended({ a: 3, b: 1, c: 2, d: 0 }, {}, 2), nowMs)).toEqual(['a', 'c']));
  test('is what may go: one that must stay is made up for by the next', () => expect(dueForArchive(ended({ a: 3, b: 1, c: 2 }, { tasks: [taskOf('open', { dependsOn: ['a'] })] }, 2), nowMs)).toEqual(['c']));
  test('goes without a readable end only when there are too many', () => {
    const odd = (endedMax: number): Fleet => ({ ...ended({ a: 1 }, {}, endedMax), results: new Map([['a', resultOf('a', 'done', { ended: 'yesterday' })]]) });
    expect([dueForArchive(odd(500), nowMs), dueForArchive(odd(0), nowMs)]).toEqual([[], ['a']]);
  });
  test('is never more than one commit takes', () => expect(dueForArchive(ended(Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`t${at}`, 9]))), nowMs)).toHaveLength(ARCHIVED_MAX));
});

describe('a task stays', () => {
  test.each<[string, FleetParts, string]>([
    ['while it is open', { tasks: [taskOf('a')] }, 'it has not ended'],
    ['while main alone shows its end', { tasks: [taskOf('a')], results: [resultOf('a')], chains: [chainOf('a', 'claim')] }, 'it has not ended'],
    ['while its chain alone shows its end', { tasks: [taskOf('a')], chains: [chainOf('a', 'done')] }, 'it has not ended'],
    ['while its landing is missing', { tasks: [taskOf('a')], results: [resultOf('a')], chains: [chainOf('a', 'done')], more: { unlanded: new Set(['a']) } }, 'mended'],
    ['while it cannot be read', { more: { unreadable: new Set(['a']) } }, 'cannot be read'],
    ['while another waits for it', { tasks: [taskOf('a'), taskOf('b', { dependsOn: ['a'] })], results: [resultOf('a')], chains: [chainOf('a', 'done')] }, 'b depends on it and has not ended'],
    ['while many wait for it', { tasks: [taskOf('a'), ...'bcdefgh'.split('').map((id) => taskOf(id, { dependsOn: ['a'] }))], results: [resultOf('a')], chains: [chainOf('a', 'done')] }, 'b, c, d, e, f and 2 more depend on it and have not ended'],
  ])('%s', (_when, parts, reason) => expect(whyNotArchived(fleetOf(parts), 'a')).toContain(reason));

  test('no longer once its dependents have ended', () => expect(whyNotArchived(ended({ a: 1, b: 1 }, { tasks: [] }), 'a')).toBeNull());
});

describe('a dependency in the archive', () => {
  const fleet = (outcome: 'done' | 'failed'): Fleet => fleetOf({ tasks: [taskOf('b', { dependsOn: ['a'] })], more: { archived: new Map([['a', resultOf('a', outcome)]]) } });
  test('is met when it was done', () => expect(orient(fleet('done'), NOW).tasks.get('b')?.state).toBe('ready'));
  test('blocks when it failed', () => expect(orient(fleet('failed'), NOW).tasks.get('b')).toMatchObject({ state: 'blocked', reasons: ['depends on a, which failed', expect.anything()] }));
});

test('a reopening of which only main knows is no ready task, and is to be mended', () => {
  const situation = orient(fleetOf({ tasks: [taskOf('a')], more: { reopened: new Set(['a']) } }), NOW);
  expect(situation.tasks.get('a')?.state).toBe('blocked');
  expect(situation.openEnds).toEqual(new Set(['a']));
});
