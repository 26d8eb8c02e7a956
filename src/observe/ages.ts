/** How long each task has stood on main: the second key of the ready order. Read once a commit, remembered in the clone. */
import type { Oid, TaskId } from '../model/ids.ts';
import { taskFileKind, taskStem } from '../model/layout.ts';
import type { History } from '../ports/history.ts';
import type { Local } from '../ports/local.ts';
import type { Store } from '../ports/store.ts';

/** A clone that is new to a long history knows the ages of what the last commits brought; all before is equally old. */
const COMMITS_MAX = 2_000;
/** Of more tasks than this the newest are remembered: ended ones would otherwise pile up for years, and of the rest all are equally old. */
const TASKS_MAX = 20_000;

export interface TaskAges {
  at(main: Oid): Promise<ReadonlyMap<TaskId, number>>;
}

interface Remembered {
  readonly main: Oid;
  readonly since: Readonly<Record<TaskId, number>>;
}

export async function openAges(local: Local, store: Store, history: History): Promise<TaskAges> {
  let known = asRemembered(await local.read('ages'));
  let since = new Map(Object.entries(known?.since ?? {}));
  return {
    async at(main) {
      if (known?.main === main) return since;
      const not = known !== null && (await store.has(known.main)) && (await store.isAncestor(known.main, main)) ? known.main : null;
      const added = await history.additions(main, not, 'tasks', COMMITS_MAX);
      since = new Map(not === null ? [] : since);
      for (const [path, seconds] of added) if (taskFileKind(path) === 'instruction') since.set(taskStem(path), seconds);
      if (since.size > TASKS_MAX) since = newest(since, TASKS_MAX / 2);
      known = { main, since: Object.fromEntries(since) };
      if (added.size > 0 || not === null) await local.write('ages', known);
      return since;
    },
  };
}

function newest(since: ReadonlyMap<TaskId, number>, count: number): Map<TaskId, number> {
  return new Map([...since].toSorted(([, a], [, b]) => b - a).slice(0, count));
}

function asRemembered(value: unknown): Remembered | null {
  const record = value as Partial<Remembered> | null | undefined;
  return typeof record?.main === 'string' && typeof record.since === 'object' ? (record as Remembered) : null;
}
