/** Work that waits for approval (PROTOCOL P6): no lease, one pinned commit, and any node lands what was approved. */
import { describe, expect, test } from 'vitest';
import { approveMember, judgeKey, rejectMember } from '../../src/act/review.ts';
import { renewKey, renewMember } from '../../src/act/claim.ts';
import { writeTransition } from '../../src/act/transition.ts';
import { outdatedReviews } from '../../src/decide/recovery.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { Fleet } from '../../src/model/snapshot.ts';
import { MAIN, TTL_MS, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, Seat } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const kinds = async (fleet: MemoryFleet): Promise<readonly string[]> => (await fleet.chain('a')).map(({ kind, epoch, attempt }) => `${kind} ${epoch}.${attempt}`);
const writes = ({ task: id, epoch }: Job): Work => ({ files: { [`${id}.txt`]: `epoch ${epoch}\n` }, report: 'I did it.' });

function fleetOf(options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> {
  return createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, provider: 'claude', files: { 'tasks/a.md': task({ review: 'human' }) }, work: writes, ...options });
}

async function judge(fleet: MemoryFleet, kind: 'approve' | 'reject', commit?: Oid, why = 'the empty name is not handled'): Promise<string> {
  const desk = await fleet.seat('desk');
  await desk.look();
  const pinned = commit ?? ((await fleet.tip('a')).record.commit as Oid);
  const member = (kind === 'approve' ? approveMember : rejectMember)(desk.node, desk.reader, { task: 'a', commit: pinned, by: maria, why });
  const end = (await desk.publish([member])).get(judgeKey('a'));
  return end?.state === 'dropped' ? `${end.drop.code}: ${end.drop.detail}` : String(end?.state);
}

/** Worked on by vm-a, so it waits for review. */
async function waiting(options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> {
  const fleet = await fleetOf(options);
  await fleet.node('vm-a').rest();
  expect(await kinds(fleet)).toEqual(['claim 1.1', 'review 1.1']);
  return fleet;
}

describe('finished work of a task with review', () => {
  test('waits without a lease, on a branch, with its result, and nothing of it is on main', async () => {
    const fleet = await waiting();
    const { commit } = (await fleet.tip('a')).record;
    expect(fleet.hub.refs.get('refs/cambium/review/a/1')).toBe(commit);
    expect(fleet.hub.refs.get('refs/heads/review/a')).toBe(commit);
    expect(await fleet.file('a.txt')).toBeNull();
    expect(await fleet.file('tasks/a.result.md')).toBeNull();
    await fleet.clock.advance(10 * TTL_MS);
    for (const node of ['vm-b', 'vm-a', 'vm-b']) await fleet.node(node).rest();
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'review 1.1']);
  });

  test('the tree tells that it waits for review', async () => {
    const fleet = await waiting();
    await fleet.clock.advance(10_000);
    await fleet.node('vm-a').rest();
    expect(JSON.parse((await fleet.file('tasks/a.claim.json')) ?? '{}')).toMatchObject({ kind: 'review', epoch: 1 });
  });

  test('lands on another node once it is approved, as it was reviewed, under an epoch of its own', async () => {
    const fleet = await waiting();
    expect(await judge(fleet, 'approve')).toBe('published');
    await fleet.node('vm-b').rest();
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'review 1.1', 'approve 1.1', 'claim 2.1', 'done 2.1']);
    expect(await fleet.file('a.txt')).toBe('epoch 1\n');
    const result = await fleet.file('tasks/a.result.md');
    expect(result).toContain('epoch: 2');
    expect(result).toContain('agent: ann');
    expect(result).toContain('node: vm-a');
    expect(result).toContain('I did it.');
    expect(fleet.node('vm-b').machine.started).toEqual([]);
    expect(fleet.hub.refs.has('refs/heads/review/a')).toBe(false);
    const { task: chain } = (await fleet.tip('a')).record;
    expect(chain).toBe('a');
  });

  test('the result names the claim that landed it', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    await fleet.node('vm-b').rest();
    const claim = (await fleet.chain('a')).find(({ epoch, kind }) => epoch === 2 && kind === 'claim');
    const [tip] = (await fleet.node('vm-b').store.readCommit((await fleet.tip('a')).tip)).parents;
    expect(claim).toBeDefined();
    expect(await fleet.file('tasks/a.result.md')).toContain(`claim: ${tip}`);
  });

  test('two nodes that both want to land it land it once', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    await Promise.all([fleet.node('vm-a').rest(), fleet.node('vm-b').rest()]);
    for (const node of ['vm-a', 'vm-b']) await fleet.node(node).rest();
    expect((await fleet.chain('a')).filter(({ kind }) => kind === 'done')).toHaveLength(1);
    expect((await fleet.node('vm-a').look()).results.get('a')?.outcome).toBe('done');
  });

  test('is not idle while it is approved and not landed', async () => {
    const fleet = await waiting();
    expect((await fleet.node('vm-a').rest()).idle).toBe(true);
    await judge(fleet, 'approve');
    expect((await fleet.node('vm-a').pass()).idle).toBe(false);
  });
});

