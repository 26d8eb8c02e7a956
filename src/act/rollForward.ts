/**
 * Healing half-applied pushes (PROTOCOL P5.3): receive-pack killed between two ref renames leaves a chain that ended
 * with its main commit missing, or a result on main with its chain still open. Any node that sees it mends it.
 */
import { chainState, isTerminal } from '../model/claim.ts';
import type { Chain, ClaimRecord } from '../model/claim.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import type { TreeEdit } from '../model/git.ts';
import { isProjection } from '../model/layout.ts';
import { nodeSignature } from './node.ts';
import { renderMessage } from '../model/message.ts';
import type { TaskResult } from '../model/task.ts';
import type { ChainReader } from '../observe/chains.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import { agreement } from './agreement.ts';
import { readChain } from './claim.ts';
import { messageOnMain } from './commit.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import { collectedChain, mergeReopening } from './reopen.ts';
import type { Member } from './publish.ts';
import { writeTransition } from './transition.ts';

/** A merge of `commit` onto main, or null when they conflict. Fast-forwards where main is behind it. */
export async function mergeOnto(node: Node, main: Oid, commit: Oid, subject: string): Promise<Oid | null> {
  const { store } = node;
  if (await store.isAncestor(commit, main)) return main;
  if (await store.isAncestor(main, commit)) return commit;
  const base = await store.mergeBase(main, commit);
  if (base === null) return null;
  const [baseTree, ours, theirs] = await Promise.all([base, main, commit].map((oid) => treeOf(store, oid)));
  const merged = await store.mergeTrees(baseTree as Oid, ours as Oid, theirs as Oid);
  // Projections are recomputed at the next publish: a conflict in one takes main's side and stops nothing.
  if (!merged.conflicts.every(isProjection)) return null;
  const sides = await Promise.all(merged.conflicts.map(async (path): Promise<[string, TreeEdit]> => [path, await entryAt(store, ours as Oid, path)]));
  const tree = sides.length === 0 ? merged.tree : await store.editTree(merged.tree, new Map(sides));
  const signature = nodeSignature(node);
  return store.writeCommit({ tree, parents: [main, commit], author: signature, committer: signature, message: await messageOnMain(node, tree, renderMessage({ subject })) });
}

/** The chain ended and names a main commit that main does not have: merge it. */
export function rollForwardMember(node: Node, reader: ChainReader, task: TaskId): Member<TaskId> {
  return {
    key: `roll-forward:${task}`,
    async build(base) {
      const record = (await readChain(reader, base, task))?.record;
      const result = record?.result;
      if (record === undefined || result === undefined) return drop('nothing', 'the chain names no main commit');
      const reopening = record.kind === 'reopen' ? await mergeReopening(node, base.main, result, task) : null;
      const main = reopening ?? (await mergeOnto(node, base.main, result, `${task}: roll forward a push that was applied by half`));
      if (main === null) return drop('conflict', `${result} conflicts with main: a person must merge it`);
      return main === base.main ? { already: task } : { main, refs: [], value: task };
    },
  };
}

/**
 * Main has an end that no transition names: write the one that was lost (d′) on the present tip, whoever holds it now,
 * at the tip's epoch and with `by` (M2: written on its own claim only, a task that had been taken over meanwhile
 * stayed claimed for ever). The owner takes it as its own success. A result that a commit removed is a reopen (P6).
 */
export function repairEndMember(node: Node, reader: ChainReader, task: { readonly id: TaskId; readonly path: string }, result: TaskResult | undefined, landed: Oid): Member<Chain> {
  return {
    key: `repair:${task.id}`,
    ends: true,
    async build(base) {
      const known = await readChain(reader, base, task.id);
      // A chain that was collected goes on from the archive: its epoch never begins again (P9).
      const chain = known ?? (await collectedChain(node, reader, base.main, task.id));
      const { state } = await agreement(node.store, reader, base.main, task.path, chain);
      if (state !== 'chain-behind') return drop('nothing', 'main and chain agree, or main is behind');
      const kind = result === undefined ? 'reopen' : result.outcome === 'cancelled' ? 'cancel' : result.outcome;
      if (!mayRepair(chain, kind)) return drop('nothing', `${kind} may not follow`);
      const end = await writeTransition(node, {
        tip: chain?.tip ?? null, expect: known?.tip ?? null, landing: landed, author: nodeSignature(node),
        record: {
          ...ownerOf(node, task.id, result, chain), kind, result: landed, by: node.identity.node, op: await opOf(node, landed),
          reason: kind === 'reopen' ? 'the result file was deleted' : 'the push that landed it was applied by half',
          ...(kind === 'done' || kind === 'failed' ? { outcome: kind } : {}), ...(kind === 'reopen' ? { attempt: 0 } : {}),
        },
      });
      return { main: base.main, refs: [end.update], value: { tip: end.oid, record: end.record } };
    },
  };
}

function mayRepair(chain: Chain | undefined, kind: string): boolean {
  return isTerminal(chainState(chain)) === (kind === 'reopen');
}

/** The op-id of the landing that is repaired, from its trailer (P5.3). */
async function opOf(node: Node, landed: Oid): Promise<string> {
  const { message } = await node.store.readCommit(landed);
  return /^Op-Id: ([0-9A-Z]{26})$/m.exec(message)?.[1] ?? node.clock.ulid();
}

function ownerOf(node: Node, task: TaskId, result: TaskResult | undefined, chain: Chain | undefined): Omit<ClaimRecord, 'schema' | 'op' | 'kind'> {
  const record = chain?.record;
  return {
    task, epoch: record?.epoch ?? result?.epoch ?? 0, attempt: record?.attempt ?? result?.attempts ?? 0, agent: result?.agent ?? record?.agent ?? null, node: result?.node ?? record?.node ?? null,
    incarnation: record?.incarnation ?? null, instruction: record?.instruction ?? null, ttl_s: record?.ttl_s ?? 0, claimed_at: record?.claimed_at ?? node.clock.now().toISOString(),
  };
}
