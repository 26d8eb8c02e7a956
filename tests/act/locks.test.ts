/** Named locks and path reservations over real git: real object stores, a bare hub, `git push --atomic`. Eight ways: tests/workspace/lockRace.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Node } from '../../src/act/node.ts';
import { lockRaceContract } from '../contracts/lockRace.ts';
import { openLockSeats } from '../support/lockSeats.ts';
import type { LockSeats } from '../support/lockSeats.ts';

let locks: LockSeats;
beforeAll(async () => {
  locks = await openLockSeats(2);
});
afterAll(() => locks.close());

const seat = (at: number): Node => locks.seats[at - 1] as Node;

lockRaceContract(2, () => locks);

test('the epoch grows whenever the lock changes hands, and never restarts', async () => {
  expect(await locks.take(seat(1), 'epochs')).toMatchObject({ value: { kind: 'take', epoch: 1 } });
  expect(await locks.take(seat(1), 'epochs')).toMatchObject({ value: { kind: 'renew', epoch: 1 } });
  expect(await locks.giveBack(seat(1), 'epochs')).toMatchObject({ value: { kind: 'release', epoch: 1 } });
  expect(await locks.take(seat(2), 'epochs')).toMatchObject({ value: { kind: 'take', epoch: 2, holder: 'agent:vm-2' } });
});

test('the same agent on another node is another party', async () => {
  const party = (node: Node) => ({ party: { holder: 'agent:twin', node: node.identity.node } });
  expect((await locks.take(seat(1), 'twins', party(seat(1)))).state).toBe('published');
  expect(await locks.take(seat(2), 'twins', party(seat(2)))).toMatchObject({ state: 'dropped', drop: { code: 'lost' } });
});

test('only the holder gives it back, or a person who says why, on record', async () => {
  await locks.take(seat(1), 'back');
  await seat(2).mirror.refresh();
  expect(await locks.giveBack(seat(2), 'back')).toMatchObject({ state: 'dropped', drop: { code: 'forbidden' } });
  expect(await locks.giveBack(seat(2), 'back', 'its machine is gone')).toMatchObject({ value: { kind: 'release', holder: 'agent:vm-1', by: 'agent:vm-2', reason: 'its machine is gone' } });
  expect(await locks.giveBack(seat(2), 'back')).toMatchObject({ state: 'dropped', drop: { code: 'nothing' } });
});

test('a hold that has lapsed is taken, and the chain says so; one that is renewed meanwhile is not', async () => {
  await locks.take(seat(1), 'lapse');
  await seat(2).mirror.refresh();
  const op = locks.onHub('lapse').op;
  const isLapsed = (lease: { readonly op: string }): boolean => lease.op === op;
  await locks.take(seat(1), 'lapse');
  expect(await locks.take(seat(2), 'lapse', { isLapsed })).toMatchObject({ state: 'dropped', drop: { code: 'lost' } });
  const renewed = locks.onHub('lapse').op;
  expect(await locks.take(seat(2), 'lapse', { isLapsed: (lease) => lease.op === renewed })).toMatchObject({ value: { kind: 'take', epoch: 2, by: 'agent:vm-2', reason: 'the hold of agent:vm-1 on vm-1 had lapsed' } });
});

test('a reservation is renewed by the same globs, given back in part, and ended by force on record', async () => {
  await locks.reserve(seat(1), ['r/**', 's/**']);
  await locks.reserve(seat(1), ['s/**', 'r/**'], { why: 'again' });
  const mine = (): readonly (readonly string[])[] => (locks.onHub('paths').reservations ?? []).filter(({ holder }) => holder === 'agent:vm-1').map(({ globs }) => globs).filter((globs) => /^[rs]\//.test(globs[0] ?? ''));
  expect(mine()).toEqual([['s/**', 'r/**']]);
  await locks.unreserve(seat(1), ['r/**']);
  expect(mine()).toEqual([['s/**']]);
  await seat(2).mirror.refresh();
  expect(await locks.reserve(seat(2), ['s/?.ts', 's/x'])).toMatchObject({ state: 'dropped', drop: { code: 'lost', detail: 'agent:vm-1 on vm-1 has reserved s/** (again)' } });
  expect(await locks.reserve(seat(2), ['s/x'], { force: 'urgent' })).toMatchObject({ value: { by: 'agent:vm-2', reason: 'taken from agent:vm-1 on vm-1: urgent' } });
  expect(mine()).toEqual([]);
});