describe('a rejection', () => {
  test('makes it ready again, and the reason reaches the next agent', async () => {
    const fleet = await waiting();
    expect(await judge(fleet, 'reject')).toBe('published');
    await fleet.node('vm-b').rest();
    const [job] = fleet.node('vm-b').machine.started;
    expect(job?.feedback).toContain('Maria rejected the earlier work: the empty name is not handled');
    expect(job?.feedback).toContain(fleet.hub.refs.get('refs/cambium/review/a/1'));
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'review 1.1', 'release 1.1', 'claim 2.1', 'review 2.1']);
  });

  test('costs no attempt, however often it comes', async () => {
    const fleet = await waiting();
    for (let times = 0; times < 5; times++) {
      await judge(fleet, 'reject');
      await fleet.node('vm-a').rest();
    }
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'review', epoch: 6, attempt: 1 });
  });

  test('is possible after an approval that has not landed yet', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    expect(await judge(fleet, 'reject')).toBe('published');
    expect((await fleet.tip('a')).record.kind).toBe('release');
  });
});

describe('an approval', () => {
  test('of another commit than the one under review is refused', async () => {
    const fleet = await waiting();
    const first = (await fleet.tip('a')).record.commit as Oid;
    await judge(fleet, 'reject');
    await fleet.node('vm-a').rest();
    expect(await judge(fleet, 'approve', first)).toContain('not-ready: another commit is under review');
    expect((await fleet.tip('a')).record.kind).toBe('review');
  });

  test('of a task that does not wait for it is refused', async () => {
    const fleet = await fleetOf();
    expect(await judge(fleet, 'approve', 'f'.repeat(40))).toContain('it does not wait for review');
  });

  test('stands when the node that was to land it dies: another one lands it after the lease', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    const b = fleet.node('vm-b');
    b.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'lose-request' : 'ok');
    b.afterPush = async () => { if ((await fleet.tip('a')).record.epoch === 2) b.kill(); };
    await expect(b.rest()).rejects.toThrow('killed');
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'claim', epoch: 2, node: 'vm-b' });
    for (let at = 0; at < 60; at++) {
      await fleet.clock.advance(2_000);
      await fleet.node('vm-a').pass();
    }
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'review 1.1', 'approve 1.1', 'claim 2.1', 'claim 3.1', 'done 3.1']);
    expect(await fleet.file('a.txt')).toBe('epoch 1\n');
    expect(fleet.node('vm-a').machine.started).toHaveLength(1);
  });

  test('stands when the node that was to land it is stopped before', async () => {
    const fleet = await waiting({ files: { 'tasks/a.md': task({ review: 'human', verify: 'slow' }), 'code.txt': 'one\n' } });
    await fleet.commit({ 'code.txt': 'two\n' });
    await judge(fleet, 'approve');
    const b = fleet.node('vm-b');
    b.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'lose-request' : 'ok');
    for (let passes = 0; passes < 3 && (await fleet.tip('a')).record.epoch < 2; passes++) await b.pass();
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'claim', epoch: 2 });
    b.fault = () => 'ok';
    const { releaseRuns } = await import('../../src/cycle/runs.ts');
    b.loop.state.claiming = false;
    await fleet.drive(releaseRuns(b.loop, 'the node was stopped', 0));
    await b.pass();
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'approve', epoch: 2 });
    await fleet.node('vm-a').rest();
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'done', epoch: 3 });
  });
});

