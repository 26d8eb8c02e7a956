import { describe, expect, test } from 'vitest';
import { claimTasks, releaseMember, renewMember } from '../../src/act/claim.ts';
import type { ClaimWon } from '../../src/act/claim.ts';
import type { Published } from '../../src/act/publish.ts';
import { claimRef } from '../../src/model/layout.ts';
import { createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const ids = ['a', 'b', 'c'];

async function world(seats: number): Promise<{ readonly fleet: MemoryFleet; readonly seats: readonly Seat[] }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-0': ['ann'] }, files: Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, task()])) });
  const opened: Seat[] = [];
  for (let at = 0; at < seats; at++) {
    const seat = await fleet.seat(`seat-${at}`);
    await seat.look();
    opened.push(seat);
  }
  return { fleet, seats: opened };
}

async function claim(fleet: MemoryFleet, seat: Seat, wanted: readonly string[]): Promise<ReadonlyMap<string, Published<ClaimWon>>> {
  const { tasks } = await seat.fleets.read(seat.node.mirror.known());
  return fleet.drive(claimTasks(seat.node, seat.reader, wanted.map((id) => ({ task: tasks.get(id)!, agent: `agent-${seat.name}`, ttlMs: 60_000, maxAttempts: 3 }))));
}

const won = (end: Published<ClaimWon> | undefined): string | null => (end?.state === 'published' ? end.value.chain.tip : null);

function only<T>(ends: ReadonlyMap<string, T>): T {
  return [...ends.values()][0]!;
}

test('of eight that claim at once exactly one wins, and the others know whom they lost to', async () => {
  const { fleet, seats } = await world(8);
  const ends = await Promise.all(seats.map((seat) => claim(fleet, seat, ['a'])));
  const states = ends.map((end) => end.get('a')?.state);
  expect(states.filter((state) => state === 'published')).toHaveLength(1);
  expect(states.filter((state) => state === 'dropped')).toHaveLength(7);
  const winner = seats[states.indexOf('published')];
  const loser = ends[states.indexOf('dropped')]?.get('a');
  expect(loser).toMatchObject({ drop: { code: 'lost', detail: `agent-${winner?.name} on ${winner?.name} holds it (epoch 1)` } });
  expect(await fleet.chain('a')).toMatchObject([{ kind: 'claim', epoch: 1, attempt: 1, node: winner?.name, ttl_s: 60 }]);
});

test('a claim whose reply was lost is known as won: the identical push is repeated', async () => {
  const { fleet, seats: [seat] } = await world(1);
  const faults = ['lose-reply', 'lose-reply', 'ok'] as const;
  seat!.fault = () => faults[Math.min(seat!.pushes.length - 1, 2)]!;
  const ends = await claim(fleet, seat!, ['a']);
  expect(won(ends.get('a'))).toBe(fleet.hub.refs.get(claimRef('a')));
  expect(new Set(seat!.pushes.map((updates) => updates[0]?.to)).size).toBe(1);
  expect(await seat!.store.listRefs('refs/cambium/local/outbox/')).toEqual(new Map());
});

test('a claim that landed although its repeat was refused is found in the chain', async () => {
  const { fleet, seats: [seat] } = await world(1);
  const faults = ['lose-reply', 'refuse'] as const;
  seat!.fault = () => faults[seat!.pushes.length - 1] ?? 'ok';
  const ends = await claim(fleet, seat!, ['a']);
  expect(won(ends.get('a'))).toBe(fleet.hub.refs.get(claimRef('a')));
  expect(await fleet.chain('a')).toHaveLength(1);
});

test('a refusal that nobody caused is no loss: the claim is made again, as a new commit', async () => {
  const { fleet, seats: [seat] } = await world(1);
  seat!.fault = () => (seat!.pushes.length === 1 ? 'refuse' : 'ok');
  const ends = await claim(fleet, seat!, ['a']);
  const sent = seat!.pushes.map((updates) => updates[0]?.to);
  expect(sent[1]).not.toBe(sent[0]);
  expect(won(ends.get('a'))).toBe(sent[1]);
});

