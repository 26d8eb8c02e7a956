/** Which ended tasks may leave `tasks/`, and which do so now (PROTOCOL P9). Pure. */
import { chainState, isTerminal } from '../model/claim.ts';
import type { TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';

/** More would make one commit slow to build, and slow to build again when it lost a race. */
export const ARCHIVED_MAX = 200;

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Why a task of `tasks/` stays there, or null. Whether its landing is on main is judged where it is moved. */
export function whyNotArchived(fleet: Fleet, task: TaskId, dependents: Dependents = openDependents(fleet)): string | null {
  const chain = fleet.chains.get(task);
  if (fleet.unreadable.has(task)) return 'its claim chain or its result cannot be read';
  if (!fleet.results.has(task) || !isTerminal(chainState(chain))) return 'it has not ended';
  if (fleet.unlanded.has(task)) return 'its landing was applied by half and is being mended';
  const open = dependents.get(task) ?? [];
  return open.length === 0 ? null : `${open.slice(0, 5).join(', ')}${open.length > 5 ? ` and ${open.length - 5} more` : ''} ${open.length === 1 ? 'depends' : 'depend'} on it and ${open.length === 1 ? 'has' : 'have'} not ended`;
}

export type Dependents = ReadonlyMap<TaskId, readonly TaskId[]>;

/** By task, those that depend on it and have not ended. */
export function openDependents({ tasks, results }: Fleet): Dependents {
  const dependents = new Map<TaskId, TaskId[]>();
  for (const { id, dependsOn } of tasks.values()) if (!results.has(id)) for (const on of dependsOn) dependents.set(on, [...(dependents.get(on) ?? []), id]);
  return dependents;
}

/** What leaves now by age, and by number where too many ended tasks stand in `tasks/`: the oldest first, at most ARCHIVED_MAX. */
export function dueForArchive(fleet: Fleet, nowMs: number): readonly TaskId[] {
  const { afterDays, endedMax } = fleet.config.archive;
  const dependents = openDependents(fleet);
  const ended = [...fleet.results.values()].map(({ task, ended: at }) => ({ task, endedMs: Date.parse(at) })).toSorted((a, b) => (a.endedMs || 0) - (b.endedMs || 0) || (a.task < b.task ? -1 : 1));
  let over = ended.length - endedMax;
  const due: TaskId[] = [];
  for (const { task, endedMs } of ended) {
    const isOld = nowMs - endedMs >= afterDays * DAY_MS;
    if ((!isOld && over <= 0) || whyNotArchived(fleet, task, dependents) !== null) continue;
    due.push(task);
    over -= 1;
  }
  return due.slice(0, ARCHIVED_MAX);
}
