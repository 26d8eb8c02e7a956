import { describe, expect, test } from 'vitest';
import { createMemoryLocal } from '../../src/adapters/memory/local.ts';
import { createMemoryHub } from '../../src/adapters/memory/hub.ts';
import type { MemoryHub } from '../../src/adapters/memory/hub.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import { chainEntry } from '../../src/model/archive.ts';
import type { Oid } from '../../src/model/ids.ts';
import { openHubMirror } from '../../src/observe/hubMirror.ts';
import type { HubMirror } from '../../src/observe/hubMirror.ts';
import { requireWitnesses } from '../../src/observe/witnesses.ts';
import type { Hub } from '../../src/ports/hub.ts';
import { beatOf, fleetOf } from '../support/situations.ts';

const MAIN = 'refs/heads/main';
const CLAIM = 'refs/cambium/claims/a';
const who = { name: 'n', email: 'n@example.org', seconds: 0, zone: '+0000' };

interface Clone {
  readonly store: MemoryStore;
  readonly hub: Hub;
  readonly mirror: HubMirror;
}

async function clone(hub: MemoryHub, store = createMemoryStore(), wrap: (inner: Hub) => Hub = (inner) => inner, records = new Map<string, string>()): Promise<Clone> {
  const wired = wrap(hub.connect(store));
  return { store, hub: wired, mirror: await openHubMirror({ store, hub: wired, local: createMemoryLocal(records), branch: 'main', trackingRef: 'refs/remotes/origin/main' }) };
}

async function commit({ store }: Pick<Clone, 'store'>, message: string, parents: readonly Oid[] = []): Promise<Oid> {
  return store.writeCommit({ tree: await store.writeTree([]), parents, author: who, committer: who, message });
}

/** A hub with two commits on main and two on a claim, written by a clone of its own. */
async function world(): Promise<{ readonly hub: MemoryHub; readonly writer: Clone; readonly main: readonly Oid[]; readonly claim: readonly Oid[] }> {
  const hub = createMemoryHub();
  const writer = await clone(hub);
  const m1 = await commit(writer, 'm1\n');
  const c1 = await commit(writer, 'c1\n');
  const [m2, c2] = [await commit(writer, 'm2\n', [m1]), await commit(writer, 'c2\n', [c1])];
  await writer.hub.push([{ ref: MAIN, expect: null, to: m2 }, { ref: CLAIM, expect: null, to: c2 }]);
  return { hub, writer, main: [m1, m2], claim: [c1, c2] };
}

test('a refresh brings the objects here and tells what the hub has', async () => {
  const { hub, main, claim } = await world();
  const { mirror, store } = await clone(hub);
  expect(mirror.known()).toMatchObject({ main: null });
  expect(await mirror.refresh()).toMatchObject({ main: main[1], refs: new Map([[CLAIM, claim[1]], [MAIN, main[1]]]) });
  expect(await store.has(claim[0]!)).toBe(true);
  expect(await store.readRef('refs/remotes/origin/main')).toBe(main[1]);
});

test('what was seen survives a restart', async () => {
  const { hub, main } = await world();
  const { mirror, store } = await clone(hub);
  await mirror.refresh();
  expect((await clone(hub, store)).mirror.known().main).toBe(main[1]);
});

test('an unchanged hub costs no fetch and moves no ref', async () => {
  const { hub } = await world();
  let fetches = 0;
  const { mirror } = await clone(hub, createMemoryStore(), (inner) => ({ ...inner, fetch: async (refs) => { fetches += 1; return inner.fetch(refs); } }));
  await mirror.refresh();
  await mirror.refresh();
  expect(fetches).toBe(1);
});

test('a ref that moves between the listing and the fetch is listed again', async () => {
  const { hub, writer, main } = await world();
  let moved: Oid | null = null;
  const { mirror } = await clone(hub, createMemoryStore(), (inner) => ({
    ...inner,
    list: async () => {
      const listed = await inner.list();
      if (moved === null) {
        moved = await commit(writer, 'm3\n', [main[1]!]);
        await writer.hub.push([{ ref: MAIN, expect: main[1]!, to: moved }]);
      }
      return listed;
    },
  }));
  expect((await mirror.refresh()).main).toBe(moved);
});

test('an accepted push is known without asking', async () => {
  const { hub, main } = await world();
  const { mirror, store } = await clone(hub);
  await mirror.refresh();
  const to = await commit({ store }, 'm3\n', [main[1]!]);
  await mirror.adopt([{ ref: MAIN, expect: main[1]!, to }, { ref: 'refs/cambium/wip/a/1', expect: null, to }]);
  expect(mirror.known().main).toBe(to);
  expect(mirror.known().refs.get('refs/cambium/wip/a/1')).toBe(to);
});