describe('main has moved since the review', () => {
  const withVerify = { 'tasks/a.md': task({ review: 'human', verify: 'check' }), 'code.txt': 'one\n' };

  test('verify is run again on the merge before it lands', async () => {
    const seen: (string | null)[] = [];
    const fleet = await waiting({ files: withVerify, verify: async (_task, read) => { seen.push(await read('code.txt')); return 0; } });
    await fleet.commit({ 'code.txt': 'two\n' });
    await judge(fleet, 'approve');
    await fleet.node('vm-b').rest();
    expect(seen).toEqual(['one\n', 'two\n']);
    expect((await fleet.tip('a')).record.kind).toBe('done');
    expect([await fleet.file('a.txt'), await fleet.file('code.txt')]).toEqual(['epoch 1\n', 'two\n']);
  });

  test('and verify turns red on the merge: it is done again, with what was wrong', async () => {
    const fleet = await waiting({ files: withVerify, verify: async (_task, read) => ((await read('code.txt')) === 'two\n' && (await read('a.txt')) === 'epoch 1\n' ? 1 : 0) });
    await fleet.commit({ 'code.txt': 'two\n' });
    await judge(fleet, 'approve');
    await fleet.node('vm-b').rest();
    const again = [...fleet.node('vm-a').machine.started, ...fleet.node('vm-b').machine.started].at(-1);
    expect(again?.feedback).toContain('`verify` was red on the newest main');
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'review', epoch: 3 });
  });

  test('and conflicts with the work: it is done again on the newest main', async () => {
    const fleet = await waiting();
    await fleet.commit({ 'a.txt': 'somebody else\n' });
    await judge(fleet, 'approve');
    await fleet.node('vm-b').rest();
    const again = [...fleet.node('vm-a').machine.started, ...fleet.node('vm-b').machine.started].at(-1);
    expect(again?.feedback).toContain('conflicts with main');
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'review', epoch: 3 });
    expect(await fleet.file('a.txt')).toBe('somebody else\n');
  });
});

test('an instruction that is edited while its work waits for review is done again', async () => {
  const fleet = await waiting();
  await fleet.commit({ 'tasks/a.md': task({ review: 'human', title: 'Do it in blue' }) });
  await fleet.node('vm-b').rest();
  const [job] = fleet.node('vm-b').machine.started;
  expect(job?.feedback).toContain('the instruction was edited while its work waited for review');
  expect((await fleet.tip('a')).record).toMatchObject({ kind: 'review', epoch: 2 });
});

test('a task that waits for review can be cancelled', async () => {
  const { cancelMember } = await import('../../src/act/close.ts');
  const fleet = await waiting();
  const desk = await fleet.seat('desk');
  await desk.look();
  await desk.publish([cancelMember(desk.node, desk.reader, { task: 'a', path: 'tasks/a.md', by: maria, reason: 'not needed' })]);
  await fleet.node('vm-a').rest();
  expect((await fleet.node('vm-a').look()).results.get('a')?.outcome).toBe('cancelled');
});

test('while a node of a version that does not know review takes part, such a task is not run', async () => {
  const fleet = await fleetOf();
  const a = fleet.node('vm-a');
  await a.rest(1);
  const old = await fleet.seat('vm-old');
  await old.look();
  const record = { schema: 'cambium.node/1', kind: 'heartbeat', nonce: 'n', main: '', node: 'vm-old', machine: 'm', incarnation: 'i', boot_id: 'b', seq: 1, version: '0.1.0', claims: [], spawns: [] };
  const tree = await old.store.writeTree([{ mode: '100644', name: 'node.json', oid: await old.store.writeBlob(Buffer.from(JSON.stringify(record))) }]);
  const beat = await old.store.writeCommit({ tree, parents: [], author: maria, committer: maria, message: 'beat\n' });
  await old.node.hub.push([{ ref: 'refs/cambium/nodes/vm-old', expect: null, to: beat }]);
  await fleet.commit({ 'tasks/b.md': task({ review: 'human' }) });
  const report = await a.rest();
  expect(report.situation?.tasks.get('b')).toMatchObject({ state: 'blocked' });
  expect(report.situation?.tasks.get('b')?.reasons[0]).toContain('the node vm-old runs cambium 0.1.0');
});

