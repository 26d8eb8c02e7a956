import { describe, expect, test } from 'vitest';
import { decideClaims, spread } from '../../src/decide/claims.ts';
import { misfit } from '../../src/orient/fit.ts';
import { isIdle } from '../../src/decide/idle.ts';
import { decideHealing, decideReleases, decideTakeovers } from '../../src/decide/recovery.ts';
import type { LeaseWatch } from '../../src/model/lease.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { orient } from '../../src/orient/situation.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { NOW, agentOf, beatOf, chainOf, fleetOf, resultOf, runOf, snapshotOf, taskOf } from '../support/situations.ts';

const ids = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `t${at}`);
const claims = (snapshot: Snapshot): readonly string[] => decideClaims(snapshot, orient(snapshot.fleet, NOW)).map(({ task, agent }) => `${agent.id} ${task.task.id}`);

describe('an agent fits a task', () => {
  test.each([
    [{}, null], [{ assignedTo: 'ann' }, null], [{ assignedTo: 'bob' }, 'it is assigned to bob'], [{ role: 'reviewer' }, 'it needs the role reviewer'], [{ assignedTo: 'ann', role: 'reviewer' }, null],
    [{ requires: ['gpu'] }, 'it requires gpu'], [{ requires: ['node'] }, null], [{ provider: 'claude' }, 'it asks for the provider claude'], [{ provider: 'runbook' }, null],
  ])('%j: %s', (front, reason) => expect(misfit(agentOf('ann', { capabilities: ['node'] }), taskOf('a', front), 'runbook')).toBe(reason));

  test('a runbook never runs what was meant for another provider', () => {
    expect(misfit(agentOf('ann', { provider: 'runbook' }), taskOf('a', { provider: 'claude' }), 'claude')).not.toBeNull();
  });
});

describe('claims', () => {
  const fleet = fleetOf({ tasks: ids(40).map((id) => taskOf(id)) });
  const agents = ['ann', 'bob', 'cid'].map((id) => agentOf(id));

  test('are one task for each free agent, none twice', () => {
    const decided = decideClaims(snapshotOf(fleet, { self: { agents } }), orient(fleet, NOW));
    expect(decided.map(({ agent }) => agent.id)).toEqual(['ann', 'bob', 'cid']);
    expect(new Set(decided.map(({ task }) => task.task.id)).size).toBe(3);
  });

  test('leave out agents that work, and keep to the limit of the node', () => {
    expect(claims(snapshotOf(fleet, { self: { agents }, runs: [runOf('x', { agent: 'ann' })] }))).toHaveLength(2);
    const narrow = { ...fleet, config: { ...DEFAULT_CONFIG, limits: { ...DEFAULT_CONFIG.limits, agentsPerNode: 2 } } };
    expect(claims(snapshotOf(narrow, { self: { agents }, runs: [runOf('x', { agent: 'ann' })] }))).toHaveLength(1);
  });

  test('leave room to who has something to do: agents without a fitting task take none of it', () => {
    const assigned = fleetOf({ tasks: [taskOf('a', { assignedTo: 'cid' })] });
    const narrow = { ...assigned, config: { ...DEFAULT_CONFIG, limits: { ...DEFAULT_CONFIG.limits, agentsPerNode: 1 } } };
    expect(claims(snapshotOf(narrow, { self: { agents } }))).toEqual(['cid a']);
  });

  test('leave out a task of which this node still has a run', () => {
    const one = fleetOf({ tasks: [taskOf('a')] });
    expect(claims(snapshotOf(one, { self: { agents }, runs: [runOf('a', { agent: 'ann', phase: 'fenced' })] }))).toEqual([]);
  });

  test('are none while draining', () => expect(claims(snapshotOf(fleet, { self: { claiming: false } }))).toEqual([]));

  test('are spread: claimants differ, and each sticks to its own order', () => {
    const { ready } = orient(fleet, NOW);
    const first = ids(20).map((node) => spread(ready, node, 20)[0]?.task.id);
    expect(new Set(first).size).toBeGreaterThan(8);
    expect(spread(ready, 'n', 2).map(({ task }) => task.id)).toEqual(spread(ready, 'n', 2).map(({ task }) => task.id));
  });

  test('never pass by a more urgent task, nor leave the window of the oldest', () => {
    const urgent = fleetOf({ tasks: [...ids(40).map((id) => taskOf(id)), taskOf('now', { priority: 0 })] });
    expect(claims(snapshotOf(urgent))).toEqual(['ann now']);
    const { ready } = orient(fleetOf({ tasks: ids(100).map((id) => taskOf(id)), more: { since: new Map(ids(100).map((id, at) => [id, at])) } }), NOW);
    expect(spread(ready, 'n', 2).map(({ task }) => Number(task.id.slice(1))).every((at) => at < 32)).toBe(true);
  });
});

