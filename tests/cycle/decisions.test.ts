/** Every decision of a pass goes on record with its reason, and the claim's reason goes to the hub for the others. */
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../src/adapters/memory/clock.ts';
import { createMemoryDecisionLog } from '../../src/adapters/memory/decisionLog.ts';
import { createDecisions } from '../../src/cycle/decisions.ts';
import type { Decisions, Fields } from '../../src/cycle/decisions.ts';
import type { DecisionRecord } from '../../src/model/decision.ts';
import type { Session } from '../../src/workspace/session.ts';
import { readDecisions } from '../../src/workspace/log.ts';
import { MAIN, TTL_MS, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';

const one = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> => createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, ...options });
const told = ({ decided }: MemoryNode): readonly string[] => decided.map(({ kind, task: id, agent, epoch, reason }) => `${kind} ${id} ${agent} ${epoch}: ${reason.replace(/[0-9A-Z]{26}/g, 'ID')}`);

async function passes(fleet: MemoryFleet, names: readonly string[], ms: number, stepMs = 2_000): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    for (const name of names) await fleet.node(name).pass();
    await fleet.clock.advance(stepMs);
  }
}

/** The log as a command in the clone of this node reads it. */
async function log(node: MemoryNode, query: Parameters<typeof readDecisions>[1]): Promise<readonly string[]> {
  const { store, reader } = node;
  const session = { clone: { store, reader, hub: node.node.hub, mirror: node.node.mirror }, fleet: await node.look() } as unknown as Session;
  return (await readDecisions(session, query, createMemoryDecisionLog([...node.decided]))).map(({ kind, task: id, epoch, node: by, reason }) => `${kind} ${id} ${epoch} ${by}: ${reason.replace(/[0-9A-Z]{26}/g, 'ID')}`);
}

