/** Exclusive means exclusive: of many that claim one task at the same moment, one wins (PROTOCOL P3). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config, fsck, makeFleet } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { gateOf } from '../support/hubHooks.ts';
import type { Gate } from '../support/hubHooks.ts';
import { raceRound } from '../support/race.ts';
import type { Round } from '../support/race.ts';

const CLONES = 16;
const PROCESSES = 64;
const ROUNDS = 15;

describe(`${PROCESSES} processes of ${CLONES} clones claim one task, and the hub accepts none before all have read`, () => {
  let fleet: TestFleet;
  let seats: readonly Seat[];
  let gate: Gate;
  const rounds: Round[] = [];

  beforeAll(async () => {
    fleet = await makeFleet({ config: config('{ ttl: 30m, heartbeat: 60s }') });
    seats = await Promise.all(Array.from({ length: CLONES }, (_, at) => fleet.seat(`vm-${at + 1}`)));
    gate = gateOf(fleet.hub);
  }, 120_000);

  afterAll(() => fleet.close());

  it.each(Array.from({ length: ROUNDS }, (_, at) => at + 1))('round %i has one winner, losers end with 1, the chain shows epoch 1 and the winner', async (number) => {
    const round = await raceRound(fleet, seats, gate, { task: `prize-${number}`, processes: PROCESSES });
    rounds.push(round);
    expect(round.strange).toEqual([]);
    expect(round.exits).toEqual({ 0: 1, 1: PROCESSES - 1 });
    expect(round.claims).toEqual([{ agent: round.winners[0], epoch: 1 }]);
  }, 180_000);

  it('in nearly every round all had read before any was accepted', () => {
    // On a busy machine a slow racer may miss the gathering; that round was a race all the same.
    expect(rounds.filter(({ gathered }) => gathered === PROCESSES).length).toBeGreaterThanOrEqual(Math.ceil(ROUNDS * 0.8));
  });

  it('the hub is sound afterwards', () => {
    expect(fsck(fleet.hub)).toBe('');
  });
});
