/** Which task ids a tree already uses, the archive included: names only, no file is read. */
import type { Oid, TaskId } from '../model/ids.ts';
import { ARCHIVE_FOLDER } from '../model/archive.ts';
import { taskStem } from '../model/layout.ts';
import type { Store } from '../ports/store.ts';
import { archivedNames } from './archive.ts';
import { entryAt } from './tree.ts';

export interface UsedStems {
  has(task: TaskId): boolean;
}

export async function usedStems(store: Store, root: Oid): Promise<UsedStems> {
  const [live, archived] = await Promise.all([livePaths(store, root, /\.(md|claim\.json)$/), archivedNames(store, root)]);
  return { has: (task) => live.has(task) || archived.get(task) !== undefined };
}

export interface ResultPaths {
  get(task: TaskId): string | undefined;
  has(task: TaskId): boolean;
}

/** Where each task's result file stands, the archive included. */
export async function resultPaths(store: Store, root: Oid): Promise<ResultPaths> {
  const [live, archived] = await Promise.all([livePaths(store, root, /\.result\.md$/), archivedNames(store, root)]);
  const get = (task: TaskId): string | undefined => live.get(task) ?? archived.get(task)?.result ?? undefined;
  return { get, has: (task) => get(task) !== undefined };
}

/** Files of `tasks/` outside the archive by their task, of those whose name matches. */
export async function livePaths(store: Store, root: Oid, ending: RegExp): Promise<ReadonlyMap<TaskId, string>> {
  const tasks = await entryAt(store, root, 'tasks');
  const found = new Map<TaskId, string>();
  if (tasks?.mode === '40000') await collect(store, tasks.oid, 'tasks/', ending, found);
  return found;
}

async function collect(store: Store, tree: Oid, prefix: string, ending: RegExp, found: Map<TaskId, string>): Promise<void> {
  for (const { mode, name, oid } of await store.readTree(tree)) {
    if (mode === '40000' && `${prefix}${name}` !== ARCHIVE_FOLDER) await collect(store, oid, `${prefix}${name}/`, ending, found);
    else if (ending.test(name)) found.set(taskStem(name), `${prefix}${name}`);
  }
}
