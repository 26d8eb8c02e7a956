import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryHub } from '../../src/adapters/memory/hub.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import { archiveRef, chainEntry } from '../../src/model/archive.ts';
import type { ClaimKind } from '../../src/model/claim.ts';
import type { Oid } from '../../src/model/ids.ts';
import { archivedChain, archivedNames, isArchived } from '../../src/observe/archive.ts';
import { createChainReader } from '../../src/observe/chains.ts';
import { renderClaimRecord } from '../../src/observe/claimRecord.ts';
import type { Hub } from '../../src/ports/hub.ts';
import { chainOf } from '../support/situations.ts';

const who = { name: 'n', email: 'n@example.org', seconds: 0, zone: '+0000' };

describe('the names of the archive', () => {
  let store: MemoryStore;
  beforeEach(() => { store = createMemoryStore(); });

  async function treeOf(paths: readonly string[]): Promise<Oid> {
    const oid = await store.writeBlob(Buffer.from('x'));
    return store.editTree(await store.writeTree([]), new Map(paths.map((path) => [path, { mode: '100644', oid }])));
  }

  test('say where each task\'s files stand, in whatever month', async () => {
    const names = await archivedNames(store, await treeOf(['tasks/archive/2026-10/01/a.md', 'tasks/archive/2026-10/01/a.result.md', 'tasks/archive/2026-11/b.result.md', 'tasks/archive/2026-11/02/c.reopened.json', 'tasks/archive/d.md', 'tasks/e.md']));
    expect(names.get('a')).toEqual({ instruction: 'tasks/archive/2026-10/01/a.md', result: 'tasks/archive/2026-10/01/a.result.md', reopened: null });
    expect('abcde'.split('').map((id) => isArchived(names.get(id)))).toEqual([true, true, false, true, false]);
    expect([...names.tasks()].toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('of a task that was there before join its places, the newest first', async () => {
    const names = await archivedNames(store, await treeOf(['tasks/archive/2026-10/01/a.reopened.json', 'tasks/archive/2026-11/02/a.md', 'tasks/archive/2026-11/02/a.result.md']));
    expect(names.get('a')).toEqual({ instruction: 'tasks/archive/2026-11/02/a.md', result: 'tasks/archive/2026-11/02/a.result.md', reopened: 'tasks/archive/2026-10/01/a.reopened.json' });
  });

  test('of months that have not changed are not listed again', async () => {
    const paths = ['tasks/archive/2026-10/01/a.md', 'tasks/archive/2026-10/02/b.md'];
    let opened = 0;
    const counting = { ...store, readTree: async (oid: Oid) => { opened += 1; return store.readTree(oid); } };
    await archivedNames(counting, await treeOf(paths));
    opened = 0;
    const names = await archivedNames(counting, await treeOf([...paths, 'tasks/archive/2026-11/01/c.md']));
    // Root, tasks, archive, and the new month with its day.
    expect(opened).toBe(5);
    expect(names.get('b')).toBeDefined();
  });
});

describe('the chain of a collected task', () => {
  let store: MemoryStore;
  let hub: Hub;
  let fetched: string[];

  beforeEach(() => {
    store = createMemoryStore();
    fetched = [];
    const inner = createMemoryHub().connect(store);
    hub = { ...inner, fetch: async (refs) => { fetched.push(...refs.keys()); return inner.fetch(refs); } };
  });

  async function transition(kind: ClaimKind, epoch: number, parents: readonly Oid[], more: Record<string, unknown> = {}): Promise<Oid> {
    const blob = await store.writeBlob(Buffer.from(renderClaimRecord({ ...chainOf('a', kind, { epoch, ...more }).record })));
    return store.writeCommit({ tree: await store.writeTree([{ mode: '100644', name: 'claim.json', oid: blob }]), parents, author: who, committer: who, message: kind });
  }

  async function fold(months: Readonly<Record<string, Oid>>): Promise<{ readonly refs: ReadonlyMap<string, Oid> }> {
    const refs = new Map<string, Oid>();
    for (const [month, oid] of Object.entries(months)) {
      const tree = await store.editTree(await store.writeTree([]), new Map([[chainEntry('a'), { mode: '160000', oid }]]));
      refs.set(archiveRef(month), await store.writeCommit({ tree, parents: [oid], author: who, committer: who, message: 'fold\n' }));
    }
    return { refs };
  }

  const find = async (view: { readonly refs: ReadonlyMap<string, Oid> }, result: Parameters<typeof archivedChain>[5] = null) => (await archivedChain(store, hub, createChainReader(store), view, 'a', result))?.tip;

  test('is its newest end, also when clocks put that into an earlier month', async () => {
    const first = await transition('cancel', 0, []);
    const second = await transition('cancel', 0, [await transition('reopen', 0, [first])]);
    expect(await find(await fold({ '2026-11': first, '2026-12': second }))).toBe(second);
    expect(await find(await fold({ '2026-11': second, '2026-12': first }))).toBe(second);
    expect(await find(await fold({}))).toBeUndefined();
  });

  test('is looked for where its result says that it ended, and no further', async () => {
    const claim = await transition('claim', 1, []);
    const done = await transition('done', 1, [claim]);
    const view = await fold({ '2026-11': done, '2026-12': await transition('done', 9, []), '2026-10': await transition('done', 8, []) });
    expect(await find(view, { epoch: 1, claim, path: 'tasks/archive/2026-11/21/a.result.md' })).toBe(done);
    expect(fetched).toEqual([]);
  });

  test('is found though a repair has ended it on a later claim than the result names', async () => {
    const repaired = await transition('done', 2, [await transition('claim', 2, [])], { by: 'vm-b' });
    expect(await find(await fold({ '2026-11': repaired }), { epoch: 1, claim: 'c'.repeat(40), path: 'tasks/archive/2026-11/21/a.result.md' })).toBe(repaired);
  });
});