describe('what was approved', () => {
  const both = { 'tasks/a.md': task({ review: 'human' }), 'tasks/z.md': task() };
  const passes = async (fleet: MemoryFleet, times = 30): Promise<void> => {
    for (let at = 0; at < times; at++) {
      await fleet.clock.advance(2_000);
      for (const node of ['vm-a', 'vm-b']) await fleet.node(node).pass();
    }
  };

  test('lands after a rejection too, though main has told of every claim and review on the way', async () => {
    const fleet = await waiting();
    await fleet.clock.advance(30_000);
    await fleet.node('vm-a').rest();
    expect(await fleet.file('tasks/a.claim.json')).toContain('"kind": "review"');
    await judge(fleet, 'reject');
    await passes(fleet);
    expect(await fleet.file('tasks/a.claim.json')).toContain('"epoch": 2');
    await judge(fleet, 'approve');
    await passes(fleet, 3);
    expect((await kinds(fleet)).slice(-3)).toEqual(['approve 2.1', 'claim 3.1', 'done 3.1']);
  });

  /** An approval of a commit that no node has written, put into the chain by somebody who may push. */
  async function forged(fleet: MemoryFleet, write: (desk: Seat, base: Oid) => Promise<Oid>): Promise<void> {
    const desk = await fleet.seat('stranger');
    const { chains, main } = await desk.look();
    const chain = chains.get('a')!;
    const commit = await write(desk, main.commit);
    const { schema: _schema, op: _op, ...record } = chain.record;
    const { update } = await writeTransition(desk.node, { tip: chain.tip, landing: commit, author: maria, record: { ...record, kind: 'approve', commit, by: 'Mallory' } });
    expect((await desk.node.hub.push([update])).kind).toBe('accepted');
  }

  const commitOf = async (desk: Seat, parents: readonly Oid[], files: readonly (readonly [string, string])[]): Promise<Oid> => {
    const before = parents[0] === undefined ? await desk.store.writeTree([]) : (await desk.store.readCommit(parents[0])).tree;
    const edits = await Promise.all(files.map(async ([path, text]) => [path, { mode: '100644' as const, oid: await desk.store.writeBlob(Buffer.from(text)) }] as const));
    return desk.store.writeCommit({ tree: await desk.store.editTree(before, new Map(edits)), parents, author: maria, committer: maria, message: 'forged\n' });
  };

  test.each([
    ['is not there', async (_desk: Seat) => 'd'.repeat(40), 'is not in the claim chain'],
    ['has no result', (desk: Seat, base: Oid) => commitOf(desk, [base], []), 'holds no result file'],
    ['has a result that cannot be read', (desk: Seat, base: Oid) => commitOf(desk, [base], [['tasks/a.result.md', '---\noutcome: perhaps\n---\n']]), 'holds no result file that can be read'],
    ['stands on nothing', (desk: Seat) => commitOf(desk, [], [['tasks/a.result.md', '']]), 'does not stand on main'],
    ['stands on a history that is not main', async (desk: Seat) => commitOf(desk, [await commitOf(desk, [], [['x', 'x']])], [['tasks/a.result.md', '']]), 'does not stand on main'],
  ])('and %s is done again, and nothing else waits for it', async (what, write, problem) => {
    const fleet = await waiting();
    if (what === 'is not there') {
      const desk = await fleet.seat('stranger');
      const { chains } = await desk.look();
      const { tip, record: { schema: _schema, op: _op, ...record } } = chains.get('a')!;
      await desk.node.hub.push([(await writeTransition(desk.node, { tip, author: maria, record: { ...record, kind: 'approve', commit: 'd'.repeat(40), by: 'Mallory' } })).update]);
    } else await forged(fleet, write);
    await fleet.commit({ 'tasks/z.md': task() });
    await passes(fleet);
    const again = [...fleet.node('vm-a').machine.started, ...fleet.node('vm-b').machine.started].filter(({ task: id }) => id === 'a').at(-1);
    expect(again?.feedback).toContain(problem);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'review', epoch: 3 });
    expect((await fleet.tip('z')).record.kind).toBe('done');
  });

  test('is not failed by a verify whose supervisor was killed: it is run again', async () => {
    const fleet = await waiting({ files: { 'tasks/a.md': task({ review: 'human', verify: 'check', max_attempts: 1 }), 'code.txt': 'one\n' } });
    await fleet.commit({ 'code.txt': 'two\n' });
    await judge(fleet, 'approve');
    const b = fleet.node('vm-b');
    const { supervisor } = b.machine;
    const { status } = supervisor;
    let killed = 0;
    Object.assign(supervisor, { status: async (scratch: string) => (scratch.includes('-verify') && killed++ === 0 ? { state: 'lost' } : status(scratch)) });
    await b.rest();
    expect(killed).toBeGreaterThan(1);
    expect((await kinds(fleet)).slice(-2)).toEqual(['claim 2.1', 'done 2.1']);
  });

  test('can be rejected while a node is landing it, and nothing of that node is kept or lands', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    const b = fleet.node('vm-b');
    b.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'refuse' : 'ok');
    await b.pass().catch(() => undefined);
    await b.pass().catch(() => undefined);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'claim', epoch: 2 });
    expect(await judge(fleet, 'reject')).toBe('published');
    b.fault = () => 'ok';
    await b.pass();
    expect((await fleet.chain('a'))[4]).toMatchObject({ kind: 'release', epoch: 2, feedback: true });
    expect(await fleet.file('tasks/a.result.md')).toBeNull();
    expect([...fleet.hub.refs.keys()].filter((ref) => /(?:stale|wip)\/a\/2/.test(ref))).toEqual([]);
  });

  test('is not bound to another text by a renewal that accepts an edit', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    const b = fleet.node('vm-b');
    b.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'lose-request' : 'ok');
    b.afterPush = async () => { if ((await fleet.tip('a')).record.epoch === 2) b.kill(); };
    await expect(b.rest()).rejects.toThrow('killed');
    const desk = await fleet.seat('desk');
    const { main } = await desk.look();
    const { record } = await fleet.tip('a');
    expect(record).toMatchObject({ kind: 'claim', epoch: 2 });
    const end = (await desk.publish([renewMember(desk.node, desk.reader, 'a', 2, record.agent ?? '', { blob: 'e'.repeat(40), commit: main.commit })])).get(renewKey('a'));
    expect(end).toMatchObject({ state: 'dropped', drop: { code: 'forbidden' } });
  });

  test('is done again where its text is edited while a node is landing it', async () => {
    const fleet = await waiting();
    await judge(fleet, 'approve');
    const b = fleet.node('vm-b');
    b.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'refuse' : 'ok');
    for (let at = 0; at < 2; at++) await b.pass().catch(() => undefined);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'claim', epoch: 2 });
    await fleet.commit({ 'tasks/a.md': task({ review: 'human', title: 'In blue' }) });
    b.fault = () => 'ok';
    await b.rest();
    expect((await fleet.chain('a'))[4]).toMatchObject({ kind: 'release', epoch: 2, feedback: true, reason: expect.stringContaining('reviewed for the text before') as string });
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.includes('/wip/a/2'))).toEqual([]);
    expect(await fleet.file('a.txt')).toBeNull();
  });

  test('is landed by as many at once as the node may have agents', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, provider: 'claude', config: 'limits: { agents_per_node: 2 }\n', files: Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, task({ review: 'human', verify: 'check' })])), work: writes });
    for (let at = 0; at < 10; at++) await fleet.node('vm-a').rest();
    const desk = await fleet.seat('desk');
    const { chains } = await desk.look();
    await desk.publish([...chains].map(([id, { record }]) => approveMember(desk.node, desk.reader, { task: id, commit: record.commit as Oid, by: maria, why: '' })));
    const b = fleet.node('vm-b');
    b.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'refuse' : 'ok');
    for (let at = 0; at < 2; at++) await b.pass().catch(() => undefined);
    expect([...b.loop.state.runs.values()].filter(({ pin }) => pin !== undefined)).toHaveLength(2);
    b.fault = () => 'ok';
    for (let at = 0; at < 10; at++) await b.rest();
    expect((await desk.look()).results.size).toBe(ids.length);
  });

  test('lands its result where its instruction was filed away to since', async () => {
    const fleet = await waiting();
    await fleet.commit({ 'tasks/a.md': null, 'tasks/web/a.md': task({ review: 'human' }) });
    await judge(fleet, 'approve');
    for (let at = 0; at < 3; at++) await fleet.node('vm-b').rest();
    expect([await fleet.file('tasks/a.result.md'), await fleet.file('a.txt')]).toEqual([null, 'epoch 1\n']);
    expect(await fleet.file('tasks/web/a.result.md')).toContain('outcome: done');
  });

  test('waits while its instruction is set aside, and lands when that can be trusted again', async () => {
    const fleet = await waiting({ files: both });
    await judge(fleet, 'approve');
    await fleet.commit({ 'tasks/web/a.md': '# Another a\n' });
    for (const node of ['vm-a', 'vm-b']) await fleet.node(node).rest();
    expect(await fleet.file('tasks/a.result.md')).toBeNull();
    await fleet.commit({ 'tasks/web/a.md': null });
    for (const node of ['vm-a', 'vm-b']) await fleet.node(node).rest();
    expect((await fleet.tip('a')).record.kind).toBe('done');
  });
});

