/** Eight clones at once: a lock is one party's, and so are paths that overlap (PROTOCOL P2, P10). */
import { afterAll, beforeAll } from 'vitest';
import { lockRaceContract } from '../contracts/lockRace.ts';
import { openLockSeats } from '../support/lockSeats.ts';
import type { LockSeats } from '../support/lockSeats.ts';

let locks: LockSeats;
beforeAll(async () => {
  locks = await openLockSeats(8);
});
afterAll(() => locks.close());

lockRaceContract(8, () => locks);
