/** When a supervisor must end its agent, as plain sums. */
import { expect, test } from 'vitest';
import { NEVER_FROZEN, frozenAt } from '../../../src/adapters/system/watchdog.ts';

test('frozen time is counted apart, and that after the last output anew', () => {
  const look = (isFrozen: boolean, nowMs: number, lastOutputMs: number, before = NEVER_FROZEN): typeof NEVER_FROZEN => frozenAt(before, { isFrozen, nowMs, lastOutputMs });
  const first = look(true, 1_000, 500);
  const second = look(true, 4_000, 500, first);
  const third = look(false, 5_000, 500, second);
  expect([first, second, third].map(({ totalMs, sinceOutputMs }) => [totalMs, sinceOutputMs])).toEqual([[0, 0], [3_000, 3_000], [4_000, 4_000]]);
  expect(look(false, 9_000, 8_000, third)).toMatchObject({ totalMs: 4_000, sinceOutputMs: 0, since: null });
});
