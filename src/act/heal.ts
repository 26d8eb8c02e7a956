/** Members that mend half-applied pushes (PROTOCOL P5.3). */
import type { Oid, TaskId } from '../model/ids.ts';
import { resultPath, taskPath } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { ChainReader } from '../observe/chains.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import { cancelMember } from './close.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import type { Member } from './publish.ts';
import { repairEndMember, rollForwardMember } from './rollForward.ts';

export interface Healing {
  readonly rollForward: readonly TaskId[];
  readonly repair: readonly TaskId[];
  readonly cancel: readonly TaskId[];
}

export async function healMembers(node: Node, reader: ChainReader, fleet: Fleet, healing: Healing): Promise<Member<unknown>[]> {
  const members: Member<unknown>[] = healing.rollForward.map((task) => rollForwardMember(node, reader, task));
  for (const id of healing.repair) {
    const path = fleet.tasks.get(id)?.path;
    const landed = path === undefined ? null : await changeOf(node, fleet.main.commit, resultPath(path));
    if (path !== undefined && landed !== null) members.push(repairEndMember(node, reader, { id, path }, fleet.results.get(id), landed));
  }
  const deleted = healing.cancel.map((task) => cancelMember(node, reader, { task, path: taskPath(task), by: nodeSignature(node), reason: 'its instruction file was deleted', dropInstruction: true }));
  return [...members, ...deleted];
}

/** A file that a person removed in a commit is looked for this far back; past it the task waits for `cambium task retry`. */
const COMMITS_MAX = 2_000;

/** The commit on main's first-parent line that brought the file as it stands, or removed it. */
export async function changeOf({ store }: Node, main: Oid, path: string): Promise<Oid | null> {
  const blobAt = async (commit: Oid): Promise<Oid | null> => (await entryAt(store, await treeOf(store, commit), path))?.oid ?? null;
  const wanted = await blobAt(main);
  let commit = main;
  for (let looked = 0; looked < COMMITS_MAX; looked++) {
    const [parent] = (await store.readCommit(commit)).parents;
    if (parent === undefined) return wanted === null ? null : commit;
    if ((await blobAt(parent)) !== wanted) return commit;
    commit = parent;
  }
  return null;
}