test('a ref whose objects nobody needs is known too, also when it alone moved', async () => {
  const { hub, writer, main } = await world();
  const { mirror } = await clone(hub);
  await mirror.refresh();
  await mirror.adopt([{ ref: 'refs/cambium/wip/a/1', expect: null, to: main[0]! }]);
  expect(mirror.known().refs.get('refs/cambium/wip/a/1')).toBe(main[0]);
  await writer.hub.push([{ ref: 'refs/cambium/wip/a/1', expect: null, to: main[1]! }]);
  expect((await mirror.refresh()).refs.get('refs/cambium/wip/a/1')).toBe(main[1]);
});

describe('a hub that went backwards is named and never followed', () => {
  test.each([[MAIN, 'main'], [CLAIM, 'claim']] as const)('%s to an older commit', async (ref, which) => {
    const { hub, writer: _writer, ...tips } = await world();
    const { mirror, store } = await clone(hub);
    await mirror.refresh();
    hub.force(ref, tips[which][0]!);
    await expect(mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref, mark: tips[which][1], now: tips[which][0] } });
    expect(mirror.known().refs.get(ref)).toBe(tips[which][1]);
    expect((await clone(hub, store)).mirror.known().refs.get(ref)).toBe(tips[which][1]);
  });

  test('main to another history', async () => {
    const { hub, writer } = await world();
    const { mirror } = await clone(hub);
    await mirror.refresh();
    const foreign = await commit(writer, 'another root\n');
    await writer.hub.push([{ ref: 'refs/heads/foreign', expect: null, to: foreign }]);
    hub.force(MAIN, foreign);
    await expect(mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten' });
  });

  test.each([MAIN, CLAIM])('%s missing at two looks, not at one', async (ref) => {
    const { hub } = await world();
    const { mirror } = await clone(hub);
    const before = (await mirror.refresh()).refs.get(ref);
    hub.force(ref, null);
    expect((await mirror.refresh()).refs.get(ref)).toBe(before);
    await expect(mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref, now: null } });
  });

  test('a claim that is back at the second look was never gone', async () => {
    const { hub, claim } = await world();
    const { mirror } = await clone(hub);
    await mirror.refresh();
    hub.force(CLAIM, null);
    await mirror.refresh();
    hub.force(CLAIM, claim[1]!);
    expect((await mirror.refresh()).refs.get(CLAIM)).toBe(claim[1]);
    expect((await mirror.refresh()).refs.get(CLAIM)).toBe(claim[1]);
  });
});

const ARCHIVE = 'refs/cambium/archive/2026-11';

/** A fold of one chain, as the janitor writes it. */
async function fold({ store }: Pick<Clone, 'store'>, tip: Oid, before: Oid | null = null): Promise<Oid> {
  const tree = await store.editTree(await store.writeTree([]), new Map([[chainEntry('a'), { mode: '160000', oid: tip }]]));
  return store.writeCommit({ tree, parents: before === null ? [tip] : [before, tip], author: who, committer: who, message: 'fold\n' });
}

describe('a claim that is gone from the hub', () => {
  test.each([1, 0])('is no rewind where the archive has its mark, or an end on top of it (%i)', async (seen) => {
    const { hub, writer, claim } = await world();
    if (seen === 0) hub.force(CLAIM, claim[0]!);
    const { mirror } = await clone(hub);
    await mirror.refresh();
    hub.force(CLAIM, claim[1]!);
    const archive = await fold(writer, claim[1]!);
    await writer.hub.push([{ ref: ARCHIVE, expect: null, to: archive }]);
    await writer.hub.push([{ ref: CLAIM, expect: claim[1]!, to: null }]);
    expect((await mirror.refresh()).refs.has(CLAIM)).toBe(false);
    expect((await mirror.refresh()).refs.has(CLAIM)).toBe(false);
  });

  test('is one where the archive has only an end before it: a reopening was lost', async () => {
    const { hub, writer, claim } = await world();
    const { mirror } = await clone(hub);
    await writer.hub.push([{ ref: ARCHIVE, expect: null, to: await fold(writer, claim[0]!) }]);
    await mirror.refresh();
    await writer.hub.push([{ ref: CLAIM, expect: claim[1]!, to: null }]);
    await mirror.refresh();
    await expect(mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref: CLAIM, now: null } });
  });

  test('may be back on top of its archived end: it was reopened while this node was away', async () => {
    const { hub, writer, claim } = await world();
    const { mirror } = await clone(hub);
    await mirror.refresh();
    await writer.hub.push([{ ref: ARCHIVE, expect: null, to: await fold(writer, claim[1]!) }]);
    await writer.hub.push([{ ref: CLAIM, expect: claim[1]!, to: null }]);
    const reopened = await commit(writer, 'reopen\n', [claim[1]!]);
    await writer.hub.push([{ ref: CLAIM, expect: null, to: reopened }]);
    expect((await mirror.refresh()).refs.get(CLAIM)).toBe(reopened);
  });
});

