import { describe, expect, test } from 'vitest';
import { TAKEOVER_FETCHES_MIN, fenceDeadlineMs, heartbeatEveryMs, isLapsed, takeoverAfterMs, watchLeases } from '../../src/model/lease.ts';
import type { HeldClaim, LeaseWatches } from '../../src/model/lease.ts';

const TTL_MS = 60_000;
const FETCH_MS = 2_000;
const held = (more: Partial<HeldClaim> = {}): HeldClaim => ({ task: 'a', claim: 'c1', heartbeat: 'h1', ttlMs: TTL_MS, ...more });

/** Looks at these claims at these times, one after the other. */
function look(...looks: readonly (readonly [number, HeldClaim])[]): LeaseWatches {
  return looks.reduce<LeaseWatches>((before, [atMs, claim]) => watchLeases(before, [claim], atMs), new Map());
}

const every = (fromMs: number, toMs: number, claim: HeldClaim): (readonly [number, HeldClaim])[] =>
  Array.from({ length: Math.floor((toMs - fromMs) / 10_000) + 1 }, (_, at) => [fromMs + at * 10_000, claim] as const);

describe('a claim lapses', () => {
  const due = takeoverAfterMs(TTL_MS, FETCH_MS);

  test('after 1.1 × its TTL and two fetch periods', () => {
    expect(due).toBe(70_000);
    const watch = look(...every(0, 60_000, held())).get('a');
    expect(isLapsed(watch, TTL_MS, FETCH_MS, due - 1)).toBe(false);
    expect(isLapsed(watch, TTL_MS, FETCH_MS, due)).toBe(true);
  });

  test('only over three successful looks', () => {
    const twice = look([0, held()], [29_000, held()]).get('a');
    expect(twice?.fetches).toBe(TAKEOVER_FETCHES_MIN - 1);
    expect(isLapsed(twice, TTL_MS, FETCH_MS, 1e9)).toBe(false);
    expect(isLapsed(look([0, held()], [29_000, held()], [58_000, held()]).get('a'), TTL_MS, FETCH_MS, due)).toBe(true);
  });

  test('never when nobody has watched it', () => {
    expect(isLapsed(undefined, TTL_MS, FETCH_MS, 1e9)).toBe(false);
  });
});

describe('the timer starts anew', () => {
  test.each([
    ['when a heartbeat names the claim', held({ heartbeat: 'h2' })],
    ['when the claim was renewed or taken by somebody else', held({ claim: 'c2', heartbeat: null })],
  ])('%s', (_name, news) => {
    const watch = look(...every(0, 60_000, held()), [65_000, news]).get('a');
    expect(watch).toMatchObject({ sinceMs: 65_000, fetches: 1 });
  });

  test('after the observer was away for half a TTL: what happened meanwhile is unknown', () => {
    expect(look([0, held()], [10_000, held()], [40_001, held()]).get('a')).toMatchObject({ sinceMs: 40_001, fetches: 1 });
    expect(look([0, held()], [10_000, held()], [40_000, held()]).get('a')).toMatchObject({ sinceMs: 0, fetches: 3 });
  });

  test('not when a heartbeat stops naming the claim: the last one that did stays the pair', () => {
    expect(look([0, held()], [10_000, held({ heartbeat: null })]).get('a')).toMatchObject({ sinceMs: 0, heartbeat: 'h1' });
  });
});

test('a claim that is held no longer is forgotten', () => {
  expect(watchLeases(look([0, held()]), [], 1_000).size).toBe(0);
});

test('an owner fences itself two thirds of the TTL after the start of its last good renewal, before anybody may take over', () => {
  expect(fenceDeadlineMs(1_000, TTL_MS)).toBe(41_000);
  expect(fenceDeadlineMs(0, TTL_MS) + TTL_MS / 6).toBeLessThan(takeoverAfterMs(TTL_MS, 0));
});

test('a node beats at least every third of the TTL', () => {
  expect(heartbeatEveryMs(60_000, 60_000)).toBe(20_000);
  expect(heartbeatEveryMs(5_000, 60_000)).toBe(5_000);
});
