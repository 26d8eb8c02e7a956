/** An instruction that a person edits while an agent works on it: nothing lands against the old text (PROTOCOL P5.4). */
import { describe, expect, test } from 'vitest';
import { renewMember } from '../../src/act/claim.ts';
import { createMemoryHub } from '../../src/adapters/memory/hub.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';
import { projectPerson } from '../support/memoryProject.ts';

const kinds = async (fleet: MemoryFleet): Promise<readonly string[]> => (await fleet.chain('a')).map(({ kind, epoch }) => `${kind} ${epoch}`);
const EDITED = '# Do it in blue\n';

/** vm-a works on task a, and would for another ten seconds. */
async function working(options: Partial<MemoryFleetOptions> = {}): Promise<{ readonly fleet: MemoryFleet; readonly jobs: Job[] }> {
  const jobs: Job[] = [];
  const work = (job: Job): Work => {
    jobs.push(job);
    return { afterMs: 10_000, files: { [`turn-${jobs.length}.txt`]: 'x\n' } };
  };
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, provider: 'claude', files: { 'tasks/a.md': task() }, work, ...options });
  await fleet.node('vm-a').rest();
  return { fleet, jobs };
}

async function finish(fleet: MemoryFleet): Promise<void> {
  for (let at = 0; at < 30; at++) {
    await fleet.clock.advance(2_000);
    await fleet.node('vm-a').rest();
  }
}

describe('with on_edit: rebrief', () => {
  test('the same agent goes on under the same claim, is told, and lands against the new text', async () => {
    const { fleet, jobs } = await working();
    await fleet.node('vm-a').machine.write('a-1', { 'half.txt': 'half\n' });
    await fleet.commit({ 'tasks/a.md': EDITED });
    await fleet.node('vm-a').rest();
    expect(jobs).toHaveLength(2);
    expect(jobs[1]).toMatchObject({ epoch: 1, attempt: 1 });
    expect(jobs[1]?.feedback).toContain('The instruction was edited while you worked');
    await finish(fleet);
    expect(await kinds(fleet)).toEqual(['claim 1', 'renew 1', 'done 1']);
    expect((await fleet.tip('a')).record.instruction?.blob).toBe((await fleet.node('vm-a').look()).tasks.get('a')?.blob);
    expect([await fleet.file('half.txt'), await fleet.file('turn-1.txt'), await fleet.file('turn-2.txt')]).toEqual(['half\n', null, 'x\n']);
  });

  test('a runbook starts anew on the newest main: half of its old text has run already', async () => {
    const { fleet, jobs } = await working({ provider: 'runbook' });
    await fleet.node('vm-a').machine.write('a-1', { 'half.txt': 'half\n' });
    await fleet.commit({ 'tasks/a.md': EDITED, 'new.txt': 'new\n' });
    await finish(fleet);
    expect(jobs.map(({ feedback }) => feedback)).toEqual([null, null]);
    expect(await fleet.file('half.txt')).toBeNull();
    expect(await kinds(fleet)).toEqual(['claim 1', 'renew 1', 'done 1']);
  });

  test('an edit in the moment of the landing goes back to the agent', async () => {
    const { fleet, jobs } = await working();
    const a = fleet.node('vm-a');
    let edited = false;
    a.fault = (updates) => {
      if (edited || !updates.some(({ ref }) => ref.endsWith('/main'))) return 'ok';
      edited = true;
      return 'lose-request';
    };
    a.afterPush = async () => {
      if (edited && jobs.length === 1 && (await fleet.file('tasks/a.md')) !== EDITED) await fleet.commit({ 'tasks/a.md': EDITED });
    };
    await finish(fleet);
    expect(jobs.length).toBeGreaterThan(1);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'done' });
    expect((await fleet.tip('a')).record.instruction?.blob).toBe((await a.look()).tasks.get('a')?.blob);
  });

  test('an edit between the look at main and the push of the landing costs nothing but a turn', async () => {
    const { fleet } = await working();
    const a = fleet.node('vm-a');
    let refused = 0;
    a.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) && updates.some(({ ref }) => ref.endsWith('claims/a')) && refused++ === 0 ? 'refuse' : 'ok');
    a.afterPush = async () => {
      if (refused === 1) await fleet.commit({ 'tasks/a.md': EDITED, 'n.txt': `${refused++}` });
    };
    await finish(fleet);
    expect(refused).toBeGreaterThan(1);
    expect(await kinds(fleet)).toEqual(['claim 1', 'renew 1', 'done 1']);
  });

  test('a text that no longer fits the agent gives the task back', async () => {
    const { fleet } = await working();
    await fleet.commit({ 'tasks/a.md': task({ assigned_to: 'zoe' }) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual(['claim 1', 'release 1']);
    expect((await fleet.tip('a')).record.reason).toContain('assigned to zoe');
    expect(fleet.node('vm-a').machine.running()).toEqual([]);
  });

  test('a text with a dependency that is not met gives the task back', async () => {
    const { fleet } = await working();
    await fleet.commit({ 'tasks/a.md': task({ depends_on: '[b]' }), 'tasks/b.md': task({ assigned_to: 'zoe' }) });
    await fleet.node('vm-a').rest();
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'release', reason: 'the instruction was edited: waits for b' });
  });

  test('a renewal whose answer was lost is taken for what it is', async () => {
    const { fleet, jobs } = await working();
    const a = fleet.node('vm-a');
    await fleet.commit({ 'tasks/a.md': EDITED });
    let lost = 0;
    a.fault = (updates) => (updates.length === 1 && updates[0]?.ref.endsWith('claims/a') && lost++ < 40 ? 'lose-request' : 'ok');
    await a.pass().catch(() => undefined);
    a.fault = () => 'ok';
    await finish(fleet);
    expect((await fleet.tip('a')).record.kind).toBe('done');
    expect((await fleet.chain('a')).filter(({ kind }) => kind === 'claim').length).toBeLessThanOrEqual(2);
    expect(jobs.length).toBeGreaterThan(1);
  });
});

