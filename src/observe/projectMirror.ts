/**
 * A project's hub as this node last saw it: the branch, the guest refs of this fleet and what its tasks have pushed there.
 * Kept apart from the workspace's mirror even where both have one hub. It holds no marks of its own: the branch belongs to
 * the project's people, and whether a guest chain went backwards is told by its epochs.
 */
import type { Oid, TaskId } from '../model/ids.ts';
import { LOCKS_PREFIX, REVIEW_BRANCHES, STALE_PREFIX, WIP_PREFIX, branchRef, guestRef, reviewBranch } from '../model/layout.ts';
import type { Hub } from '../ports/hub.ts';
import type { Store } from '../ports/store.ts';
import type { HubMirror, HubView } from './hubMirror.ts';
import { listAgain } from './listAgain.ts';

export interface ProjectMirror extends HubMirror {
  /** From the next refresh on, the objects of this task's refs are brought here, too. */
  follow(task: TaskId): void;
}

export interface ProjectMirrorOptions {
  readonly store: Store;
  readonly hub: Hub;
  readonly branch: string;
  readonly fleet: string;
}

/** Where work goes that is to be looked at by the project's own people (`return: push`). */
export const WORK_BRANCHES = 'refs/heads/cambium/';
/** Where unfinished work is kept on a host that takes branches only. */
export const KEPT_BRANCHES = 'refs/heads/cambium-kept/';
export const workBranch = (task: TaskId): string => `${WORK_BRANCHES}${task}`;

export function openProjectMirror({ store, hub, branch, fleet }: ProjectMirrorOptions): ProjectMirror {
  const main = branchRef(branch);
  const followed = new Set<string>();
  const prefixes = [guestRef(fleet, ''), WIP_PREFIX, STALE_PREFIX, REVIEW_BRANCHES, WORK_BRANCHES, KEPT_BRANCHES, LOCKS_PREFIX];
  const isOurs = (ref: string): boolean => ref === main || prefixes.some((prefix) => ref.startsWith(prefix));
  let refs: ReadonlyMap<string, Oid> = new Map();
  const view = (): HubView => ({ main: refs.get(main) ?? null, refs });

  async function refreshOnce(): Promise<HubView> {
    const listed = new Map([...(await hub.list())].filter(([ref]) => isOurs(ref)));
    const needed = [...listed].filter(([ref]) => ref === main || followed.has(ref));
    const have = await Promise.all(needed.map(([, oid]) => store.has(oid)));
    await hub.fetch(new Map(needed.filter((_, at) => have[at] !== true)));
    refs = listed;
    return view();
  }

  return {
    branch,
    known: view,
    follow: (task) => [guestRef(fleet, task), reviewBranch(task), workBranch(task)].forEach((ref) => void followed.add(ref)),
    refresh: () => listAgain(refreshOnce),
    async adopt(updates, also = []) {
      const next = new Map(refs);
      for (const { ref, to } of updates) {
        if (to === null) next.delete(ref);
        else next.set(ref, to);
      }
      if (also.length > 0) await store.updateRefs(also, 'cambium: observe');
      refs = next;
    },
  };
}
