/** `cycle --dry-run`, `explain` and `log --decisions` over real repositories: what they tell is so, and they change nothing. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acquireDaemonLock } from '../../src/adapters/system/daemonLock.ts';
import type { ToldDecision } from '../../src/model/decision.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { planCycle, runCycle } from '../../src/workspace/cycle.ts';
import type { PlannedCycle } from '../../src/workspace/cycle.ts';
import { explain } from '../../src/workspace/explain.ts';
import type { ExplainedTask } from '../../src/workspace/explain.ts';
import { readDecisions } from '../../src/workspace/log.ts';
import { inSession } from '../../src/workspace/session.ts';
import { makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let a: Seat;

async function inClone<T>(seat: Seat, body: (clone: Awaited<ReturnType<typeof openClone>>) => Promise<T>): Promise<T> {
  const clone = await openClone({ cwd: seat.path });
  try {
    return await body(clone);
  } finally {
    await clone.close();
  }
}
const plan = (seat: Seat): Promise<PlannedCycle> => inClone(seat, (clone) => planCycle(clone, {}));
const why = (seat: Seat, id: string): Promise<ExplainedTask> => inClone(seat, (clone) => inSession(clone, { needsHub: false }, (session) => explain(session, id)));
const decisions = (seat: Seat, query: Parameters<typeof readDecisions>[1]): Promise<readonly ToldDecision[]> => inClone(seat, (clone) => inSession(clone, { needsHub: false }, (session) => readDecisions(session, query)));
const short = ({ kind, task }: { readonly kind: string; readonly task: string | null }): string => `${kind} ${task}`;

/** Every file below a folder with the hash of its content, its mode and its time of change. */
function filesOf(root: string, skip: (path: string) => boolean): Readonly<Record<string, string>> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => !skip(path) && statSync(join(root, path)).isFile());
  return Object.fromEntries(names.toSorted().map((path) => {
    const { mode, mtimeMs } = statSync(join(root, path));
    return [path, `${createHash('sha256').update(readFileSync(join(root, path))).digest('hex')} ${mode} ${mtimeMs}`];
  }));
}

/** All that a look may not change: the hub, the work tree, index, HEAD, branches, and what the node keeps of itself. */
function worldOf(seat: Seat): unknown {
  // Where a fetch puts what it brought, and what the mirror keeps of it.
  const mirrored = /^refs\/(?:hub|remotes|cambium\/local\/staging)\//;
  return {
    hub: filesOf(fleet.hub, () => false),
    refs: seat.git('for-each-ref', '--format=%(refname) %(objectname)').split('\n').filter((line) => !mirrored.test(line)),
    tree: filesOf(seat.path, (path) => path === '.git' || path.startsWith('.git/')),
    git: filesOf(join(seat.path, '.git'), (path) => /^(?:objects|refs|logs)\/|^(?:packed-refs|FETCH_HEAD)$|^cambium\/local\/(?:task-index|config|ages)|^cambium\/local\/.*(?:archive-marks|ages)/.test(path)),
  };
}

beforeAll(async () => {
  fleet = await makeFleet();
  a = await fleet.seat('vm-a');
}, 60_000);
afterAll(() => fleet.close());

describe('a dry cycle', () => {
  test('tells what would be done and why, and changes neither the hub nor the clone', async () => {
    fleet.push({ 'tasks/job.md': runbook('a job', 'echo done > job.txt'), 'tasks/later.md': runbook('later', 'true', { depends_on: ['job'] }) });
    a.write('tasks/mine.md', runbook('mine', 'true'));
    a.write('notes.txt', 'no state file\n');
    const before = worldOf(a);
    const planned = await plan(a);
    expect(planned.does).toMatchObject([
      { kind: 'publish', task: null, reason: expect.stringContaining('tasks/mine.md') },
      { kind: 'claim', task: 'job', agent: 'worker-1', epoch: 1, reason: 'priority 2, the only ready task that fits worker-1' },
    ]);
    expect(planned.leaves).toMatchObject([{ kind: 'blocked', task: 'later', reason: 'waits for job' }]);
    expect(await plan(a)).toEqual(planned);
    const dry = await a.cambium(['cycle', '--dry-run']);
    expect(dry).toMatchObject({ exit: 0, stdout: expect.stringContaining('Nothing was changed') });
    expect(worldOf(a)).toEqual(before);
    expect(existsSync(join(a.path, '.git/cambium/decisions'))).toBe(false);
  });

  test('is what the next cycle does, and with nothing to do it ends with 3', async () => {
    const [, claim] = (await plan(a)).does;
    expect((await a.cambium(['cycle'])).exit).toBe(0);
    expect(JSON.parse(fleet.gitHub('cat-file', 'blob', `${fleet.chain('job')[0]?.oid}:claim.json`))).toMatchObject({ agent: claim?.agent, epoch: claim?.epoch, reason: claim?.reason });
    await fleet.until('all is done', async () => {
      await a.cambium(['cycle']);
      return ['job', 'later', 'mine'].every((task) => fleet.onMain(`tasks/${task}.result.md`) !== null);
    });
    await fleet.until('the claims are told', async () => (await a.cambium(['cycle'])).exit === 3);
    const dry = await a.json<{ plan: readonly unknown[]; left: readonly unknown[] }>(['cycle', '--dry-run']);
    expect(dry).toMatchObject({ exit: 3, ok: true, data: { node: 'vm-a', agents: ['worker-1'], daemon: false, plan: [], left: [] } });
  }, 60_000);

  test('is told beside a daemon, where a cycle is refused', async () => {
    const lock = await acquireDaemonLock(join(a.path, '.git/cambium/daemon'));
    if ('heldBy' in lock) throw new Error('somebody else has the lock');
    try {
      expect((await plan(a)).daemon).toBe(true);
      await expect(inClone(a, (clone) => runCycle(clone, {}))).rejects.toMatchObject({ code: 'daemon-running' });
    } finally {
      await lock.release();
    }
  });
});