describe('a node puts on record', () => {
  test('each step of a task, with its reason, and nothing while it is idle', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ verify: 'true' }) } });
    const a = fleet.node('vm-a');
    await a.rest();
    expect(told(a)).toEqual([
      'claim a ann 1: priority 2, the only ready task that fits ann',
      'spawn a ann 1: attempt 1 with runbook, spawn ID',
      'spawn-end a ann 1: spawn ID ended well',
      'verify a ann 1: verify is green',
      'done a ann 1: its agent ended well and the checks are met; the hub has work and result',
    ]);
    expect(a.decided.every(({ node, at }) => node === 'vm-a' && at.startsWith('2026-11-21T'))).toBe(true);
    const before = a.decided.length;
    for (let looks = 0; looks < 5; looks++) {
      await fleet.clock.advance(10_000);
      await a.pass();
    }
    expect(a.decided).toHaveLength(before);
  });

  test('the decisions of one pass under one id', async () => {
    const fleet = await one({ nodes: { 'vm-a': ['ann', 'bob'] }, files: { 'tasks/a.md': task(), 'tasks/b.md': task() }, work: () => ({ afterMs: 10_000 }) });
    const a = fleet.node('vm-a');
    await a.pass();
    expect(a.decided.map(({ kind }) => kind)).toEqual(['claim', 'claim', 'spawn', 'spawn']);
    expect(new Set(a.decided.map(({ cycle }) => cycle)).size).toBe(1);
    await fleet.clock.advance(11_000);
    await a.rest();
    expect(new Set(a.decided.map(({ cycle }) => cycle)).size).toBeGreaterThan(1);
  });

  test('a failed attempt and the last one', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 2 }) }, work: () => ({ exit: 1, report: 'no compiler' }) });
    const a = fleet.node('vm-a');
    await a.rest();
    await fleet.clock.advance(60_000);
    await a.rest();
    expect(told(a).filter((line) => /^(release|failed|spawn-end)/.test(line))).toEqual([
      'spawn-end a ann 1: spawn ID ended badly: crashed', 'release a ann 1: the attempt failed, it is made again: runbook failed: no compiler', 'spawn-end a ann 2: spawn ID ended badly: crashed', 'failed a ann 2: runbook failed: no compiler',
    ]);
  });

  test('another turn after a red verify, and why', async () => {
    let runs = 0;
    const fleet = await one({ provider: 'claude', files: { 'tasks/a.md': task({ verify: 'npm test' }) }, verify: () => (runs++ === 0 ? 1 : 0) });
    await fleet.node('vm-a').rest();
    expect(told(fleet.node('vm-a'))).toContain('verify a ann 1: verify is red, exit 1');
    expect(told(fleet.node('vm-a'))).toContain('turn a ann 1: `verify` was red (exit 1):');
  });

  test('a provider that is away, once and not at every look', async () => {
    const fleet = await one();
    const a = fleet.node('vm-a');
    const runbook = a.loop.shop.providers.get('runbook');
    Object.defineProperty(a.loop.shop, 'providers', { value: new Map([['runbook', { ...runbook, probe: async () => ({ unavailable: 'no shell.', hint: 'Install one.' }) }]]) });
    await passes(fleet, ['vm-a'], 300_000, 10_000);
    expect(told(a)).toEqual(['held-off a null null: its provider cannot run here: no shell. Install one.']);
    await passes(fleet, ['vm-a'], 400_000, 10_000);
    expect(told(a)).toHaveLength(2);
  });

  test('a takeover, with how long the owner was silent, on its own log and on the chain', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, work: ({ node }) => (node === 'vm-a' ? { afterMs: 1e9 } : {}) });
    await fleet.node('vm-a').rest();
    fleet.node('vm-a').kill();
    await passes(fleet, ['vm-b'], TTL_MS * 1.1 + 20_000);
    const b = fleet.node('vm-b');
    expect(told(b).find((line) => line.startsWith('takeover'))).toMatch(/^takeover a bob 2: vm-a has not renewed it for \d+ s, its lease of 60 s has lapsed$/);
    expect((await fleet.chain('a'))[1]).toMatchObject({ kind: 'claim', epoch: 2, reason: expect.stringMatching(/^vm-a has not renewed it for/) });
  });

  test('a takeover that nobody here has room for', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': [] }, files: { 'tasks/a.md': task() }, work: () => ({ afterMs: 1e9 }) });
    await fleet.node('vm-a').rest();
    fleet.node('vm-a').kill();
    await passes(fleet, ['vm-b'], TTL_MS * 1.1 + 20_000);
    expect(told(fleet.node('vm-b')).find((line) => line.startsWith('takeover'))).toMatch(/^takeover a null 2: vm-a has not renewed it for .*; no agent here has room, so it is made ready again$/);
  });

  test('that its claim was taken, and the agent stopped', async () => {
    const fleet = await one({ work: () => ({ afterMs: 1e9 }) });
    const a = fleet.node('vm-a');
    await a.pass();
    await fleet.commit({ 'tasks/a.md': null });
    await a.rest();
    await fleet.clock.advance(2_000);
    await a.rest();
    expect(told(a).some((line) => /^(fence|release|cancel) a ann 1: /.test(line))).toBe(true);
    expect(told(a)).toContain('cancel a ann 1: its instruction file was deleted, which asks for a cancel');
  });

  test.each([['main', 'roll-forward a ann 1: its chain names a commit that main does not have'], ['claims/a', 'repair a ann 1: main shows an end that its chain does not name']])('the mending of a landing of which %s did not move', async (lost, line) => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': [] }, files: { 'tasks/a.md': task() } });
    const a = fleet.node('vm-a');
    a.afterPush = async (updates) => {
      if (!refsOf(updates).includes('main') || !refsOf(updates).includes('claims/a')) return;
      const undo = updates.find((update) => refsOf([update])[0] === lost);
      fleet.hub.force(undo?.ref ?? '', undo?.expect ?? null);
      a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    await passes(fleet, ['vm-b'], 10_000);
    expect(told(fleet.node('vm-b')).filter((told) => told.startsWith(line))).toHaveLength(1);
    expect(await fleet.file('tasks/a.result.md')).not.toBeNull();
  });

  test('a claim that another node won', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, work: () => ({ afterMs: 1e9 }) });
    const [a, b] = [fleet.node('vm-a'), fleet.node('vm-b')];
    a.fault = (updates) => (refsOf(updates).includes('claims/a') && b.decided.length === 0 ? 'refuse' : 'ok');
    a.afterPush = async (updates) => {
      if (refsOf(updates).includes('claims/a') && b.decided.length === 0) await b.pass();
    };
    await a.pass();
    expect(told(a)).toEqual(['lost a null null: another was first: bob on vm-b holds it (epoch 1)']);
  });

  test('a claim that the hub refuses', async () => {
    const fleet = await one();
    const a = fleet.node('vm-a');
    a.fault = (updates) => (refsOf(updates).includes('claims/a') ? 'decline' : 'ok');
    await a.rest();
    expect(told(a)).toEqual(['refused a null null: the hub refuses the claim: pre-receive hook declined']);
  });

  test('a landing that the hub refuses', async () => {
    const fleet = await one();
    const a = fleet.node('vm-a');
    a.fault = (updates) => (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a') ? 'decline' : 'ok');
    await passes(fleet, ['vm-a'], 20_000);
    expect(told(a)).toContain('parked a ann 1: the hub refuses the landing: pre-receive hook declined; the work is kept');
    expect(told(a)).toContain('input a ann 1: the hub refuses the landing: pre-receive hook declined');
  });

  test('what a person saved and it published', async () => {
    const desk = { path: 'tasks/b.md', text: task(), on: false };
    const fleet = await one({
      files: {}, checkouts: {
        'vm-a': {
          look: async () => ({ state: 'ready', head: fleet.hub.refs.get(MAIN) ?? '' }), person: async () => ({ name: 'Maria', email: 'maria@example.org', seconds: 1, zone: '+0000' }),
          edits: async () => ({ edits: desk.on && (await fleet.file(desk.path)) === null ? [{ path: desk.path, mode: '100644', oid: await fleet.node('vm-a').store.writeBlob(Buffer.from(desk.text)) }] : [], unsettled: [], refused: [] }),
          advance: async ({ synced }) => ({ moved: false, synced, skipped: [], displaced: [] }), recover: async () => undefined,
        },
      },
    });
    desk.on = true;
    await fleet.node('vm-a').rest();
    expect(told(fleet.node('vm-a'))[0]).toBe('publish null null null: saved in your checkout: tasks/b.md');
    expect(told(fleet.node('vm-a'))[1]).toBe('claim b ann 1: priority 2, the only ready task that fits ann');
  });
});

