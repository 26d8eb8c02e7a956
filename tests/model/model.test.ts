import { describe, expect, test } from 'vitest';
import type { Limits } from './explore.ts';
import { rightTrials, wrongTrials } from './trials.ts';

const LIMITS: Limits = { statesMax: 200_000, settleEvery: 3, nowMs: () => 0 };

const right = rightTrials('small').map((trial) => trial.run(LIMITS));

describe('the protocol of docs/protocol.md holds in every interleaving within small bounds', () => {
  test.each(right.map((verdict) => [verdict.name, verdict] as const))('%s', (_, verdict) => {
    expect(verdict.violation).toBeNull();
    expect(verdict.complete).toBe(true);
  });
});

describe('the model can tell a wrong design from a right one', () => {
  test.each(wrongTrials().map((trial) => [trial.name, trial.lesson, trial] as const))('%s: %s', (_, __, trial) => {
    const { violation } = trial.run(LIMITS);
    expect(trial.breaks).toContain(violation?.invariant);
    expect(violation?.trace.length).toBeGreaterThan(0);
  });
});

test('the right design is green with every kind of move taken, not for want of moves', () => {
  const taken = right.flatMap((verdict) => [...verdict.labels]).join('\n');
  const kinds = [
    /claims with epoch 2/, /validates and starts/, /adopts its claim/, /takes over with epoch 2: half-applied: only claim$/m, /lands of epoch 1: half-applied: only main/,
    /lands of epoch 1: half-applied: only claim/, /a land arrives late and is accepted/, /arrives late, half-applied/, /repeats land: refused/, /repeats land: everything up to date/,
    /crashes/, /roll forward: accepted/, /repair: done at epoch 2/, /repair: cancel at epoch 0/, /repair: reopen at epoch 1/, /reads a foreign tip and stops \(its own R is done\)/,
    /heartbeat: still under way/, /janitor folds/, /janitor deletes/, /gives up its old claim/, /lands both tasks: half-applied/, /finds its note on main/,
    /rolls forward what the guest chain names/, /finds the work landed and resumes/,
  ];
  expect(kinds.filter((kind) => !kind.test(taken))).toEqual([]);
});
