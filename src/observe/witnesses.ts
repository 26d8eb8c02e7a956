/**
 * Heartbeats say which main their node last saw, so a clone that is new has witnesses of what the hub once held
 * (PROTOCOL P8): a main that does not contain what another node has seen went backwards.
 */
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Store } from '../ports/store.ts';

/**
 * Throws `hub-rewritten` for a witnessed commit that main does not contain. One that is not here at all may only be newer
 * than our fetch: it is doubtful, and halts when a second look finds it missing too. Returns the doubtful ones.
 */
export async function requireWitnesses(store: Store, fleet: Fleet, doubtfulBefore: ReadonlySet<Oid>): Promise<ReadonlySet<Oid>> {
  const doubtful = new Set<Oid>();
  for (const [node, { heartbeat }] of fleet.nodes) {
    const seen = heartbeat?.record.main ?? '';
    if (seen === '' || seen === fleet.main.commit) continue;
    const here = await store.has(seen);
    if (here && (await store.isAncestor(seen, fleet.main.commit))) continue;
    if (here || doubtfulBefore.has(seen)) throw witnessed(node, seen, fleet.main.commit);
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
