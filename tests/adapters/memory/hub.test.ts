import { describe, expect, it } from 'vitest';
import { createMemoryHub } from '../../../src/adapters/memory/hub.ts';
import type { MemoryHub, PushFault } from '../../../src/adapters/memory/hub.ts';
import { createMemoryStore } from '../../../src/adapters/memory/store.ts';
import { probeHub } from '../../../src/adapters/git/probe.ts';
import type { Oid } from '../../../src/model/ids.ts';
import { hubContract } from '../../contracts/hub.ts';
import type { HubSeat } from '../../contracts/hub.ts';

const who = { name: 'node', email: 'node@example.org', seconds: 0, zone: '+0000' };

function seatOf(hub: MemoryHub): HubSeat & { readonly store: ReturnType<typeof createMemoryStore> } {
  const store = createMemoryStore();
  const blobOf = (message: string) => store.writeBlob(new TextEncoder().encode(`${message}\n`));
  return {
    store,
    hub: hub.connect(store),
    commit: async (message, parents = []) => {
      const tree = await store.writeTree([{ mode: '100644', name: 'note.txt', oid: await blobOf(message) }]);
      return store.writeCommit({ tree, parents, author: who, committer: who, message });
    },
    has: async (oid) => {
      if (!(await store.has(oid))) return false;
      for (const commit of await store.log(oid)) {
        for (const entry of await store.readTree(commit.tree)) if (!(await store.has(entry.oid))) return false;
      }
      return true;
    },
  };
}

function faulty(hub: MemoryHub, fault: PushFault | null): void {
  hub.onPush = fault === null ? undefined : () => fault;
}

hubContract('in memory', async () => {
  const hub = createMemoryHub();
  return {
    seat: async () => seatOf(hub),
    decline: async (on) => faulty(hub, on ? 'decline' : null),
    dieInPush: async (when) => faulty(hub, when === null ? null : when === 'before' ? 'lose-request' : 'lose-reply'),
    // Every push reads its objects before it is judged, so eight started together are all under way at once.
    gather: async () => undefined,
    leave: async () => { hub.away = true; },
    close: async () => undefined,
  };
});

describe('the hub in memory', () => {
  async function two(fault: PushFault) {
    const hub = createMemoryHub();
    const seat = seatOf(hub);
    const [first, second] = [await seat.commit('first'), await seat.commit('second')];
    const updates = ['refs/cambium/claims/a', 'refs/heads/main'].map((ref) => ({ ref, expect: null, to: first }));
    hub.onPush = () => fault;
    const outcome = await seat.hub.push(updates);
    hub.onPush = undefined;
    return { hub, seat, first, second, updates, outcome };
  }

  it('half a push moves all refs but the last, and repeating it moves the rest', async () => {
    const { hub, seat, first, updates, outcome } = await two('half');
    expect(outcome.kind).toBe('unknown');
    expect([...hub.refs]).toEqual([['refs/cambium/claims/a', first]]);
    expect(await seat.hub.push(updates)).toEqual({ kind: 'accepted' });
    expect([...hub.refs.values()]).toEqual([first, first]);
  });

  it('a late push lands when it is delivered, if its leases still hold then', async () => {
    const { hub, first, outcome } = await two('late');
    expect([outcome.kind, hub.refs.size]).toEqual(['unknown', 0]);
    expect(hub.deliverLate()).toBe(1);
    expect([...hub.refs.values()]).toEqual([first, first]);
    const overtaken = await two('late');
    expect(await overtaken.seat.hub.push([{ ref: 'refs/heads/main', expect: null, to: overtaken.second }])).toEqual({ kind: 'accepted' });
    expect(overtaken.hub.deliverLate()).toBe(0);
    expect([...overtaken.hub.refs]).toEqual([['refs/heads/main', overtaken.second]]);
  });

  it('a spurious refusal tells nothing and is no policy', async () => {
    const { hub, outcome } = await two('refuse');
    expect([outcome, hub.refs.size]).toMatchObject([{ kind: 'refused', policy: false }, 0]);
  });

  it('every ref that moved is in the log, with what it was before', async () => {
    const { hub, seat, first, second } = await two('ok');
    await seat.hub.push([{ ref: 'refs/heads/main', expect: first, to: second }]);
    hub.force('refs/heads/main', first);
    expect(hub.moves.filter((move) => move.ref === 'refs/heads/main')).toEqual([
      { push: 1, ref: 'refs/heads/main', from: null, to: first },
      { push: 2, ref: 'refs/heads/main', from: first, to: second },
      { push: 3, ref: 'refs/heads/main', from: second, to: first },
    ]);
  });

  it('two runs of the same calls give the same hub', async () => {
    const run = async (): Promise<[string, Oid][]> => {
      const hub = createMemoryHub();
      const seats = Array.from({ length: 4 }, () => seatOf(hub));
      await Promise.all(seats.map(async (seat, index) => seat.hub.push([{ ref: 'refs/heads/main', expect: null, to: await seat.commit(`of ${index}`) }])));
      return [...hub.refs];
    };
    expect(await run()).toEqual(await run());
  });

  it('passes the boot probe, which leaves nothing behind', async () => {
    const hub = createMemoryHub();
    const { store, hub: ours } = seatOf(hub);
    expect(await probeHub({ hub: ours, store, node: 'vm-a', nonce: '1' })).toEqual({ fit: true });
    expect(hub.refs.size).toBe(0);
  });

  it('is found unfit by the probe when it takes refs one by one', async () => {
    const hub = createMemoryHub();
    const { store, hub: whole } = seatOf(hub);
    const torn = { ...whole, push: async (updates: Parameters<typeof whole.push>[0]) => {
      const outcomes = [];
      for (const update of updates) outcomes.push(await whole.push([update]));
      return outcomes.find((outcome) => outcome.kind !== 'accepted') ?? { kind: 'accepted' as const };
    } };
    expect(await probeHub({ hub: torn, store, node: 'vm-a', nonce: '1' })).toMatchObject({ fit: false, code: 'hub-unfit' });
  });
});
