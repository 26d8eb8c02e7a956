/** Leases over whole passes: silent nodes are taken over, owners fence themselves, twins stop (PROTOCOL P4). */
import { describe, expect, test } from 'vitest';
import { releaseMember } from '../../src/act/claim.ts';
import { createHeart } from '../../src/act/heartbeat.ts';
import { takeOver } from '../../src/act/takeover.ts';
import { endLife } from '../../src/workspace/lives.ts';
import { beatIfDue } from '../../src/cycle/beat.ts';
import { nodeRef } from '../../src/model/layout.ts';
import { isLapsed } from '../../src/model/lease.ts';
import type { HubView } from '../../src/observe/hubMirror.ts';
import { TTL_MS, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const two = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, ...options });
const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);
const slowly = (afterMs: number) => ({ task }: Job): Work => ({ afterMs, files: { [`${task}.txt`]: 'work\n' } });

async function passes(fleet: MemoryFleet, names: readonly string[], ms: number, stepMs = 2_000): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    for (const name of names) await fleet.node(name).pass();
    await fleet.clock.advance(stepMs);
  }
}

describe('a silent node', () => {
  const silent = async (): Promise<{ readonly fleet: MemoryFleet; readonly b: MemoryNode }> => {
    const fleet = await two({ work: ({ node }) => (node === 'vm-a' ? { afterMs: 1e9, files: { 'a.txt': 'by a\n' } } : { files: { 'a.txt': 'by b\n' } }) });
    await fleet.node('vm-a').rest();
    expect(fleet.node('vm-a').machine.running()).toEqual(['a.1']);
    return { fleet, b: fleet.node('vm-b') };
  };

  test('is taken over after 1.1 × TTL and two fetch periods, and not before', async () => {
    const { fleet, b } = await silent();
    await b.pass();
    const seenMs = fleet.clock.bootMs();
    const dueMs = TTL_MS * 1.1 + 2 * b.loop.state.fetchPeriodMs;
    while (fleet.clock.bootMs() - seenMs < dueMs - 2_000) {
      await b.pass();
      expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
      await fleet.clock.advance(2_000);
    }
    await fleet.clock.advance(2_000);
    await b.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'claim 2', 'done 2']);
    expect((await fleet.chain('a')).map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
    expect(await fleet.file('a.txt')).toBe('by b\n');
  });

  test('has its agent ended by its own supervisor before anybody takes over', async () => {
    const { fleet, b } = await silent();
    fleet.node('vm-a').kill();
    for (let ms = 0; ms < 90_000; ms += 2_000) {
      await b.pass();
      if ((await fleet.chain('a')).length > 1) break;
      await fleet.clock.advance(2_000);
    }
    expect((await fleet.chain('a')).length).toBeGreaterThan(1);
    expect(fleet.node('vm-a').machine.running()).toEqual([]);
  });

  test('that is seen too seldom is not taken over: an observer that was away starts its timer anew', async () => {
    const { fleet, b } = await silent();
    await b.pass();
    for (let looks = 0; looks < 4; looks++) {
      await fleet.clock.advance(TTL_MS);
      await b.pass();
    }
    expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
  });

  test('is taken over in one push with a break on its ref', async () => {
    const { fleet, b } = await silent();
    await passes(fleet, ['vm-b'], 80_000);
    const takeover = b.pushes.find((updates) => refsOf(updates).includes('nodes/vm-a'));
    expect(refsOf(takeover!)).toEqual(['claims/a', 'nodes/vm-a']);
    const view = await b.reader.node(takeover!.find(({ ref }) => ref === nodeRef('vm-a'))!.to!);
    expect(view.breaks).toMatchObject([{ by: 'vm-b', breaks: [{ task: 'a', epoch: 1 }] }]);
    expect(view.heartbeat?.record.node).toBe('vm-a');
  });

  test('that beats while it is taken over keeps its claim: the heartbeat came first', async () => {
    const { fleet, b } = await silent();
    const a = fleet.node('vm-a');
    let beaten = false;
    // The lapse is decided; before the takeover reaches the hub, the owner is back.
    b.fault = (updates) => {
      if (!refsOf(updates).includes('nodes/vm-a') || beaten) return 'ok';
      beaten = true;
      return 'refuse';
    };
    b.afterPush = async (updates) => {
      if (beaten && refsOf(updates).includes('nodes/vm-a')) {
        b.afterPush = undefined;
        a.loop.state.nextBeatMs = 0;
        await beatIfDue(a.loop);
      }
    };
    await passes(fleet, ['vm-b'], 80_000);
    expect(beaten).toBe(true);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
  });

  test('that beat while the observer was in the midst of the pass that finds the lapse keeps its claim', async () => {
    const fleet = await createMemoryFleet({
      nodes: { 'vm-a': ['ann'], 'vm-b': ['bob', 'bea'] }, files: { 'tasks/a.md': task({ assigned_to: 'ann' }), 'tasks/c.md': task({ assigned_to: 'bob' }) }, work: () => ({ afterMs: 1e9 }),
    });
    const [a, b] = [fleet.node('vm-a'), fleet.node('vm-b')];
    await a.rest();
    await b.rest();
    await passes(fleet, ['vm-b'], 68_000);
    // The look at the start of a pass says lapsed; before the takeover is built the owner beats, and the hub is read again.
    const mirror = b.loop.shop.node.mirror as { refresh(): Promise<HubView> };
    const look = mirror.refresh;
    let beats = 0;
    mirror.refresh = async () => {
      const view = await look();
      if (b.loop.state.leases.get('a') === undefined || beats > 0 || !isLapsed(b.loop.state.leases.get('a'), TTL_MS, b.loop.state.fetchPeriodMs, fleet.clock.bootMs())) return view;
      beats += 1;
      a.loop.state.nextBeatMs = 0;
      await beatIfDue(a.loop);
      return beats === 1 && b.loop.state.fleet !== null ? look() : view;
    };
    for (let at = 0; at < 10 && beats === 0; at++) {
      b.loop.state.nextBeatMs = 0;
      await b.pass();
      await fleet.clock.advance(1_000);
    }
    expect(beats).toBe(1);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
  });

  test('restarts the timer with every heartbeat that names the claim', async () => {
    const { fleet } = await silent();
    await passes(fleet, ['vm-a', 'vm-b'], 200_000, 5_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
    expect(fleet.node('vm-a').machine.running()).toEqual(['a.1']);
  });

  test('that wakes up after a takeover stops its agent, keeps the work under stale and loses nothing else', async () => {
    const fleet = await createMemoryFleet({
      nodes: { 'vm-a': ['ann', 'abe'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task({ assigned_to: 'ann' }), 'tasks/c.md': task({ assigned_to: 'abe' }) },
      work: () => ({ afterMs: 1e9 }),
    });
    const [a, b] = [fleet.node('vm-a'), fleet.node('vm-b')];
    await a.rest();
    await a.machine.write('a-1', { 'half.txt': 'half\n' });
    // Another node breaks one of its two claims only.
    await b.look();
    const seen = await b.look();
    const request = { owner: 'vm-a', ownerTip: seen.nodes.get('vm-a')!.tip, claims: [{ id: 'a', blob: seen.tasks.get('a')!.blob, lapsed: seen.chains.get('a')!, agent: 'bob' }], ttlMs: TTL_MS };
    expect(await fleet.drive(takeOver(b.node, b.reader, request))).toMatchObject({ state: 'published' });
    a.loop.state.nextBeatMs = 0;
    await a.pass();
    await a.pass();
    expect(a.machine.running()).toEqual(['c.1']);
    expect(fleet.hub.refs.has('refs/cambium/stale/a/1')).toBe(true);
    expect(await kinds(fleet, 'c')).toEqual(['claim 1']);
    expect(a.loop.state.runs.get('c')?.phase).toBe('working');
  });
});

describe('a takeover of several claims', () => {
  test('breaks all that lapsed of one node in one push, and releases those it has no agent for', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann', 'abe'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task(), 'tasks/c.md': task() }, work: ({ node }) => ({ afterMs: node === 'vm-a' ? 1e9 : 0 }) });
    await fleet.node('vm-a').rest();
    await passes(fleet, ['vm-b'], 74_000);
    const takeover = fleet.node('vm-b').pushes.find((updates) => refsOf(updates).includes('nodes/vm-a'));
    expect(refsOf(takeover!).toSorted()).toEqual(['claims/a', 'claims/c', 'nodes/vm-a']);
    await passes(fleet, ['vm-b'], 20_000);
    for (const id of ['a', 'c']) expect((await fleet.tip(id)).record.kind).toBe('done');
  });
});

