/** Which claim projections are behind their chains, and the member that brings them up to date. */
import { commitClaims, isShown } from './projections.ts';
import type { ProjectedClaim } from './projections.ts';
import { commitOn } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { NodeIdentity, Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';
import type { Chain } from '../model/claim.ts';
import { fnv1a } from '../model/hash.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { renderMessage } from '../model/message.ts';
import type { Fleet } from '../model/snapshot.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import type { ChainReader } from '../observe/chains.ts';
import { readChain } from './claim.ts';

/** A short task has landed before its claim would have been told: it is told in the landing's own push instead. */
const OWN_AFTER_MS = 2_000;
/** Claims of others that nobody told: made by hand where no daemon runs, or by a node that died. One node mostly tells. */
const OTHERS_AFTER_MS = 2_500;
const OTHERS_SPREAD_MS = 2_000;

/** When this node first saw a chain differ from what main shows, on its own boot-time clock. */
export type SeenDiffering = ReadonlyMap<TaskId, { readonly tip: Oid | null; readonly sinceMs: number }>;

export interface DueProjections {
  /** Every task whose projection differs from its chain. */
  readonly all: readonly TaskId[];
  /** Some have waited long enough to be worth a push of their own. */
  readonly due: boolean;
  readonly seen: SeenDiffering;
}

export function claimsToProject(fleet: Fleet, identity: NodeIdentity, before: SeenDiffering, bootMs: number): DueProjections {
  // While a main commit is missing (a push applied by half), main is behind for another reason.
  const all = [...fleet.tasks.keys()].filter((task) => !fleet.unlanded.has(task) && differs(fleet, task));
  const seen = new Map(all.map((task) => {
    const tip = fleet.chains.get(task)?.tip ?? null;
    const known = before.get(task);
    return [task, known?.tip === tip ? known : { tip, sinceMs: bootMs }];
  }));
  const due = all.some((task) => {
    const isOwn = fleet.chains.get(task)?.record.node === identity.node;
    const afterMs = isOwn ? OWN_AFTER_MS : OTHERS_AFTER_MS + (fnv1a(`${identity.node}/${task}`) % OTHERS_SPREAD_MS);
    return bootMs - (seen.get(task)?.sinceMs ?? bootMs) >= afterMs;
  });
  return { all, due, seen };
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

/** Drops projections that were left where no task stands any more. */
export function strayMember(node: Node, paths: readonly string[]): Member<null> {
  return {
    key: 'stray-projections',
    async build(base) {
      const tree = await treeOf(node.store, base.main);
      const there = await Promise.all(paths.map(async (path) => (await entryAt(node.store, tree, path)) !== null && (await entryAt(node.store, tree, path.replace(/\.claim\.json$/, '.md'))) === null));
      const left = paths.filter((_, at) => there[at]);
      if (left.length === 0) return drop('nothing', 'they are gone');
      const message = renderMessage({ subject: `tasks: drop ${left.length} projection${left.length === 1 ? '' : 's'} beside no task`, body: left.join('\n'), trailers: { Kind: 'projection' } });
      return { main: await commitOn(node, base.main, new Map(left.map((path) => [path, null])), { author: nodeSignature(node), message }), refs: [], value: null };
    },
  };
}