describe('an archive ref', () => {
  async function archived(): Promise<{ readonly hub: MemoryHub; readonly writer: Clone; readonly folds: readonly [Oid, Oid] }> {
    const { hub, writer, claim } = await world();
    const first = await fold(writer, claim[0]!);
    const second = await fold(writer, claim[1]!, first);
    await writer.hub.push([{ ref: ARCHIVE, expect: null, to: first }]);
    return { hub, writer, folds: [first, second] };
  }

  test('is not fetched while nobody looks into it, and may go forward', async () => {
    const { hub, writer, folds } = await archived();
    const { mirror, store } = await clone(hub);
    expect((await mirror.refresh()).refs.get(ARCHIVE)).toBe(folds[0]);
    expect(await store.has(folds[0])).toBe(false);
    await writer.hub.push([{ ref: ARCHIVE, expect: folds[0], to: folds[1] }]);
    expect((await mirror.refresh()).refs.get(ARCHIVE)).toBe(folds[1]);
  });

  test('that does not contain what was seen halts, also a process that starts later', async () => {
    const { hub, writer, folds } = await archived();
    const records = new Map<string, string>();
    const { mirror } = await clone(hub, undefined, undefined, records);
    await writer.hub.push([{ ref: ARCHIVE, expect: folds[0], to: folds[1] }]);
    await mirror.refresh();
    hub.force(ARCHIVE, folds[0]);
    await expect(mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref: ARCHIVE, mark: folds[1], now: folds[0] } });
    const later = await clone(hub, undefined, undefined, records);
    await expect(later.mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref: ARCHIVE } });
  });

  test('missing at two looks halts, not at one', async () => {
    const { hub, folds } = await archived();
    const { mirror } = await clone(hub);
    await mirror.refresh();
    hub.force(ARCHIVE, null);
    expect((await mirror.refresh()).refs.get(ARCHIVE)).toBe(folds[0]);
    await expect(mirror.refresh()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref: ARCHIVE, now: null } });
  });

  test('of another hub says nothing about this one', async () => {
    const { hub } = await archived();
    const records = new Map<string, string>();
    await (await clone(hub, undefined, undefined, records)).mirror.refresh();
    const other = createMemoryHub();
    const { mirror } = await clone(other, undefined, (inner) => ({ ...inner, url: 'memory:other' }), records);
    await mirror.refresh();
    await expect(mirror.refresh()).resolves.toMatchObject({ main: null });
  });
});

test('a heartbeat replaces another: nodes are not asked to descend', async () => {
  const { hub, writer } = await world();
  const ref = 'refs/cambium/nodes/vm-a';
  const [h1, h2] = [await commit(writer, 'h1\n'), await commit(writer, 'h2\n')];
  await writer.hub.push([{ ref, expect: null, to: h1 }]);
  const { mirror } = await clone(hub);
  await mirror.refresh();
  await writer.hub.push([{ ref, expect: h1, to: h2 }]);
  expect((await mirror.refresh()).refs.get(ref)).toBe(h2);
});

test('refs that are not the fleet\'s are left alone', async () => {
  const { hub, writer, main } = await world();
  await writer.hub.push([{ ref: 'refs/heads/feature', expect: null, to: main[1]! }, { ref: 'refs/cambium/probe/x', expect: null, to: main[1]! }]);
  const { mirror } = await clone(hub);
  expect([...(await mirror.refresh()).refs.keys()].toSorted()).toEqual([CLAIM, MAIN]);
});

describe('a main that other nodes have seen', () => {
  const seenBy = (main: Oid, seen: Oid) => fleetOf({
    more: { main: { commit: main, tree: 't' }, nodes: new Map([['vm-b', { ...beatOf('vm-b', 'i', []), heartbeat: { oid: 'h', record: { ...beatOf('vm-b', 'i', []).heartbeat!.record, main: seen } } }]]) },
  });

  test('and that is part of ours is a good witness', async () => {
    const { writer, main } = await world();
    expect(await requireWitnesses(writer.store, seenBy(main[1]!, main[0]!), new Set())).toEqual(new Set());
  });

  test('and that nobody has any more halts at the second look', async () => {
    const { writer, main } = await world();
    const lost = 'f'.repeat(40);
    const doubtful = await requireWitnesses(writer.store, seenBy(main[1]!, lost), new Set());
    expect(doubtful).toEqual(new Set([lost]));
    await expect(requireWitnesses(writer.store, seenBy(main[1]!, lost), doubtful)).rejects.toMatchObject({ code: 'hub-rewritten' });
  });

  test('and that is newer than our listing of main is no proof: one listing is no snapshot', async () => {
    const { writer, main } = await world();
    await expect(requireWitnesses(writer.store, seenBy(main[0]!, main[1]!), new Set())).resolves.toEqual(new Set([main[1]]));
  });
});
