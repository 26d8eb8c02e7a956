/** Claims that others hold, each with the present heartbeat of its owner if that names it (PROTOCOL P4.3). Pure. */
import { chainState } from '../model/claim.ts';
import type { HeldClaim } from '../model/lease.ts';
import type { Fleet } from '../model/snapshot.ts';

export function heldByOthers(fleet: Fleet, incarnation: string): readonly HeldClaim[] {
  const held: HeldClaim[] = [];
  for (const [task, { tip, record }] of fleet.chains) {
    if (chainState({ tip, record }) !== 'held' || record.incarnation === incarnation) continue;
    const beat = fleet.nodes.get(record.node ?? '')?.heartbeat ?? null;
    const names = beat?.record.incarnation === record.incarnation && beat.record.claims.some(({ claim }) => claim === tip);
    held.push({ task, claim: tip, heartbeat: names && beat !== null ? beat.oid : null, ttlMs: record.ttl_s * 1000 });
  }
  return held;
}
