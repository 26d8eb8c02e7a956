/** Three machines and one hub: every task once, shared out, and nothing left behind. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import type { Ran } from '../support/cli.ts';

const TASKS = Array.from({ length: 10 }, (_, at) => `job-${at + 1}`);
/** From nothing to some seconds of work, and some that write much. */
const work = (task: string, at: number): string => `mkdir -p out\nfor n in $(seq 1 ${1 + at * 40}); do echo "$n ${task}"; done > out/${task}.txt\nsleep ${(at % 4) * 0.3}`;

describe('three nodes and ten tasks of differing size', () => {
  let fleet: TestFleet;
  let seats: readonly Seat[];
  let ends: readonly Ran[];

  beforeAll(async () => {
    fleet = await makeFleet();
    seats = await Promise.all(['vm-a', 'vm-b', 'vm-c'].map((name) => fleet.seat(name)));
    fleet.push(Object.fromEntries(TASKS.map((task, at) => [`tasks/${task}.md`, runbook(task, work(task, at))])));
    const daemons = seats.map((seat) => seat.up('--until-idle'));
    ends = await Promise.all(daemons.map((daemon) => daemon.finished()));
  }, 180_000);

  afterAll(() => fleet.close());

  it('every daemon ends with 0', () => {
    expect(ends.map(({ exit, stderr }) => ({ exit, stderr }))).toEqual(seats.map(() => ({ exit: 0, stderr: '' })));
  });

  it('every task is done exactly once', () => {
    for (const task of TASKS) {
      expect(fleet.onMain(`tasks/${task}.result.md`), task).toContain('outcome: done');
      expect(fleet.chain(task).filter(({ kind }) => kind === 'done'), task).toHaveLength(1);
      const adds = fleet.gitHub('log', '--format=%H', '--diff-filter=A', 'main', '--', `tasks/${task}.result.md`);
      expect(adds.split('\n'), task).toHaveLength(1);
      expect(fleet.onMain(`out/${task}.txt`)?.split('\n'), task).toHaveLength(1 + TASKS.indexOf(task) * 40);
    }
  });

  it('every node did at least one', () => {
    const nodes = TASKS.map((task) => fleet.chain(task).at(-1)?.node);
    expect(new Set(nodes)).toEqual(new Set(seats.map(({ name }) => name)));
  });

  it('the queue is empty and every checkout shows the same main', async () => {
    const { data } = await seats[0]!.json<{ counts: Record<string, number>; main: string }>(['status']);
    expect(data.counts).toMatchObject({ ready: 0, held: 0, waiting: 0, blocked: 0, done: TASKS.length });
    const main = fleet.refs().get('refs/heads/main');
    for (const seat of seats) expect([seat.name, seat.git('rev-parse', 'HEAD')]).toEqual([seat.name, main]);
  });

  it('git finds nothing to complain about in the hub and in every clone', () => {
    for (const path of [fleet.hub, ...seats.map(({ path }) => path)]) expect(fsck(path)).toBe('');
    for (const seat of seats) expect([seat.name, seat.git('status', '--porcelain')]).toEqual([seat.name, '']);
  });

  it('no claim file, worktree, pending push or process is left', async () => {
    expect(fleet.gitHub('ls-tree', '-r', '--name-only', 'main').split('\n').filter((path) => path.endsWith('.claim.json'))).toEqual([]);
    for (const seat of seats) {
      const worktrees = join(seat.path, '.cambium/worktrees');
      expect(existsSync(worktrees) ? readdirSync(worktrees).filter((name) => name !== '.index') : []).toEqual([]);
      expect(seat.git('worktree', 'list', '--porcelain').match(/^worktree /gm)).toHaveLength(1);
      expect(seat.git('for-each-ref', 'refs/cambium/local/outbox', 'refs/cambium/local/work')).toBe('');
      expect(await seat.processes()).toEqual([]);
    }
  });
});
