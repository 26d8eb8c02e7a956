import { describe, expect, test } from 'vitest';
import { agentNamed, agentsOf } from '../../src/orient/agents.ts';
import { claimProblem, orient } from '../../src/orient/situation.ts';
import type { TaskSituation } from '../../src/orient/situation.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { NOW, chainOf, fleetOf, resultOf, taskOf } from '../support/situations.ts';
import type { FleetParts } from '../support/situations.ts';

const stateOf = (parts: FleetParts): TaskSituation => orient(fleetOf({ tasks: [taskOf('a')], ...parts }), NOW).tasks.get('a')!;

describe('a task is', () => {
  test.each<readonly [string, FleetParts]>([
    ['ready', {}],
    ['ready', { chains: [chainOf('a', 'release')] }],
    ['ready', { chains: [chainOf('a', 'reopen', { attempt: 0 })] }],
    ['held', { chains: [chainOf('a', 'claim')] }],
    ['held', { chains: [chainOf('a', 'renew')] }],
    ['input', { chains: [chainOf('a', 'input', { question: 'Which port?' })] }],
    ['review', { chains: [chainOf('a', 'review')] }],
    ['review', { chains: [chainOf('a', 'approve')] }],
    ['done', { chains: [chainOf('a', 'done')], results: [resultOf('a')] }],
    ['failed', { chains: [chainOf('a', 'failed')], results: [resultOf('a', 'failed')] }],
    ['cancelled', { chains: [chainOf('a', 'cancel')], results: [resultOf('a', 'cancelled')] }],
  ])('%s', (state, parts) => expect(stateOf(parts).state).toBe(state));

  test('what its result on main says, whatever its chain says', () => {
    expect(stateOf({ chains: [chainOf('a', 'claim')], results: [resultOf('a')] }).state).toBe('done');
  });

  test('waiting until its time, the later of its own and of the back-off, with the reason', () => {
    const later = '2026-11-21T13:00:00Z';
    expect(stateOf({ tasks: [taskOf('a', { notBefore: later })] })).toMatchObject({ state: 'waiting', reasons: [expect.stringContaining('not before 2026-11-21T13:00:00')] });
    expect(stateOf({ chains: [chainOf('a', 'release', { not_before: later, reason: 'it crashed' })] })).toMatchObject({ state: 'waiting', reasons: [expect.stringContaining('it crashed')] });
    expect(stateOf({ tasks: [taskOf('a', { notBefore: '2026-11-21T11:00:00Z' })] }).state).toBe('ready');
  });

  test('blocked when its attempts are used up, with the mend', () => {
    const parts = { tasks: [taskOf('a', { maxAttempts: 2 })], chains: [chainOf('a', 'release', { attempt: 2, spent: true })] };
    expect(stateOf(parts)).toMatchObject({ state: 'blocked', reasons: ['all 2 attempts are used up', expect.stringContaining('cambium task retry a')] });
  });

  test('blocked while a context file is missing', () => {
    expect(stateOf({ more: { missingContext: new Map([['a', ['docs/api.md']]]) } })).toMatchObject({ state: 'blocked', reasons: ['context file docs/api.md is not in the tree', expect.stringContaining('tasks/a.md')] });
  });

  test('blocked by a dependency that failed, with the reason', () => {
    const fleet = fleetOf({ tasks: [taskOf('a'), taskOf('b', { dependsOn: ['a'] })], results: [resultOf('a', 'failed')], chains: [chainOf('a', 'failed')] });
    expect(orient(fleet, NOW).tasks.get('b')).toMatchObject({ state: 'blocked', reasons: ['depends on a, which failed', expect.any(String)] });
  });
});

test('the ready are in order of priority, then age, then id', () => {
  const fleet = fleetOf({ tasks: [taskOf('d'), taskOf('c', { priority: 0 }), taskOf('b'), taskOf('a')], more: { since: new Map([['d', 1], ['a', 5], ['b', 5]]) } });
  expect(orient(fleet, NOW).ready.map(({ task }) => task.id)).toEqual(['c', 'd', 'a', 'b']);
});

describe('an end that its chain does not know of', () => {
  const openEnds = (parts: FleetParts): readonly string[] => [...orient(fleetOf({ tasks: [taskOf('a')], ...parts }), NOW).openEnds];

  test.each<readonly [string, FleetParts]>([
    ['a result beside an open claim', { chains: [chainOf('a', 'claim')], results: [resultOf('a')] }],
    ['a result beside the claim of a later epoch', { chains: [chainOf('a', 'claim', { epoch: 2 })], results: [resultOf('a')] }],
    ['a cancel without any chain', { results: [resultOf('a', 'cancelled', { claim: null, epoch: 0 })] }],
  ])('is seen: %s', (_name, parts) => expect(openEnds(parts)).toEqual(['a']));

  test.each<readonly [string, FleetParts]>([
    ['an ended chain with its result', { chains: [chainOf('a', 'done')], results: [resultOf('a')] }],
    ['a chain that was collected', { results: [resultOf('a')] }],
    ['an ended chain whose main commit is still missing', { chains: [chainOf('a', 'done')], more: { unlanded: new Set(['a']) } }],
    ['an open task', { chains: [chainOf('a', 'claim')] }],
  ])('is not made up: %s', (_name, parts) => expect(openEnds(parts)).toEqual([]));
});

describe('a win is given back', () => {
  const won = { id: 'a', blob: 'blob-a' };
  test.each<readonly [string, FleetParts]>([
    ['the instruction file is gone', { tasks: [] }],
    ['the instruction changed before the claim was won', { tasks: [taskOf('a', { blob: 'other' })] }],
    ['it has a result already', { results: [resultOf('a')] }],
    ['waits for b', { tasks: [taskOf('a', { dependsOn: ['b'] }), taskOf('b')] }],
    ['context file x is not in the tree', { more: { missingContext: new Map([['a', ['x']]]) } }],
  ])('when %s', (problem, parts) => expect(claimProblem(fleetOf({ tasks: [taskOf('a')], ...parts }), won)).toBe(problem));

  test('not when all is as it was', () => expect(claimProblem(fleetOf({ tasks: [taskOf('a')] }), won)).toBeNull());
});

describe('agents of a node', () => {
  const config = { ...DEFAULT_CONFIG, agents: { ann: agentConfig('vm-a'), bob: agentConfig('vm-b'), any: agentConfig('*') } };
  function agentConfig(node: string) {
    return { role: 'worker', node, provider: 'claude', model: null, fallback: [], capabilities: [], constitution: null, sandbox: 'auto', handle: null, stop: 'remind' as const } as const;
  }

  test('are those that cambium.yaml gives to it, and to any node', () => {
    expect(agentsOf(config, 'vm-a', null).map(({ id }) => id)).toEqual(['ann', 'any']);
  });

  test('asked for by name are those, known or not', () => {
    expect(agentsOf(config, 'vm-a', ['bob', 'new']).map(({ id, provider }) => `${id} ${provider}`)).toEqual(['bob claude', `new ${config.defaults.provider}`]);
    expect(agentNamed(config, 'new').role).toBe('worker');
  });
});
