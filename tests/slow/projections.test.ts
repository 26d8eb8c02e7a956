/** The tree tells the story (DESIGN 3, 4): `ls tasks/` shows who holds what, and a claim is told within seconds. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let a: Seat;
let b: Seat;
let go: string;
let started: string;

beforeEach(async () => {
  fleet = await makeFleet();
  [a, b] = (await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)))) as [Seat, Seat];
  [go, started] = ['go', 'started'].map((name) => join(fleet.root, name)) as [string, string];
}, 60_000);

afterEach(() => fleet.close());

const listing = (seat: Seat): string[] => seat.git('ls-tree', '--name-only', 'HEAD', 'tasks/').split('\n').filter((path) => path.includes('job'));

it('a held task has its claim file beside it in every checkout, with the bytes of the claim; an ended one its result', async () => {
  fleet.push({ 'tasks/job.md': runbook('a job', `touch '${started}'; while [ ! -e '${go}' ]; do sleep 0.05; done; echo done > job.txt`) });
  a.up('--agents', 'worker-1');
  await fleet.until('the agent works', () => existsSync(started));
  b.up('--agents', 'nobody');
  // The branch moves after the files: who waits for HEAD finds both.
  await fleet.until('both checkouts show the claim', () => [a, b].every((seat) => listing(seat).join() === 'tasks/job.claim.json,tasks/job.md'));
  const [claim] = fleet.chain('job');
  expect(b.read('tasks/job.claim.json')?.trim()).toBe(fleet.gitHub('cat-file', 'blob', `${claim?.oid}:claim.json`));

  writeFileSync(go, '');
  await fleet.until('both checkouts show the result, and the claim file is gone', () => [a, b].every((seat) => listing(seat).join() === 'tasks/job.md,tasks/job.result.md'));
  await fleet.until('git sees nothing to do', () => [a, b].every((seat) => seat.git('status', '--porcelain') === ''));
  expect([a, b].map((seat) => [seat.read('tasks/job.claim.json'), seat.read('tasks/job.result.md') !== null])).toEqual([[null, true], [null, true]]);
});

it('the result names the tip before it, so that an audit can walk from the tree into the chain', async () => {
  fleet.push({ 'tasks/job.md': runbook('a job', 'echo done > job.txt') });
  expect(await a.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  const [claim, done] = fleet.chain('job');
  const result = fleet.onMain('tasks/job.result.md');
  expect(result).toMatch(new RegExp(`^claim: ${claim?.oid}$`, 'm'));
  expect(result).toMatch(/^schema: cambium\.result\/1$/m);
  const [tip, landing] = fleet.gitHub('log', '-1', '--format=%P', done?.oid as string).split(' ');
  expect([tip, landing]).toEqual([claim?.oid, done?.result]);
  fleet.gitHub('merge-base', '--is-ancestor', landing as string, 'main');
  const spawns = fleet.gitHub('ls-tree', '-r', '--name-only', 'main', 'agents/spawns').split('\n');
  expect(spawns).toHaveLength(1);
  expect(JSON.parse(fleet.onMain(spawns[0] as string) ?? '')).toMatchObject({ schema: 'cambium.spawn/1', task: 'job', node: 'vm-a', outcome: 'succeeded' });
  const roster = JSON.parse(fleet.onMain('agents/roster.json') ?? '') as { agents: { id: string }[] };
  expect(roster.agents.map(({ id }) => id)).toEqual(['worker-1']);
});

it('a claim that is made by hand on a machine without a daemon is told by another node', async () => {
  fleet.push({ 'tasks/job.md': runbook('a job', 'true', { assigned_to: 'session-1' }) });
  expect(await a.json(['task', 'claim', 'job', '--agent', 'session-1'])).toMatchObject({ exit: 0 });
  b.up();
  await fleet.until('main tells it', () => fleet.onMain('tasks/job.claim.json')?.includes('session-1'), 25_000);
  expect(await a.json(['task', 'complete', 'job', '--agent', 'session-1', '--epoch', '1'])).toMatchObject({ exit: 0 });
  expect(fleet.onMain('tasks/job.claim.json')).toBeNull();
});

it('a second `up --until-idle` over an unchanged world commits nothing', async () => {
  fleet.push({ 'tasks/job.md': runbook('a job', 'echo done > job.txt') });
  expect(await a.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  const [main, claim] = ['refs/heads/main', 'refs/cambium/claims/job'].map((ref) => fleet.refs().get(ref));
  expect(await a.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect(await b.up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expect(['refs/heads/main', 'refs/cambium/claims/job'].map((ref) => fleet.refs().get(ref))).toEqual([main, claim]);
  expect((await a.cambium(['cycle'])).exit).toBe(3);
});
