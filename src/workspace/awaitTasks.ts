/** Waiting for tasks to end: a parent for its children, a person or a script for what was asked. */
import { variable } from '../adapters/system/environment.ts';
import { CambiumError } from '../errors.ts';
import { resultPath } from '../model/layout.ts';
import { bodyText } from '../observe/frontMatter.ts';
import { fileAt } from '../observe/tree.ts';
import { movement } from '../orient/movement.ts';
import type { TaskSituation, TaskState } from '../orient/situation.ts';
import { situationNow } from './queue.ts';
import { unknownTask } from './session.ts';
import type { Session } from './session.ts';
import { untilSeen } from './untilSeen.ts';

export interface AwaitedTask {
  readonly id: string;
  readonly title: string;
  readonly state: TaskState;
  /** False: it goes on, so it is waited for. */
  readonly settled: boolean;
  readonly agent: string | null;
  readonly node: string | null;
  /** What it waits for; null where it has ended. */
  readonly reason: string | null;
  /** The beginning of what its agent reported; null before it has ended, and where nothing was asked for. */
  readonly report: string | null;
}

export interface AwaitOptions {
  readonly forMs: number;
  readonly reports: boolean;
  /** Told of each task once, when it has settled. */
  readonly onSettled?: (task: AwaitedTask) => void;
}

/**
 * Resolves when every task has ended, or needs a person to go on; or, with some unsettled, when the time is up. Throws
 * `unknown-task`.
 */
export async function awaitTasks(ids: readonly string[], { forMs, reports, onSettled }: AwaitOptions): Promise<readonly AwaitedTask[]> {
  const wanted = [...new Set(ids)];
  const told = new Set<string>();
  let last: readonly AwaitedTask[] = [];
  await untilSeen(forMs, async (session) => {
    last = await lookAtTasks(session, wanted, reports);
    for (const task of last) if (task.settled && !told.has(task.id)) onSettled?.(task);
    for (const { id, settled } of last) if (settled) told.add(id);
    return last.every(({ settled }) => settled) ? true : null;
  });
  return last;
}

async function lookAtTasks(session: Session, ids: readonly string[], reports: boolean): Promise<readonly AwaitedTask[]> {
  const situation = situationNow(session);
  const goesOn = movement(session.fleet, situation);
  return Promise.all(ids.map(async (id) => {
    const found = situation.tasks.get(id) ?? (await (await import('./archivedTask.ts')).archivedSituation(session, id));
    if (found === null) throw missing(session, id);
    return awaited(session, found, !goesOn(id), reports);
  }));
}

async function awaited(session: Session, { task, state, reasons, chain, result }: TaskSituation, settled: boolean, reports: boolean): Promise<AwaitedTask> {
  const { agent = null, node = null } = result ?? chain?.record ?? {};
  return { id: task.id, title: task.title, state, settled, agent, node, reason: result === undefined ? (reasons[0] ?? null) : null, report: reports && result !== undefined ? await firstLines(session, task.path) : null };
}

const REPORT_LINES = 8;

async function firstLines({ clone, fleet }: Session, path: string): Promise<string> {
  const file = await fileAt(clone.store, fleet.main.tree, resultPath(path));
  if (file === null) return '';
  const lines = bodyText(file.bytes).trim().split('\n');
  return [...lines.slice(0, REPORT_LINES), ...(lines.length > REPORT_LINES ? ['…'] : [])].join('\n');
}

/** What an agent has only saved in its worktree lands when it ends: waiting for that would never end. */
function missing(session: Session, id: string): CambiumError {
  const error = unknownTask(session, id);
  if (variable('CAMBIUM_SPAWN') === undefined) return error;
  return new CambiumError('unknown-task', error.message, { hint: 'A file in your worktree becomes a task when you end. To wait for it now, add it with `cambium task add`.' });
}