describe('the branch that shows a review', () => {
  const own = async (fleet: MemoryFleet, ref: string): Promise<Oid> => {
    const desk = await fleet.seat('stranger');
    const commit = await desk.store.writeCommit({ tree: await desk.store.writeTree([]), parents: [], author: maria, committer: maria, message: 'mine\n' });
    expect((await desk.node.hub.push([{ ref, expect: null, to: commit }])).kind).toBe('accepted');
    return commit;
  };

  test.each(['refs/heads/review/a', 'refs/heads/review/a/b', 'refs/heads/review'])('is not made where somebody has %s, and that stays as it is', async (ref) => {
    const fleet = await fleetOf();
    const mine = await own(fleet, ref);
    await fleet.node('vm-a').rest();
    expect((await fleet.tip('a')).record.kind).toBe('review');
    expect(fleet.hub.refs.get('refs/cambium/review/a/1')).toBe((await fleet.tip('a')).record.commit);
    await judge(fleet, 'reject');
    expect(fleet.hub.refs.get(ref)).toBe(mine);
  });

  test('is moved on by the next review where it shows an earlier one', async () => {
    const fleet = await waiting();
    const first = fleet.hub.refs.get('refs/heads/review/a');
    await fleet.commit({ 'tasks/a.md': task({ review: 'human', title: 'In blue' }) });
    await fleet.node('vm-b').rest();
    expect(fleet.hub.refs.get('refs/heads/review/a')).toBe((await fleet.tip('a')).record.commit);
    expect(fleet.hub.refs.get('refs/heads/review/a')).not.toBe(first);
  });
});

