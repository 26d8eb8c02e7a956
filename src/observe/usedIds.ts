/** Which task ids a tree already uses, the archive included: names only, no file is read. */
import type { Oid, TaskId } from '../model/ids.ts';
import { taskStem } from '../model/layout.ts';
import type { Store } from '../ports/store.ts';
import { entryAt } from './tree.ts';

export async function usedStems(store: Store, root: Oid): Promise<ReadonlySet<TaskId>> {
  return new Set((await pathsByStem(store, root, /\.(md|claim\.json)$/)).keys());
}

/** Result files by task, the archive included. */
export function resultPaths(store: Store, root: Oid): Promise<ReadonlyMap<TaskId, string>> {
  return pathsByStem(store, root, /\.result\.md$/);
}

async function pathsByStem(store: Store, root: Oid, ending: RegExp): Promise<ReadonlyMap<TaskId, string>> {
  const tasks = await entryAt(store, root, 'tasks');
  const found = new Map<TaskId, string>();
  if (tasks?.mode === '40000') await collect(store, tasks.oid, 'tasks/', ending, found);
  return found;
}

async function collect(store: Store, tree: Oid, prefix: string, ending: RegExp, found: Map<TaskId, string>): Promise<void> {
  for (const { mode, name, oid } of await store.readTree(tree)) {
    if (mode === '40000') await collect(store, oid, `${prefix}${name}/`, ending, found);
    else if (ending.test(name)) found.set(taskStem(name), `${prefix}${name}`);
  }
}
