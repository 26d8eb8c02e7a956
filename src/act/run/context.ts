/** The pinned instruction and its context files, read from the tree by entry, never by path on disk. */
import { entryAt, treeOf } from '../../observe/tree.ts';
import type { Oid } from '../../model/ids.ts';
import type { Task } from '../../model/task.ts';
import type { Store } from '../../ports/store.ts';

export interface ContextFile {
  readonly path: string;
  readonly blob: Oid;
  readonly text: string;
}

export interface TaskTexts {
  readonly instruction: string;
  readonly context: readonly ContextFile[];
  /** Context files that are not plain files of the tree. */
  readonly missing: readonly string[];
}

export async function readTexts(store: Store, task: Task, commit: Oid): Promise<TaskTexts> {
  const tree = await treeOf(store, commit);
  const found = await Promise.all(task.contextFiles.map((path) => readContext(store, tree, path)));
  const { instructionText } = await import('../../observe/taskFile.ts');
  return {
    instruction: instructionText(await store.readBlob(task.blob)),
    context: found.filter((file): file is ContextFile => file !== null),
    missing: task.contextFiles.filter((_, at) => found[at] === null),
  };
}

async function readContext(store: Store, tree: Oid, path: string): Promise<ContextFile | null> {
  const entry = await entryAt(store, tree, path);
  if (entry === null || (entry.mode !== '100644' && entry.mode !== '100755')) return null;
  return { path, blob: entry.oid, text: Buffer.from(await store.readBlob(entry.oid)).toString('utf8') };
}

