/** Settling the outbox, and giving back claims that were won by a process that no longer lives (PROTOCOL P2.5). */
import type { Oid } from '../model/ids.ts';
import { CLAIMS_PREFIX, claimRef } from '../model/layout.ts';
import { resultPaths } from '../observe/usedIds.ts';
import { treeOf } from '../observe/tree.ts';
import type { ChainReader } from '../observe/chains.ts';
import { releaseMember } from './claim.ts';
import type { Node } from './node.ts';
import { settleOutbox } from './outbox.ts';
import type { OutboxEntry } from './outbox.ts';
import { publish } from './publish.ts';
import { archiveSays, collectedChain } from './reopen.ts';

/** How many pushes are still without an answer. The daemon's own late claims are released by its pass, not here. */
export async function settleAll(node: Node, reader: ChainReader, patienceMs: number): Promise<number> {
  const { left, accepted } = await settleOutbox(node, (task, to) => isFinished(node, reader, task, to), patienceMs);
  const strays = (await Promise.all(accepted.map((entry) => strayClaims(node, reader, entry)))).flat();
  if (strays.length > 0) await publish(node, strays.map(({ task, tip }) => releaseMember(node, reader, { task, tip, reason: 'it was won by a command that had ended' })));
  return left.length;
}

/**
 * Judged on the main that was just fetched: a result, or an id that the archive has. Only a create on top of that very
 * chain's end may still be repeated: a reopening (P2.3).
 */
async function isFinished(node: Node, reader: ChainReader, task: string, to: Oid): Promise<boolean> {
  const { main, refs } = node.mirror.known();
  if (main === null || refs.has(claimRef(task))) return false;
  if ((await archiveSays(node, main, task)) === undefined) return (await resultPaths(node.store, await treeOf(node.store, main))).has(task);
  const collected = await collectedChain(node, reader, main, task);
  return collected === undefined || !(await node.store.isAncestor(collected.tip, to));
}

async function strayClaims(node: Node, reader: ChainReader, entry: OutboxEntry): Promise<readonly { readonly task: string; readonly tip: string }[]> {
  const claims = entry.updates.flatMap(({ ref, to }) => (to !== null && ref.startsWith(CLAIMS_PREFIX) ? [{ task: ref.slice(CLAIMS_PREFIX.length), tip: to, ref }] : []));
  const records = await Promise.all(claims.map(({ tip }) => reader.chain(tip)));
  const view = node.mirror.known();
  return claims.filter(({ ref, tip }, at) => records[at]?.record.kind === 'claim' && records[at]?.record.incarnation !== node.identity.incarnation && view.refs.get(ref) === tip);
}
