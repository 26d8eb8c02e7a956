import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { ClaimRecord } from '../../src/model/claim.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import { chainHistory, createChainReader } from '../../src/observe/chains.ts';
import { renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { renderNodeRecord } from '../../src/observe/nodeRecord.ts';
import { beatOf, chainOf } from '../support/situations.ts';

const who = { name: 'n', email: 'n@example.org', seconds: 7, zone: '+0000' };
let store: MemoryStore;
beforeEach(() => {
  store = createMemoryStore();
});

async function commit(file: string, text: string, parents: readonly Oid[] = []): Promise<Oid> {
  const tree = await store.writeTree([{ mode: '100644', name: file, oid: await store.writeBlob(Buffer.from(text)) }]);
  return store.writeCommit({ tree, parents, author: who, committer: who, message: 'x\n' });
}

const transition = (kind: ClaimRecord['kind'], parents: readonly Oid[], more: Partial<ClaimRecord> = {}): Promise<Oid> => commit('claim.json', renderClaimRecord({ ...chainOf('a', kind).record, ...more }), parents);
const onNode = (record: NodeRecord, parents: readonly Oid[] = []): Promise<Oid> => commit('node.json', renderNodeRecord(record), parents);
const aBreak = (epoch: number): NodeRecord => ({ schema: 'cambium.node/1', kind: 'break', node: 'vm-a', by: 'vm-b', breaks: [{ task: 'a', epoch }], op: 'o' });
const aBeat = beatOf('vm-a', 'i', []).heartbeat!.record;

describe('a chain', () => {
  test('is judged by its tip, which is read once', async () => {
    const tip = await transition('claim', []);
    let reads = 0;
    const reader = createChainReader({ ...store, readCommit: async (oid) => { reads += 1; return store.readCommit(oid); } });
    await Promise.all([reader.chain(tip), reader.chain(tip)]);
    expect(await reader.chain(tip)).toMatchObject({ tip, record: { kind: 'claim', task: 'a' } });
    expect(reads).toBe(1);
  });

  test('has a history, newest first, that leaves out the main commits it moved', async () => {
    const main = await commit('main.txt', 'x\n');
    const claim = await transition('claim', []);
    const done = await transition('done', [claim, main], { result: main });
    const history = await chainHistory(store, createChainReader(store), done);
    expect(history.map(({ record, at }) => [record.kind, at])).toEqual([['done', 7], ['claim', 7]]);
  });

  test('that a cancel began ends there, though that commit has main as a parent', async () => {
    const main = await commit('main.txt', 'x\n');
    const cancel = await transition('cancel', [main], { result: main, epoch: 0 });
    const history = await chainHistory(store, createChainReader(store), await transition('reopen', [cancel, main], { result: main, epoch: 0 }));
    expect(history.map(({ record }) => record.kind)).toEqual(['reopen', 'cancel']);
  });

  test('that somebody else wrote is told as such, and is asked again the next time', async () => {
    const reader = createChainReader(store);
    const tip = await commit('other.txt', 'x\n');
    await expect(reader.chain(tip)).rejects.toMatchObject({ code: 'bad-file' });
    await expect(reader.chain(await commit('claim.json', '{"schema":"cambium.claim/2"}'))).rejects.toMatchObject({ code: 'schema-too-new' });
    await expect(reader.chain(await commit('claim.json', 'not json'))).rejects.toMatchObject({ code: 'bad-file' });
  });
});

describe('a node ref', () => {
  test('says its last heartbeat and the breaks on top of it, newest first', async () => {
    const beat = await onNode(aBeat);
    const tip = await onNode(aBreak(2), [await onNode(aBreak(1), [beat])]);
    const view = await createChainReader(store).node(tip);
    expect(view).toMatchObject({ tip, heartbeat: { oid: beat }, breaks: [{ breaks: [{ epoch: 2 }] }, { breaks: [{ epoch: 1 }] }] });
  });

  test('of a node that never beat has breaks only', async () => {
    expect(await createChainReader(store).node(await onNode(aBreak(1)))).toMatchObject({ heartbeat: null, breaks: [{ breaks: [{ epoch: 1 }] }] });
  });
});
