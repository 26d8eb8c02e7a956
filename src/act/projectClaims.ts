/** Which claim projections are behind their chains, and the member that brings them up to date. */
import { commitClaims, isShown } from './projections.ts';
import type { ProjectedClaim } from './projections.ts';
import type { NodeIdentity, Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';
import type { Chain } from '../model/claim.ts';
import type { TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { ChainReader } from '../observe/chains.ts';
import { readChain } from './claim.ts';

/** A short task has landed before its claim would have been told: it is told in the landing's own push instead. */
const TELL_AFTER_MS = 2_000;

export interface DueProjections {
  /** Every task whose projection differs from its chain. */
  readonly all: readonly TaskId[];
  /** Those whose last transition is this node's, or is old: worth a push of their own. */
  readonly mine: readonly TaskId[];
}

export function claimsToProject(fleet: Fleet, identity: NodeIdentity, now: Date): DueProjections {
  // While a main commit is missing (a push applied by half), main is behind for another reason.
  const all = [...fleet.tasks.keys()].filter((task) => !fleet.unlanded.has(task) && differs(fleet, task));
  const mine = all.filter((task) => {
    const record = fleet.chains.get(task)?.record;
    if (record === undefined) return true;
    const ageMs = now.getTime() - Date.parse(record.claimed_at);
    return record.node === identity.node ? ageMs > TELL_AFTER_MS : ageMs > 60_000;
  });
  return { all, mine };
}

function differs(fleet: Fleet, task: TaskId): boolean {
  const chain = fleet.chains.get(task);
  const shown = fleet.projections.get(task);
  const wanted = !fleet.results.has(task) && isShown(chain);
  return wanted !== (shown !== undefined) || (wanted && (shown?.epoch !== chain?.record.epoch || (shown?.kind === 'review') !== (chain?.record.kind === 'review' || chain?.record.kind === 'approve')));
}

export function projectionMember(node: Node, reader: ChainReader, fleet: Fleet, tasks: readonly TaskId[]): Member<null> {
  return {
    key: 'projections',
    async build(base) {
      const claims: ProjectedClaim[] = [];
      for (const id of tasks) {
        const path = fleet.tasks.get(id)?.path;
        const chain: Chain | undefined = await readChain(reader, base, id);
        if (path !== undefined) claims.push({ path, chain });
      }
      const main = await commitClaims(node, reader, base.main, claims);
      return main === base.main ? drop('nothing', 'all are told') : { main, refs: [], value: null };
    },
  };
}
