/** Members that mend half-applied pushes (PROTOCOL P5.3). */
import type { Oid, TaskId } from '../model/ids.ts';
import { resultPath, taskPath } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { ChainReader } from '../observe/chains.ts';
import { archivedNames } from '../observe/archive.ts';
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
    const landed = path === undefined ? null : await changeOf(node, fleet.main.commit, await placesOf(node, fleet, id, path));
    if (path !== undefined && landed !== null) members.push(repairEndMember(node, reader, { id, path }, fleet.results.get(id), landed));
  }
  // A reopening whose main half is missing has its files in the archive still: nobody deleted them.
  const cancelled = healing.cancel.filter((task) => !fleet.unlanded.has(task));
  const deleted = cancelled.map((task) => cancelMember(node, reader, { task, path: taskPath(task), by: nodeSignature(node), reason: 'its instruction file was deleted', dropInstruction: true }));
  return [...members, ...deleted];
}

/** A file that a person removed in a commit is looked for this far back; past it the task waits for `cambium task retry`. */
const COMMITS_MAX = 2_000;

/** Where main shows how a task ended last, or that it was reopened: beside its instruction, or in the archive. */
async function placesOf({ store }: Node, fleet: Fleet, task: TaskId, path: string): Promise<readonly string[]> {
  const reopened = (await archivedNames(store, fleet.main.tree)).get(task)?.reopened ?? null;
  return reopened === null ? [resultPath(path)] : [resultPath(path), reopened];
}

/** The newest commit on main's first-parent line that brought one of the files as it stands, or removed it. */
export async function changeOf({ store }: Node, main: Oid, paths: readonly string[]): Promise<Oid | null> {
  const blobsAt = async (commit: Oid): Promise<string | null> => {
    const tree = await treeOf(store, commit);
    const blobs = await Promise.all(paths.map(async (path) => (await entryAt(store, tree, path))?.oid ?? ''));
    return blobs.every((blob) => blob === '') ? null : blobs.join(' ');
  };
  const wanted = await blobsAt(main);
  let commit = main;
  for (let looked = 0; looked < COMMITS_MAX; looked++) {
    const [parent] = (await store.readCommit(commit)).parents;
    if (parent === undefined) return wanted === null ? null : commit;
    if ((await blobsAt(parent)) !== wanted) return commit;
    commit = parent;
  }
  return null;
}
