/** `cambium stop|pause|resume` over real git and real daemons: honoured by every node within a cycle. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { Daemon, Seat, TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let seats: readonly [Seat, Seat];

const mark = (name: string): string => join(fleet.root, name);
const kinds = (task: string): string[] => fleet.chain(task).map(({ kind, epoch }) => `${kind} ${epoch}`);
/** Works until it is let go. */
const job = (id: string, agent: string): string => runbook(id, `touch '${mark(`${id}.started`)}'; while [ ! -e '${mark(`${id}.go`)}' ]; do sleep 0.05; done; echo done > ${id}.txt`, { assigned_to: agent });
/** What `kill -STOP` makes of a process. */
const isStill = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  } catch {
    return false;
  }
};

beforeEach(async () => {
  fleet = await makeFleet({ config: config('{ ttl: 60s, heartbeat: 2s, fetch: 200ms, grace: 1s }', 'ann: { role: worker, node: vm-a }\n  bob: { role: worker, node: vm-b }') });
  seats = [await fleet.seat('vm-a'), await fleet.seat('vm-b')];
}, 60_000);

afterEach(() => fleet.close());

async function bothAtWork(): Promise<readonly Daemon[]> {
  fleet.push({ 'tasks/a.md': job('a', 'ann'), 'tasks/b.md': job('b', 'bob') });
  const daemons = seats.map((seat) => seat.up());
  await fleet.until('both agents work', () => existsSync(mark('a.started')) && existsSync(mark('b.started')));
  return daemons;
}

it('a drain lets both nodes finish, starts nothing, and ends with resume', async () => {
  await bothAtWork();
  expect(await fleet.home.json(['stop', '--fleet', '--why', 'wrong branch'])).toMatchObject({ ok: true, data: { changed: true, stop: { fleet: { mode: 'drain', why: 'wrong branch' } } } });
  fleet.push({ 'tasks/c.md': job('c', 'ann'), 'tasks/d.md': job('d', 'bob') });
  for (const id of ['a', 'b']) writeFileSync(mark(`${id}.go`), '');
  await fleet.until('what ran has landed', () => fleet.onMain('a.txt') === 'done' && fleet.onMain('b.txt') === 'done');
  const { data } = await seats[0].json<{ counts: Record<string, number>; limits: { notes: readonly string[] } }>(['status']);
  expect(data.limits.notes[0]).toMatch(/^The fleet is stopped by \S+.*: wrong branch\. It goes on with `cambium resume --fleet`\.$/);
  expect(data.counts).toMatchObject({ waiting: 2, ready: 0 });
  expect((await seats[1].cambium(['explain', 'd'])).stdout).toContain('the fleet is stopped by');
  expect([kinds('c'), kinds('d')]).toEqual([[], []]);
  for (const id of ['c', 'd']) writeFileSync(mark(`${id}.go`), '');
  expect((await fleet.home.cambium(['resume', '--fleet'])).exit).toBe(0);
  await fleet.until('the rest is done too', () => fleet.onMain('c.txt') === 'done' && fleet.onMain('d.txt') === 'done');
  expect((await fleet.home.cambium(['resume', '--fleet'])).exit).toBe(3);
});

it('a freeze holds the agents of both nodes still, with their claims, also across a daemon that is killed, and they go on', async () => {
  const [daemon] = await bothAtWork();
  const agents = async (): Promise<readonly number[]> => (await Promise.all(seats.map((seat) => seat.processes()))).flat().map(({ pid }) => pid);
  await fleet.home.cambium(['stop', '--fleet', '--freeze']);
  // The agent's shell and what it runs, on either node; daemons and supervisors go on.
  await fleet.until('both stand still', async () => (await agents()).filter(isStill).length >= 2);
  for (const id of ['a', 'b']) writeFileSync(mark(`${id}.go`), '');
  daemon?.child.kill('SIGKILL');
  await daemon?.ended;
  seats[0].up();
  const seen = (): string => fleet.refs().get('refs/cambium/nodes/vm-a') ?? '';
  const before = seen();
  await fleet.until('the claims are renewed meanwhile', () => seen() !== before);
  expect([kinds('a'), kinds('b')]).toEqual([['claim 1'], ['claim 1']]);
  expect(fleet.onMain('a.txt')).toBeNull();
  expect((await agents()).filter(isStill).length).toBeGreaterThanOrEqual(2);
  await fleet.home.cambium(['resume', '--fleet']);
  await fleet.until('both have landed', () => fleet.onMain('a.txt') === 'done' && fleet.onMain('b.txt') === 'done');
  expect([kinds('a'), kinds('b')]).toEqual([['claim 1', 'done 1'], ['claim 1', 'done 1']]);
});

it('works while no daemon runs: the next one heeds it from its first look', async () => {
  expect((await fleet.home.cambium(['pause', 'agent', 'ann', '--why', 'on leave'])).exit).toBe(0);
  fleet.push({ 'tasks/a.md': runbook('a', 'echo done > a.txt', { assigned_to: 'ann' }), 'tasks/b.md': runbook('b', 'echo done > b.txt', { assigned_to: 'bob' }) });
  await Promise.all(seats.map((seat) => seat.up('--until-idle').finished()));
  expect([fleet.onMain('a.txt'), fleet.onMain('b.txt')]).toEqual([null, 'done']);
  expect(kinds('a')).toEqual([]);
  expect((await seats[0].cambium(['cycle', '--dry-run'])).stdout).toContain('the agent ann is paused by');
  await fleet.home.cambium(['resume', 'agent', 'ann']);
  await seats[0].up('--until-idle').finished();
  expect(fleet.onMain('a.txt')).toBe('done');
});

it('is refused to agents', async () => {
  const ran = await fleet.home.cambium(['stop', '--fleet'], { env: { CAMBIUM_AGENT: 'ann' } });
  expect([ran.exit, ran.stderr]).toEqual([1, expect.stringContaining('Agents may not stop, pause or resume anything.')]);
  expect(fleet.refs().has('refs/cambium/stop')).toBe(false);
});
