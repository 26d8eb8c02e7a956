/** Observe: what the hub, the tree and the clock say now. */
import { watchLeases } from '../model/lease.ts';
import type { Fleet, Snapshot } from '../model/snapshot.ts';
import { requireWitnesses } from '../observe/witnesses.ts';
import { heldByOthers } from '../orient/leases.ts';
import { orient } from '../orient/situation.ts';
import type { Situation } from '../orient/situation.ts';
import type { Loop } from './loop.ts';

/** Asks the hub, reads the fleet, and advances the timers of other nodes' leases. Throws `hub-away`, `hub-rewritten`. */
export async function observe({ shop, fleets, state }: Loop): Promise<Fleet> {
  const view = await shop.node.mirror.refresh();
  const fleet = await fleets.read(view);
  state.doubtful = await requireWitnesses(shop.node.store, fleet, state.doubtful);
  state.leases = watchLeases(state.leases, heldByOthers(fleet, shop.node.identity.incarnation), shop.node.clock.bootMs());
  state.fleet = fleet;
  state.offline = null;
  return fleet;
}

/** Reads the fleet again after pushes of our own, without asking the hub. */
export async function reread({ shop, fleets, state }: Loop): Promise<Fleet> {
  state.fleet = await fleets.read(shop.node.mirror.known());
  return state.fleet;
}

export function snapshot(loop: Loop, fleet: Fleet): Snapshot {
  const { shop, state } = loop;
  const { clock, identity } = shop.node;
  return {
    bootMs: clock.bootMs(), now: clock.now().toISOString(),
    self: { node: identity.node, incarnation: identity.incarnation, pastIncarnations: loop.pastIncarnations, agents: loop.agents(), claiming: state.claiming && fleet.stop.fleet === null, asked: state.asked },
    limits: shop.limits(), fleet, leases: state.leases, runs: [...state.runs.values()],
    unlandedBefore: state.unlandedBefore, openEndsBefore: state.openEndsBefore, deletedBefore: state.deletedBefore, fetchPeriodMs: state.fetchPeriodMs,
  };
}

/** The fleet oriented; computed anew only when the fleet has changed or a task that waits has come due. */
export function situationOf({ shop, state }: Loop, fleet: Fleet): Situation {
  const now = shop.node.clock.now().toISOString();
  const known = state.oriented;
  const { keptKeys } = state.limits;
  if (known?.fleet === fleet && known.kept === keptKeys && (known.situation.nextDue === null || now < known.situation.nextDue)) return known.situation;
  // What spawns of this node have cost counts before main tells of it.
  const situation = orient({ ...fleet, ledger: shop.limits().ledger }, now);
  state.oriented = { fleet, kept: keptKeys, situation };
  return situation;
}
