/** Work is kept before anything is removed: under wip while the claim is ours, under stale when it came too late. */
import type { Oid } from '../../model/ids.ts';
import { staleRef, wipRef, workRef } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import type { Run } from '../../model/run.ts';
import { mergedName, worktreeName } from '../../model/run.ts';
import { treeOf } from '../../observe/tree.ts';
import { agentSignature, nodeSignature } from '../node.ts';
import type { Workshop } from './workshop.ts';

/** What keeping work needs; commands have no whole workshop. */
export type Salvage = Pick<Workshop, 'node' | 'worktrees'>;

/** The claim whose work it is, and the commit its worktree was made from. */
export type Working = Pick<Run, 'task' | 'epoch' | 'attempt' | 'agent' | 'base' | 'work'>;

export interface Work {
  readonly tree: Oid;
  /** The agent's own last commit, or null when it made none. */
  readonly head: Oid | null;
  readonly commit: Oid;
}

/** What stands in the run's worktree as a commit; null when it is the base, untouched, or the worktree is gone. */
export async function captureWork(shop: Salvage, run: Working): Promise<Work | null> {
  const { store } = shop.node;
  if (!(await shop.worktrees.exists(worktreeName(run)))) return run.work;
  const { tree, head } = await shop.worktrees.capture(worktreeName(run));
  if (tree === (await treeOf(store, run.base)) && head === run.base) return null;
  const own = head === run.base ? null : head;
  const commit = own !== null && (await treeOf(store, own)) === tree ? own : await workCommit(shop, run, tree, head);
  await store.updateRefs([{ ref: workRef(run.task, run.epoch), to: commit }], 'cambium: work');
  return { tree, head: own, commit };
}

function workCommit({ node }: Salvage, run: Working, tree: Oid, parent: Oid): Promise<Oid> {
  const message = renderMessage({ subject: `${run.task}: work of ${run.agent}`, trailers: { Kind: 'wip', Task: run.task, Agent: run.agent, Epoch: run.epoch, Attempt: run.attempt } });
  return node.store.writeCommit({ tree, parents: [parent], author: agentSignature(node, run.agent), committer: nodeSignature(node), message });
}

/** Pushes the work to its wip ref; the same work is not pushed twice. Returns the run, or null when the hub did not take it. */
export async function pushWip<T extends Working & Pick<Run, 'wip' | 'wipAtMs'>>(shop: Salvage, run: T): Promise<T | null> {
  const work = await captureWork(shop, run);
  const kept = { ...run, wipAtMs: shop.node.clock.bootMs() };
  if (work === null || (run.wip !== null && (await treeOf(shop.node.store, run.wip)) === work.tree)) return kept;
  return (await pushKept(shop, wipRef(run.task, run.epoch), work.commit)) ? { ...kept, wip: work.commit } : null;
}

/** Keeps work that came too late: under stale, never on main. False when the hub did not take it now. */
export async function pushStale(shop: Salvage, run: Working): Promise<boolean> {
  const work = await captureWork(shop, run);
  return work === null || pushKept(shop, staleRef(run.task, run.epoch), work.commit);
}

/** These refs are this node's alone, so whatever stands there is ours to replace. */
async function pushKept({ node }: Salvage, ref: string, commit: Oid): Promise<boolean> {
  const expect = node.mirror.known().refs.get(ref) ?? null;
  if (expect === commit) return true;
  const update = { ref, expect, to: commit };
  const outcome = await node.hub.push([update]);
  if (outcome.kind === 'accepted') await node.mirror.adopt([update]);
  if (outcome.kind === 'refused') await node.mirror.refresh();
  return outcome.kind === 'accepted';
}

/** Called only when the work is proven on the hub, or there was none. */
export async function clearWork(shop: Salvage, run: Pick<Run, 'task' | 'epoch' | 'verifiedOn'>): Promise<void> {
  await shop.worktrees.remove(worktreeName(run));
  if (run.verifiedOn !== null) await shop.worktrees.remove(mergedName(run));
  await shop.node.store.updateRefs([{ ref: workRef(run.task, run.epoch), to: null }], 'cambium: landed');
}