describe('the log of decisions', () => {
  test('merges this node\'s reasons with those that the chains of the others tell, newest first, each once', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task({ assigned_to: 'ann' }), 'tasks/b.md': task({ assigned_to: 'bob' }) } });
    await fleet.node('vm-a').rest();
    await fleet.clock.advance(5_000);
    await fleet.node('vm-b').rest();
    const lines = await log(fleet.node('vm-a'), { limit: 20 });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'done b 1 vm-b', 'claim b 1 vm-b', 'done a 1 vm-a', 'spawn-end a 1 vm-a', 'spawn a 1 vm-a', 'claim a 1 vm-a',
    ]);
    expect(lines[1]).toBe('claim b 1 vm-b: assigned to bob, priority 2, the only ready task that fits bob');
    expect(lines[0]).toBe('done b 1 vm-b: work and result are on main');
    expect(await log(fleet.node('vm-a'), { limit: 2 })).toEqual(lines.slice(0, 2));
    expect((await log(fleet.node('vm-a'), { task: 'b', limit: 20 })).map((line) => line.split(':')[0])).toEqual(['done b 1 vm-b', 'claim b 1 vm-b']);
    expect(await log(fleet.node('vm-a'), { task: 'zzz', limit: 20 })).toEqual([]);
    expect(await log(fleet.node('vm-a'), { limit: 0 })).toEqual([]);
  });

  test('shows a takeover as what it was, not as a claim beside it', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, work: ({ node }) => (node === 'vm-a' ? { afterMs: 1e9 } : {}) });
    await fleet.node('vm-a').rest();
    fleet.node('vm-a').kill();
    await passes(fleet, ['vm-b'], TTL_MS * 1.1 + 20_000);
    const heads = (await log(fleet.node('vm-b'), { limit: 20 })).map((line) => line.split(':')[0]);
    expect(heads.filter((head) => / a 2 /.test(head ?? '') && /^(claim|takeover)/.test(head ?? ''))).toEqual(['takeover a 2 vm-b']);
    expect(heads.at(-1)).toBe('claim a 1 vm-a');
  });
});

