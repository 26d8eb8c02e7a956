/** Which task ids a tree already uses, the archive included: names only, no file is read. */
import type { Oid, TaskId } from '../model/ids.ts';
import { taskStem } from '../model/layout.ts';
import type { Store } from '../ports/store.ts';
import { entryAt } from './tree.ts';

export async function usedStems(store: Store, root: Oid): Promise<ReadonlySet<TaskId>> {
  const tasks = await entryAt(store, root, 'tasks');
  const stems = new Set<TaskId>();
  if (tasks?.mode === '40000') await collect(store, tasks.oid, stems);
  return stems;
}

async function collect(store: Store, tree: Oid, stems: Set<TaskId>): Promise<void> {
  for (const entry of await store.readTree(tree)) {
    if (entry.mode === '40000') await collect(store, entry.oid, stems);
    else if (/\.(md|claim\.json)$/.test(entry.name)) stems.add(taskStem(entry.name));
  }
}