describe('the log of decisions', () => {
  test('tells each step of this node with its reason, and the same steps to another node from the chains', async () => {
    const own = await decisions(a, { task: 'job', limit: 20 });
    expect(own.map(short).toReversed()).toEqual(['claim job', 'spawn job', 'spawn-end job', 'done job']);
    expect(own.at(-1)).toMatchObject({ node: 'vm-a', cycle: expect.stringMatching(/^[0-9A-Z]{26}$/), commit: fleet.chain('job')[0]?.oid });
    const other = await fleet.seat('vm-b');
    const told = await decisions(other, { task: 'job', limit: 20 });
    expect(told.map(short)).toEqual(['done job', 'claim job']);
    expect(told[1]).toMatchObject({ node: 'vm-a', agent: 'worker-1', epoch: 1, reason: 'priority 2, the only ready task that fits worker-1', cycle: null, commit: fleet.chain('job')[0]?.oid });
    const { stdout, exit } = await other.cambium(['log', '--decisions', '-n', '3', '--task', 'job']);
    expect(exit).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stdout).toMatch(/claim +job +e1 +worker-1@vm-a +priority 2, the only ready task that fits worker-1/);
    expect((await a.json<{ decisions: readonly ToldDecision[] }>(['log', '--decisions', '-n', '2'])).data.decisions).toHaveLength(2);
  });

  test('of a task that nobody decided on is empty', async () => {
    expect((await a.cambium(['log', '--decisions', '--task', 'nobody'])).stdout).toBe('Nothing was decided yet.\n');
  });
});

describe('explain', () => {
  test('tells how a task ended, with its last decisions', async () => {
    const found = await why(a, 'job');
    expect(found).toMatchObject({ state: 'done', title: 'a job', why: [expect.stringMatching(/^done by worker-1 on vm-a, epoch 1, after 1 attempt, at /), 'No output.'] });
    expect(found.decisions[0]).toMatchObject({ kind: 'done' });
  });

  test('tells a ready task without a daemon what would make it run, on the command line too', async () => {
    fleet.push({ 'tasks/idle.md': runbook('Idle one', 'true') });
    const { exit, stdout } = await a.cambium(['explain', 'idle']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^idle {2}Idle one {2}ready\n {2}it is ready/);
    expect(stdout).toContain('  → Start the daemon of this clone: `cambium up`');
    expect(stdout).toContain('✓ worker-1');
    const { data } = await a.json<{ state: string; agents: readonly Readonly<Record<string, unknown>>[] }>(['explain', 'idle']);
    expect(data.state).toBe('ready');
    expect(Object.keys(data.agents[0] ?? {})).toEqual(['agent', 'node', 'fits', 'why']);
  });

  test('tells who holds a task that was claimed by hand', async () => {
    expect((await a.cambium(['task', 'claim', 'idle', '--agent', 'helper'])).exit).toBe(0);
    const found = await why(a, 'idle');
    expect(found.state).toBe('held');
    expect(found.why[0]).toMatch(/^helper on vm-a works on it: epoch 1, attempt 1, claimed \d+ s ago$/);
    expect(found.why[1]).toContain('cambium task renew idle --agent helper --epoch 1');
  });

  test('offers the ids that may have been meant', async () => {
    expect(await a.json(['explain', 'jbo'])).toMatchObject({ exit: 1, ok: false, error: { code: 'unknown-task', hint: 'Did you mean job?' } });
  });
});
