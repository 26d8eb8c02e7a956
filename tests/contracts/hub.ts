/** What every Hub must do, whatever stands behind it (PROTOCOL P1, P2). One world is one hub with as many nodes as wanted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RefUpdate } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { Hub } from '../../src/ports/hub.ts';

/** One node: its own store and its own way to the hub. */
export interface HubSeat {
  readonly hub: Hub;
  /** Writes a commit into this seat's store only. */
  commit(message: string, parents?: readonly Oid[]): Promise<Oid>;
  /** True when the commit and all that is reachable from it are in this seat's store. */
  has(oid: Oid): Promise<boolean>;
}

export interface HubWorld {
  seat(): Promise<HubSeat>;
  /** A rule of the hub declines every push, or no longer does. */
  decline(on: boolean): Promise<void>;
  /** The hub dies in each push: before any ref moves, or after all have and before it answers. */
  dieInPush(when: 'before' | 'after' | null): Promise<void>;
  /** Pushes are judged only when `count` of them have read the refs and come in. */
  gather(count: number): Promise<void>;
  /** The hub cannot be reached any more. The last thing a world is asked. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

export interface HubContractOptions {
  /** Refs of the test with very many. */
  readonly many?: number;
}

const create = (ref: string, to: Oid): RefUpdate => ({ ref, expect: null, to });

