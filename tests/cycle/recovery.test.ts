/** What a node mends of itself: claims that landed late, restarts, a hub that went backwards. */
import { describe, expect, test } from 'vitest';
import { releaseMember } from '../../src/act/claim.ts';
import { cancelMember } from '../../src/act/close.ts';
import { publish } from '../../src/act/publish.ts';
import { claimRef } from '../../src/model/layout.ts';
import { MAIN, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const two = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, ...options });
const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);
const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const slowly = (afterMs: number) => ({ task }: Job): Work => ({ afterMs, files: { [`${task}.txt`]: 'work\n' } });

describe('a claim that nobody works on', () => {
  test('because its push landed after it was given up, is given back', async () => {
    const fleet = await two();
    const a = fleet.node('vm-a');
    a.fault = (updates) => (refsOf(updates).includes('claims/a') ? 'late' : 'ok');
    await a.pass();
    a.fault = () => 'ok';
    // The claim lands when the node has already started anew.
    await a.restart();
    fleet.hub.deliverLate();
    await a.rest();
    const first = (await fleet.chain('a')).slice(0, 3).map(({ kind, epoch }) => `${kind} ${epoch}`);
    expect(first[0]).toBe('claim 1');
    expect((await fleet.tip('a')).record.kind).toBe('done');
  });

  test('because it was cancelled the moment it was won, starts no agent', async () => {
    const fleet = await two();
    const a = fleet.node('vm-a');
    let cancelled = false;
    a.afterPush = async (updates, outcome) => {
      if (cancelled || !refsOf(updates).includes('claims/a') || outcome.kind !== 'accepted') return;
      cancelled = true;
      const desk = await fleet.seat('desk');
      await publish(desk.node, [cancelMember(desk.node, desk.reader, { task: 'a', path: 'tasks/a.md', by: maria, reason: 'not needed' })]);
    };
    await a.rest();
    expect(a.machine.started).toEqual([]);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'cancel 1']);
    expect(a.loop.state.runs.size).toBe(0);
  });
});

test('a claim that somebody ends the moment it is won starts no agent at that epoch', async () => {
  const fleet = await two({ nodes: { 'vm-a': ['ann'] } });
  const a = fleet.node('vm-a');
  let ended = false;
  a.afterPush = async (updates, outcome) => {
    if (ended || !refsOf(updates).includes('claims/a') || outcome.kind !== 'accepted') return;
    ended = true;
    const desk = await fleet.seat('desk');
    await desk.look();
    await publish(desk.node, [releaseMember(desk.node, desk.reader, { task: 'a', tip: (await fleet.tip('a')).tip, reason: 'not yet' })]);
  };
  await a.rest();
  expect(a.machine.started.map(({ epoch }) => epoch)).not.toContain(1);
  expect((await fleet.tip('a')).record).toMatchObject({ kind: 'done', epoch: 2 });
});

describe('a restarted daemon', () => {
  test('adopts its agents and goes on as the same life', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(10_000) });
    const a = fleet.node('vm-a');
    await a.rest();
    a.kill();
    await a.restart();
    await a.rest();
    expect(a.machine.running()).toEqual(['a.1']);
    await fleet.clock.advance(10_000);
    await a.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(a.machine.started).toHaveLength(1);
  });

  test('whose last beat lands late meets no twin', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(1e9) });
    const a = fleet.node('vm-a');
    await a.rest();
    a.loop.state.nextBeatMs = 0;
    a.fault = (updates) => (refsOf(updates).includes('nodes/vm-a') ? 'late' : 'ok');
    await a.pass();
    await a.restart();
    a.fault = () => 'ok';
    fleet.hub.deliverLate();
    await a.rest();
    await fleet.clock.advance(15_000);
    await a.rest();
    expect(a.machine.running()).toEqual(['a.1']);
  });

  test('settles what its last life left unanswered, and never makes the claim of a finished task anew', async () => {
    const fleet = await two();
    const [a, b] = [fleet.node('vm-a'), fleet.node('vm-b')];
    a.fault = () => 'lose-request';
    await a.pass();
    expect((await a.store.listRefs('refs/cambium/local/outbox/')).size).toBeGreaterThan(0);
    await b.rest();
    expect((await fleet.tip('a')).record.kind).toBe('done');
    // Collected by a janitor: nothing but the result and the archive tell that the task has been.
    const tip = fleet.hub.refs.get(claimRef('a'))!;
    const { tree, author, committer } = await b.store.readCommit(tip);
    const archive = await b.store.writeCommit({ tree, parents: [tip], author, committer, message: 'archive\n' });
    await b.node.hub.push([{ ref: 'refs/cambium/archive/2026-11', expect: null, to: archive }]);
    await b.node.hub.push([{ ref: claimRef('a'), expect: tip, to: null }]);
    a.fault = () => 'ok';
    await a.restart();
    a.fault = () => 'ok';
    await a.rest();
    expect(fleet.hub.refs.has(claimRef('a'))).toBe(false);
    expect(await a.store.listRefs('refs/cambium/local/outbox/')).toEqual(new Map());
    expect(a.machine.started).toEqual([]);
  });
});

describe('a hub that went backwards', () => {
  test('halts the node that saw it, which pushes nothing more', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
    const a = fleet.node('vm-a');
    const before = fleet.hub.refs.get(MAIN)!;
    await a.rest();
    fleet.hub.force(MAIN, before);
    const pushes = a.pushes.length;
    await expect(a.pass()).rejects.toMatchObject({ code: 'hub-rewritten', data: { ref: MAIN } });
    expect(a.pushes.length).toBe(pushes);
  });
});
