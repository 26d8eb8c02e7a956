/** Eight clones, a hundred and twenty tasks, no daemon: foreign workers that only know `task claim` and `task complete` (PROTOCOL P3, P5.6). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { drainBy } from '../support/race.ts';
import type { Drained } from '../support/race.ts';

const CLONES = 8;
const TASKS = 120;
const SHARE_MIN = 7;

describe(`${CLONES} clones drain ${TASKS} tasks`, () => {
  const ids = Array.from({ length: TASKS }, (_, at) => `item-${at + 1}`);
  let fleet: TestFleet;
  let drained: readonly Drained[];

  beforeAll(async () => {
    fleet = await makeFleet({ config: config('{ ttl: 30m, heartbeat: 60s }') });
    const seats = await Promise.all(Array.from({ length: CLONES }, (_, at) => fleet.seat(`vm-${at + 1}`)));
    fleet.push(Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, runbook(id, 'true')])));
    drained = await Promise.all(seats.map((seat: Seat) => drainBy(seat, `worker-${seat.name}`)));
  }, 600_000);

  afterAll(() => fleet.close());

  it('every task is claimed once and done once', () => {
    const won = drained.flatMap(({ won }) => won);
    expect(won.toSorted()).toEqual(ids.toSorted());
    for (const id of ids) expect(fleet.chain(id).map(({ kind, epoch }) => `${kind} ${epoch}`), id).toEqual(['claim 1', 'done 1']);
    const results = fleet.gitHub('ls-tree', '-r', '--name-only', 'main', 'tasks').split('\n').filter((path) => path.endsWith('.result.md'));
    expect(results).toHaveLength(TASKS);
  });

  it('no command failed, though all raced', () => {
    expect(drained.flatMap(({ node, strange }) => strange.map((what) => `${node}: ${what}`))).toEqual([]);
  });

  it(`each clone got at least ${SHARE_MIN}`, () => {
    const shares = drained.map(({ node, won }) => ({ node, share: won.length }));
    expect(shares.filter(({ share }) => share < SHARE_MIN)).toEqual([]);
  });

  it('the hub is sound afterwards', () => {
    expect(fsck(fleet.hub)).toBe('');
  });
});
