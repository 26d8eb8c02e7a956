/** A machine dies, or sleeps, in the middle of a task (PROTOCOL P4): the task moves on, and nothing of the old owner's lands any more. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

const TTL_MS = 3_000;
const QUICK = config('{ ttl: 3s, heartbeat: 1s, fetch: 200ms, rescan: 5s }');
const DONE = 'outcome: done';

let fleet: TestFleet;
let [a, b]: Seat[] = [];
const first = (): Seat => a as Seat;
const second = (): Seat => b as Seat;

beforeEach(async () => {
  fleet = await makeFleet({ config: QUICK });
  [a, b] = await Promise.all([fleet.seat('vm-a'), fleet.seat('vm-b')]);
}, 60_000);

afterEach(() => fleet.close());

const file = (name: string): string => join(fleet.root, name);
const touch = (name: string): void => writeFileSync(file(name), '');
const landed = (task: string): boolean => fleet.onMain(`tasks/${task}.result.md`)?.includes(DONE) === true;
const outcome = (task: string): { readonly nodes: readonly (string | null)[]; readonly ends: number } => {
  const chain = fleet.chain(task);
  return { nodes: chain.filter(({ kind }) => kind === 'done').map(({ node }) => node), ends: chain.filter(({ kind }) => kind === 'done' || kind === 'failed').length };
};

/** The first epoch leaves half a work behind and never ends by itself; any later one does it all. */
const stuckOnce = (): string => `mkdir -p out
if [ "$CAMBIUM_EPOCH" = 1 ]; then echo half > out/half.txt; touch '${file('started')}'; sleep 600; fi
echo "$CAMBIUM_NODE" > out/job.txt`;

async function startedOnFirst(script: string): Promise<void> {
  fleet.push({ 'tasks/job.md': runbook('a job', script) });
  first().up();
  await fleet.until('the first epoch starts on vm-a', () => existsSync(file('started')));
}

describe('a machine that dies in the middle of a task', () => {
  it('loses the task after its lease to another node, which finishes it', async () => {
    await startedOnFirst(stuckOnce());
    const other = second().up('--until-idle');
    await first().kill();

    expect(await other.finished()).toMatchObject({ exit: 0 });
    expect(fleet.onMain('out/job.txt')).toBe('vm-b');
    expect(outcome('job')).toEqual({ nodes: ['vm-b'], ends: 1 });
    const [claim, takeover] = fleet.chain('job').filter(({ kind }) => kind === 'claim');
    expect(claim).toMatchObject({ node: 'vm-a', epoch: 1, attempt: 1 });
    expect(takeover).toMatchObject({ node: 'vm-b', epoch: 2, attempt: 1 });
  });

  it('when it comes back, keeps its late work on stale/ and lands nothing', async () => {
    await startedOnFirst(stuckOnce());
    const other = second().up('--until-idle');
    await first().kill();
    await other.finished();
    const main = fleet.refs().get('refs/heads/main');

    expect(await first().up('--until-idle').finished()).toMatchObject({ exit: 0 });

    expect(fleet.gitHub('cat-file', 'blob', 'refs/cambium/stale/job/1:out/half.txt')).toBe('half');
    expect(fleet.onMain('out/half.txt')).toBeNull();
    expect(fleet.refs().get('refs/heads/main')).toBe(main);
    expect(first().git('status', '--porcelain')).toBe('');
    expect(await first().processes()).toEqual([]);
  });
});

describe('a machine that sleeps for three leases in the middle of a task', () => {
  it('wakes up fenced: its agent ends, its work goes to stale/, main keeps the other result', async () => {
    // When the machine wakes, its agent has all it needs to end well at once: only the fence can stop it.
    await startedOnFirst(`mkdir -p out; echo "$CAMBIUM_NODE" > out/job.txt
if [ "$CAMBIUM_EPOCH" = 1 ]; then touch '${file('started')}'; while [ ! -e '${file('go')}' ]; do sleep 0.05; done; fi`);
    const thaw = await first().freeze();
    const frozenAt = performance.now();
    const other = second().up('--until-idle');
    expect(await other.finished()).toMatchObject({ exit: 0 });
    await fleet.until('three leases have passed', () => performance.now() - frozenAt > 3 * TTL_MS);
    const main = fleet.refs().get('refs/heads/main');
    touch('go');
    thaw();

    await fleet.until('the late work is on stale/', () => fleet.refs().has('refs/cambium/stale/job/1'));
    expect(fleet.gitHub('cat-file', 'blob', 'refs/cambium/stale/job/1:out/job.txt')).toBe('vm-a');
    expect(fleet.onMain('out/job.txt')).toBe('vm-b');
    expect(outcome('job')).toEqual({ nodes: ['vm-b'], ends: 1 });
    expect(fleet.refs().get('refs/heads/main')).toBe(main);
    await fleet.until('vm-a runs nothing but its daemon', async () => (await first().processes()).length === 1);
  });
});

describe('a claim made by hand and then forgotten', () => {
  it('is taken over by a daemon, and completing it afterwards is refused with exit 1', async () => {
    fleet.push({ 'tasks/job.md': runbook('a job', 'mkdir -p out; echo "$CAMBIUM_NODE" > out/job.txt') });
    const { data } = await first().json<{ epoch: number; worktree: string }>(['task', 'claim', 'job', '--agent', 'session-1']);
    expect(data.epoch).toBe(1);
    writeFileSync(join(data.worktree, 'late.txt'), 'late\n');
    await second().up('--until-idle').finished();
    expect(landed('job')).toBe(true);
    const main = fleet.refs().get('refs/heads/main');

    const late = await first().json(['task', 'complete', 'job', '--agent', 'session-1', '--epoch', '1']);

    expect(late).toMatchObject({ exit: 1, ok: false, error: { code: 'fenced' } });
    expect(fleet.refs().get('refs/heads/main')).toBe(main);
    expect(fleet.onMain('late.txt')).toBeNull();
    expect(outcome('job')).toEqual({ nodes: ['vm-b'], ends: 1 });
  });
});