describe('a push for review', () => {
  test('whose answer was lost is known for what it was: nothing is fenced, nothing kept as stale', async () => {
    const fleet = await fleetOf();
    const a = fleet.node('vm-a');
    let lost = 0;
    a.fault = (updates) => (updates.some(({ ref }) => ref.includes('review/a')) && lost++ < 400 ? (lost === 1 ? 'lose-reply' : 'lose-request') : 'ok');
    for (let at = 0; at < 3; at++) await a.pass().catch(() => undefined);
    expect((await fleet.tip('a')).record.kind).toBe('review');
    a.fault = () => 'ok';
    await a.rest();
    expect(a.loop.state.runs.size).toBe(0);
    expect(a.said.map(({ event }) => event)).not.toContain('run fenced');
    expect(a.said.map(({ event }) => event)).toContain('waits for review');
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.includes('/stale/'))).toEqual([]);
  });

  test('of which everything but the claim moved is made again in the same second', async () => {
    const fleet = await fleetOf({ work: (job) => ({ ...writes(job), afterMs: 30_000 }) });
    const a = fleet.node('vm-a');
    await a.rest();
    await a.machine.write('a-1', { 'half.txt': 'half\n' });
    await fleet.clock.advance(22_000);
    await a.rest();
    expect(fleet.hub.refs.has('refs/cambium/wip/a/1')).toBe(true);
    await fleet.clock.advance(10_000);
    // The claim is left out, and the repeat is refused, since the deletion of the work in progress has happened.
    a.order = (updates) => updates.toReversed();
    let halves = 0;
    a.fault = (updates) => (updates.some(({ ref }) => ref.includes('review/a')) && halves++ === 0 ? 'half' : 'ok');
    await a.rest();
    expect(halves).toBeGreaterThan(1);
    expect((await fleet.tip('a')).record.kind).toBe('review');
  });

  test('is not made of work for a text that was edited in that very moment', async () => {
    const fleet = await fleetOf();
    const a = fleet.node('vm-a');
    let refused = 0;
    a.fault = (updates) => (updates.some(({ ref }) => ref.includes('review/a')) && refused++ === 0 ? 'refuse' : 'ok');
    a.afterPush = async () => {
      if (refused === 1) await fleet.commit({ 'tasks/a.md': task({ review: 'human', title: `In blue` }), 'code.txt': `${refused++}` });
    };
    await a.rest();
    expect((await fleet.chain('a')).filter(({ kind }) => kind === 'review').map(({ instruction }) => instruction?.blob)).toEqual([(await a.look()).tasks.get('a')?.blob]);
  });

  test('goes on when its person has deleted the task in this very checkout: it is cancelled', async () => {
    const deleted = { on: false };
    const fleet = await fleetOf({
      work: (job) => ({ ...writes(job), afterMs: 5_000 }),
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
    expect((await fleet.tip('a')).record.kind).toBe('cancel');
    expect(a.loop.state.runs.size).toBe(0);
  });
});

