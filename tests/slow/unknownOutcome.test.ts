/** A push whose client gave up may still land (PROTOCOL P1, P2.3, P2.5): it is adopted or given back, and never done twice. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCli } from '../support/cli.ts';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { gateOf } from '../support/hubHooks.ts';
import type { Gate } from '../support/hubHooks.ts';

const CLAIM = 'refs/cambium/claims/job';
const MOVES_CLAIM = /refs\/cambium\/claims\/job$/;
const MOVES_MAIN = /refs\/heads\/main$/;

let fleet: TestFleet;
let hub: Gate;
let [a, b]: Seat[] = [];

beforeEach(async () => {
  fleet = await makeFleet({ config: config('{ ttl: 3s, heartbeat: 1s, fetch: 200ms, rescan: 5s }') });
  [a, b] = await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)));
  hub = gateOf(fleet.hub);
}, 60_000);

afterEach(async () => {
  hub.open();
  await fleet.close();
});

const seat = (which: Seat | undefined): Seat => which as Seat;
const kinds = (): string[] => fleet.chain('job').map(({ kind, epoch }) => `${kind} ${epoch}`);
const results = (): string[] => fleet.gitHub('log', '--format=%H', '--diff-filter=A', '--first-parent', '-m', 'main', '--', 'tasks/job.result.md').split('\n').filter((line) => line !== '');
const mainNow = (): string | undefined => fleet.refs().get('refs/heads/main');
const stale = (): string[] => [...fleet.refs().keys()].filter((ref) => ref.startsWith('refs/cambium/stale/'));

/** vm-a has done the work and its landing waits in the hub; then vm-a dies. */
async function landingUnderWay(): Promise<void> {
  const [started, go] = ['started', 'go'].map((name) => join(fleet.root, name)) as [string, string];
  fleet.push({ 'tasks/job.md': runbook('a job', `touch '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo "$CAMBIUM_NODE" > job.txt`) });
  seat(a).up();
  await fleet.until('the agent works', () => existsSync(started));
  hub.hold({ moving: [MOVES_CLAIM, MOVES_MAIN], most: 1 });
  writeFileSync(go, '');
  await fleet.until('the landing waits in the hub', () => hub.held() === 1);
  await seat(a).kill();
}

function expectDoneOnceBy(node: string): void {
  expect(fleet.onMain('job.txt')).toBe(node);
  expect(fleet.onMain('tasks/job.result.md')).toMatch(new RegExp(`^outcome: done[^]*^node: ${node}$`, 'm'));
  expect(results()).toHaveLength(1);
  expect(kinds().filter((kind) => kind.startsWith('done'))).toHaveLength(1);
  expect(fsck(fleet.hub)).toBe('');
}

describe('a landing that the hub accepts when its node is dead', () => {
  it('is adopted as a success when the node comes back', async () => {
    await landingUnderWay();
    hub.open();
    await fleet.until('it lands', () => fleet.onMain('tasks/job.result.md'));
    const main = mainNow();

    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnceBy('vm-a');
    expect(kinds()).toEqual(['claim 1', 'done 1']);
    expect([mainNow(), stale()]).toEqual([main, []]);
    expect(seat(a).git('for-each-ref', 'refs/cambium/local/outbox', 'refs/cambium/local/work')).toBe('');
    expect(seat(a).git('status', '--porcelain')).toBe('');
  });

  it('is not doubled when the node comes back before it lands', async () => {
    await landingUnderWay();
    const back = seat(a).up('--until-idle');
    expect(await back.finished()).toMatchObject({ exit: 0 });
    expectDoneOnceBy('vm-a');
    const main = mainNow();

    hub.open();
    await fleet.until('the late copy is refused', () => hub.settled());
    expectDoneOnceBy('vm-a');
    expect(mainNow()).toBe(main);
  });

  it('is refused by the hub when another node has taken over meanwhile', async () => {
    await landingUnderWay();
    expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnceBy('vm-b');
    const main = mainNow();

    hub.open();
    await fleet.until('the late landing is refused', () => hub.settled());
    expectDoneOnceBy('vm-b');
    expect(mainNow()).toBe(main);
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expect(stale()).toEqual(['refs/cambium/stale/job/1']);
    expect(fleet.gitHub('cat-file', 'blob', 'refs/cambium/stale/job/1:job.txt')).toBe('vm-a');
    expect(mainNow()).toBe(main);
  });
});

describe('a claim that the hub accepts when its process is dead', () => {
  it('is given back by the next daemon of that clone, and the task is done', async () => {
    fleet.push({ 'tasks/job.md': runbook('a job', 'echo "$CAMBIUM_NODE" > job.txt') });
    hub.hold({ moving: [MOVES_CLAIM], most: 1 });
    seat(a).up();
    await fleet.until('the claim waits in the hub', () => hub.held() === 1);
    await seat(a).kill();
    hub.open();
    await fleet.until('it is accepted', () => fleet.refs().get(CLAIM));

    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnceBy('vm-a');
    expect(seat(a).git('for-each-ref', 'refs/cambium/local/outbox')).toBe('');
  });

  it('lapses when nobody comes back, also when it was made by hand', async () => {
    fleet.push({ 'tasks/job.md': runbook('a job', 'echo "$CAMBIUM_NODE" > job.txt') });
    hub.hold({ moving: [MOVES_CLAIM], most: 1 });
    const claim = startCli(['task', 'claim', 'job', '--agent', 'session-1'], { cwd: seat(a).path });
    await fleet.until('the claim waits in the hub', () => hub.held() === 1);
    claim.child.kill('SIGKILL');
    await claim.ended;
    hub.open();
    await fleet.until('it is accepted', () => fleet.refs().get(CLAIM));

    expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectDoneOnceBy('vm-b');
    expect(kinds()).toEqual(['claim 1', 'claim 2', 'done 2']);
  });
});
