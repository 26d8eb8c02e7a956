/** What a fleet mends: silent nodes, half-applied pushes, lost answers, restarts, twins. */
import { describe, expect, test } from 'vitest';
import { releaseMember } from '../../src/act/claim.ts';
import { cancelMember } from '../../src/act/close.ts';
import { createHeart } from '../../src/act/heartbeat.ts';
import { publish } from '../../src/act/publish.ts';
import { takeOver } from '../../src/act/takeover.ts';
import { endLife } from '../../src/commands/lives.ts';
import { beatIfDue } from '../../src/cycle/beat.ts';
import { claimRef, nodeRef } from '../../src/model/layout.ts';
import { isLapsed } from '../../src/model/lease.ts';
import type { Checkout, CheckoutEdit } from '../../src/ports/checkout.ts';
import type { HubView } from '../../src/observe/hubMirror.ts';
import { MAIN, TTL_MS, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const two = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, ...options });

const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);
const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const slowly = (afterMs: number) => ({ task }: Job): Work => ({ afterMs, files: { [`${task}.txt`]: 'work\n' } });

async function passes(fleet: MemoryFleet, names: readonly string[], ms: number, stepMs = 2_000): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    for (const name of names) await fleet.node(name).pass();
    await fleet.clock.advance(stepMs);
  }
}

async function cancel(fleet: MemoryFleet, id = 'a'): Promise<void> {
  const desk = await fleet.seat('desk');
  const ends = await desk.publish([cancelMember(desk.node, desk.reader, { task: id, path: `tasks/${id}.md`, by: maria, reason: 'not needed' })]);
  expect([...ends.values()][0]?.state).toBe('published');
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
    await a.machine.worktrees.capture('a-1');
    await (a.machine.worktrees as unknown as { write(name: string, files: Record<string, string>): Promise<void> }).write('a-1', { 'half.txt': 'half\n' });
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

describe('a landing that was applied by half', () => {
  const halved = async (which: 'chain' | 'main', work?: MemoryFleetOptions['work']): Promise<{ readonly fleet: MemoryFleet; readonly a: MemoryNode }> => {
    const fleet = await two({ work: work ?? (() => ({ files: { 'a.txt': 'by a\n' } })) });
    const a = fleet.node('vm-a');
    let cut = false;
    a.fault = (updates) => (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a') && !cut ? 'lose-reply' : 'ok');
    a.afterPush = async (updates) => {
      if (cut || !refsOf(updates).includes('main') || !refsOf(updates).includes('claims/a')) return;
      cut = true;
      const undo = updates.find(({ ref }) => (which === 'chain' ? ref === MAIN : ref === claimRef('a')))!;
      fleet.hub.force(undo.ref, undo.expect);
      // Main moves on meanwhile, so that the identical push cannot simply be completed.
      await fleet.commit({ 'README.md': `moved after ${which}\n` });
    };
    return { fleet, a };
  };

  test.each(['chain', 'main'] as const)('(only %s moved) is finished by its owner as its own success', async (which) => {
    const { fleet, a } = await halved(which);
    for (let at = 0; at < 4; at++) await a.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(await fleet.file('a.txt')).toBe('by a\n');
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: done');
    expect(a.said.map(({ event }) => event)).not.toContain('run fenced');
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.includes('stale'))).toEqual([]);
    expect(a.loop.state.runs.size).toBe(0);
  });

  test.each(['chain', 'main'] as const)('(only %s moved) is finished by the owner\'s next life', async (which) => {
    const { fleet, a } = await halved(which);
    const cutAndDie = a.afterPush!;
    a.afterPush = async (updates, outcome) => {
      await cutAndDie(updates, outcome);
      if (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a')) a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    expect((await kinds(fleet, 'a')).at(-1)).toBe(which === 'chain' ? 'done 1' : 'claim 1');
    a.afterPush = undefined;
    await a.restart();
    a.afterPush = undefined;
    a.fault = () => 'ok';
    for (let at = 0; at < 4; at++) await a.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: done');
    expect(a.loop.state.runs.size).toBe(0);
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.includes('stale'))).toEqual([]);
  });

  test.each(['chain', 'main'] as const)('(only %s moved) by a node that died is finished by another, once it saw it twice', async (which) => {
    const { fleet, a } = await halved(which);
    const b = fleet.node('vm-b');
    const cutAndDie = a.afterPush!;
    a.afterPush = async (updates, outcome) => {
      await cutAndDie(updates, outcome);
      if (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a')) a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    await b.pass();
    const halfway = [await kinds(fleet, 'a'), await fleet.file('a.txt')];
    expect(halfway).toEqual(which === 'chain' ? [['claim 1', 'done 1'], null] : [['claim 1'], 'by a\n']);
    await b.pass();
    await b.pass();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(await fleet.file('a.txt')).toBe('by a\n');
    expect(b.machine.started).toEqual([]);
  });

  test('only main moved, then taken over: the new owner starts nothing and ends the chain at its epoch', async () => {
    const { fleet, a } = await halved('main');
    const b = fleet.node('vm-b');
    const cutAndDie = a.afterPush!;
    a.afterPush = async (updates, outcome) => {
      await cutAndDie(updates, outcome);
      if (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a')) a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    // vm-b does not look at main's half: it takes the claim over in the same breath.
    const seen = await b.look();
    const request = { owner: 'vm-a', ownerTip: seen.nodes.get('vm-a')?.tip ?? null, claims: [{ id: 'a', blob: seen.tasks.get('a')!.blob, lapsed: seen.chains.get('a')!, agent: 'bob' }], ttlMs: TTL_MS };
    expect(await fleet.drive(takeOver(b.node, b.reader, request))).toMatchObject({ state: 'published' });
    for (let at = 0; at < 5; at++) await b.pass();
    expect(b.machine.started).toEqual([]);
    const chain = await fleet.chain('a');
    expect(chain.at(-1)).toMatchObject({ kind: 'done', epoch: 2, by: 'vm-b' });
    expect(await fleet.file('tasks/a.result.md')).toContain('epoch: 1');
  });
});

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

describe('an owner whose task is', () => {
  const working = async (): Promise<{ readonly fleet: MemoryFleet; readonly a: MemoryNode }> => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: slowly(1e9) });
    const a = fleet.node('vm-a');
    await a.rest();
    await (a.machine.worktrees as unknown as { write(name: string, files: Record<string, string>): Promise<void> }).write('a-1', { 'half.txt': 'half\n' });
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