test('a rejection is told to whoever takes over from the agent that was told first', async () => {
  const fleet = await waiting({ work: (job) => ({ ...writes(job), afterMs: job.epoch === 1 ? 0 : 1e9 }) });
  await judge(fleet, 'reject');
  const a = fleet.node('vm-a');
  await a.rest();
  expect(a.machine.started.at(-1)).toMatchObject({ epoch: 2 });
  a.kill();
  for (let at = 0; at < 60; at++) {
    await fleet.clock.advance(2_000);
    await fleet.node('vm-b').pass();
  }
  expect(fleet.node('vm-b').machine.started.at(-1)).toMatchObject({ epoch: 3, feedback: expect.stringContaining('the empty name is not handled') as string });
});

test('work that waits for review, or for its landing, is outdated by an edit, unless it has a result: that is mended first', () => {
  const chain = (kind: string): unknown => ({ tip: 't', record: { kind, instruction: { blob: 'old', commit: 'c' } } });
  const fleet = (results: readonly string[]): Fleet => ({
    chains: new Map([['a', chain('review')], ['b', chain('approve')], ['c', chain('claim')], ['d', chain('review')]]),
    tasks: new Map([['a', { blob: 'new' }], ['b', { blob: 'new' }], ['c', { blob: 'new' }], ['d', { blob: 'old' }]]), results: new Map(results.map((id) => [id, {}])),
  }) as unknown as Fleet;
  expect(outdatedReviews(fleet([]))).toEqual(['a', 'b']);
  expect(outdatedReviews(fleet(['b']))).toEqual(['a']);
});
