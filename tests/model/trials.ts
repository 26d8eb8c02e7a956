/** Everything that is tried: the right designs, which must hold, and the wrong ones, which must break as foretold. */
import { RIGHT, RIGHT_WORLDS, WRONG_DESIGNS } from './designs.ts';
import { explore } from './explore.ts';
import type { Limits, Verdict } from './explore.ts';
import { GUEST_BOUNDS, GUEST_INVARIANTS, RIGHT_GUEST, WRONG_GUESTS, guestModel } from './guest.ts';
import { INVARIANTS } from './invariants.ts';
import { RIGHT_LEASE, TWO_AGENTS, WRONG_LEASES, leaseModel } from './lease.ts';
import { protocolModel } from './model.ts';

export type Size = 'small' | 'usual' | 'deep';

export interface Trial {
  readonly name: string;
  /** The invariants of which the design must break one; none for a right design. */
  readonly breaks: readonly string[];
  readonly lesson: string;
  readonly run: (limits: Limits) => Verdict;
}

export function rightTrials(size: Size): readonly Trial[] {
  return [
    ...RIGHT_WORLDS.map((world) => right(world.name, (limits) => explore(protocolModel(world.name, RIGHT, world[size]), limits))),
    right(RIGHT_LEASE.name, (limits) => explore(leaseModel(RIGHT_LEASE), limits)),
    right(RIGHT_GUEST.name, (limits) => explore(guestModel(RIGHT_GUEST, GUEST_BOUNDS[size]), limits)),
  ];
}

function right(name: string, run: Trial['run']): Trial {
  return { name, breaks: [], lesson: '', run };
}

export function wrongTrials(): readonly Trial[] {
  return [
    ...WRONG_DESIGNS.map(({ name, lesson, breaks, change, bounds }) => ({
      name, lesson, breaks: [INVARIANTS[breaks]],
      // Where a move breaks the rule, the rest is not looked at: it would tell of the same harm later.
      run: (limits: Limits) => explore(protocolModel(name, { ...RIGHT, ...change }, bounds), { ...limits, settleEvery: breaks === 'unsettled' ? 1 : 0 }),
    })),
    ...WRONG_LEASES.map((design) => ({
      name: design.name, lesson: design.lesson, breaks: [TWO_AGENTS], run: (limits: Limits) => explore(leaseModel(design), limits),
    })),
    ...WRONG_GUESTS.map((design) => ({
      name: design.name, lesson: design.lesson, breaks: Object.values(GUEST_INVARIANTS),
      run: (limits: Limits) => explore(guestModel(design, GUEST_BOUNDS.small), limits),
    })),
  ];
}
