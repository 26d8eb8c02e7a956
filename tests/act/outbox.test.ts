import { expect, test } from 'vitest';
import { claimTasks } from '../../src/act/claim.ts';
import { commitOn } from '../../src/act/commit.ts';
import { dropOutbox, pushUntilAnswered, putOutbox, readOutbox, settleOutbox } from '../../src/act/outbox.ts';
import { OUTBOX_PREFIX, claimRef } from '../../src/model/layout.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const who = { name: 'desk', email: 'desk@example.org', seconds: 0, zone: '+0000' };
const never = async (): Promise<boolean> => false;

async function world(): Promise<{ readonly fleet: MemoryFleet; readonly seat: Seat }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
  const seat = await fleet.seat('desk');
  await seat.look();
  return { fleet, seat };
}

async function mainUpdate({ node }: Seat) {
  const expect = node.mirror.known().main!;
  return [{ ref: MAIN, expect, to: await commitOn(node, expect, new Map([['x', 'x\n']]), { author: who, message: 'x\n' }) }];
}

/** The same clone, seen by another process of this or another life. */
const asProcess = (seat: Seat, pid: number, alive: boolean): Seat['node'] => ({
  ...seat.node, identity: { ...seat.node.identity, process: { ...seat.node.identity.process, pid, start: pid } }, supervisor: { ...seat.node.supervisor, alive: async () => alive },
});

test('an entry survives as it was put, with its candidates as parents', async () => {
  const { seat } = await world();
  const updates = await mainUpdate(seat);
  const entry = await putOutbox(seat.node, updates);
  expect(await readOutbox(seat.node)).toEqual([entry]);
  const [oid] = [...(await seat.store.listRefs(OUTBOX_PREFIX)).values()];
  expect((await seat.store.readCommit(oid!)).parents).toEqual([updates[0]!.to]);
  await dropOutbox(seat.node, entry);
  expect(await readOutbox(seat.node)).toEqual([]);
});

test('an unanswered push is repeated identically, ever more slowly, until its time is up', async () => {
  const { fleet, seat } = await world();
  seat.fault = () => 'lose-request';
  const updates = await mainUpdate(seat);
  const before = fleet.clock.bootMs();
  expect(await fleet.drive(pushUntilAnswered(seat.node, updates, 10_000))).toMatchObject({ kind: 'unknown' });
  expect(fleet.clock.bootMs() - before).toBeLessThanOrEqual(10_000);
  expect(seat.pushes.length).toBeGreaterThan(4);
  expect(new Set(seat.pushes)).toEqual(new Set([updates]));
});

test.each([
  ['lands when it had not', 'lose-request' as const],
  ['is found to have happened when it had', 'lose-reply' as const],
])('what a dead process left unanswered %s', async (_name, fault) => {
  const { fleet, seat } = await world();
  const updates = await mainUpdate(seat);
  await putOutbox(seat.node, updates);
  seat.fault = () => fault;
  await fleet.drive(pushUntilAnswered(seat.node, updates, 0));
  seat.fault = () => 'ok';
  const later = asProcess(seat, 999, false);
  expect(await fleet.drive(settleOutbox(later, never, 1_000))).toMatchObject({ left: [], accepted: [{ updates }] });
  expect(fleet.hub.refs.get(MAIN)).toBe(updates[0]!.to);
  expect(await readOutbox(later)).toEqual([]);
  expect(later.mirror.known().main).toBe(updates[0]!.to);
});

test('what a living process has under way is left to it', async () => {
  const { fleet, seat } = await world();
  await putOutbox(seat.node, await mainUpdate(seat));
  expect(await fleet.drive(settleOutbox(asProcess(seat, 999, true), never, 1_000))).toMatchObject({ accepted: [] });
  expect(await readOutbox(seat.node)).toHaveLength(1);
  expect(seat.pushes).toEqual([]);
});

test('what the hub now refuses has not happened, and is dropped', async () => {
  const { fleet, seat } = await world();
  await putOutbox(seat.node, await mainUpdate(seat));
  const main = await fleet.commit({ y: 'y\n' });
  expect(await fleet.drive(settleOutbox(asProcess(seat, 999, false), never, 1_000))).toMatchObject({ left: [], accepted: [] });
  expect(fleet.hub.refs.get(MAIN)).toBe(main);
  expect(await readOutbox(seat.node)).toEqual([]);
});

test('what stays unanswered stays in the outbox', async () => {
  const { fleet, seat } = await world();
  await putOutbox(seat.node, await mainUpdate(seat));
  seat.fault = () => 'lose-request';
  expect((await fleet.drive(settleOutbox(asProcess(seat, 999, false), never, 1_000))).left).toHaveLength(1);
  expect(await readOutbox(seat.node)).toHaveLength(1);
});

test('the creation of a claim is never repeated for a task that is finished: its chain may have been collected', async () => {
  const { fleet, seat } = await world();
  seat.fault = () => 'lose-request';
  const tasks = (await seat.look()).tasks;
  await fleet.drive(claimTasks(seat.node, seat.reader, [{ task: tasks.get('a')!, agent: 'ann', ttlMs: 60_000, maxAttempts: 3 }]));
  seat.fault = () => 'ok';
  const sent = seat.pushes.length;
  await fleet.drive(settleOutbox(asProcess(seat, 999, false), async (id) => id === 'a', 1_000));
  expect(seat.pushes).toHaveLength(sent);
  expect(fleet.hub.refs.has(claimRef('a'))).toBe(false);
  expect(await readOutbox(seat.node)).toEqual([]);
});
