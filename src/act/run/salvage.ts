/** Work is kept before anything is removed: under wip while the claim is ours, under stale when it came too late. */
import type { Oid } from '../../model/ids.ts';
import { LOCAL_PREFIX, workRef } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import type { Run } from '../../model/run.ts';
import { mergedName, worktreeName } from '../../model/run.ts';
import { treeOf } from '../../observe/tree.ts';
import { agentSignature, nodeSignature } from '../node.ts';
import { troubleOf } from '../project/site.ts';
import { workPlace } from '../project/work.ts';
import type { WorkPlace } from '../project/work.ts';
import type { Workshop } from './workshop.ts';

/** What keeping work needs; commands have no whole workshop. */
export type Salvage = Pick<Workshop, 'node' | 'worktrees'> & Partial<Pick<Workshop, 'projects'>>;

/** The claim whose work it is, and the commit its worktree was made from. */
export type Working = Pick<Run, 'task' | 'epoch' | 'attempt' | 'agent' | 'base' | 'work' | 'project'>;

export interface Work {
  readonly tree: Oid;
  /** The agent's own last commit, or null when it made none. */
  readonly head: Oid | null;
  readonly commit: Oid;
}

/** What stands in the run's worktree as a commit; null when it is the base, untouched, or the worktree is gone. */
export async function captureWork(shop: Salvage, run: Working): Promise<Work | null> {
  const place = await workPlace(shop, run);
  const { store } = place.node;
  if (!(await place.worktrees.exists(worktreeName(run)))) return run.work;
  const { tree, head } = await place.worktrees.capture(worktreeName(run));
  if (tree === (await treeOf(store, place.base)) && head === place.base) return null;
  const own = head === place.base ? null : head;
  const commit = own !== null && (await treeOf(store, own)) === tree ? own : await workCommit(place, run, tree, head);
  await store.updateRefs([{ ref: workRef(run.task, run.epoch), to: commit }], 'cambium: work');
  return { tree, head: own, commit };
}

function workCommit({ node }: WorkPlace, run: Working, tree: Oid, parent: Oid): Promise<Oid> {
  const message = renderMessage({ subject: `${run.task}: work of ${run.agent}`, trailers: { Kind: 'wip', Task: run.task, Agent: run.agent, Epoch: run.epoch, Attempt: run.attempt } });
  return node.store.writeCommit({ tree, parents: [parent], author: agentSignature(node, run.agent), committer: nodeSignature(node), message });
}

/** Pushes the work to its wip ref; the same work is not pushed twice. Returns the run, or null when the hub did not take it. */
export async function pushWip<T extends Working & Pick<Run, 'wip' | 'wipAtMs'>>(shop: Salvage, run: T): Promise<T | null> {
  const kept = { ...run, wipAtMs: shop.node.clock.bootMs() };
  // What has landed in its project is kept there.
  if (run.project !== undefined && run.project !== null && run.project.landed !== null) return kept;
  const place = await placeOrNull(shop, run);
  if (place === null) return null;
  const work = await captureWork(shop, run);
  if (work === null || (run.wip !== null && (await treeOf(place.node.store, run.wip)) === work.tree)) return kept;
  return (await pushKept(place, place.wip, work.commit)) ? { ...kept, wip: work.commit } : null;
}

/** Keeps work that came too late: under stale, never on main. False when the hub did not take it now. */
export async function pushStale(shop: Salvage, run: Working): Promise<boolean> {
  const place = await placeOrNull(shop, run);
  if (place === null) return false;
  const work = await captureWork(shop, run);
  return work === null || pushKept(place, place.stale, work.commit);
}

/** Null while the project cannot be opened: the work stays where it is until it can be kept there. */
async function placeOrNull(shop: Salvage, run: Working): Promise<WorkPlace | null> {
  try {
    return await workPlace(shop, run);
  } catch (error) {
    if (troubleOf(error) !== null) return null;
    throw error;
  }
}

/** These refs are this node's alone, so whatever stands there is ours to replace. */
async function pushKept({ node, inProject }: WorkPlace, ref: string, commit: Oid): Promise<boolean> {
  const expect = node.mirror.known().refs.get(ref) ?? null;
  if (expect === commit) return true;
  const update = { ref, expect, to: commit };
  const outcome = await node.hub.push([update]);
  if (outcome.kind === 'accepted') await node.mirror.adopt([update]);
  if (outcome.kind === 'refused') await node.mirror.refresh();
  // A project's host that takes nothing of ours must not hold the task for ever: then it is kept in this clone.
  if (inProject && outcome.kind === 'refused' && outcome.policy) return node.store.updateRefs([{ ref: `${LOCAL_PREFIX}kept/${ref.slice('refs/'.length)}`, to: commit }], 'cambium: kept');
  return outcome.kind === 'accepted';
}

/** Called only when the work is proven on the hub, or there was none. */
export async function clearWork(shop: Salvage, run: Pick<Run, 'task' | 'epoch' | 'base' | 'verifiedOn' | 'project'>): Promise<void> {
  const { node, worktrees } = await workPlace(shop, run);
  await worktrees.remove(worktreeName(run));
  if (run.verifiedOn !== null) await worktrees.remove(mergedName(run));
  await node.store.updateRefs([{ ref: workRef(run.task, run.epoch), to: null }], 'cambium: landed');
}
