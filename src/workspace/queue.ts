/** The queue as it stands: what every task's state is, and why. Reads only. */
import { CambiumError } from '../errors.ts';
import type { ClaimKind } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import { resultPath } from '../model/layout.ts';
import type { Quarantined, TaskResult } from '../model/task.ts';
import { chainHistory } from '../observe/chains.ts';
import { fileAt } from '../observe/tree.ts';
import { byUrgency, orient } from '../orient/situation.ts';
import type { Situation, TaskSituation, TaskState } from '../orient/situation.ts';
import { unknownTask } from './session.ts';
import type { Session } from './session.ts';

export const TASK_STATES: readonly TaskState[] = ['input', 'review', 'held', 'ready', 'waiting', 'blocked', 'failed', 'cancelled', 'done'];

export interface TaskSummary {
  readonly id: string;
  readonly title: string;
  readonly state: TaskState;
  readonly priority: number;
  readonly path: string;
  /** Why it is not running, and what mends it. */
  readonly reasons: readonly string[];
  readonly assigned_to: string | null;
  readonly depends_on: readonly string[];
  readonly labels: readonly string[];
  /** Who holds it, or ended it. */
  readonly agent: string | null;
  readonly node: string | null;
  readonly epoch: number;
  readonly attempt: number;
}

export function summary({ task, state, reasons, chain, result }: TaskSituation): TaskSummary {
  const held = state === 'held' || state === 'review' || state === 'input';
  return {
    id: task.id, title: task.title, state, priority: task.priority, path: task.path, reasons,
    assigned_to: task.assignedTo ?? null, depends_on: task.dependsOn, labels: task.labels,
    agent: held ? (chain?.record.agent ?? null) : (result?.agent ?? null), node: held ? (chain?.record.node ?? null) : (result?.node ?? null),
    epoch: chain?.record.epoch ?? result?.epoch ?? 0, attempt: chain?.record.attempt ?? result?.attempts ?? 0,
  };
}

export function situationNow({ fleet, clone }: Session): Situation {
  return orient(fleet, clone.clock.now().toISOString());
}

/** Every task, those that need somebody first. Throws `usage` for a state there is not. */
export function listTasks(session: Session, state?: string): readonly TaskSituation[] {
  if (state !== undefined && !(TASK_STATES as readonly string[]).includes(state)) throw new CambiumError('usage', `There is no state ${state}.`, { hint: `The states are ${TASK_STATES.join(', ')}.` });
  const { tasks } = situationNow(session);
  return [...tasks.values()].filter((task) => state === undefined || task.state === state).toSorted((a, b) => TASK_STATES.indexOf(a.state) - TASK_STATES.indexOf(b.state) || byUrgency(a, b));
}

export interface QueueStatus {
  readonly counts: Readonly<Record<TaskState, number>>;
  readonly tasks: readonly TaskSummary[];
  /** Files that cannot be trusted or parsed, with the line, the reason and the mend. */
  readonly quarantine: readonly Quarantined[];
  /** Set when the hub could not be asked and this is what the clone last saw. */
  readonly stale: string | null;
}

export function queueStatus(session: Session): QueueStatus {
  const tasks = listTasks(session).map(summary);
  const counts = Object.fromEntries(TASK_STATES.map((state) => [state, tasks.filter((task) => task.state === state).length])) as Record<TaskState, number>;
  return { counts, tasks, quarantine: session.fleet.quarantine, stale: session.stale };
}

export interface TransitionSummary {
  readonly commit: Oid;
  readonly kind: ClaimKind;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string | null;
  readonly node: string | null;
  /** UTC ISO time. */
  readonly at: string;
  readonly reason: string | null;
  readonly by: string | null;
  readonly result: Oid | null;
}

export interface TaskDetail extends TaskSummary {
  readonly instruction: string;
  /** Newest first. */
  readonly chain: readonly TransitionSummary[];
  readonly result: TaskResult | null;
  readonly result_text: string | null;
  /** Front matter that this version does not know. */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly stale: string | null;
}

/** Throws `unknown-task`. */
export async function taskDetail(session: Session, id: string): Promise<TaskDetail> {
  const { clone, fleet } = session;
  const situation = situationNow(session).tasks.get(id) ?? (await (await import('./archivedTask.ts')).archivedSituation(session, id));
  if (situation === null) throw unknownTask(session, id);
  const history = situation.chain === undefined ? [] : await chainHistory(clone.store, clone.reader, situation.chain.tip);
  const file = await fileAt(clone.store, fleet.main.tree, resultPath(situation.task.path));
  const { instructionText } = await import('../observe/taskFile.ts');
  return {
    ...summary(situation),
    instruction: instructionText(await clone.store.readBlob(situation.task.blob)),
    chain: history.map(({ tip, record: { kind, epoch, attempt, agent, node, reason, by, result }, at }) => ({ commit: tip, kind, epoch, attempt, agent, node, at: new Date(at * 1000).toISOString(), reason: reason ?? null, by: by ?? null, result: result ?? null })),
    result: situation.result ?? null, result_text: file === null ? null : Buffer.from(file.bytes).toString('utf8'), extra: situation.task.extra, stale: session.stale,
  };
}
