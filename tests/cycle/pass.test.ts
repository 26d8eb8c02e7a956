/** Whole passes over a fleet in memory: what becomes of a task, from its file to its end. */
import { describe, expect, test } from 'vitest';
import { releaseMember } from '../../src/act/claim.ts';
import { MAIN, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const one = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, ...options });

const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch, attempt }) => `${kind} ${epoch}.${attempt}`);

const writes = (text = 'work\n') => ({ task }: Job): Work => ({ files: { [`${task}.txt`]: text } });

/** Passes and lets time go by, so that back-offs end. */
async function restFor(fleet: MemoryFleet, name: string, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await fleet.node(name).rest();
    await fleet.clock.advance(5_000);
  }
  await fleet.node(name).rest();
}

describe('a task that goes well', () => {
  test('is done once, its work and result on main, and a further pass does nothing', async () => {
    const fleet = await one({ work: writes() });
    const node = fleet.node('vm-a');
    const report = await node.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'done 1.1']);
    expect(await fleet.file('a.txt')).toBe('work\n');
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: done');
    expect(report).toMatchObject({ idle: true, settled: true });
    const [moves, pushes] = [fleet.hub.moves.length, node.pushes.length];
    await node.pass();
    expect([fleet.hub.moves.length, node.pushes.length]).toEqual([moves, pushes]);
  });

  test('lands in one push that moves main and the claim', async () => {
    const fleet = await one({ work: writes() });
    await fleet.node('vm-a').rest();
    const landing = fleet.node('vm-a').pushes.findLast((updates) => refsOf(updates).includes('main'));
    expect(refsOf(landing!)).toEqual(['claims/a', 'main']);
    const { record, tip } = await fleet.tip('a');
    const [R, store] = [record.result!, fleet.node('vm-a').store];
    expect((await store.readCommit(tip)).parents[1]).toBe(R);
    expect(await store.isAncestor(R, fleet.hub.refs.get(MAIN)!)).toBe(true);
    expect((await store.readCommit(R)).message).toContain(`Claim: ${(await store.readCommit(tip)).parents[0]}`);
  });

  test('a dependant starts when it is done, on a main that has it', async () => {
    const fleet = await one({ nodes: { 'vm-a': ['ann', 'bob'] }, files: { 'tasks/a.md': task(), 'tasks/b.md': task({ depends_on: '[a]' }) }, work: writes() });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'b')).toEqual(['claim 1.1', 'done 1.1']);
    expect(fleet.hub.moves.findIndex(({ ref }) => ref === 'refs/cambium/claims/b')).toBeGreaterThan(fleet.hub.moves.findLastIndex(({ ref }) => ref === 'refs/cambium/claims/a'));
  });

  test('two nodes share ten tasks, and each is done exactly once', async () => {
    const ids = Array.from({ length: 10 }, (_, at) => `t${at}`);
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann', 'abe'], 'vm-b': ['bob', 'bea'] }, files: Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, task()])), work: writes() });
    for (let turn = 0; turn < 12; turn++) await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.node(name).pass()));
    for (const id of ids) expect((await kinds(fleet, id)).filter((kind) => kind.startsWith('done'))).toHaveLength(1);
    expect(['vm-a', 'vm-b'].map((name) => fleet.node(name).machine.started.length > 0)).toEqual([true, true]);
    expect(['vm-a', 'vm-b'].flatMap((name) => fleet.node(name).machine.started)).toHaveLength(10);
  });

  test('a claim that lives longer is told in the tree, and its file goes with the result', async () => {
    const fleet = await one({ work: () => ({ afterMs: 10_000 }) });
    await fleet.node('vm-a').rest();
    await fleet.clock.advance(4_000);
    await fleet.node('vm-a').rest();
    expect(JSON.parse((await fleet.file('tasks/a.claim.json'))!)).toEqual((await fleet.tip('a')).record);
    await fleet.clock.advance(6_000);
    await fleet.node('vm-a').rest();
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: done');
    expect(await fleet.file('tasks/a.claim.json')).toBeNull();
  });
});