export function hubContract(name: string, makeHub: () => Promise<HubWorld>, { many = 2_000 }: HubContractOptions = {}): void {
  describe(`hub contract: ${name}`, () => {
    let world: HubWorld;
    let ours: HubSeat;
    let theirs: HubSeat;
    let made = 0;
    /** A ref that no other test has used: the tests share one hub. */
    const fresh = (kind = 'claims'): string => `refs/cambium/${kind}/t${++made}`;
    const at = async (ref: string): Promise<Oid | undefined> => (await theirs.hub.list()).get(ref);

    /** A ref made by us that stands on a new commit. */
    async function standing(kind?: string): Promise<{ ref: string; oid: Oid }> {
      const [ref, oid] = [fresh(kind), await ours.commit(`start ${made}`)];
      expect(await ours.hub.push([create(ref, oid)])).toEqual({ kind: 'accepted' });
      return { ref, oid };
    }

    beforeAll(async () => {
      world = await makeHub();
      [ours, theirs] = [await world.seat(), await world.seat()];
    });
    afterAll(() => world.close());

    it('an empty hub is an empty map', async () => {
      expect([...(await ours.hub.list())]).toEqual([]);
    });

    it('an empty push and an empty fetch are nothing to do', async () => {
      expect(await ours.hub.push([])).toEqual({ kind: 'accepted' });
      await ours.hub.fetch(new Map());
    });

    it('a push that would check nothing is a mistake of the caller', async () => {
      const oid = await ours.commit('still');
      await expect(ours.hub.push([{ ref: fresh(), expect: oid, to: oid }])).rejects.toMatchObject({ code: 'internal' });
      const ref = fresh();
      await expect(ours.hub.push([create(ref, oid), create(ref, oid)])).rejects.toMatchObject({ code: 'internal' });
    });

    it('a commit we do not have is not pushed', async () => {
      const length = (await ours.commit('length')).length;
      await expect(ours.hub.push([create(fresh(), 'ab'.repeat(length / 2))])).rejects.toMatchObject({ code: 'object-missing' });
    });

    it('a ref is created, moved and deleted by lease', async () => {
      const { ref, oid } = await standing();
      expect(await at(ref)).toBe(oid);
      const next = await ours.commit('next', [oid]);
      expect(await ours.hub.push([{ ref, expect: oid, to: next }])).toEqual({ kind: 'accepted' });
      expect(await at(ref)).toBe(next);
      expect(await ours.hub.push([{ ref, expect: next, to: null }])).toEqual({ kind: 'accepted' });
      expect(await at(ref)).toBeUndefined();
    });

    it('a lease on a ref that moved is refused, and is no policy', async () => {
      const { ref, oid } = await standing();
      const theirNext = await theirs.commit('theirs');
      expect(await theirs.hub.push([{ ref, expect: oid, to: theirNext }])).toEqual({ kind: 'accepted' });
      const ourNext = await ours.commit('ours', [oid]);
      expect(await ours.hub.push([{ ref, expect: oid, to: ourNext }])).toMatchObject({ kind: 'refused', policy: false });
      expect(await ours.hub.push([{ ref, expect: oid, to: null }])).toMatchObject({ kind: 'refused', policy: false });
      expect(await at(ref)).toBe(theirNext);
    });

    it('a lease on absence is refused where the ref exists, a lease on a value where it does not', async () => {
      const { ref, oid } = await standing();
      const other = await theirs.commit('other');
      expect(await theirs.hub.push([create(ref, other)])).toMatchObject({ kind: 'refused', policy: false });
      const absent = fresh();
      expect(await ours.hub.push([{ ref: absent, expect: oid, to: await ours.commit('x') }])).toMatchObject({ kind: 'refused', policy: false });
      expect(await at(ref)).toBe(oid);
      expect(await at(absent)).toBeUndefined();
    });

    it('a stale lease in one member refuses the whole push', async () => {
      const [one, two, three] = [await standing(), await standing(), fresh()];
      const next = await ours.commit('next');
      const updates = [{ ref: one.ref, expect: one.oid, to: next }, { ref: two.ref, expect: one.oid, to: next }, create(three, next)];
      expect(await ours.hub.push(updates)).toMatchObject({ kind: 'refused' });
      expect([await at(one.ref), await at(two.ref), await at(three)]).toEqual([one.oid, two.oid, undefined]);
    });

    it('a member that only the hub can refuse refuses the whole push', async () => {
      const [{ ref, oid }, free] = [await standing(), fresh()];
      expect(await ours.hub.push([create(free, oid), create(`${ref}/below`, oid)])).toMatchObject({ kind: 'refused', policy: false });
      expect(await at(free)).toBeUndefined();
    });

    it('the same push repeated is accepted', async () => {
      const [moving, going, coming] = [await standing(), await standing(), fresh()];
      const next = await ours.commit('next', [moving.oid]);
      const updates = [{ ref: moving.ref, expect: moving.oid, to: next }, { ref: going.ref, expect: going.oid, to: null }, create(coming, next)];
      for (let round = 0; round < 2; round++) expect(await ours.hub.push(updates)).toEqual({ kind: 'accepted' });
      expect([await at(moving.ref), await at(going.ref), await at(coming)]).toEqual([next, undefined, next]);
    });

    it('a half that stands already does not hinder the other half', async () => {
      const [one, two] = [await standing(), await standing()];
      const next = await ours.commit('next');
      const updates = [{ ref: one.ref, expect: one.oid, to: next }, { ref: two.ref, expect: two.oid, to: next }];
      expect(await ours.hub.push(updates.slice(0, 1))).toEqual({ kind: 'accepted' });
      expect(await ours.hub.push(updates)).toEqual({ kind: 'accepted' });
      expect(await at(two.ref)).toBe(next);
    });

    it('a heartbeat replaces its ref without fast-forward, by lease only', async () => {
      const { ref, oid } = await standing('nodes');
      const beat = await ours.commit('a parentless heartbeat');
      expect(await ours.hub.push([{ ref, expect: oid, to: beat }])).toEqual({ kind: 'accepted' });
      const late = await theirs.commit('a late one');
      expect(await theirs.hub.push([{ ref, expect: oid, to: late }])).toMatchObject({ kind: 'refused' });
      expect(await at(ref)).toBe(beat);
    });

    it('fetch brings whole histories into our store', async () => {
      const [{ ref, oid }, other] = [await standing(), await standing('nodes')];
      const next = await ours.commit('second', [oid]);
      expect(await ours.hub.push([{ ref, expect: oid, to: next }])).toEqual({ kind: 'accepted' });
      const third = await world.seat();
      expect(await third.has(next)).toBe(false);
      await third.hub.fetch(new Map([[ref, next], [other.ref, other.oid]]));
      expect([await third.has(next), await third.has(oid), await third.has(other.oid)]).toEqual([true, true, true]);
    });

    it('a fetch of a ref that moved or went since the listing is refused, and the next listing serves', async () => {
      const [moving, going] = [await standing(), await standing()];
      const next = await ours.commit('next');
      expect(await ours.hub.push([{ ref: moving.ref, expect: moving.oid, to: next }, { ref: going.ref, expect: going.oid, to: null }])).toEqual({ kind: 'accepted' });
      const third = await world.seat();
      await expect(third.hub.fetch(new Map([[moving.ref, moving.oid]]))).rejects.toMatchObject({ code: 'refused' });
      await expect(third.hub.fetch(new Map([[going.ref, going.oid]]))).rejects.toMatchObject({ code: 'refused' });
      await third.hub.fetch(new Map([[moving.ref, next]]));
      expect(await third.has(next)).toBe(true);
    });

    it('of eight that create one ref at the same time exactly one is accepted', async () => {
      const [ref, seats] = [fresh(), await Promise.all(Array.from({ length: 8 }, () => world.seat()))];
      const claims = await Promise.all(seats.map((seat, index) => seat.commit(`claim of ${index}`)));
      await world.gather(8);
      const outcomes = await Promise.all(seats.map((seat, index) => seat.hub.push([create(ref, claims[index] ?? '')])));
      await world.decline(false);
      const winners = outcomes.flatMap((outcome, index) => (outcome.kind === 'accepted' ? [claims[index]] : []));
      expect(winners).toEqual([await at(ref)]);
      expect(outcomes.filter((outcome) => outcome.kind === 'refused' && !outcome.policy)).toHaveLength(7);
    });

    it('a rule of the hub refuses with policy, and nothing moves', async () => {
      const ref = fresh();
      await world.decline(true);
      expect(await ours.hub.push([create(ref, await ours.commit('declined'))])).toMatchObject({ kind: 'refused', policy: true });
      await world.decline(false);
      expect(await at(ref)).toBeUndefined();
    });

    it.each(['before', 'after'] as const)('a hub that dies %s the refs move leaves the push unknown, and repeating it is accepted', async (when) => {
      const [{ ref, oid }, other] = [await standing(), fresh()];
      const next = await ours.commit(`dying ${when}`, [oid]);
      const updates = [{ ref, expect: oid, to: next }, create(other, next)];
      await world.dieInPush(when);
      expect(await ours.hub.push(updates)).toMatchObject({ kind: 'unknown' });
      await world.dieInPush(null);
      expect(await at(ref)).toBe(when === 'after' ? next : oid);
      expect(await ours.hub.push(updates)).toEqual({ kind: 'accepted' });
      expect([await at(ref), await at(other)]).toEqual([next, next]);
    });

    it(`${many} refs are pushed at once, listed and fetched`, async () => {
      const oid = await ours.commit('one for many');
      const updates = Array.from({ length: many }, () => create(fresh('archive'), oid));
      expect(await ours.hub.push(updates)).toEqual({ kind: 'accepted' });
      const listed = await theirs.hub.list();
      expect(updates.filter((update) => listed.get(update.ref) !== oid)).toEqual([]);
      await theirs.hub.fetch(new Map(updates.map((update) => [update.ref, oid])));
      expect(await theirs.has(oid)).toBe(true);
    });

    it('a hub that is away says so: list and fetch throw, a push is unknown', async () => {
      const { ref, oid } = await standing();
      await world.leave();
      await expect(ours.hub.list()).rejects.toMatchObject({ code: 'hub-away' });
      await expect(theirs.hub.fetch(new Map([[ref, oid]]))).rejects.toMatchObject({ code: 'hub-away' });
      expect(await ours.hub.push([{ ref, expect: oid, to: null }])).toMatchObject({ kind: 'unknown' });
    });
  });
}