describe('with on_edit: stop', () => {
  test('the agent is stopped at once, its work is kept, and the task is claimed anew with the new text', async () => {
    const { fleet, jobs } = await working({ config: 'landing: { on_edit: stop }\n' });
    await fleet.node('vm-a').machine.write('a-1', { 'half.txt': 'half\n' });
    await fleet.commit({ 'tasks/a.md': EDITED });
    await fleet.node('vm-a').pass();
    await fleet.node('vm-a').pass();
    expect(fleet.hub.refs.has('refs/cambium/wip/a/1')).toBe(true);
    await finish(fleet);
    expect(jobs.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(await kinds(fleet)).toEqual(['claim 1', 'release 1', 'claim 2', 'done 2']);
  });
});

test('a task that is filed into another folder while an agent works on it lands there, and leaves nothing behind', async () => {
  const { fleet, jobs } = await working();
  await fleet.clock.advance(3_000);
  await fleet.node('vm-a').rest();
  expect(await fleet.file('tasks/a.claim.json')).not.toBeNull();
  await fleet.commit({ 'tasks/a.md': null, 'tasks/web/a.md': task() });
  await finish(fleet);
  expect(jobs).toHaveLength(1);
  expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
  expect([await fleet.file('tasks/a.claim.json'), await fleet.file('tasks/web/a.claim.json'), await fleet.file('tasks/a.result.md')]).toEqual([null, null, null]);
  expect(await fleet.file('tasks/web/a.result.md')).toContain('outcome: done');
});

describe('nothing lands against a text that its agent has not read', () => {
  const isRenewal = (updates: readonly { readonly ref: string }[]): boolean => updates.some(({ ref }) => ref.endsWith('claims/a'));

  test('when the edit comes as the work is about to land and the renewal is answered late', async () => {
    const { fleet, jobs } = await working();
    const a = fleet.node('vm-a');
    a.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('/main')) ? 'refuse' : 'ok');
    await fleet.clock.advance(10_000);
    for (let at = 0; at < 2; at++) await a.pass().catch(() => undefined);
    expect(a.loop.state.runs.get('a')?.phase).toBe('landing');
    await fleet.commit({ 'tasks/a.md': EDITED });
    let late = 0;
    a.fault = (updates) => (isRenewal(updates) && late++ === 0 ? 'late' : isRenewal(updates) ? 'lose-request' : 'ok');
    await a.pass().catch(() => undefined);
    expect(late).toBeGreaterThan(0);
    fleet.hub.deliverLate();
    a.fault = () => 'ok';
    await finish(fleet);
    expect((await fleet.tip('a')).record.kind).toBe('done');
    expect(jobs.at(-1)?.text).toContain('Do it in blue');
    expect(await fleet.file(`turn-${jobs.length}.txt`)).toBe('x\n');
    expect(jobs.length).toBeGreaterThan(1);
  });

  test('when a person renews the claim of a daemon by hand and accepts the edit for it', async () => {
    const { fleet, jobs } = await working();
    const desk = await fleet.seat('desk');
    await fleet.clock.advance(10_000);
    await fleet.commit({ 'tasks/a.md': EDITED });
    const { tasks, main } = await desk.look();
    await desk.publish([renewMember(desk.node, desk.reader, 'a', 1, 'ann', { blob: tasks.get('a')!.blob, commit: main.commit })]);
    await finish(fleet);
    expect(jobs.map(({ text }) => text.includes('blue'))).toEqual([false, true]);
    expect((await fleet.tip('a')).record.kind).toBe('done');
  });

  test('when the daemon dies between stopping its agent and renewing: the new life goes on', async () => {
    const { fleet, jobs } = await working();
    const a = fleet.node('vm-a');
    await a.machine.write('a-1', { 'half.txt': 'half\n' });
    await fleet.commit({ 'tasks/a.md': EDITED });
    a.fault = (updates) => (isRenewal(updates) ? 'lose-request' : 'ok');
    a.afterPush = async (updates) => { if (isRenewal(updates)) a.kill(); };
    await expect(a.pass()).rejects.toThrow('killed');
    await a.restart();
    a.afterPush = undefined;
    a.fault = () => 'ok';
    await finish(fleet);
    expect(jobs).toHaveLength(2);
    expect(jobs[1]).toMatchObject({ epoch: 1, feedback: expect.stringContaining('The instruction was edited') as string });
    expect(await fleet.file('half.txt')).toBe('half\n');
  });

  test('when it can no longer be read: the task is given back, and taken again once it can', async () => {
    const { fleet, jobs } = await working();
    await fleet.commit({ 'tasks/a.md': '---\npriority: soon\n---\n# Do it\n' });
    await fleet.node('vm-a').rest();
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'release', reason: expect.stringContaining('set aside') as string });
    expect(fleet.node('vm-a').machine.running()).toEqual([]);
    await fleet.commit({ 'tasks/a.md': EDITED });
    await finish(fleet);
    expect(jobs.at(-1)).toMatchObject({ epoch: 2 });
    expect((await fleet.tip('a')).record.kind).toBe('done');
  });
});