describe('an attempt that goes badly', () => {
  test('is made again after a pause, and the next one counts', async () => {
    const fleet = await one({ work: ({ attempt }) => (attempt === 1 ? { exit: 1 } : {}) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1']);
    expect((await fleet.tip('a')).record).toMatchObject({ spent: true, not_before: expect.any(String) });
    await restFor(fleet, 'vm-a', 20_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1', 'claim 2.2', 'done 2.2']);
  });

  test('ends as failed when none is left, and the work is kept on wip', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 2 }) }, work: () => ({ exit: 1, files: { 'half.txt': 'half\n' } }) });
    await restFor(fleet, 'vm-a', 60_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1', 'claim 2.2', 'failed 2.2']);
    expect(await fleet.file('tasks/a.result.md')).toMatch(/outcome: failed[^]*# Failed/);
    expect(await fleet.file('half.txt')).toBeNull();
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.startsWith('refs/cambium/wip/'))).toContain('refs/cambium/wip/a/2');
  });

  test('that cannot be helped by another fails at once', async () => {
    const fleet = await one({ work: () => ({ failure: 'denied', retryable: false, exit: 1 }) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'failed 1.1']);
  });

  test('a killed supervisor costs an attempt', async () => {
    const fleet = await one({ work: ({ attempt }) => (attempt === 1 ? { afterMs: 60_000 } : {}) });
    await fleet.node('vm-a').rest();
    fleet.node('vm-a').machine.loseSpawn('a');
    await restFor(fleet, 'vm-a', 10_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1', 'claim 2.2', 'done 2.2']);
  });

  test('its dependants are blocked, with the reason and the mend', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 1 }), 'tasks/b.md': task({ depends_on: '[a]' }) }, work: () => ({ exit: 1 }) });
    const report = await fleet.node('vm-a').rest();
    expect(report.situation?.tasks.get('b')).toMatchObject({ state: 'blocked', reasons: ['depends on a, which failed', expect.stringContaining('cambium task retry a')] });
    expect(report.idle).toBe(true);
  });
});

describe('what the node judges before it lands', () => {
  test('a criterion that is not met is not done', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 1, acceptance_criteria: '[Tests pass]' }) }, work: () => ({ criteria: [{ text: 'Tests pass', met: false, evidence: '2 failed' }] }) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'failed 1.1']);
    expect(await fleet.file('tasks/a.result.md')).toContain('Not met: Tests pass (2 failed)');
  });

  test.each([
    ['a protected file', 'cambium.yaml', 'cambium.yaml is protected'],
    ['another task\'s result', 'tasks/other.result.md', 'tasks/other.result.md is written by the engine only'],
    ['the memory of another agent', 'memory/bob/notes.md', 'memory/bob/notes.md is outside what the role worker may add'],
  ])('work that touches %s is not landed', async (_name, path, said) => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 1 }) }, work: () => ({ files: { [path]: 'x\n', 'good.txt': 'x\n' } }) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'failed 1.1']);
    expect(await fleet.file('tasks/a.result.md')).toContain(said);
    expect(await fleet.file('good.txt')).toBeNull();
  });

  test('verify is run by the node on the work, and green lands with its exit', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ verify: 'npm test' }) }, work: writes('good\n'), verify: async (_task, read) => ((await read('a.txt')) === 'good\n' ? 0 : 1) });
    await fleet.node('vm-a').rest();
    expect(await fleet.file('tasks/a.result.md')).toMatch(/verify: \{ command: npm test, exit: 0/);
  });

  test('a red verify gives an agent one more turn with what was wrong, in the same attempt', async () => {
    const fleet = await one({ provider: 'claude', files: { 'tasks/a.md': task({ verify: 'npm test' }) }, work: ({ feedback, task }) => ({ files: { [`${task}.txt`]: feedback === null ? 'bad\n' : 'good\n' } }), verify: async (_task, read) => ((await read('a.txt')) === 'good\n' ? 0 : 1) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'done 1.1']);
    expect(fleet.node('vm-a').machine.started.map(({ feedback }) => feedback)).toEqual([null, expect.stringContaining('`verify` was red (exit 1)')]);
  });

  test('a runbook gets no second turn: it would only repeat itself', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ verify: 'npm test' }) }, verify: () => 1 });
    await fleet.node('vm-a').rest();
    expect(fleet.node('vm-a').machine.started).toHaveLength(1);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'failed 1.1']);
  });

  test('an instruction that changed while it was worked on is not landed', async () => {
    const fleet = await one({ work: () => ({ afterMs: 10_000, files: { 'a.txt': 'x\n' } }) });
    await fleet.node('vm-a').rest();
    await fleet.commit({ 'tasks/a.md': '# Do something else\n' });
    await fleet.clock.advance(10_000);
    await fleet.node('vm-a').pass();
    await fleet.node('vm-a').pass();
    expect(await fleet.file('tasks/a.result.md')).toBeNull();
    await restFor(fleet, 'vm-a', 60_000);
    const landed = (await fleet.chain('a')).at(-1);
    expect(landed?.kind).toBe('done');
    expect(landed?.instruction?.blob).toBe((await fleet.node('vm-a').look()).tasks.get('a')?.blob);
  });
});

