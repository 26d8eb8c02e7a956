import { describe, expect, test } from 'vitest';
import { commitOn } from '../../src/act/commit.ts';
import type { Member } from '../../src/act/publish.ts';
import type { Oid } from '../../src/model/ids.ts';
import { createMemoryFleet, refsOf } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const LOCK = 'refs/cambium/locks/landing';
const who = { name: 'desk', email: 'desk@example.org', seconds: 0, zone: '+0000' };

function file({ node }: Seat, name: string): Member<string> {
  return {
    key: name,
    async build({ main }) {
      const commit = await commitOn(node, main, new Map([[name, 'x\n']]), { author: who, message: `add ${name}\n` });
      return { main: commit, refs: [], value: commit };
    },
  };
}

async function lockOf(seat: Seat, text: string): Promise<Oid> {
  return seat.store.writeCommit({ tree: await seat.store.writeTree([]), parents: [], author: who, committer: who, message: `${text}\n` });
}

/** A lock that stands on the hub; who made it is gone. */
async function world(): Promise<{ readonly fleet: MemoryFleet; readonly seat: Seat; readonly lock: Oid; readonly next: Oid }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] } });
  const [seat, other] = [await fleet.seat('desk'), await fleet.seat('other')];
  await other.look();
  const [lock, next] = [await lockOf(other, 'a lock'), await lockOf(other, 'another lock')];
  await other.node.hub.push([{ ref: LOCK, expect: null, to: lock }, { ref: 'refs/cambium/locks/next', expect: null, to: next }]);
  return { fleet, seat, lock, next };
}

describe('the lock of a node that died with it', () => {
  test('is honoured for five seconds, then taken away, and the landing goes on', async () => {
    const { fleet, seat, lock } = await world();
    const before = fleet.clock.bootMs();
    const ends = await seat.publish([file(seat, 'a')]);
    expect([...ends.values()].map(({ state }) => state)).toEqual(['published']);
    expect(fleet.clock.bootMs() - before).toBeGreaterThanOrEqual(5_000);
    expect(fleet.hub.moves.filter(({ ref }) => ref === LOCK).at(-1)).toMatchObject({ from: lock, to: null });
    expect(await fleet.file('a')).toBe('x\n');
  });

  test('is not taken away when it has become another\'s at that moment', async () => {
    const { fleet, seat, lock, next } = await world();
    let moved = false;
    seat.fault = (updates) => {
      if (moved || !refsOf(updates).includes('locks/landing')) return 'ok';
      moved = true;
      fleet.hub.force(LOCK, next);
      return 'ok';
    };
    await seat.publish([file(seat, 'a')]);
    expect(fleet.hub.moves.filter(({ ref, from, to }) => ref === LOCK && from === lock && to === null)).toEqual([]);
    expect(await fleet.file('a')).toBe('x\n');
  });
});
