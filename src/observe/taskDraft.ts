/** What the bytes of a file of `tasks/` say, apart from where they stand: the same for every path that holds the blob. */
import type { Oid } from '../model/ids.ts';
import { taskStem } from '../model/layout.ts';
import type { Task, TaskResult } from '../model/task.ts';

export type TaskDraft = Omit<Task, 'id' | 'path' | 'blob' | 'title'> & { readonly title: string | null };
export type ResultDraft = Omit<TaskResult, 'task'>;

export function placeTask(draft: TaskDraft, path: string, blob: Oid): Task {
  const id = taskStem(path);
  return { ...draft, id, path, blob, title: draft.title ?? id };
}

export function placeResult(draft: ResultDraft, path: string): TaskResult {
  return { ...draft, task: taskStem(path) };
}
