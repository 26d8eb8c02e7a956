/** lock.json: the same verdict as its schema, the same bytes on every node; events are as their schema says. */
import { describe, expect, test } from 'vitest';
import { EVENT_NAMES, hookedEvent } from '../../src/model/event.ts';
import type { LockRecord } from '../../src/model/lock.ts';
import { parseLockRecord, renderLockRecord } from '../../src/observe/lockRecord.ts';
import { eventSchema, lockSchema } from '../../src/observe/lockSchemas.ts';

const LOCK: LockRecord = { schema: 'cambium.lock/1', name: 'deploy', kind: 'take', epoch: 3, holder: 'agent:worker-1', node: 'vm-a', incarnation: '3f0c', op: '01JD0Z', why: '', ttl_s: 600, at: '2026-11-21T00:52:10Z' };
const { holder, node, op, why, ttl_s, at } = LOCK;
const PATHS: LockRecord = { ...LOCK, name: 'paths', by: 'human:maria', reason: 'taken', reservations: [{ holder, node, op, why, ttl_s, at, spawn: 'S1', globs: ['src/**'] }] };
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test.each([['a lock', LOCK], ['reservations', PATHS], ['one of a newer minor version', { ...PATHS, zeta: { deep: [1] } }]])('%s round-trips in the format\'s order, and its schema agrees', (_name, record) => {
  const shuffled = Object.fromEntries(Object.entries(record).toReversed()) as unknown as LockRecord;
  expect(renderLockRecord(shuffled)).toBe(renderLockRecord(record));
  expect(parseLockRecord(new TextEncoder().encode(renderLockRecord(record)))).toEqual(record);
  expect(lockSchema.safeParse(record).success).toBe(true);
});

test.each([
  { kind: 'steal' }, { epoch: -1 }, { epoch: 1.5 }, { name: '../main' }, { holder: 'worker-1' }, { holder: 'agent: ' }, { node: 'a/b' }, { op: '' }, { ttl_s: -1 }, { why: 7 },
  { reservations: [{ ...PATHS.reservations?.[0], globs: ['/etc/**'] }] }, { reservations: [{ ...PATHS.reservations?.[0], globs: ['../x'] }] }, { reservations: [{ globs: ['x'] }] }, { reservations: {} },
])('%j is refused by both', (change) => {
  const record = { ...PATHS, ...change };
  expect(() => parseLockRecord(encode(record))).toThrow(expect.objectContaining({ code: 'bad-file' }));
  expect(lockSchema.safeParse(record).success).toBe(false);
});

test('the engine\'s own lock and a newer major are none', () => {
  expect(() => parseLockRecord(encode({ schema: 'cambium.lock/1', lock: 'landing', node: 'vm', op: 'x' }))).toThrow(expect.objectContaining({ code: 'bad-file' }));
  expect(() => parseLockRecord(encode({ ...LOCK, schema: 'cambium.lock/2' }))).toThrow(expect.objectContaining({ code: 'schema-too-new' }));
});

describe('a hook is named after its event', () => {
  test.each(EVENT_NAMES)('on-%s', (event) => {
    expect([hookedEvent(`on-${event}`), hookedEvent(`on-${event}.sh`)]).toEqual([event, event]);
  });

  test.each(['README.md', 'on-', 'on-task-done~', 'on-task-done.sh.bak', 'task-done', 'on-everything', '.on-human'])('%s is none', (name) => {
    expect(hookedEvent(name)).toBeNull();
  });
});

test('an event is as its schema says', () => {
  const event = { schema: 'cambium.event/1', id: 'x', at: 'now', node: 'vm', event: 'human', cause: 'message', text: 't', task: null, from: 'agent:rita', channel: null };
  expect(eventSchema.safeParse(event).success).toBe(true);
  expect(eventSchema.safeParse({ ...event, event: 'weather' }).success).toBe(false);
});