describe('events', () => {
  const heard = (...events: readonly (readonly [string, Fields])[]): readonly DecisionRecord[] => {
    const lines: DecisionRecord[] = [];
    const decisions: Decisions = createDecisions(createMemoryDecisionLog(lines), 'vm-a', createManualClock(1));
    for (const [event, fields] of events) decisions.hear(event, fields);
    return lines;
  };

  test.each<readonly [string, Fields, string]>([
    ['draining', { running: 'a, b', grace: '10 s' }, 'drain: the node was asked to stop; running agents get 10 s: a, b'],
    ['hub away', { reason: 'no route' }, 'offline: nothing is claimed or landed while the hub is away: no route'],
    ['clock jumped', {}, 'doubt: the clock jumped: every lease is doubtful until it is renewed'],
    ['pass failed', { reason: 'disk full', again: 'in 1 s' }, 'again: the pass failed and is made again in 1 s: disk full'],
    ['landing refused by the hub', { task: 'a', detail: 'protected' }, 'parked: the hub refuses the landing: protected; the work is kept'],
    ['run fenced', { task: 'a', why: 'the claim is gone' }, 'fence: the claim is gone'],
    ['run ending', { task: 'a', kind: 'input', reason: 'which?' }, 'input: which?'],
    ['waits for review', { task: 'a' }, 'review: its work is finished and waits for its reviewer'],
    ['re-briefed', { task: 'a', reason: 'its instruction was edited' }, 'turn: its instruction was edited'],
    ['spawn ended', { task: 'a', spawn: 's', ok: false, failure: null }, 'spawn-end: spawn s ended badly'],
    ['project away', { task: 'a', project: 'api', reason: 'no route' }, 'held-off: the project api cannot be worked in now: no route'],
    ['project takes no guests', { task: 'a', project: 'api' }, 'parked: the host of api refuses our refs: the work goes to a branch for review only'],
    ['landed in the project', { task: 'a', project: 'api', branch: 'main', commit: 'abc' }, 'project-landing: its work is on main of api as abc'],
    ['landed in the project before', { task: 'a', project: 'api', commit: 'abc' }, 'project-landing: an earlier epoch has landed its work in api as abc: nothing is done again'],
    ['archived', { count: 3 }, 'archive: 3 ended tasks leave tasks/: they are old enough, or too many stand there'],
    ['folded', { count: 3 }, 'archive: the claim chains of 3 archived tasks are folded into the archive'],
    ['collected', { count: 3 }, 'archive: 3 refs that the archive holds leave the hub'],
    ['janitor refused', { step: 'folded', detail: 'no' }, 'janitor-refused: no'],
    ['something new', { task: 'a', reason: 'because' }, 'something-new: because'],
    ['claimed', { task: 'a' }, 'claim: it was ready and fits'],
  ])('%s', (event, fields, line) => expect(heard([event, fields]).map(({ kind, reason }) => `${kind}: ${reason}`)).toEqual([line]));

  test('that are no decisions, or give no reason, are left out', () => {
    expect(heard(['stale work kept', { task: 'a', reason: 'x' }], ['run ended', { task: 'a' }], ['something new', { task: 'a' }], ['run fenced', {}])).toEqual([]);
  });

  test('said again at once are one decision', () => {
    expect(heard(['hub away', { reason: 'no route' }], ['hub away', { reason: 'no route' }], ['hub away', { reason: 'refused' }])).toHaveLength(2);
  });

  test('that happen twice are two', () => expect(heard(['archived', { count: 3 }], ['archived', { count: 3 }])).toHaveLength(2));
});
