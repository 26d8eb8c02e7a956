import { describe, expect, test } from 'vitest';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import { cancelMember, reopenMember } from '../../src/act/close.ts';
import { claimRef } from '../../src/model/layout.ts';

const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const closing = { task: 'a', path: 'tasks/a.md', by: maria, reason: 'x' };
const nodes = { 'vm-a': ['ann'] };

test('a fleet is what tree and refs say at one moment', async () => {
  const fleet = await createMemoryFleet({ nodes, files: { 'tasks/a.md': task({ depends_on: '[b]' }), 'tasks/b.md': task(), 'tasks/bad.md': '---\npriority: urgent\n---\n' } });
  await fleet.node('vm-a').pass();
  const seen = await (await fleet.seat('eye')).look();
  expect([...seen.tasks.keys()].toSorted()).toEqual(['a', 'b']);
  expect(seen.main.commit).toBe(fleet.hub.refs.get(MAIN));
  expect([...seen.chains.keys()]).toEqual(['b']);
  expect(seen.nodes.get('vm-a')?.heartbeat?.record.node).toBe('vm-a');
  expect(seen.quarantine.map(({ path }) => path)).toEqual(['tasks/bad.md']);
  expect(seen.config.timings.ttlMs).toBe(60_000);
});

describe('an end that main does not have', () => {
  test.each(['cancel', 'reopen'] as const)('is seen: a %s of which the chain knows', async (kind) => {
    const fleet = await createMemoryFleet({ nodes, files: { 'tasks/a.md': task() } });
    const desk = await fleet.seat('desk');
    await desk.publish([cancelMember(desk.node, desk.reader, closing)]);
    let before = fleet.hub.moves.findLast(({ ref }) => ref === MAIN)!.from!;
    if (kind === 'reopen') {
      before = fleet.hub.refs.get(MAIN)!;
      await desk.publish([reopenMember(desk.node, desk.reader, { ...closing, evenDone: false })]);
    }
    expect([...(await (await fleet.seat('whole')).look()).unlanded]).toEqual([]);
    fleet.hub.force(MAIN, before);
    expect([...(await (await fleet.seat('half')).look()).unlanded]).toEqual(['a']);
  });

  test('is not made up for a chain that goes on', async () => {
    const fleet = await createMemoryFleet({ nodes, files: { 'tasks/a.md': task() }, work: () => ({ afterMs: 1e9 }) });
    await fleet.node('vm-a').rest();
    expect((await (await fleet.seat('eye')).look()).unlanded).toEqual(new Set());
  });
});

test('context files that main does not have are named, of open tasks only', async () => {
  const fleet = await createMemoryFleet({ nodes, files: { 'tasks/a.md': task({ context_files: '[docs/api.md, docs/none.md]' }), 'docs/api.md': 'x\n' } });
  const eye = await fleet.seat('eye');
  expect(await eye.look()).toMatchObject({ missingContext: new Map([['a', ['docs/none.md']]]) });
  await eye.publish([cancelMember(eye.node, eye.reader, closing)]);
  expect((await eye.look()).missingContext).toEqual(new Map());
});

test('broken settings leave the last good ones in force, and say where they are broken', async () => {
  const fleet = await createMemoryFleet({ nodes, files: {} });
  const eye = await fleet.seat('eye');
  const good = (await eye.look()).config;
  await fleet.commit({ 'cambium.yaml': 'schema: cambium.fleet/1\ntimings: { ttl: soon }\n' });
  const seen = await eye.look();
  expect(seen.config).toEqual(good);
  expect(seen.quarantine).toMatchObject([{ path: 'cambium.yaml', line: 2 }]);
});

test('a claim or node ref that cannot be read is set aside with its name, the others are read', async () => {
  const fleet = await createMemoryFleet({ nodes, files: { 'tasks/a.md': task(), 'tasks/b.md': task() } });
  const eye = await fleet.seat('eye');
  await eye.look();
  const who = { name: 'x', email: 'x@example.org', seconds: 0, zone: '+0000' };
  const to = await eye.store.writeCommit({ tree: await eye.store.writeTree([]), parents: [], author: who, committer: who, message: 'x\n' });
  await eye.node.hub.push([{ ref: claimRef('b'), expect: null, to }, { ref: 'refs/cambium/nodes/odd', expect: null, to }]);
  const seen = await eye.look();
  expect(seen.tasks.size).toBe(2);
  expect(seen.quarantine.map(({ path }) => path).toSorted()).toEqual([claimRef('b'), 'refs/cambium/nodes/odd']);
  expect([...seen.chains.keys(), ...seen.nodes.keys()]).toEqual([]);
});
