/** The same race over ssh and smart HTTP: what a push promises does not depend on the way it takes (PROTOCOL P1). */
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet, Way } from '../support/fleet.ts';
import { gateOf } from '../support/hubHooks.ts';
import { drainBy, raceRound } from '../support/race.ts';
import { hasSshd, startGitHttp, startSshd } from '../support/transports.ts';

const CLONES = 4;
const PROCESSES = 16;
const ROUNDS = 2;
const TASKS = 16;

async function ssh(bare: string): Promise<Way> {
  const sshd = await startSshd();
  return { env: { GIT_SSH_COMMAND: sshd.command }, url: sshd.url(bare), close: sshd.close };
}

async function http(bare: string): Promise<Way> {
  const server = await startGitHttp(dirname(bare));
  return { url: server.url(bare), close: server.close };
}

const ways: readonly (readonly [string, boolean, (bare: string) => Promise<Way>])[] = [['ssh', hasSshd, ssh], ['smart HTTP', true, http]];

for (const [name, isHere, connect] of ways) {
  describe.skipIf(!isHere)(`over ${name}`, () => {
    let fleet: TestFleet;
    let seats: readonly Seat[];

    beforeAll(async () => {
      fleet = await makeFleet({ config: config('{ ttl: 30m, heartbeat: 60s, fetch: 300ms }'), connect });
      seats = await Promise.all(Array.from({ length: CLONES }, (_, at) => fleet.seat(`vm-${at + 1}`)));
    }, 120_000);

    afterAll(() => fleet.close());

    it('two daemons share ten tasks out, and all are done once', async () => {
      const ids = Array.from({ length: 10 }, (_, at) => `job-${at + 1}`);
      fleet.push(Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, runbook(id, `mkdir -p out; echo ${id} > out/${id}.txt; sleep 0.2`)])));
      const ends = await Promise.all(seats.slice(0, 2).map((seat) => seat.up('--until-idle').finished()));
      expect(ends.map(({ exit, stderr }) => [exit, stderr])).toEqual([[0, ''], [0, '']]);
      for (const id of ids) expect(fleet.chain(id).filter(({ kind }) => kind === 'done'), id).toHaveLength(1);
      expect(new Set(ids.map((id) => fleet.chain(id).at(-1)?.node)).size).toBe(2);
      expect(fsck(fleet.hub)).toBe('');
    }, 180_000);

    it(`${CLONES} clones drain ${TASKS} tasks: each is claimed once and done once`, async () => {
      const ids = Array.from({ length: TASKS }, (_, at) => `item-${at + 1}`);
      fleet.push(Object.fromEntries(ids.map((id) => [`tasks/${id}.md`, runbook(id, 'true')])));
      const drained = await Promise.all(seats.map((seat) => drainBy(seat, `worker-${seat.name}`)));
      expect(drained.flatMap(({ strange }) => strange)).toEqual([]);
      expect(drained.flatMap(({ won }) => won).toSorted()).toEqual(ids.toSorted());
      for (const id of ids) expect(fleet.chain(id).map(({ kind, epoch }) => `${kind} ${epoch}`), id).toEqual(['claim 1', 'done 1']);
    }, 240_000);

    // Last, for who wins a prize keeps it: a daemon would wait for its lease.
    it(`${PROCESSES} processes of ${CLONES} clones claim one task, none accepted before all have read: one wins, ${ROUNDS} times`, async () => {
      const gate = gateOf(fleet.hub);
      for (let number = 1; number <= ROUNDS; number++) {
        const round = await raceRound(fleet, seats, gate, { task: `prize-${number}`, processes: PROCESSES });
        expect(round.strange).toEqual([]);
        expect(round).toMatchObject({ gathered: PROCESSES, exits: { 0: 1, 1: PROCESSES - 1 }, claims: [{ agent: round.winners[0], epoch: 1 }] });
      }
    }, 180_000);
  });
}
