/** Which task ids a tree already uses, the archive included: names only, no file is read. */
import type { Oid, TaskId } from '../model/ids.ts';
import { taskStem } from '../model/layout.ts';
import type { Store } from '../ports/store.ts';
import { entryAt } from './tree.ts';

export function usedStems(store: Store, root: Oid): Promise<ReadonlySet<TaskId>> {
  return stems(store, root, /\.(md|claim\.json)$/);
}

/** Ids that have a result, the archive included. */
export function resultStems(store: Store, root: Oid): Promise<ReadonlySet<TaskId>> {
  return stems(store, root, /\.result\.md$/);
}

async function stems(store: Store, root: Oid, ending: RegExp): Promise<ReadonlySet<TaskId>> {
  const tasks = await entryAt(store, root, 'tasks');
  const found = new Set<TaskId>();
  if (tasks?.mode === '40000') await collect(store, tasks.oid, ending, found);
  return found;
}

async function collect(store: Store, tree: Oid, ending: RegExp, found: Set<TaskId>): Promise<void> {
  for (const entry of await store.readTree(tree)) {
    if (entry.mode === '40000') await collect(store, entry.oid, ending, found);
    else if (ending.test(entry.name)) found.add(taskStem(entry.name));
  }
}
