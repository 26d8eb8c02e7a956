/** What a node tells its hooks: read from chains and main, each once, and only what it wrote itself. */
import { beforeEach, describe, expect, test } from 'vitest';
import { eventsSince } from '../../src/act/fleetEvents.ts';
import type { Looked, Told } from '../../src/act/fleetEvents.ts';
import type { Node } from '../../src/act/node.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import { createManualClock } from '../../src/adapters/memory/clock.ts';
import type { Chain, ClaimRecord } from '../../src/model/claim.ts';
import type { FleetEvent } from '../../src/model/event.ts';
import { machineSignature } from '../../src/model/message.ts';
import type { Fleet } from '../../src/model/snapshot.ts';
import { renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { createChainReader } from '../../src/observe/chains.ts';
import { beatOf, chainOf, fleetOf, taskOf } from '../support/situations.ts';

const clock = createManualClock(1);
let store = createMemoryStore();
let reader = createChainReader(store);
let main = '';
let told: Told | null = null;
let looked: Looked | null = null;
const chains = new Map<string, Chain>();

const nodeNamed = (name: string): Node => ({ identity: { node: name, incarnation: 'i', machine: 'm', bootId: 'b', process: { boot_id: 'b', namespace: 'n', pid: 1, start: 1 } }, store, clock }) as unknown as Node;
const by = (node: string) => machineSignature(node, 'node', clock.now());
const message = (id: string, text: string): string => `---\nschema: cambium.message/1\nid: ${id}\nfrom: agent:rita\nchannel: design\nat: 2026-11-21T00:00:00Z\n---\n${text}\n`;

async function transition(task: string, kind: ClaimRecord['kind'], node: string, more: Partial<ClaimRecord> = {}): Promise<void> {
  const before = chains.get(task);
  const record = { ...chainOf(task, kind, { node, agent: 'worker-1', op: clock.ulid(), ...more }).record };
  const tree = await store.writeTree([{ mode: '100644', name: 'claim.json', oid: await store.writeBlob(Buffer.from(renderClaimRecord(record))) }]);
  const tip = await store.writeCommit({ tree, parents: before === undefined ? [] : [before.tip], author: by('x'), committer: by(node), message: kind });
  chains.set(task, { tip, record });
}

async function addFile(path: string, text: string, node: string): Promise<void> {
  const { tree } = await store.readCommit(main);
  const edited = await store.editTree(tree, new Map([[path, { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }]]));
  main = await store.writeCommit({ tree: edited, parents: [main], author: by('x'), committer: by(node), message: 'm' });
}

async function fleet(more: Partial<Fleet> = {}): Promise<Fleet> {
  const { tree } = await store.readCommit(main);
  const tasks = ['one', 'two', 'three'].map((id) => taskOf(id, id === 'three' ? { review: 'rita' } : {}));
  return { ...fleetOf({ tasks }), chains: new Map(chains), main: { commit: main, tree }, ...more };
}

async function look(more: Partial<Fleet> = {}, node = 'vm-a'): Promise<readonly string[]> {
  return (await events(more, node)).map((event) => `${event.event} ${'task' in event && event.task !== null ? event.task : ''}`.trim());
}

async function events(more: Partial<Fleet> = {}, node = 'vm-a'): Promise<readonly FleetEvent[]> {
  const since = await eventsSince(nodeNamed(node), reader, await fleet(more), told, looked);
  ({ told, looked } = since);
  return since.events;
}

/** As after a restart: what is on disk is read again, what was in memory is gone. */
function restart(): void {
  told = JSON.parse(JSON.stringify(told)) as Told;
  looked = null;
}

beforeEach(async () => {
  store = createMemoryStore();
  reader = createChainReader(store);
  chains.clear();
  [told, looked] = [null, null];
  main = await store.writeCommit({ tree: await store.writeTree([]), parents: [], author: by('x'), committer: by('vm-a'), message: 'first' });
});

describe('of a chain', () => {
  test('every transition that this node wrote is told once, in order, and again by nobody', async () => {
    await look();
    await transition('one', 'claim', 'vm-a', { epoch: 1 });
    await transition('one', 'done', 'vm-a', { epoch: 1 });
    expect(await look()).toEqual(['task-claimed one', 'task-done one']);
    expect(await look()).toEqual([]);
    restart();
    expect(await look()).toEqual([]);
  });

  test('what another node wrote is not told, though this node held the task before', async () => {
    await look();
    await transition('one', 'claim', 'vm-a', { epoch: 1 });
    expect(await look()).toEqual(['task-claimed one']);
    await transition('one', 'claim', 'vm-b', { epoch: 2 });
    await transition('one', 'done', 'vm-b', { epoch: 2 });
    expect(await look()).toEqual([]);
    restart();
    expect(await look()).toEqual([]);
  });

  test('what stood there before hooks were allowed is past', async () => {
    await transition('one', 'claim', 'vm-a', { epoch: 1 });
    expect(await look()).toEqual([]);
    await transition('one', 'failed', 'vm-a', { epoch: 1, reason: 'all attempts' });
    expect(await events()).toMatchObject([{ event: 'task-failed', reason: 'all attempts', task: 'one', id: chains.get('one')?.record.op }]);
  });

  test('what happened while no daemon ran is told by the next', async () => {
    await look();
    restart();
    await transition('two', 'claim', 'vm-a', { epoch: 1 });
    await transition('one', 'cancel', 'vm-a', { epoch: 0, agent: null });
    expect((await look()).toSorted()).toEqual(['task-cancelled one', 'task-claimed two']);
  });

  test('an end waits until main has its other half', async () => {
    await look();
    await transition('one', 'done', 'vm-a', { epoch: 1 });
    expect(await look({ unlanded: new Set(['one']) })).toEqual([]);
    expect(await look()).toEqual(['task-done one']);
  });

  test('a claim that only lands what was approved starts nobody', async () => {
    await look();
    await transition('one', 'claim', 'vm-a', { epoch: 2, commit: 'ab'.repeat(20) });
    expect(await look()).toEqual([]);
  });
});

describe('a person is needed', () => {
  test('when a task asks, or its review is a person\'s; not when it is an agent\'s', async () => {
    await look();
    await transition('one', 'input', 'vm-a', { epoch: 1, question: 'which key?' });
    await transition('two', 'review', 'vm-a', { epoch: 1 });
    await transition('three', 'review', 'vm-a', { epoch: 1 });
    const all = await events();
    expect(all.map(({ event }) => event)).toEqual(['task-input', 'review', 'review', 'human', 'human']);
    expect(all.filter(({ event }) => event === 'human')).toMatchObject([{ cause: 'task-input', text: 'which key?', task: 'one' }, { cause: 'review', task: 'two' }]);
  });

  test.each([['@human please', true], ['ask a @human, now', true], ['mail me@human.org', false], ['@humanity', false], ['@human-2', false]])('when a message says so: %s', async (text, isCall) => {
    await look();
    await addFile('agents/channels/design/m1.md', message('m1', text), 'vm-a');
    expect(await look()).toEqual(isCall ? ['message', 'human'] : ['message']);
  });
});

describe('of main', () => {
  test('messages and ended spawns that this node\'s commits added, and no others', async () => {
    await look();
    await addFile('agents/channels/design/m1.md', message('m1', 'hello'), 'vm-a');
    await addFile('agents/channels/design/m2.md', message('m2', 'there'), 'vm-b');
    await addFile('agents/channels/design/m1.md', message('m1', 'edited'), 'vm-a');
    await addFile('agents/spawns/2026-11/21/s1.json', JSON.stringify({ schema: 'cambium.spawn/1', id: 's1', parent: null, depth: 0, agent: 'worker-1', node: 'vm-a', purpose: 'task', task: 'one', epoch: 1, attempt: 1, channel: null, messages: [], provider: 'p', provider_version: null, model: null, session: null, process: null, start: 'a', end: 'b', outcome: 'failed', failure: 'auth', usage: null, cost_usd: 0.5 }), 'vm-a');
    await addFile('agents/channels/design/bad.md', 'no message', 'vm-a');
    await addFile('agents/spawns/2026-11/21/bad.json', '{', 'vm-a');
    expect(await events()).toMatchObject([{ event: 'message', message: 'm1', text: 'hello\n', from: 'agent:rita' }, { event: 'spawn-end', spawn: 's1', outcome: 'failed', failure: 'auth', cost_usd: 0.5 }]);
    expect(await look()).toEqual([]);
  });

  test('a main that is no descendant of what was told is a new beginning', async () => {
    await look();
    await addFile('agents/channels/design/m1.md', message('m1', 'hello'), 'vm-a');
    told = { ...(told as Told), main: 'cd'.repeat(20) };
    expect(await look()).toEqual([]);
  });
});

test('a takeover is told by the node that made it', async () => {
  const silent = { ...beatOf('vm-c', 'i', []), breaks: [{ schema: 'cambium.node/1' as const, kind: 'break' as const, node: 'vm-c', by: 'vm-a', breaks: [{ task: 'one', epoch: 2 }], op: 'b1' }] };
  await look();
  expect(await events({ nodes: new Map([['vm-c', silent]]) })).toMatchObject([{ event: 'node-silent', silent: 'vm-c', tasks: [{ task: 'one', epoch: 2 }], id: 'b1' }]);
  expect(await look({ nodes: new Map([['vm-c', silent]]) })).toEqual([]);
  told = { ...(told as Told), breaks: [] };
  expect(await look({ nodes: new Map([['vm-c', silent]]) }, 'vm-b')).toEqual([]);
});
