/** Members that mend half-applied pushes (PROTOCOL P5.3). */
import type { Oid, TaskId } from '../model/ids.ts';
import { resultPath } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { ChainReader } from '../observe/chains.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import type { Node } from './node.ts';
import type { Member } from './publish.ts';
import { repairEndMember, rollForwardMember } from './rollForward.ts';

export interface Healing {
  readonly rollForward: readonly TaskId[];
  readonly repair: readonly TaskId[];
}

export async function healMembers(node: Node, reader: ChainReader, fleet: Fleet, healing: Healing): Promise<Member<unknown>[]> {
  const members: Member<unknown>[] = healing.rollForward.map((task) => rollForwardMember(node, reader, task));
  for (const id of healing.repair) {
    const [result, path] = [fleet.results.get(id), fleet.tasks.get(id)?.path];
    const landed = path === undefined ? null : await landingCommit(node, fleet.main.commit, resultPath(path));
    if (result !== undefined && landed !== null) members.push(repairEndMember(node, reader, result, path as string, landed));
  }
  return members;
}

/** The commit on main's first-parent line that brought the file as it stands. */
export async function landingCommit({ store }: Node, main: Oid, path: string): Promise<Oid | null> {
  const wanted = (await entryAt(store, await treeOf(store, main), path))?.oid;
  if (wanted === undefined) return null;
  for (let commit: Oid = main; ; ) {
    const parent = (await store.readCommit(commit)).parents[0];
    const before = parent === undefined ? null : await entryAt(store, await treeOf(store, parent), path);
    if (before?.oid !== wanted || parent === undefined) return commit;
    commit = parent;
  }
}
