import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryLocal } from '../../src/adapters/memory/local.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { Oid } from '../../src/model/ids.ts';
import { openSpawnRecords, parseSpawnFacts, startedMs } from '../../src/observe/spawnRecords.ts';
import type { SpawnRecords } from '../../src/observe/spawnRecords.ts';
import type { Store } from '../../src/ports/store.ts';
import { factsOf, recordText, spawnId } from '../support/spawnRecords.ts';

const plain = createMemoryStore();
let reads = 0;
const store: Store = { ...plain, readBlob: async (oid) => { reads += 1; return plain.readBlob(oid); } };
let local = createMemoryLocal();
beforeEach(() => {
  local = createMemoryLocal();
  reads = 0;
});

const record = (end: string, day = '21'): Readonly<Record<string, string>> => ({ [`agents/spawns/2026-11/${day}/${spawnId(end)}.json`]: recordText(factsOf({ id: spawnId(end), start: `2026-11-${day}T00:48:01.000Z` })) });

async function treeOf(files: Readonly<Record<string, string>>): Promise<Oid> {
  const edits = await Promise.all(Object.entries(files).map(async ([path, text]) => [path, { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }] as const));
  return store.editTree(await store.writeTree([]), new Map(edits));
}

async function idsOf(records: SpawnRecords): Promise<readonly string[]> {
  const months = await records.months();
  const found = await Promise.all(months.map((month) => records.month(month)));
  return found.flat().map(({ id }) => id).toSorted();
}

describe('the records of a tree', () => {
  test('are those of every day and month, newest month first, an earlier version\'s too', async () => {
    const files = { ...record('a'), ...record('b', '22'), [`agents/spawns/2026-10/${spawnId('c')}.json`]: recordText(factsOf({ id: spawnId('c') })) };
    const records = openSpawnRecords(store, local, await treeOf(files));
    expect(await records.months()).toEqual(['2026-11', '2026-10']);
    expect(await idsOf(records)).toEqual(['a', 'b', 'c'].map(spawnId));
    expect((await records.month('2026-10'))[0]).toEqual(factsOf({ id: spawnId('c') }));
  });

  test('are none where nothing has run', async () => {
    expect(await openSpawnRecords(store, local, await treeOf({ 'README.md': 'x\n' })).months()).toEqual([]);
  });

  test('are read once: the next look reads nothing, and of a day that grew only what is new', async () => {
    const before = { ...record('a'), ...record('b'), ...record('c', '20') };
    expect(await idsOf(openSpawnRecords(store, local, await treeOf(before)))).toHaveLength(3);
    expect(reads).toBe(3);
    expect(await idsOf(openSpawnRecords(store, local, await treeOf(before)))).toHaveLength(3);
    expect(reads).toBe(3);
    expect(await idsOf(openSpawnRecords(store, local, await treeOf({ ...before, ...record('d') })))).toHaveLength(4);
    expect(reads).toBe(4);
  });

  test('show a file that is gone or was changed as it is now', async () => {
    await idsOf(openSpawnRecords(store, local, await treeOf({ ...record('a'), ...record('b') })));
    const changed = { [Object.keys(record('a'))[0] as string]: recordText(factsOf({ id: spawnId('a'), agent: 'other' })) };
    const [only, ...more] = await openSpawnRecords(store, local, await treeOf(changed)).month('2026-11');
    expect([only?.agent, more]).toEqual(['other', []]);
  });

  test('leave out what is none, and name it: no JSON, another\'s id, something vast', async () => {
    const bad = { 'agents/spawns/2026-11/21/x.json': 'no', [`agents/spawns/2026-11/21/${spawnId('z')}.json`]: recordText(factsOf({ id: spawnId('a') })), 'agents/spawns/2026-11/21/vast.json': ' '.repeat(1_100_000) };
    const tree = await treeOf({ ...record('a'), ...bad, 'agents/spawns/README.md': 'x', 'agents/spawns/oddly/a.json': '{}' });
    for (const look of [1, 2]) {
      const records = openSpawnRecords(store, local, tree);
      expect(await idsOf(records), `look ${look}`).toEqual([spawnId('a')]);
      expect(records.unread()).toEqual(Object.keys(bad).toSorted());
    }
  });

  test('are read anew where the clone\'s memory of them is damaged', async () => {
    await local.write('spawn-records/2026-11', { shape: 1, tree: 7 });
    expect(await idsOf(openSpawnRecords(store, local, await treeOf(record('a'))))).toEqual([spawnId('a')]);
  });
});

test('a record read is what was written', () => {
  const facts = factsOf({ failure: 'rate_limit', outcome: 'failed', usage: null, costUsd: null });
  expect(parseSpawnFacts(Buffer.from(recordText(facts)))).toEqual(facts);
});

test('a spawn began when it says, else when its id says', () => {
  expect(startedMs(factsOf())).toBe(Date.parse('2026-11-21T00:48:01.000Z'));
  expect(startedMs({ id: '01M7ZCWXBKE4JX7FR5CT5S3T6T-verify', start: null })).toBe(Date.parse('2026-11-21T15:51:45.779Z'));
  expect(startedMs({ id: 'odd', start: 'yesterday' })).toBeNull();
});
