/** Bad weather for fleets in memory: chance from a seed, faults of pushes, nodes that crash and are started anew. */
import { CambiumError } from '../../src/errors.ts';
import type { PushFault } from '../../src/adapters/memory/hub.ts';
import type { MemoryFleet, MemoryNode, Seat } from './memoryFleet.ts';

export type Chance = <T>(options: readonly (readonly [number, T])[]) => T;

/** Picks by weight, from a seed of its own. */
export function chanceOf(seed: number): Chance {
  let state = seed * 2_654_435_761;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4_294_967_296;
  };
  return (options) => {
    let left = random() * options.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, option] of options) if ((left -= weight) < 0) return option;
    return options[0]![1];
  };
}

const FAULTS: readonly (readonly [number, PushFault])[] = [[80, 'ok'], [4, 'refuse'], [4, 'lose-request'], [5, 'lose-reply'], [5, 'half'], [4, 'late']];

/** Faults for everybody who pushes; crashes and torn listings for the nodes. */
export function cloudOver(chance: Chance, nodes: readonly MemoryNode[], others: readonly Seat[]): void {
  for (const seat of [...nodes, ...others]) {
    seat.fault = () => chance(FAULTS);
    seat.order = (updates) => (chance([[2, false], [1, true]]) ? updates.toReversed() : updates);
  }
  for (const node of nodes) {
    node.tear = () => (before, now) => chance([[1, before], [1, now]]);
    node.afterPush = async () => {
      if (chance([[60, false], [1, true]])) node.kill();
    };
  }
}

/** No fault any more: everything that is under way arrives. */
export async function clearUp(fleet: MemoryFleet, nodes: readonly MemoryNode[], others: readonly Seat[]): Promise<void> {
  for (const node of nodes) {
    if (node.dead) await node.restart();
    node.afterPush = undefined;
    node.tear = null;
  }
  for (const seat of [...nodes, ...others]) seat.fault = () => 'ok';
  fleet.hub.deliverLate();
}

/** A pass that may fail as a real one may (`refused`: a hub that moved at each of several listings): the daemon says so and looks again; a killed one is started anew. */
export async function stumble(node: MemoryNode): Promise<void> {
  try {
    if (node.dead) await node.restart();
    await node.pass();
  } catch (error) {
    if (error instanceof CambiumError && ['lost-race', 'hub-away', 'refused'].includes(error.code)) return;
    if (!(error instanceof Error && error.message === 'killed')) throw error;
  }
}
