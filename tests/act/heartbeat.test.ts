import { describe, expect, test } from 'vitest';
import { createHeart } from '../../src/act/heartbeat.ts';
import type { Heart } from '../../src/act/heartbeat.ts';
import { nodeRef } from '../../src/model/layout.ts';
import type { NodeBreak } from '../../src/model/node.ts';
import { renderNodeRecord } from '../../src/observe/nodeRecord.ts';
import { createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const REF = nodeRef('vm-a');
const nothing = { claims: [], spawns: [] };

async function world(): Promise<{ readonly fleet: MemoryFleet; readonly seat: Seat; readonly heart: Heart }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-z': ['zoe'] } });
  const seat = await fleet.seat('vm-a');
  await seat.look();
  return { fleet, seat, heart: await createHeart(seat.node, seat.reader, null) };
}

/** A break by another node on the ref's present tip. */
async function breakBy(other: Seat, epoch: number): Promise<void> {
  const view = await other.node.mirror.refresh();
  const tip = view.refs.get(REF)!;
  const record: NodeBreak = { schema: 'cambium.node/1', kind: 'break', node: 'vm-a', by: other.name, breaks: [{ task: 'a', epoch }], op: `op-${epoch}` };
  const blob = await other.store.writeBlob(Buffer.from(renderNodeRecord(record)));
  const tree = await other.store.writeTree([{ mode: '100644', name: 'node.json', oid: blob }]);
  const who = { name: other.name, email: 'x@y.invalid', seconds: 0, zone: '+0000' };
  const to = await other.store.writeCommit({ tree, parents: [tip], author: who, committer: who, message: 'break\n' });
  await other.node.hub.push([{ ref: REF, expect: tip, to }]);
}

test('a beat is a parentless commit that names what it renews and the main last seen', async () => {
  const { fleet, seat, heart } = await world();
  const claims = [{ task: 'a', epoch: 1, claim: 'c'.repeat(40) }];
  const startedMs = fleet.clock.bootMs();
  expect(await heart.beat({ claims, spawns: [] })).toEqual({ kind: 'renewed', startedMs, content: { claims, spawns: [] } });
  const tip = fleet.hub.refs.get(REF)!;
  expect((await seat.store.readCommit(tip)).parents).toEqual([]);
  expect((await seat.reader.node(tip)).heartbeat?.record).toMatchObject({ claims, main: seat.node.mirror.known().main, incarnation: seat.node.identity.incarnation, node: 'vm-a' });
});

test('an unanswered beat is repeated unchanged, and counts from its first sending', async () => {
  const { fleet, seat, heart } = await world();
  const startedMs = fleet.clock.bootMs();
  seat.fault = () => (seat.pushes.length < 3 ? 'lose-request' : 'ok');
  expect(await heart.beat(nothing)).toMatchObject({ kind: 'unanswered' });
  expect(heart.pending).toBe(true);
  await fleet.clock.advance(5_000);
  expect(await heart.beat({ claims: [{ task: 'new', epoch: 1, claim: 'c'.repeat(40) }], spawns: [] })).toMatchObject({ kind: 'unanswered' });
  expect(await heart.beat(nothing)).toEqual({ kind: 'renewed', startedMs, content: nothing });
  expect(new Set(seat.pushes.map((updates) => updates[0]?.to)).size).toBe(1);
});

test('a beat that landed although its repeat was refused is a renewal', async () => {
  const { seat, heart } = await world();
  seat.fault = () => (['lose-reply', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
  await heart.beat(nothing);
  expect(await heart.beat(nothing)).toMatchObject({ kind: 'renewed' });
});

test('a beat that was refused for nothing is sent again, and its late copy makes no twin', async () => {
  const { fleet, seat, heart } = await world();
  seat.fault = () => (['late', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
  await heart.beat(nothing);
  expect(await heart.beat(nothing)).toMatchObject({ kind: 'unanswered' });
  fleet.hub.deliverLate();
  expect(await heart.beat(nothing)).toMatchObject({ kind: 'renewed' });
  expect(await heart.beat(nothing)).toMatchObject({ kind: 'renewed' });
});

describe('a refused beat', () => {
  test('on which only breaks sit is told which claims were broken, and the next beat goes on top of them', async () => {
    const { fleet, seat, heart } = await world();
    await heart.beat(nothing);
    const other = await fleet.seat('vm-b');
    await breakBy(other, 1);
    await breakBy(other, 2);
    expect(await heart.beat(nothing)).toEqual({ kind: 'broken', breaks: [{ task: 'a', epoch: 2 }, { task: 'a', epoch: 1 }] });
    expect(await heart.beat(nothing)).toMatchObject({ kind: 'renewed' });
    expect(seat.pushes).toHaveLength(3);
  });

  test('that had landed before the break came is told of the break, not of a twin', async () => {
    const { fleet, seat, heart } = await world();
    await heart.beat(nothing);
    seat.fault = () => (seat.pushes.length === 2 ? 'lose-reply' : 'ok');
    await heart.beat(nothing);
    await breakBy(await fleet.seat('vm-b'), 1);
    expect(await heart.beat(nothing)).toMatchObject({ kind: 'broken' });
  });

  test('by a heartbeat of somebody else is a twin', async () => {
    const { fleet, seat, heart } = await world();
    await heart.beat(nothing);
    const twin = await fleet.seat('vm-a');
    const view = await twin.node.mirror.refresh();
    await (await createHeart(twin.node, twin.reader, view.refs.get(REF)!)).beat(nothing);
    expect(await heart.beat(nothing)).toEqual({ kind: 'twin' });
    expect(fleet.hub.refs.get(REF)).not.toBe(seat.pushes.at(-1)?.[0]?.to);
  });

  test('of a name that somebody already has is a twin', async () => {
    const { fleet, heart } = await world();
    const first = await fleet.seat('vm-a');
    await first.look();
    await (await createHeart(first.node, first.reader, null)).beat(nothing);
    expect(await heart.beat(nothing)).toEqual({ kind: 'twin' });
  });
});
