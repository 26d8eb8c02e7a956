/** receive-pack dies between two renames of one atomic push (PROTOCOL P1, P5.3): whoever sees the half mends it. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCli } from '../support/cli.ts';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { canStrace, dyingHub, losingHub } from '../support/hubHooks.ts';

const MAIN = 'refs/heads/main';
const CLAIM = 'refs/cambium/claims/job';

let fleet: TestFleet;
let [a, b, c]: Seat[] = [];

beforeEach(async () => {
  fleet = await makeFleet({ config: config('{ ttl: 60s, heartbeat: 2s, fetch: 200ms }') });
  [a, b, c] = await Promise.all(['vm-a', 'vm-b', 'vm-c'].map((name) => fleet.seat(name)));
}, 60_000);

afterEach(() => fleet.close());

const seat = (which: Seat | undefined): Seat => which as Seat;
const kinds = (): string[] => fleet.chain('job').map(({ kind, epoch }) => `${kind} ${epoch}`);
const results = (): string[] => fleet.gitHub('log', '--format=%H', '--diff-filter=A', '--first-parent', '-m', 'main', '--', 'tasks/job.result.md').split('\n').filter((line) => line !== '');
const gate = (name: string): string => join(fleet.root, name);

/** A task that is at work on vm-a, its claim already told on main: the next push of main is its landing. */
async function atWorkOnA(): Promise<void> {
  fleet.push({ 'tasks/job.md': runbook('a job', `touch '${gate('started')}'; while [ ! -e '${gate('go')}' ]; do sleep 0.05; done; echo "$CAMBIUM_NODE" > job.txt`) });
  seat(a).up();
  await fleet.until('the agent works', () => existsSync(gate('started')));
  await fleet.until('the claim is told on main', () => fleet.onMain('tasks/job.claim.json'));
}

function expectDoneOnce(): void {
  expect(fleet.onMain('job.txt')).toBe('vm-a');
  expect(fleet.onMain('tasks/job.result.md')).toContain('outcome: done');
  expect(fleet.onMain('tasks/job.claim.json')).toBeNull();
  expect(results()).toHaveLength(1);
  expect(kinds()).toEqual(['claim 1', 'done 1']);
  expect(fsck(fleet.hub)).toBe('');
}

describe.skipIf(!canStrace)('a landing of which only the claim has moved', () => {
  async function halfLanded(): Promise<void> {
    await atWorkOnA();
    const hub = dyingHub(fleet.root, fleet.hub, seat(a).path);
    hub.arm(MAIN);
    writeFileSync(gate('go'), '');
    await fleet.until('receive-pack dies', () => hub.fired());
    await seat(a).kill();
    hub.clear();
    expect(kinds()).toEqual(['claim 1', 'done 1']);
    expect(fleet.onMain('tasks/job.result.md')).toBeNull();
  }

  it('is rolled forward by another node, and its owner takes it as its own success', async () => {
    await halfLanded();
    expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnce();
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnce();
    expect([...fleet.refs().keys()].filter((ref) => ref.startsWith('refs/cambium/stale/'))).toEqual([]);
    expect(seat(a).git('status', '--porcelain')).toBe('');
  });

  it('is rolled forward once when two nodes see it together', async () => {
    await halfLanded();
    const ends = await Promise.all([seat(b), seat(c)].map((each) => each.up('--until-idle').finished()));
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
    expectDoneOnce();
  });

  it('is finished by its owner when that comes back first', async () => {
    await halfLanded();
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnce();
    expect(seat(a).git('status', '--porcelain')).toBe('');
  });

  it('is finished by its owner, who only hears that the hub hung up', async () => {
    await atWorkOnA();
    const hub = dyingHub(fleet.root, fleet.hub, seat(a).path);
    hub.armHangUp(MAIN);
    writeFileSync(gate('go'), '');
    await fleet.until('receive-pack dies', () => hub.fired());
    await fleet.until('the landing is whole', () => fleet.onMain('tasks/job.result.md'));
    expectDoneOnce();
  });
});

describe('a landing of which only main has moved', () => {
  it('gets its end in the chain from another node, and its owner takes that as its own success', async () => {
    await atWorkOnA();
    const hub = losingHub(fleet.root, fleet.hub, CLAIM);
    writeFileSync(gate('go'), '');
    await fleet.until('the hub dies', () => hub.fired());
    await seat(a).kill();
    hub.clear();
    expect(kinds()).toEqual(['claim 1']);
    expect(fleet.onMain('tasks/job.result.md')).toContain('outcome: done');

    expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnce();
    expect(fleet.chain('job').at(-1)).toMatchObject({ kind: 'done', by: 'vm-b', node: 'vm-a', result: results()[0] });
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnce();
    expect(seat(a).git('status', '--porcelain')).toBe('');
  });
});

describe.skipIf(!canStrace)('a cancel of which only main has moved, because its chain was new', () => {
  it('gets its chain from another node, so that the task can be reopened and done', async () => {
    fleet.push({ 'tasks/job.md': runbook('a job', 'echo "$CAMBIUM_NODE" > job.txt') });
    const hub = dyingHub(fleet.root, fleet.hub, seat(a).path);
    hub.arm(CLAIM);
    const cancel = startCli(['task', 'cancel', 'job'], { cwd: seat(a).path });
    await fleet.until('receive-pack dies', () => hub.fired());
    cancel.child.kill('SIGKILL');
    await cancel.ended;
    hub.clear();
    expect(fleet.onMain('tasks/job.result.md')).toContain('outcome: cancelled');
    expect(kinds()).toEqual([]);

    expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(kinds()).toEqual(['cancel 0']);
    expect(await seat(c).json(['task', 'retry', 'job'])).toMatchObject({ exit: 0 });
    expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(fleet.onMain('job.txt')).toBe('vm-b');
    expect(kinds()).toEqual(['cancel 0', 'reopen 0', 'claim 1', 'done 1']);
  });
});
