import { describe, expect, test } from 'vitest';
import { costRows, costTotal } from '../../src/orient/costs.ts';
import { factsOf } from '../support/spawnRecords.ts';

const spent = [
  factsOf({ agent: 'lead', costUsd: 0.5, usage: { input: 100, cached: 40, output: 10 } }),
  factsOf({ agent: 'lead', costUsd: null, usage: { input: 50, cached: 0, output: 5 }, provider: 'codex', model: 'gpt', start: '2026-11-22T10:00:00Z' }),
  factsOf({ agent: 'rita', costUsd: 0.75, task: null, channel: 'design' }),
  factsOf({ agent: 'bob', costUsd: null, usage: null, provider: 'runbook', model: null, end: null }),
];

describe('costs', () => {
  test('by agent: the dearest first, known dollars summed, unknown ones counted and never taken for none', () => {
    expect(costRows(spent, 'agent')).toEqual([
      { key: 'rita', spawns: 1, live: 0, usage: { input: 18_200, cached: 9_100, output: 2_400 }, costUsd: 0.75, unknownCosts: 0 },
      { key: 'lead', spawns: 2, live: 0, usage: { input: 150, cached: 40, output: 15 }, costUsd: 0.5, unknownCosts: 1 },
      { key: 'bob', spawns: 1, live: 1, usage: null, costUsd: null, unknownCosts: 0 },
    ]);
  });

  test.each([['task', ['#design', 'add-login']], ['day', ['2026-11-22', '2026-11-21']], ['provider', ['claude', 'codex', 'runbook']], ['model', ['claude-sonnet', 'gpt', null]]] as const)('by %s', (by, keys) => {
    expect(costRows(spent, by).map(({ key }) => key)).toEqual(keys);
  });

  test('in all: tokens always, dollars where somebody told some', () => {
    expect(costTotal(spent)).toEqual({ spawns: 4, live: 1, usage: { input: 18_350, cached: 9_140, output: 2_415 }, costUsd: 1.25, unknownCosts: 1 });
    expect(costTotal([])).toEqual({ spawns: 0, live: 0, usage: null, costUsd: null, unknownCosts: 0 });
  });
});
