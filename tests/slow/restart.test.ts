/** The daemon dies and its agents do not: the next daemon goes on with them (PROTOCOL P4.1, P4.4). */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let seat: Seat;

beforeEach(async () => {
  fleet = await makeFleet({ config: config('{ ttl: 60s, heartbeat: 2s, fetch: 200ms }') });
  seat = await fleet.seat('vm-a');
}, 60_000);

afterEach(() => fleet.close());

const claimsOf = (node: string): string[] => (JSON.parse(fleet.gitHub('show', `refs/cambium/nodes/${node}:node.json`)) as { claims: { task: string }[] }).claims.map(({ task }) => task);

it('a restarted daemon adopts the running agent and lands its work as the same attempt', async () => {
  const [started, go] = [join(fleet.root, 'started'), join(fleet.root, 'go')];
  fleet.push({ 'tasks/job.md': runbook('a job', `echo x >> '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo done > job.txt`) });
  const before = seat.up();
  await fleet.until('the agent works', () => existsSync(started));
  const agents = (await seat.processes()).filter(({ pid }) => pid !== before.pid).map(({ pid }) => pid);

  before.child.kill('SIGKILL');
  await before.ended;
  const lastBeat = fleet.refs().get('refs/cambium/nodes/vm-a');
  const after = seat.up('--until-idle');
  await fleet.until('the new daemon beats for the claim', () => fleet.refs().get('refs/cambium/nodes/vm-a') !== lastBeat && claimsOf('vm-a').includes('job'));
  const survivors = (await seat.processes()).map(({ pid }) => pid);
  expect(survivors).toEqual(expect.arrayContaining([agents[0] as number]));
  writeFileSync(go, '');

  expect(await after.finished()).toMatchObject({ exit: 0 });
  expect(fleet.chain('job').map(({ kind, epoch, attempt }) => ({ kind, epoch, attempt }))).toEqual([
    { kind: 'claim', epoch: 1, attempt: 1 }, { kind: 'done', epoch: 1, attempt: 1 },
  ]);
  expect(fleet.onMain('job.txt')).toBe('done');
  expect(fleet.onMain('tasks/job.result.md')).toMatch(/^attempts: 1$/m);
  expect(await seat.processes()).toEqual([]);
});

it('an agent that ended while no daemon ran is landed by the next one', async () => {
  const [started, go, ended] = ['started', 'go', 'ended'].map((name) => join(fleet.root, name)) as [string, string, string];
  fleet.push({ 'tasks/job.md': runbook('a job', `touch '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo done > job.txt; touch '${ended}'`) });
  const before = seat.up();
  await fleet.until('the agent works', () => existsSync(started));
  before.child.kill('SIGKILL');
  await before.ended;
  writeFileSync(go, '');
  await fleet.until('the agent and its supervisor end', async () => existsSync(ended) && (await seat.processes()).length === 0);

  expect(await seat.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect(fleet.chain('job').map(({ kind, epoch }) => `${kind} ${epoch}`)).toEqual(['claim 1', 'done 1']);
  expect(fleet.onMain('job.txt')).toBe('done');
});

it('an agent whose supervisor was killed too is ended, and the task is done at the next attempt', async () => {
  const started = join(fleet.root, 'started');
  fleet.push({ 'tasks/job.md': runbook('a job', `if [ ! -e '${started}' ]; then touch '${started}'; sleep 600; fi\necho done > job.txt`) });
  const daemon = seat.up('--until-idle');
  await fleet.until('the agent works', () => existsSync(started));
  for (const { pid } of await seat.processes()) if (pid !== daemon.pid) process.kill(pid, 'SIGKILL');

  expect(await daemon.finished()).toMatchObject({ exit: 0 });
  expect(fleet.onMain('job.txt')).toBe('done');
  expect(fleet.chain('job').at(-1)).toMatchObject({ kind: 'done', attempt: 2 });
  expect(await seat.processes()).toEqual([]);
});
