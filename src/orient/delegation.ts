/** Tasks that agents hand on: how deep, from where, and what is too deep or goes in a circle. Pure. */
import type { TaskId } from '../model/ids.ts';
import type { Task } from '../model/task.ts';

/** What the framework writes into the front matter of a task that an agent adds. */
export interface Provenance {
  /** The task that the agent works on; null where it answers messages. */
  readonly parent: TaskId | null;
  /** The message of the request that it answers; null where it answers none. */
  readonly request: string | null;
  readonly spawn: string;
  /** How deep the spawn itself stands: its children are one deeper, whatever parent they name. */
  readonly depth: number;
}

export type Family = Pick<Task, 'id' | 'parent' | 'spawnedBy'>;

/** The parents of a task, nearest first. One that is not there (archived, misspelt) ends them; so does a circle, which `circle` tells. */
function parentsOf(tasks: ReadonlyMap<TaskId, Family>, task: Family): { readonly parents: readonly TaskId[]; readonly circle: boolean } {
  const parents: TaskId[] = [];
  for (let at: Family | undefined = task; at?.parent !== undefined; at = tasks.get(at.parent)) {
    if (at.parent === task.id) return { parents, circle: true };
    if (parents.includes(at.parent)) return { parents, circle: false };
    parents.push(at.parent);
  }
  return { parents, circle: false };
}

/** The number of parents; one where an agent added it for none, as a coordinator does for a request. */
export function depthOf(tasks: ReadonlyMap<TaskId, Family>, task: Family): number {
  const { parents } = parentsOf(tasks, task);
  const top = parents.length === 0 ? task : tasks.get(parents.at(-1) as TaskId);
  return parents.length + (top?.spawnedBy === undefined ? 0 : 1);
}

/** A task that would be its own ancestor, in one sentence; null for any other. */
export function circleProblem(tasks: ReadonlyMap<TaskId, Family>, task: Family): string | null {
  return parentsOf(tasks, task).circle ? `${task.id} would be its own ancestor: take \`parent: ${task.parent}\` out` : null;
}

/** Why an agent may not add this task, or null. `tasks` holds those that it adds beside it. */
export function delegationProblem(tasks: ReadonlyMap<TaskId, Family>, task: Family, { depth }: Pick<Provenance, 'depth'>, depthMax: number): string | null {
  const circle = circleProblem(tasks, task);
  if (circle !== null) return circle;
  const own = Math.max(depth + 1, depthOf(tasks, task));
  return own > depthMax ? `${task.id} would stand ${own} deep, and limits.spawn_depth is ${depthMax}: do the work yourself, or say in your report what is left` : null;
}

/** The keys to set, by their names in the file; empty where all is said. The spawn is never the author's to say. */
export function provenanceFields(task: Pick<Task, 'parent' | 'request' | 'spawnedBy'>, { parent, request, spawn }: Provenance): Readonly<Record<string, string>> {
  return {
    ...(task.parent === undefined && parent !== null ? { parent } : {}),
    ...(request !== null && task.request !== request ? { request } : {}),
    ...(task.spawnedBy === spawn ? {} : { spawned_by: spawn }),
  };
}
