/** Settling the outbox, and giving back claims that were won by a process that no longer lives (PROTOCOL P2.5). */
import { CLAIMS_PREFIX, claimRef } from '../model/layout.ts';
import { resultPaths } from '../observe/usedIds.ts';
import { treeOf } from '../observe/tree.ts';
import type { ChainReader } from '../observe/chains.ts';
import { releaseMember } from './claim.ts';
import type { Node } from './node.ts';
import { settleOutbox } from './outbox.ts';
import type { OutboxEntry } from './outbox.ts';
import { publish } from './publish.ts';

/** How many pushes are still without an answer. The daemon's own late claims are released by its pass, not here. */
export async function settleAll(node: Node, reader: ChainReader, patienceMs: number): Promise<number> {
  const { left, accepted } = await settleOutbox(node, (task) => isFinished(node, task), patienceMs);
  const strays = (await Promise.all(accepted.map((entry) => strayClaims(node, reader, entry)))).flat();
  if (strays.length > 0) await publish(node, strays.map(({ task, tip }) => releaseMember(node, reader, { task, tip, reason: 'it was won by a command that had ended' })));
  return left.length;
}

/** Judged on the main that was just fetched: a result, here or in the archive. */
async function isFinished({ store, mirror }: Node, task: string): Promise<boolean> {
  const { main, refs } = mirror.known();
  if (main === null || refs.has(claimRef(task))) return false;
  return (await resultPaths(store, await treeOf(store, main))).has(task);
}

async function strayClaims(node: Node, reader: ChainReader, entry: OutboxEntry): Promise<readonly { readonly task: string; readonly tip: string }[]> {
  const claims = entry.updates.flatMap(({ ref, to }) => (to !== null && ref.startsWith(CLAIMS_PREFIX) ? [{ task: ref.slice(CLAIMS_PREFIX.length), tip: to, ref }] : []));
  const records = await Promise.all(claims.map(({ tip }) => reader.chain(tip)));
  const view = node.mirror.known();
  return claims.filter(({ ref, tip }, at) => records[at]?.record.kind === 'claim' && records[at]?.record.incarnation !== node.identity.incarnation && view.refs.get(ref) === tip);
}
