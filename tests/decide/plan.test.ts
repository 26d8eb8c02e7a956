/** The plan of a pass: the pass's own decisions, with reasons that a person can check, and why the rest is left alone. */
import { describe, expect, test } from 'vitest';
import { decideClaims } from '../../src/decide/claims.ts';
import { NO_FACTS } from '../../src/decide/facts.ts';
import type { PlanFacts } from '../../src/decide/facts.ts';
import { decidePlan } from '../../src/decide/plan.ts';
import type { Plan } from '../../src/decide/plan.ts';
import type { LeaseWatch } from '../../src/model/lease.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { orient } from '../../src/orient/situation.ts';
import { NOW, agentOf, chainOf, fleetOf, resultOf, runOf, snapshotOf, taskOf } from '../support/situations.ts';
import type { FleetParts } from '../support/situations.ts';

type More = NonNullable<Parameters<typeof snapshotOf>[1]>;

function planOf(parts: FleetParts, more: More = {}, facts: Partial<PlanFacts> = {}): Plan {
  const fleet = fleetOf(parts);
  return decidePlan(snapshotOf(fleet, more), orient(fleet, NOW), { ...NO_FACTS, ...facts });
}
const does = (...args: Parameters<typeof planOf>): readonly string[] => planOf(...args).does.map(({ kind, task, agent, epoch, reason }) => `${kind} ${task} ${agent} ${epoch}: ${reason}`);
const leaves = (...args: Parameters<typeof planOf>): readonly string[] => planOf(...args).leaves.map(({ kind, task, reason }) => `${kind} ${task}: ${reason}`);