test('a claim that is never answered stays in the outbox and is neither won nor lost', async () => {
  const { fleet, seats: [seat] } = await world(1);
  seat!.fault = () => 'lose-request';
  const ends = await claim(fleet, seat!, ['a']);
  expect(ends.get('a')).toMatchObject({ state: 'unknown' });
  expect((await seat!.store.listRefs('refs/cambium/local/outbox/')).size).toBe(1);
});

test('a batch with a lost member is rebuilt without it, and the others are won', async () => {
  const { fleet, seats: [first, second] } = await world(2);
  await claim(fleet, first!, ['b']);
  const ends = await claim(fleet, second!, ids);
  expect(ids.map((id) => ends.get(id)?.state)).toEqual(['published', 'dropped', 'published']);
  expect(second!.pushes.map((updates) => updates.length)).toEqual([3, 2]);
});

test('a claim after a release goes on with the epoch, and with the attempt unless it was spent', async () => {
  const { fleet, seats: [seat] } = await world(1);
  for (const spent of [false, true, false]) {
    const tip = won((await claim(fleet, seat!, ['a'])).get('a'))!;
    await seat!.publish([releaseMember(seat!.node, seat!.reader, { task: 'a', tip, reason: 'over', spent })]);
  }
  await claim(fleet, seat!, ['a']);
  const claims = (await fleet.chain('a')).filter(({ kind }) => kind === 'claim');
  expect(claims.map(({ epoch, attempt }) => `${epoch}.${attempt}`)).toEqual(['1.1', '2.1', '3.2', '4.2']);
});

test('a task whose attempts are used up is not claimed', async () => {
  const { fleet, seats: [seat] } = await world(1);
  for (let attempt = 1; attempt <= 3; attempt++) {
    const tip = won((await claim(fleet, seat!, ['a'])).get('a'))!;
    await seat!.publish([releaseMember(seat!.node, seat!.reader, { task: 'a', tip, reason: 'it failed', spent: true })]);
  }
  expect((await claim(fleet, seat!, ['a'])).get('a')).toMatchObject({ drop: { code: 'not-ready', detail: 'all 3 attempts are used up' } });
});

describe('a release', () => {
  test('is refused as fenced when the chain has moved', async () => {
    const { fleet, seats: [owner, thief] } = await world(2);
    const tip = won((await claim(fleet, owner!, ['a'])).get('a'))!;
    await thief!.look();
    await thief!.publish([releaseMember(thief!.node, thief!.reader, { task: 'a', tip, reason: 'mine now' })]);
    const end = await owner!.publish([releaseMember(owner!.node, owner!.reader, { task: 'a', tip, reason: 'late' })]);
    expect(only(end)).toMatchObject({ state: 'dropped', drop: { code: 'fenced' } });
  });

  test('with a question waits for a person', async () => {
    const { fleet, seats: [seat] } = await world(1);
    const tip = won((await claim(fleet, seat!, ['a'])).get('a'))!;
    await seat!.publish([releaseMember(seat!.node, seat!.reader, { task: 'a', tip, reason: 'Which port?', kind: 'input' })]);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'input', question: 'Which port?', epoch: 1 });
    expect((await claim(fleet, seat!, ['a'])).get('a')).toMatchObject({ drop: { code: 'lost' } });
  });
});

describe('a renewal', () => {
  test('is for the holder only', async () => {
    const { fleet, seats: [owner, other] } = await world(2);
    await claim(fleet, owner!, ['a']);
    const end = await other!.publish([renewMember(other!.node, other!.reader, 'a', 1, 'agent-seat-1')]);
    expect(only(end)).toMatchObject({ drop: { code: 'fenced', detail: 'agent-seat-0 on seat-0 holds it (epoch 1)' } });
  });

  test('whose reply was lost is made once', async () => {
    const { fleet, seats: [owner] } = await world(1);
    await claim(fleet, owner!, ['a']);
    owner!.fault = () => (owner!.pushes.length === 2 ? 'lose-reply' : owner!.pushes.length === 3 ? 'refuse' : 'ok');
    const end = await owner!.publish([renewMember(owner!.node, owner!.reader, 'a', 1, 'agent-seat-0')]);
    expect(only(end).state).toBe('published');
    expect((await fleet.chain('a')).map(({ kind }) => kind)).toEqual(['claim', 'renew']);
  });
});