describe('takeovers', () => {
  const lapsed: LeaseWatch = { claim: 'tip-a', heartbeat: 'beat-vm-a', sinceMs: 0, seenMs: 999_000, fetches: 30 };
  const held = (incarnation = 'life-a') => fleetOf({ tasks: [taskOf('a')], chains: [chainOf('a', 'claim', { incarnation })], more: { nodes: new Map([['vm-a', beatOf('vm-a', 'life-a', ['tip-a'])]]) } });
  const decide = (snapshot: Snapshot): readonly (readonly [string, readonly string[]])[] => [...decideTakeovers(snapshot)].map(([node, claims]) => [node, claims.map(({ task }) => task)]);

  test('are of lapsed claims, by their node', () => {
    expect(decide(snapshotOf(held(), { leases: new Map([['a', lapsed]]) }))).toEqual([['vm-a', ['a']]]);
  });

  test.each<readonly [string, Partial<LeaseWatch>]>([
    ['too few looks', { fetches: 2 }], ['too short a time', { sinceMs: 950_000 }], ['a claim that has moved since it was timed', { claim: 'older' }], ['a heartbeat that came since it was timed', { heartbeat: 'older' }],
  ])('are refused: %s', (_name, more) => {
    expect(decide(snapshotOf(held(), { leases: new Map([['a', { ...lapsed, ...more }]]) }))).toEqual([]);
  });

  test('are never of claims of this very life, nor while draining, nor of a task that runs here', () => {
    expect(decide(snapshotOf(held('life-me'), { leases: new Map([['a', lapsed]]) }))).toEqual([]);
    expect(decide(snapshotOf(held(), { leases: new Map([['a', lapsed]]), self: { claiming: false } }))).toEqual([]);
    expect(decide(snapshotOf(held(), { leases: new Map([['a', lapsed]]), runs: [runOf('a')] }))).toEqual([]);
  });

  test('judge by the claim\'s own TTL', () => {
    const fleet = fleetOf({ tasks: [taskOf('a')], chains: [chainOf('a', 'claim', { ttl_s: 3_600 })] });
    expect(decide(snapshotOf(fleet, { leases: new Map([['a', { ...lapsed, heartbeat: null }]]) }))).toEqual([]);
  });
});

describe('releases', () => {
  test.each([
    ['of this life, unknown to it', 'life-me', [], ['the claim landed late, nobody works on it']],
    ['of an earlier life of this clone', 'life-old', [], ['the node was restarted']],
    ['that somebody works on', 'life-me', [runOf('a')], []],
    ['of somebody else', 'life-a', [], []],
  ] as const)('a claim %s', (_name, incarnation, runs, reasons) => {
    const fleet = fleetOf({ chains: [chainOf('a', 'claim', { incarnation })] });
    expect(decideReleases(snapshotOf(fleet, { runs })).map(({ reason }) => reason)).toEqual(reasons);
  });

  test('never touch what is held no longer', () => {
    expect(decideReleases(snapshotOf(fleetOf({ chains: [chainOf('a', 'release', { incarnation: 'life-me' })] })))).toEqual([]);
  });
});

describe('healing', () => {
  test('waits for a second look', () => {
    const fleet = fleetOf({ tasks: [taskOf('a'), taskOf('b')], chains: [chainOf('a', 'done'), chainOf('b', 'claim')], results: [resultOf('b')], more: { unlanded: new Set(['a']) } });
    const situation = orient(fleet, NOW);
    expect(decideHealing(snapshotOf(fleet), situation)).toMatchObject({ rollForward: [], repair: [] });
    expect(decideHealing(snapshotOf(fleet, { unlandedBefore: new Set(['a']), openEndsBefore: new Set(['b']) }), situation)).toMatchObject({ rollForward: ['a'], repair: ['b'] });
  });
});

describe('a node is idle', () => {
  const idle = (fleet: Parameters<typeof fleetOf>[0], more: Parameters<typeof snapshotOf>[1] = {}): boolean => {
    const built = fleetOf(fleet);
    return isIdle(snapshotOf(built, more), orient(built, NOW));
  };
  const later = '2026-11-22T00:00:00Z';

  test.each([
    ['no task', {}],
    ['all done', { tasks: [taskOf('a')], results: [resultOf('a')], chains: [chainOf('a', 'done')] }],
    ['only what waits for a person', { tasks: [taskOf('a')], chains: [chainOf('a', 'input')] }],
    ['only what waits for a time of its own', { tasks: [taskOf('a', { notBefore: later })] }],
    ['only what no agent here may take', { tasks: [taskOf('a', { assignedTo: 'bob' })] }],
    ['only what depends on a failed task', { tasks: [taskOf('a'), taskOf('b', { dependsOn: ['a'] })], results: [resultOf('a', 'failed')], chains: [chainOf('a', 'failed')] }],
    ['only what waits for what nobody here may take and nobody does', { tasks: [taskOf('a', { dependsOn: ['b'] }), taskOf('b', { notBefore: later })] }],
  ])('with %s', (_name, fleet) => expect(idle(fleet)).toBe(true));

  test.each([
    ['something is ready', { tasks: [taskOf('a')] }],
    ['another node works on what could fall to it', { tasks: [taskOf('a')], chains: [chainOf('a', 'claim')] }],
    ['something waits for a task that another node works on', { tasks: [taskOf('a', { assignedTo: 'bob' }), taskOf('b', { dependsOn: ['a'] })], chains: [chainOf('a', 'claim')] }],
    ['the other thing that its task waits for is done and archived', { tasks: [taskOf('a', { assignedTo: 'bob' }), taskOf('b', { dependsOn: ['a', 'old'] })], chains: [chainOf('a', 'claim')], more: { archived: new Map([['old', resultOf('old')]]) } }],
    ['a failed attempt will be made again', { tasks: [taskOf('a')], chains: [chainOf('a', 'release', { not_before: later, spent: true })] }],
    ['a landing is still to be healed', { tasks: [taskOf('a')], chains: [chainOf('a', 'done')], more: { unlanded: new Set(['a']) } }],
  ])('not while %s', (_name, fleet) => expect(idle(fleet)).toBe(false));

  test('not while it runs something', () => expect(idle({}, { runs: [runOf('a')] })).toBe(false));
});
