/** Where a run stands in the tree of causes: below the spawn whose agent added its task. */
import type { Fleet } from '../../model/snapshot.ts';
import type { Cause } from '../../model/spawn.ts';
import type { Task } from '../../model/task.ts';
import { recordedSpawn } from '../../observe/recordedSpawn.ts';
import { depthOf } from '../../orient/delegation.ts';
import type { Node } from '../node.ts';

/**
 * Null for a task of a person's. The depth is that of the spawn and one more, so that a task which names another parent is no
 * higher for it; while that spawn is neither on record nor in a heartbeat, the parents are counted.
 */
export async function causeOf({ store }: Pick<Node, 'store'>, fleet: Fleet, task: Task): Promise<Cause | null> {
  if (task.spawnedBy === undefined) return null;
  const recorded = await recordedSpawn(store, fleet.main.tree, task.spawnedBy);
  const live = [...fleet.nodes.values()].flatMap(({ heartbeat }) => heartbeat?.record.spawns ?? []).find(({ id }) => id === task.spawnedBy);
  const above = recorded?.depth ?? live?.depth ?? -1;
  return { parent: task.spawnedBy, depth: Math.max(above + 1, depthOf(fleet.tasks, task)) };
}
