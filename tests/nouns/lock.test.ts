/** When a hold counts as given up: by this clone's own boot-time clock, and by nothing that anybody else says. */
import { describe, expect, test } from 'vitest';
import { isLockName, lapsesInMs, rivals, watchLocks } from '../../src/model/lock.ts';
import type { Lease, Reservation } from '../../src/model/lock.ts';

const lease = (op: string, more: Partial<Lease> = {}): Lease => ({ holder: 'agent:a', node: 'one', op, ttl_s: 10, why: '', at: '2026-11-21T00:00:00Z', ...more });
const clock = { boot: 'b', bootMs: 0, fetchMs: 1_000 };
const seen = watchLocks(null, [lease('x')], 'b', 100);

describe('a hold lapses', () => {
  test('1.1 × its term and two fetch periods after this clone first saw that very renewal', () => {
    expect(lapsesInMs(lease('x'), seen, { ...clock, bootMs: 100 + 12_999 })).toBe(1);
    expect(lapsesInMs(lease('x'), seen, { ...clock, bootMs: 100 + 13_000 })).toBe(0);
  });

  test('never at the first look, however old it says it is', () => {
    expect(lapsesInMs(lease('old', { at: '2001-01-01T00:00:00Z' }), seen, { ...clock, bootMs: 99_999_999 })).toBe(13_000);
  });

  test('a renewal starts the wait anew', () => {
    const later = watchLocks(seen, [lease('x2')], 'b', 9_000);
    expect(lapsesInMs(lease('x2'), later, { ...clock, bootMs: 13_200 })).toBe(13_000 - 4_200);
    expect(Object.keys(later.since)).toEqual(['x2']);
  });

  test('what was seen before a reboot is forgotten: the clock began anew', () => {
    const after = watchLocks(seen, [lease('x')], 'another boot', 50);
    expect(after.since).toEqual({ x: 50 });
    expect(lapsesInMs(lease('x'), seen, { ...clock, boot: 'another boot', bootMs: 99_999_999 })).toBe(13_000);
  });
});

test('reservations of others that share a path are rivals; one\'s own, and the same agent\'s on this node, are none', () => {
  const reserved = (holder: string, node: string, ...globs: string[]): Reservation => ({ ...lease(`${holder}${node}`), holder, node, globs });
  const all = [reserved('agent:a', 'one', 'src/**'), reserved('agent:a', 'two', 'src/x/**'), reserved('agent:b', 'one', 'docs/**')];
  expect(rivals(all, { holder: 'agent:a', node: 'one' }, ['src/x/y.ts']).map(({ node }) => node)).toEqual(['two']);
  expect(rivals(all, { holder: 'agent:c', node: 'one' }, ['src/x/y.ts', 'docs/a.md'])).toHaveLength(3);
});

test('the engine\'s own names and words of the command line are no names of locks', () => {
  expect(['deploy', 'landing', 'paths', 'list', 'Deploy', '../x', 'a.lock'].filter(isLockName)).toEqual(['deploy']);
});