describe('self-fencing', () => {
  test('counts from the first sending of the last good beat, not from its answer', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(1e9) });
    const a = fleet.node('vm-a');
    await a.rest();
    await fleet.clock.advance(20_000);
    const sentMs = fleet.clock.bootMs();
    a.fault = (updates) => (refsOf(updates).includes('nodes/vm-a') && fleet.clock.bootMs() < sentMs + 15_000 ? 'lose-request' : 'ok');
    while (a.loop.state.renewed.get('a.1')! < sentMs) {
      await a.pass();
      await fleet.clock.advance(4_000);
    }
    expect(fleet.clock.bootMs()).toBeGreaterThan(sentMs + 15_000);
    fleet.hub.away = true;
    await fleet.clock.advance(sentMs + (TTL_MS * 2) / 3 - fleet.clock.bootMs() - 1);
    expect(a.machine.running()).toEqual(['a.1']);
    await fleet.clock.advance(2);
    expect(a.machine.running()).toEqual([]);
  });

  test('a heartbeat does not count for a claim that was taken by half', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(1e9) });
    const a = fleet.node('vm-a');
    await a.rest();
    const before = a.loop.state.renewed.get('a.1');
    await fleet.clock.advance(20_000);
    // The claim has moved, the break has not: the owner's beats go on being accepted.
    const desk = await fleet.seat('desk');
    await desk.look();
    await desk.publish([releaseMember(desk.node, desk.reader, { task: 'a', tip: (await fleet.tip('a')).tip, reason: 'taken' })]);
    await fleet.drive(beatIfDue(a.loop));
    expect(a.loop.state.renewed.get('a.1')).toBe(before);
  });
});

test('two daemons under one name: one of them stops with the reason', async () => {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: {} });
  const a = fleet.node('vm-a');
  await a.rest();
  const twin = await fleet.seat('vm-a');
  const view = await twin.node.mirror.refresh();
  await (await createHeart(twin.node, twin.reader, view.refs.get(nodeRef('vm-a'))!)).beat({ claims: [], spawns: [] });
  await fleet.clock.advance(60_000);
  await expect(a.pass()).rejects.toMatchObject({ code: 'node-taken' });
});

test('who met its twin starts under another name only, and leaves the other\'s claims alone', async () => {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(1e9) });
  const a = fleet.node('vm-a');
  await a.rest();
  const { incarnation } = a.node.identity;
  await endLife(a.node.local, { incarnation, past: [] });
  await expect(a.restart()).rejects.toMatchObject({ code: 'node-taken' });
  expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
});
