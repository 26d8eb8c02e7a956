/** Ctrl-C: the daemon drains, and nothing is lost. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let seat: Seat;
let started: string;
let go: string;

beforeEach(async () => {
  fleet = await makeFleet({ config: config('{ ttl: 60s, heartbeat: 2s, fetch: 200ms, grace: 1s }') });
  seat = await fleet.seat('vm-a');
  [started, go] = ['started', 'go'].map((name) => join(fleet.root, name)) as [string, string];
}, 60_000);

afterEach(() => fleet.close());

const kinds = (): string[] => fleet.chain('job').map(({ kind, epoch }) => `${kind} ${epoch}`);
const ours = (): boolean => fleet.onMain('tasks/job.claim.json') !== null;

async function atWork(script: string): Promise<ReturnType<Seat['up']>> {
  fleet.push({ 'tasks/job.md': runbook('a job', script) });
  const daemon = seat.up();
  await fleet.until('the agent works', () => existsSync(started));
  return daemon;
}

it('a long task is stopped after its grace, its claim given back and its work kept; a second `up` finishes it', async () => {
  const daemon = await atWork(`if [ ! -e '${started}' ]; then echo half > half.txt; touch '${started}'; sleep 600; fi\necho done > job.txt`);
  await fleet.until('the claim is told on main', ours);
  daemon.child.kill('SIGINT');

  expect(await daemon.finished(30_000)).toMatchObject({ exit: 0 });
  expect(kinds()).toEqual(['claim 1', 'release 1']);
  expect(fleet.gitHub('cat-file', 'blob', 'refs/cambium/wip/job/1:half.txt')).toBe('half');
  expect(await seat.processes()).toEqual([]);
  expect((await seat.json<{ counts: Record<string, number> }>(['status'])).data.counts).toMatchObject({ ready: 1, held: 0 });

  expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect(kinds()).toEqual(['claim 1', 'release 1', 'claim 2', 'done 2']);
  expect(fleet.chain('job').at(-1)).toMatchObject({ attempt: 1 });
  expect(fleet.onMain('job.txt')).toBe('done');
  expect(fleet.onMain('tasks/job.claim.json')).toBeNull();
  expect(seat.git('status', '--porcelain')).toBe('');
});

it('an agent that ends within its grace still lands', async () => {
  const daemon = await atWork(`touch '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo done > job.txt`);
  daemon.child.kill('SIGINT');
  writeFileSync(go, '');
  expect(await daemon.finished(30_000)).toMatchObject({ exit: 0 });
  expect(kinds()).toEqual(['claim 1', 'done 1']);
  expect(fleet.onMain('job.txt')).toBe('done');
});

it('with --on-exit keep the agent works on without a daemon, and the next one lands it', async () => {
  fleet.push({ 'tasks/job.md': runbook('a job', `touch '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo done > job.txt`) });
  const daemon = seat.up('--on-exit', 'keep');
  await fleet.until('the agent works', () => existsSync(started));
  daemon.child.kill('SIGINT');
  expect(await daemon.finished(30_000)).toMatchObject({ exit: 0 });
  expect(kinds()).toEqual(['claim 1']);
  expect((await seat.processes()).length).toBeGreaterThan(0);
  writeFileSync(go, '');
  expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect(kinds()).toEqual(['claim 1', 'done 1']);
  expect(fleet.onMain('job.txt')).toBe('done');
});

it('a second Ctrl-C does not wait for the grace, and still gives the claim back', async () => {
  fleet.push({ 'cambium.yaml': config('{ ttl: 600s, heartbeat: 2s, fetch: 200ms, grace: 90s }') });
  const daemon = await atWork(`trap '' TERM INT; touch '${started}'; while :; do sleep 0.2; done`);
  daemon.child.kill('SIGINT');
  // Two signals of one kind at once are one signal: the second Ctrl-C is a person's, a moment later.
  let looks = 0;
  await fleet.until('it ends without waiting for 90 s', () => {
    if (++looks === 20) daemon.child.kill('SIGINT');
    return daemon.child.exitCode !== null;
  }, 30_000);
  expect(await daemon.ended).toMatchObject({ exit: 0 });
  expect(kinds()).toEqual(['claim 1', 'release 1']);
  await fleet.until('its agent has ended', async () => (await seat.processes()).length === 0);
});
