/** What people do while the fleet works: cancel, delete, reopen, file away, edit. */
import { describe, expect, test } from 'vitest';
import { releaseMember } from '../../src/act/claim.ts';
import { cancelMember } from '../../src/act/close.ts';
import type { Checkout, CheckoutEdit } from '../../src/ports/checkout.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryNode } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);
const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const slowly = (afterMs: number) => ({ task }: Job): Work => ({ afterMs, files: { [`${task}.txt`]: 'work\n' } });

async function cancel(fleet: MemoryFleet, id = 'a'): Promise<void> {
  const desk = await fleet.seat('desk');
  const ends = await desk.publish([cancelMember(desk.node, desk.reader, { task: id, path: `tasks/${id}.md`, by: maria, reason: 'not needed' })]);
  expect([...ends.values()][0]?.state).toBe('published');
}

describe('an owner whose task is', () => {
  const working = async (): Promise<{ readonly fleet: MemoryFleet; readonly a: MemoryNode }> => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(1e9) });
    const a = fleet.node('vm-a');
    await a.rest();
    await a.machine.write('a-1', { 'half.txt': 'half\n' });
    return { fleet, a };
  };

  test('cancelled stops its agent and keeps the work under stale', async () => {
    const { fleet, a } = await working();
    await cancel(fleet);
    await a.rest();
    expect(a.machine.running()).toEqual([]);
    expect(fleet.hub.refs.has('refs/cambium/stale/a/1')).toBe(true);
    expect(await a.machine.worktrees.list()).toEqual([]);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'cancel 1']);
  });

  test('released by somebody else stops its agent before the task is run again here', async () => {
    const { fleet, a } = await working();
    const desk = await fleet.seat('desk');
    await desk.look();
    await desk.publish([releaseMember(desk.node, desk.reader, { task: 'a', tip: (await fleet.tip('a')).tip, reason: 'stop that' })]);
    await a.pass();
    await a.pass();
    expect(a.machine.running()).not.toContain('a.1');
    expect(fleet.hub.refs.has('refs/cambium/stale/a/1')).toBe(true);
  });

  test('deleted by its person in this very checkout is cancelled, whatever the run is about to say', async () => {
    const deleted = { on: false };
    const fleet = await createMemoryFleet({
      nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(5_000),
      checkouts: {
        'vm-a': {
          look: async () => ({ state: 'ready', head: fleet.hub.refs.get(MAIN)! }),
          person: async () => maria,
          edits: async () => ({ edits: deleted.on && (await fleet.file('tasks/a.md')) !== null ? [{ path: 'tasks/a.md', mode: null, oid: null }] : [], unsettled: [], refused: [] }),
          advance: async ({ synced }) => ({ moved: false, synced, skipped: [], displaced: [] }),
          recover: async () => undefined,
        },
      },
    });
    const a = fleet.node('vm-a');
    await a.rest();
    await fleet.clock.advance(5_000);
    deleted.on = true;
    for (let at = 0; at < 4; at++) await a.pass();
    expect((await kinds(fleet, 'a')).at(-1)).toMatch(/cancel 1|done 1/);
    expect(a.loop.state.runs.size).toBe(0);
    expect(a.machine.running()).toEqual([]);
    if ((await fleet.tip('a')).record.kind === 'cancel') expect(fleet.hub.refs.has('refs/cambium/stale/a/1') || fleet.hub.refs.has('refs/cambium/wip/a/1')).toBe(true);
  });

  test('deleted by a commit on main is cancelled', async () => {
    const { fleet, a } = await working();
    await fleet.commit({ 'tasks/a.md': null });
    for (let at = 0; at < 4; at++) await a.rest();
    expect(a.machine.running()).toEqual([]);
    expect((await fleet.tip('a')).record.kind).toBe('cancel');
  });
});

describe('a result', () => {
  test('that a person deletes on main reopens the task', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
    await fleet.node('vm-a').rest();
    await fleet.commit({ 'tasks/a.result.md': null });
    for (let at = 0; at < 4; at++) await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
  });
});

test('a result that cannot be read reopens nothing', async () => {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
  await fleet.node('vm-a').rest();
  await fleet.commit({ 'tasks/a.result.md': '---\nschema: cambium.result/1\noutcome: perhaps\n---\n' });
  for (let at = 0; at < 4; at++) await fleet.node('vm-a').rest();
  expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
});

test('a finished group that a person files away is neither reopened nor cancelled', async () => {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
  await fleet.node('vm-a').rest();
  await fleet.commit({ 'tasks/a.md': null, 'tasks/a.result.md': null, 'tasks/archive/2026-11/a.md': task(), 'tasks/archive/2026-11/a.result.md': (await fleet.file('tasks/a.result.md'))! });
  for (let at = 0; at < 4; at++) await fleet.node('vm-a').rest();
  expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
});

describe('a person\'s edit', () => {
  const withEdits = async (edits: () => Promise<readonly CheckoutEdit[]>, head: () => string): Promise<MemoryFleet> => {
    const checkout: Checkout = {
      look: async () => ({ state: 'ready', head: head() }),
      person: async () => maria,
      edits: async () => ({ edits: await edits(), unsettled: [], refused: [] }),
      advance: async ({ synced }) => ({ moved: false, synced, skipped: [], displaced: [] }),
      recover: async () => undefined,
    };
    return createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'memory/x.md': 'first\n' }, checkouts: { 'vm-a': checkout } });
  };

  test('is published once, authored by the person', async () => {
    let on = false;
    const fleet: MemoryFleet = await withEdits(async () => (on ? [{ path: 'memory/x.md', mode: '100644', oid: await fleet.node('vm-a').store.writeBlob(Buffer.from('mine\n')) }] : []), () => first);
    const first = fleet.hub.refs.get(MAIN)!;
    const a = fleet.node('vm-a');
    await a.rest();
    on = true;
    await a.rest();
    expect(await fleet.file('memory/x.md')).toBe('mine\n');
    expect((await a.store.readCommit(fleet.hub.refs.get(MAIN)!)).author.name).toBe('Maria');
    const moves = fleet.hub.moves.length;
    await a.rest();
    expect(fleet.hub.moves.length).toBe(moves);
  });

  test('that conflicts with main is kept on the hub once, and the loop comes to rest', async () => {
    let on = false;
    const fleet: MemoryFleet = await withEdits(async () => (on ? [{ path: 'memory/x.md', mode: '100644', oid: await fleet.node('vm-a').store.writeBlob(Buffer.from('mine\n')) }] : []), () => first);
    const first = fleet.hub.refs.get(MAIN)!;
    const a = fleet.node('vm-a');
    await a.rest();
    await fleet.commit({ 'memory/x.md': 'theirs\n' });
    on = true;
    const report = await a.rest(10);
    expect(report).toMatchObject({ progress: false, idle: true });
    expect(await fleet.file('memory/x.md')).toBe('theirs\n');
    await a.rest(10);
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.startsWith('refs/cambium/rescue/'))).toHaveLength(1);
  });
});
