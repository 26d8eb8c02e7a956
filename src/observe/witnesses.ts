/**
 * Heartbeats say which main their node last saw, so a clone that is new has witnesses of what the hub once held
 * (PROTOCOL P8): a main that does not contain what another node has seen went backwards.
 */
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Store } from '../ports/store.ts';

/**
 * Returns the witnessed commits that main does not contain: one listing is no snapshot (P1), so main may have been read
 * before and the heartbeat after a landing. Throws `hub-rewritten` for one that a second look finds missing too.
 */
export async function requireWitnesses(store: Store, fleet: Fleet, doubtfulBefore: ReadonlySet<Oid>): Promise<ReadonlySet<Oid>> {
  const doubtful = new Set<Oid>();
  for (const [node, { heartbeat }] of fleet.nodes) {
    const seen = heartbeat?.record.main ?? '';
    if (seen === '' || seen === fleet.main.commit) continue;
    if ((await store.has(seen)) && (await store.isAncestor(seen, fleet.main.commit))) continue;
    if (doubtfulBefore.has(seen)) throw witnessed(node, seen, fleet.main.commit);
    doubtful.add(seen);
  }
  return doubtful;
}

function witnessed(node: string, seen: Oid, main: Oid): CambiumError {
  return new CambiumError('hub-rewritten', `The hub went backwards: node ${node} has seen ${seen.slice(0, 10)} on main, which main (${main.slice(0, 10)}) does not contain. This node has halted.`, {
    hint: 'Find out who rewrote or restored the hub. The other clones still have what was there: do not reset any of them.',
    data: { node, seen, main },
  });
}