describe('why this task for this agent', () => {
  const reasonOf = (parts: FleetParts): string | undefined => {
    const fleet = fleetOf(parts);
    return decideClaims(snapshotOf(fleet), orient(fleet, NOW))[0]?.reason;
  };

  test.each<readonly [string, FleetParts, string]>([
    ['alone', { tasks: [taskOf('a')] }, 'priority 2, the only ready task that fits ann'],
    ['assigned', { tasks: [taskOf('a', { assignedTo: 'ann', priority: 1 })] }, 'assigned to ann, priority 1, the only ready task that fits ann'],
    ['of those that fit', { tasks: [taskOf('a'), taskOf('b', { assignedTo: 'bob' })] }, 'priority 2, the only ready task that fits ann'],
    ['most urgent', { tasks: [taskOf('a'), taskOf('b', { priority: 0 }), taskOf('c')] }, 'priority 0, the most urgent of 3 ready that fit ann'],
  ])('%s', (_name, parts, reason) => expect(reasonOf(parts)).toBe(reason));

  test('among equals: its rank by age, and the hash that spread it', () => {
    const ids = Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(2, '0')}`);
    const fleet = fleetOf({ tasks: ids.map((id) => taskOf(id)), more: { since: new Map(ids.map((id, at) => [id, at])) } });
    const reasons = ids.map((node) => decideClaims(snapshotOf(fleet, { self: { node } }), orient(fleet, NOW))[0]).map((claim) => ({ id: claim?.task.task.id, reason: claim?.reason }));
    for (const { id, reason } of reasons) {
      const rank = Number(id?.slice(1)) + 1;
      const nth = rank === 1 ? '' : `${rank}${rank === 2 || rank === 22 ? 'nd' : rank === 3 || rank === 23 ? 'rd' : rank === 21 ? 'st' : 'th'} `;
      expect(reason).toMatch(new RegExp(`^priority 2, ${nth}oldest of 25 equally urgent that fit ann \\(spread hash [0-9a-f]{8}\\)$`));
    }
    expect(new Set(reasons.map(({ id }) => id)).size).toBeGreaterThan(5);
  });
});

describe('a plan does', () => {
  test('what the pass decides: claims, at the epoch they will have', () => {
    expect(does({ tasks: [taskOf('a')], chains: [chainOf('a', 'release', { epoch: 3 })] })).toEqual(['claim a ann 4: priority 2, the only ready task that fits ann']);
    expect(does({ tasks: [taskOf('a')] })).toEqual(['claim a ann 1: priority 2, the only ready task that fits ann']);
  });

  test('takeovers, with how long the owner was silent', () => {
    const lapsed: LeaseWatch = { claim: 'tip-a', heartbeat: null, sinceMs: 900_000, seenMs: 999_000, fetches: 30 };
    expect(does({ tasks: [taskOf('a')], chains: [chainOf('a', 'claim')] }, { leases: new Map([['a', lapsed]]) })).toEqual(['takeover a null 2: vm-a has not renewed it for 100 s, its lease of 60 s has lapsed']);
  });

  test('releases of an earlier life, and work whose text was edited under review', () => {
    expect(does({ tasks: [taskOf('a')], chains: [chainOf('a', 'claim', { incarnation: 'life-old' })] })).toEqual(['release a ann 1: the node was restarted']);
    expect(does({ tasks: [taskOf('a')], chains: [chainOf('a', 'review', { instruction: { blob: 'older', commit: 'c' } })] })).toEqual(['release a ann 1: the instruction was edited while its work waited for review']);
  });

  test('the landing of what was approved', () => {
    const parts = { tasks: [taskOf('a')], chains: [chainOf('a', 'approve', { instruction: { blob: 'blob-a', commit: 'c' }, by: 'Maria' })] };
    expect(does(parts)).toEqual(['claim a null 2: approved by Maria: landed as it was reviewed, no agent is started']);
    expect(does(parts, {}, { heldOff: new Map([['a', 'the hub refused it']]) })).toEqual([]);
  });

  test('mend halves that two looks have seen', () => {
    const parts = { tasks: [taskOf('a'), taskOf('b')], chains: [chainOf('a', 'done'), chainOf('b', 'claim'), chainOf('c', 'claim')], results: [resultOf('b')], more: { unlanded: new Set(['a']) } };
    expect(does(parts, { self: { agents: [] } })).toEqual([]);
    const planned = planOf(parts, { self: { agents: [] }, unlandedBefore: new Set(['a']), openEndsBefore: new Set(['b']), deletedBefore: new Set(['c']) }).does;
    expect(planned.map(({ kind, task }) => `${kind} ${task}`)).toEqual(['roll-forward a', 'repair b', 'cancel c']);
    for (const { reason } of planned) expect(reason).toMatch(/applied by half|was deleted/);
  });

  test('the next step of its own runs, and nothing for one that only runs', () => {
    const own = (more: Parameters<typeof runOf>[1], facts: Partial<PlanFacts> = {}): readonly string[] =>
      does({ tasks: [taskOf('a')], chains: [chainOf('a', 'claim', { incarnation: 'life-me' })] }, { runs: [runOf('a', more)] }, facts);
    expect(own({ phase: 'working' })).toEqual([]);
    expect(own({ phase: 'working' }, { ended: new Set(['a']) })).toEqual(['spawn-end a ann 1: its agent has ended and its work is judged']);
    expect(own({ phase: 'verifying' }, { ended: new Set(['a']) })).toEqual(['verify a ann 1: its verify has ended and is judged']);
    expect(own({ phase: 'preparing', attempt: 2, provider: 'runbook' })).toEqual(['spawn a ann 1: attempt 2 with runbook, once a heartbeat has shown that the claim is still ours']);
    expect(own({ phase: 'landing' })).toEqual(['done a ann 1: its agent ended well and the checks are met: work and result are landed']);
    expect(own({ phase: 'ending', ending: { kind: 'retry', reason: 'it crashed', backoffMs: 1 } })).toEqual(['release a ann 1: it crashed']);
    expect(own({ phase: 'ending', ending: { kind: 'input', question: 'which one?' } })).toEqual(['input a ann 1: which one?']);
    expect(own({ phase: 'ending', ending: null })).toEqual([]);
    expect(own({ phase: 'fenced' })[0]).toContain('fence a ann 1: the claim is no longer ours');
    expect(own({ claim: 'another' })).toEqual(['fence a ann 1: the claim has moved on: its chain says claim, epoch 1']);
    expect(does({ tasks: [] }, { runs: [runOf('a')] })).toEqual(['fence a ann 1: the claim is gone']);
  });

  test('publish what was saved; main is told of claims in the same push, and in none of its own', () => {
    const facts = { projections: ['x'], edits: ['tasks/b.md'] };
    expect(planOf({}, {}, facts).does.map(({ kind }) => kind)).toEqual(['publish', 'projection']);
    expect(planOf({}, {}, { projections: ['x'] }).does).toEqual([]);
  });
});

describe('a plan leaves alone', () => {
  const ready = { tasks: [taskOf('a'), taskOf('b')] };

  test.each<readonly [string, FleetParts, More, Partial<PlanFacts>, string]>([
    ['its agent is busy', { tasks: [taskOf('a')], chains: [] }, { runs: [runOf('x')] }, {}, 'ready a: ann works on x'],
    ['the node is at its limit', { tasks: [taskOf('a')], more: { config: { ...DEFAULT_CONFIG, limits: { ...DEFAULT_CONFIG.limits, agentsPerNode: 1 } } } }, { self: { agents: [agentOf('ann'), agentOf('bob')] }, runs: [runOf('x')] }, {}, 'ready a: vm-me runs 1 agent, its limit (limits.agents_per_node: 1)'],
    ['nobody fits', { tasks: [taskOf('a', { assignedTo: 'zoe' })] }, {}, {}, 'ready a: no agent here fits: it is assigned to zoe'],
    ['nobody fits, for several reasons', { tasks: [taskOf('a', { requires: ['gpu'] })] }, { self: { agents: [agentOf('ann'), agentOf('rex', { role: 'reviewer' })] } }, {}, 'ready a: no agent here fits: it requires gpu; it needs the role worker'],
    ['no agents', { tasks: [taskOf('a')] }, { self: { agents: [] } }, {}, 'ready a: no agent runs on vm-me: cambium.yaml gives it none'],
    ['the node is ending', { tasks: [taskOf('a')] }, { self: { claiming: false } }, {}, 'ready a: the node is ending and claims nothing'],
    ['its provider is away', { tasks: [taskOf('a')] }, {}, { unavailable: new Map([['runbook', 'no shell']]) }, 'ready a: its provider cannot run here: no shell'],
    ['held off', { tasks: [taskOf('a')] }, {}, { heldOff: new Map([['a', 'the hub refused it']]) }, 'ready a: the hub refused it'],
    ['it waits for a time', { tasks: [taskOf('a', { notBefore: '2026-12-24T18:00:00Z' })] }, {}, {}, 'waiting a: not before 2026-12-24T18:00:00Z'],
    ['blocked', { tasks: [taskOf('a', { dependsOn: ['b'] })] }, {}, {}, 'blocked a: depends on b, which does not exist'],
    ['a person is asked', { tasks: [taskOf('a')], chains: [chainOf('a', 'input', { question: 'red or blue?' })] }, {}, {}, 'input a: red or blue?'],
    ['others hold it', { tasks: [taskOf('a')], chains: [chainOf('a', 'claim')] }, {}, {}, 'held a: held by ann on vm-a'],
    ['its own agent is at work', { tasks: [taskOf('a')], chains: [chainOf('a', 'claim', { incarnation: 'life-me' })] }, { runs: [runOf('a')] }, {}, 'held a: held by ann on vm-a: its agent is at work here'],
    ['a silence is being timed', { tasks: [taskOf('a')], chains: [chainOf('a', 'claim')] }, { leases: new Map([['a', { claim: 'tip-a', heartbeat: null, sinceMs: 970_000, seenMs: 999_000, fetches: 9 }]]) }, {}, 'held a: held by ann on vm-a, seen silent for 30 s of the 70 s after which a daemon takes it over'],
  ])('a task: %s', (_name, parts, more, facts, line) => expect(leaves(parts, more, facts)).toEqual([line]));

  test('what another claim of this pass is preferred to', () => {
    const plan = planOf(ready);
    expect(plan.does).toHaveLength(1);
    expect(plan.leaves.map(({ reason }) => reason)).toEqual([`ann takes ${plan.does[0]?.task} first`]);
  });

  test('ready ones are told first, by urgency; ended ones not at all', () => {
    const parts = { tasks: [taskOf('a', { dependsOn: ['x'], priority: 0 }), taskOf('b'), taskOf('c', { priority: 1 }), taskOf('d')], results: [resultOf('d')] };
    expect(leaves(parts, { self: { agents: [] } }).map((line) => line.split(':')[0])).toEqual(['ready c', 'ready b', 'blocked a']);
  });
});