test('an edit costs no attempt, also where the answer to the renewal is lost', async () => {
  const { fleet } = await working({ files: { 'tasks/a.md': task({ max_attempts: 1 }) } });
  const a = fleet.node('vm-a');
  await fleet.commit({ 'tasks/a.md': task({ max_attempts: 1, title: 'In blue' }) });
  a.fault = (updates) => (updates.some(({ ref }) => ref.endsWith('claims/a')) ? 'lose-reply' : 'ok');
  for (let at = 0; at < 2; at++) await a.pass().catch(() => undefined);
  a.fault = () => 'ok';
  await finish(fleet);
  expect((await fleet.tip('a')).record).toMatchObject({ kind: 'done', attempt: 1 });
});

describe('a task of a project whose instruction is edited', () => {
  const API = 'projects:\n  api: { url: "memory:api", branch: main, return: merge }\n';
  const apiTask = (more: Readonly<Record<string, string>> = {}): string => task({ project: 'api', ...more });

  async function inProject(): Promise<{ readonly fleet: MemoryFleet; readonly paula: ReturnType<typeof projectPerson> }> {
    const api = createMemoryHub();
    const paula = projectPerson(api);
    await paula.commit({ 'one.txt': 'one\n' });
    const { fleet } = await working({ provider: 'runbook', config: API, projects: { api }, files: { 'tasks/a.md': apiTask() } });
    await fleet.node('vm-a').machine.write('a-1', { 'half.txt': 'half\n' });
    return { fleet, paula };
  }

  test('starts anew in a fresh worktree of the project where it is a runbook', async () => {
    const { fleet, paula } = await inProject();
    await fleet.commit({ 'tasks/a.md': apiTask({ title: 'In blue' }) });
    await finish(fleet);
    expect(await kinds(fleet)).toEqual(['claim 1', 'renew 1', 'done 1']);
    expect([await paula.file('half.txt'), await paula.file('turn-2.txt')]).toEqual([null, 'x\n']);
  });

  test('to ask for a review that a project cannot have is given back', async () => {
    const { fleet } = await inProject();
    await fleet.commit({ 'tasks/a.md': apiTask({ review: 'human' }) });
    await fleet.node('vm-a').rest();
    expect((await fleet.chain('a'))[1]).toMatchObject({ kind: 'release', reason: expect.stringContaining('`review` judges work in the workspace') as string });
  });

  test('to work in another repository is given back', async () => {
    const { fleet } = await inProject();
    await fleet.commit({ 'tasks/a.md': task({ title: 'Here' }) });
    await fleet.node('vm-a').rest();
    expect((await fleet.chain('a'))[1]).toMatchObject({ kind: 'release', reason: 'the instruction was edited: it works in another repository now' });
  });
});

test('a task that its person deletes in the moment in which its attempt has failed is cancelled', async () => {
  const deleted = { on: false };
  const hub: { refs?: ReadonlyMap<string, string> } = {};
  const { fleet } = await working({
    work: () => ({ afterMs: 5_000, exit: 1 }),
    checkouts: {
      'vm-a': {
        look: async () => (hub.refs === undefined ? { state: 'absent' } : { state: 'ready', head: hub.refs.get(MAIN)! }),
        person: async () => ({ name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' }),
        edits: async () => ({ edits: deleted.on ? [{ path: 'tasks/a.md', mode: null, oid: null }] : [], unsettled: [], refused: [] }),
        advance: async ({ synced }) => ({ moved: false, synced, skipped: [], displaced: [] }),
        recover: async () => undefined,
      },
    },
  });
  const a = fleet.node('vm-a');
  hub.refs = fleet.hub.refs;
  await fleet.clock.advance(5_000);
  deleted.on = true;
  for (let at = 0; at < 4; at++) {
    await a.pass();
    deleted.on = (await fleet.file('tasks/a.md')) !== null;
  }
  expect((await fleet.tip('a')).record.kind).toBe('cancel');
  expect(a.loop.state.runs.size).toBe(0);
});