describe('a conflict with main', () => {
  const clash = (jobs: Job[]) => (job: Job): Work => {
    jobs.push(job);
    return { afterMs: 5_000, files: { 'shared.txt': `by epoch ${job.epoch}, turn ${jobs.length}\n` } };
  };

  test('gives one more run on the newest main', async () => {
    const jobs: Job[] = [];
    const fleet = await one({ files: { 'tasks/a.md': task(), 'shared.txt': 'first\n' }, work: clash(jobs) });
    await fleet.node('vm-a').rest();
    await fleet.commit({ 'shared.txt': 'somebody else\n' });
    await fleet.clock.advance(5_000);
    await fleet.node('vm-a').rest();
    expect(jobs.map(({ feedback }) => feedback)).toEqual([null, expect.stringContaining('the work conflicts with main in shared.txt')]);
    await fleet.clock.advance(5_000);
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'done 1.1']);
    expect(await fleet.file('shared.txt')).toBe('by epoch 1, turn 2\n');
  });

  test('that comes again is for a person, with the work kept', async () => {
    const jobs: Job[] = [];
    const fleet = await one({ files: { 'tasks/a.md': task(), 'shared.txt': 'first\n' }, work: clash(jobs) });
    for (const text of ['one\n', 'two\n']) {
      await fleet.node('vm-a').rest();
      await fleet.commit({ 'shared.txt': text });
      await fleet.clock.advance(5_000);
      await fleet.node('vm-a').rest();
    }
    const { record } = await fleet.tip('a');
    expect(record).toMatchObject({ kind: 'input', question: expect.stringContaining('refs/cambium/wip/a/1') });
    expect(fleet.hub.refs.has('refs/cambium/wip/a/1')).toBe(true);
    const report = await fleet.node('vm-a').rest();
    expect(report).toMatchObject({ idle: true, progress: false });
    expect(report.situation?.tasks.get('a')?.state).toBe('input');
  });
});

describe('a hub that declines', () => {
  test('a landing on main parks the task with the reason, and is not asked again and again', async () => {
    const fleet = await one({ work: writes() });
    const node = fleet.node('vm-a');
    node.fault = (updates) => (refsOf(updates).includes('main') ? 'decline' : 'ok');
    await restFor(fleet, 'vm-a', 60_000);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'input', question: expect.stringContaining('the hub refuses the landing: pre-receive hook declined') });
    expect(fleet.hub.refs.has('refs/cambium/wip/a/1')).toBe(true);
    const before = node.pushes.length;
    await restFor(fleet, 'vm-a', 30_000);
    expect(node.pushes.slice(before).filter((updates) => refsOf(updates).includes('main'))).toEqual([]);
  });

  test('a parked task that a person gives back lands when the hub allows it', async () => {
    const fleet = await one({ work: writes() });
    const node = fleet.node('vm-a');
    node.fault = (updates) => (refsOf(updates).includes('main') ? 'decline' : 'ok');
    await restFor(fleet, 'vm-a', 10_000);
    node.fault = () => 'ok';
    const desk = await fleet.seat('desk');
    await desk.look();
    await desk.publish([releaseMember(desk.node, desk.reader, { task: 'a', tip: (await fleet.tip('a')).tip, reason: 'try again' })]);
    await restFor(fleet, 'vm-a', 120_000);
    expect((await fleet.tip('a')).record.kind).toBe('done');
  });

  test('claims are not asked for without end', async () => {
    const fleet = await one();
    const node = fleet.node('vm-a');
    node.fault = (updates) => (refsOf(updates).some((ref) => ref.startsWith('claims/')) ? 'decline' : 'ok');
    const report = await node.rest(10);
    expect(report.progress).toBe(false);
  });
});

describe('a hub that is away', () => {
  test('is told once, and work goes on when it is back', async () => {
    const fleet = await one({ work: writes() });
    const node = fleet.node('vm-a');
    await node.pass();
    fleet.hub.away = true;
    expect(await node.pass()).toMatchObject({ offline: expect.any(String), progress: false, idle: false });
    await node.pass();
    expect(node.said.filter(({ event }) => event === 'hub away')).toHaveLength(1);
    fleet.hub.away = false;
    await node.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'done 1.1']);
  });
});

test('a task that asks for what this version cannot do is not run as if it had not asked', async () => {
  const fleet = await one({ files: { 'tasks/a.md': task({ review: 'maria' }), 'tasks/b.md': task({ project: 'api' }) }, work: writes() });
  const report = await fleet.node('vm-a').rest();
  expect(['a', 'b'].map((id) => report.situation?.tasks.get(id)?.state)).not.toContain('done');
});

test('one claim ref that cannot be read is shown and stops nobody', async () => {
  const fleet = await one({ work: writes() });
  const desk = await fleet.seat('desk');
  await desk.look();
  const tree = await desk.store.writeTree([]);
  const who = { name: 'x', email: 'x@y.invalid', seconds: 0, zone: '+0000' };
  const to = await desk.store.writeCommit({ tree, parents: [], author: who, committer: who, message: 'not a claim\n' });
  await desk.node.hub.push([{ ref: 'refs/cambium/claims/broken', expect: null, to }, { ref: 'refs/cambium/nodes/broken', expect: null, to }]);
  await fleet.node('vm-a').rest();
  expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'done 1.1']);
});
