import { describe, expect, test } from 'vitest';
import { commitOn } from '../../src/act/commit.ts';
import { drop } from '../../src/act/publish.ts';
import type { Member } from '../../src/act/publish.ts';
import { MAIN, createMemoryFleet, refsOf } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

async function world(): Promise<{ readonly fleet: MemoryFleet; readonly seat: Seat }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] } });
  const seat = await fleet.seat('desk');
  await seat.look();
  return { fleet, seat };
}

const who = { name: 'desk', email: 'desk@example.org', seconds: 0, zone: '+0000' };

/** Adds one file to main. */
function file({ node }: Seat, name: string, more: Partial<Member<string>> = {}): Member<string> {
  return {
    key: name,
    async build({ main }) {
      const commit = await commitOn(node, main, new Map([[name, 'x\n']]), { author: who, message: `add ${name}\n` });
      return { main: commit, refs: [], value: commit };
    },
    ...more,
  };
}

test('members go out together, each on what the one before it made', async () => {
  const { fleet, seat } = await world();
  const ends = await seat.publish([file(seat, 'a'), file(seat, 'b')]);
  expect([...ends.values()].map(({ state }) => state)).toEqual(['published', 'published']);
  expect(seat.pushes.map(refsOf)).toEqual([['main']]);
  expect([await fleet.file('a'), await fleet.file('b')]).toEqual(['x\n', 'x\n']);
});

test('two members that end a task go in two pushes, so that one half-applied brings no other', async () => {
  const { seat } = await world();
  const ends = await seat.publish([file(seat, 'a', { ends: true }), file(seat, 'b', { ends: true }), file(seat, 'c')]);
  expect([...ends.values()].map(({ state }) => state)).toEqual(['published', 'published', 'published']);
  expect(seat.pushes).toHaveLength(2);
});

test('a dropped member leaves the others alone', async () => {
  const { fleet, seat } = await world();
  const gone: Member<string> = { key: 'gone', build: async () => drop('nothing', 'there is nothing to do') };
  const ends = await seat.publish([file(seat, 'a'), gone]);
  expect(ends.get('gone')).toEqual({ state: 'dropped', drop: { code: 'nothing', detail: 'there is nothing to do' } });
  expect(await fleet.file('a')).toBe('x\n');
});

test('after a refusal everything is built anew on the newest main', async () => {
  const { fleet, seat } = await world();
  const bases: string[] = [];
  const member: Member<string> = { ...file(seat, 'a'), build: async (base) => { bases.push(base.main); return file(seat, 'a').build(base); } };
  const other = await fleet.seat('other');
  await other.look();
  await other.publish([file(other, 'b')]);
  await seat.publish([member], { trustKnown: true });
  expect(bases).toHaveLength(2);
  expect(bases[0]).not.toBe(bases[1]);
  expect(await fleet.file('b')).toBe('x\n');
});

test('what landed although its repeat was refused is published once', async () => {
  const { fleet, seat } = await world();
  seat.fault = () => (['lose-reply', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
  const ends = await seat.publish([file(seat, 'a')]);
  expect(ends.get('a')).toMatchObject({ state: 'published', value: fleet.hub.refs.get(MAIN) });
});

test('every push is in the outbox before it is sent, with its commits kept alive, and leaves it when it is answered', async () => {
  const { seat } = await world();
  const kept: (readonly string[])[] = [];
  seat.fault = () => 'ok';
  seat.afterPush = async (updates) => {
    const entries = [...(await seat.store.listRefs('refs/cambium/local/outbox/')).values()];
    kept.push((await seat.store.readCommit(entries[0]!)).parents);
    expect(kept.at(-1)).toEqual(updates.map(({ to }) => to));
  };
  await seat.publish([file(seat, 'a')]);
  expect(kept).toHaveLength(1);
  expect((await seat.store.listRefs('refs/cambium/local/outbox/')).size).toBe(0);
});

test('a refusal by a rule of the hub is told and not tried again', async () => {
  const { seat } = await world();
  seat.fault = () => 'decline';
  const ends = await seat.publish([file(seat, 'a')]);
  expect(ends.get('a')).toMatchObject({ state: 'refused-by-policy', detail: 'pre-receive hook declined' });
  expect(seat.pushes).toHaveLength(1);
});

test('a push that is never answered ends as unknown and stays in the outbox', async () => {
  const { seat } = await world();
  seat.fault = () => 'lose-request';
  const ends = await seat.publish([file(seat, 'a')], { patienceMs: 3_000 });
  expect(ends.get('a')).toMatchObject({ state: 'unknown' });
  expect(seat.pushes.length).toBeGreaterThan(2);
  expect(new Set(seat.pushes.map((updates) => updates[0]?.to)).size).toBe(1);
  expect((await seat.store.listRefs('refs/cambium/local/outbox/')).size).toBe(1);
});

test('who is refused each time gives up with lost-race', async () => {
  const { seat } = await world();
  seat.fault = (updates) => (refsOf(updates).includes('locks/landing') ? 'ok' : 'refuse');
  await expect(seat.publish([file(seat, 'a')], { triesMax: 5 })).rejects.toMatchObject({ code: 'lost-race' });
});

test('two members of one key are a mistake that is told, not a circle', async () => {
  const { seat } = await world();
  await expect(seat.publish([file(seat, 'a'), file(seat, 'a')])).rejects.not.toThrow(/turns in a circle/);
});

describe('fairness', () => {
  test('who was refused three times takes the landing lock and gives it back', async () => {
    const { fleet, seat } = await world();
    let refusals = 0;
    seat.fault = (updates) => (refsOf(updates).includes('main') && ++refusals <= 3 ? 'refuse' : 'ok');
    await seat.publish([file(seat, 'a')]);
    expect(fleet.hub.moves.filter(({ ref }) => ref === 'refs/cambium/locks/landing')).toMatchObject([{ from: null }, { to: null }]);
  });

  test('a lock of somebody else is waited for before main is moved', async () => {
    const { fleet, seat } = await world();
    const other = await fleet.seat('other');
    await other.look();
    const blob = await other.store.writeBlob(Buffer.from('{}\n'));
    const tree = await other.store.writeTree([{ mode: '100644', name: 'lock.json', oid: blob }]);
    const lock = await other.store.writeCommit({ tree, parents: [], author: who, committer: who, message: 'lock\n' });
    await other.node.hub.push([{ ref: 'refs/cambium/locks/landing', expect: null, to: lock }]);
    void fleet.clock.sleep(1_000).then(() => other.node.hub.push([{ ref: 'refs/cambium/locks/landing', expect: lock, to: null }]));
    const before = fleet.clock.bootMs();
    await seat.publish([file(seat, 'a')]);
    expect(fleet.clock.bootMs() - before).toBeGreaterThanOrEqual(1_000);
    expect(fleet.hub.moves.map(({ ref }) => ref).lastIndexOf('refs/cambium/locks/landing')).toBeLessThan(fleet.hub.moves.map(({ ref }) => ref).lastIndexOf(MAIN));
  });

  test('eight that land at once all land', async () => {
    const { fleet } = await world();
    const seats = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((at) => fleet.seat(`s${at}`)));
    const ends = await Promise.all(seats.map((seat) => seat.publish([file(seat, seat.name)])));
    expect(ends.map((end) => [...end.values()][0]?.state)).toEqual(Array.from({ length: 8 }, () => 'published'));
    for (const { name } of seats) expect(await fleet.file(name)).toBe('x\n');
  });
});
