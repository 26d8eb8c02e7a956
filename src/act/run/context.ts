/** The pinned instruction and its context files, read from the tree by entry, never by path on disk. */
import { entryAt, treeOf } from '../../observe/tree.ts';
import type { Oid } from '../../model/ids.ts';
import { WORKSPACE } from '../../model/layout.ts';
import type { Task } from '../../model/task.ts';
import type { Store } from '../../ports/store.ts';
import { readable } from '../prompt/readable.ts';

export interface ContextFile {
  readonly path: string;
  readonly blob: Oid;
  readonly text: string;
  /** Why the text is not what the file holds: too large, or no text; unsaid where it is. */
  readonly note?: string;
}

export interface TaskTexts {
  readonly instruction: string;
  readonly context: readonly ContextFile[];
  /** Context files that are not plain files of the tree. */
  readonly missing: readonly string[];
}

/** A tree that context files are read from. */
export interface Source {
  readonly store: Store;
  readonly commit: Oid;
}

/** `project` is where the files of a task that works in a project stand; null or unsaid for the workspace itself. */
export async function readTexts(store: Store, task: Task, commit: Oid, project: Source | null = null): Promise<TaskTexts> {
  const found = await Promise.all(task.contextFiles.map((path) => readContext(sourceOf(path, { store, commit }, project), path)));
  const { instructionText } = await import('../../observe/taskFile.ts');
  return {
    instruction: instructionText(await store.readBlob(task.blob)),
    context: found.filter((file): file is ContextFile => file !== null),
    missing: task.contextFiles.filter((_, at) => found[at] === null),
  };
}

function sourceOf(path: string, workspace: Source, project: Source | null): Source {
  return project === null || path.startsWith(WORKSPACE) ? workspace : project;
}

async function readContext({ store, commit }: Source, path: string): Promise<ContextFile | null> {
  const inside = path.startsWith(WORKSPACE) ? path.slice(WORKSPACE.length) : path;
  const entry = await entryAt(store, await treeOf(store, commit), inside);
  if (entry === null || (entry.mode !== '100644' && entry.mode !== '100755')) return null;
  return { path, blob: entry.oid, ...(await readable(store, entry.oid)) };
}
