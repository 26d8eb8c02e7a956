/**
 * The library: what a coordinator's or a worker's program does with a fleet, as functions. The command line is a door to
 * the same ones.
 *
 *     const workspace = await openWorkspace({ dir: 'my-fleet', agent: 'lead' });
 *     await workspace.addTask({ title: 'Write a greeting', instruction: '…', acceptance_criteria: ['greeting.txt says hello'] });
 *     console.log((await workspace.queueStatus()).counts);
 *     await workspace.close();
 */
import type { Message } from '../observe/messageFile.ts';
import type { InstructionEdit } from '../observe/editInstruction.ts';
import { addTask } from './addTask.ts';
import type { AddedTask, NewTask } from './addTask.ts';
import { claimTask, releaseTask, renewTask } from './claimTask.ts';
import type { ClaimedTask, Hold, Release } from './claimTask.ts';
import { completeTask, failTask } from './completeTask.ts';
import type { Completed } from './completeTask.ts';
import { openClone } from './compose.ts';
import { editTask } from './editTask.ts';
import type { EditedTask } from './editTask.ts';
import { cancelTask, reopenTask, retryTask } from './endTask.ts';
import type { EndedTask } from './endTask.ts';
import { explain } from './explain.ts';
import type { ExplainedTask } from './explain.ts';
import { readDecisions } from './log.ts';
import type { DecisionQuery } from './log.ts';
import type { ToldDecision } from '../model/decision.ts';
import { createTaskInstruction } from './instructions.ts';
import type { InstructionSpec } from './instructions.ts';
import { readMessages, writeMessage } from './messages.ts';
import type { MessageOptions, ReadOptions, SentMessage } from './messages.ts';
import { queueStatus, taskDetail } from './queue.ts';
import type { QueueStatus, TaskDetail } from './queue.ts';
import { approveTask, rejectTask } from './review.ts';
import type { JudgeOptions, Judged } from './review.ts';
import { inSession } from './session.ts';
import type { Session } from './session.ts';
import { syncCheckout } from './sync.ts';
import { activeWorkers, heartbeat, registerWorker, shouldWorkerContinue } from './workers.ts';
import type { Continuation, Heartbeat, WorkerOptions, WorkerStatus } from './workers.ts';

export interface WorkspaceOptions {
  /** A folder of the clone; the current one when unsaid. */
  readonly dir?: string;
  /** Name of this node; the clone's own when unsaid. */
  readonly node?: string;
  /** The agent that acts. Without one the person whom git names does. */
  readonly agent?: string;
  /** Told what a person should know and that changes no answer. */
  readonly onNote?: (text: string) => void;
}

/** How a claim ends: `result` is the report, Markdown whose front matter may judge the criteria. */
export interface Ending {
  readonly epoch: number;
  readonly result?: string;
  readonly reason?: string;
}

/**
 * Every function asks the hub first. All throw CambiumError: `code` is stable, `hint` says what to do next. What changes
 * something is on the hub when it resolves.
 */
export interface Workspace {
  /** Top of the work tree; null in a bare clone. */
  readonly root: string | null;
  addTask(task: NewTask): Promise<AddedTask>;
  createTaskInstruction(id: string | number, spec: InstructionSpec): Promise<{ readonly path: string; readonly text: string }>;
  editTask(id: string, edit: InstructionEdit): Promise<EditedTask>;
  cancelTask(id: string, reason?: string): Promise<EndedTask>;
  retryTask(id: string, reason?: string): Promise<EndedTask>;
  reopenTask(id: string, reason?: string): Promise<EndedTask>;
  approveTask(id: string, options?: JudgeOptions): Promise<Judged>;
  rejectTask(id: string, why: string, options?: JudgeOptions): Promise<Judged>;
  queueStatus(): Promise<QueueStatus>;
  showTask(id: string): Promise<TaskDetail>;
  /** Why a task is not running, and what would make it run. */
  explain(id: string): Promise<ExplainedTask>;
  /** What was decided and why, newest first. */
  decisions(query?: DecisionQuery): Promise<readonly ToldDecision[]>;
  activeWorkers(): Promise<readonly WorkerStatus[]>;
  registerWorker(worker: string, options?: WorkerOptions): Promise<{ readonly worker: string; readonly commit: string | null }>;
  heartbeat(worker: string): Promise<Heartbeat>;
  /** The task that is named, or the most urgent that fits; null when nothing is ready. */
  claimTask(worker: string, id?: string): Promise<ClaimedTask | null>;
  renewTask(hold: Hold): Promise<{ readonly task: string; readonly epoch: number; readonly ttl_s: number }>;
  releaseTask(release: Release): Promise<{ readonly task: string }>;
  completeTask(id: string, worker: string, ending: Ending): Promise<Completed>;
  failTask(id: string, worker: string, ending: Ending): Promise<Completed>;
  shouldWorkerContinue(worker: string, maxIdleMinutes?: number): Promise<Continuation>;
  /** `speaker` is an agent; null is the person. */
  writeMessage(speaker: string | null, text: string, options?: MessageOptions): Promise<SentMessage>;
  readMessages(options?: ReadOptions): Promise<readonly Message[]>;
  /** Publishes saved edits of the checkout and brings it up to date, as `cambium sync` does. */
  sync(): Promise<{ readonly published: readonly string[] }>;
  close(): Promise<void>;
}

/** Throws `not-a-workspace`, `hub-not-joined`, `git-missing`, `git-too-old`. */
export async function openWorkspace({ dir, node, agent, onNote }: WorkspaceOptions = {}): Promise<Workspace> {
  const clone = await openClone(dir === undefined ? {} : { cwd: dir });
  let turn: Promise<unknown> = Promise.resolve();
  // One after the other: each asks the hub and moves the clone's own refs.
  const queue = <T>(needsHub: boolean, body: (session: Session) => Promise<T>): Promise<T> => {
    const mine = turn.then(() => inSession(clone, { needsHub, node, agent, ...(onNote === undefined ? {} : { note: onNote }) }, body));
    turn = mine.catch(() => undefined);
    return mine;
  };
  const write = <T>(body: (session: Session) => Promise<T>): Promise<T> => queue(true, body);
  const read = <T>(body: (session: Session) => Promise<T>): Promise<T> => queue(false, body);
  return {
    root: clone.root,
    addTask: (task) => write((session) => addTask(session, task)),
    createTaskInstruction: (id, spec) => read((session) => createTaskInstruction(session, id, spec)),
    editTask: (id, edit) => write((session) => editTask(session, id, edit)),
    cancelTask: (id, reason) => write((session) => cancelTask(session, id, reason)),
    retryTask: (id, reason) => write((session) => retryTask(session, id, reason)),
    reopenTask: (id, reason) => write((session) => reopenTask(session, id, reason)),
    approveTask: (id, options) => write((session) => approveTask(session, id, options)),
    rejectTask: (id, why, options) => write((session) => rejectTask(session, id, { ...options, why })),
    queueStatus: () => read(async (session) => queueStatus(session)),
    showTask: (id) => read((session) => taskDetail(session, id)),
    explain: (id) => read((session) => explain(session, id)),
    decisions: (query) => read((session) => readDecisions(session, query ?? { limit: 100 })),
    activeWorkers: () => read(activeWorkers),
    registerWorker: (worker, options) => write((session) => registerWorker(session, worker, options)),
    heartbeat: (worker) => write((session) => heartbeat(session, worker)),
    claimTask: (worker, id) => write((session) => claimTask(session, { id, agent: worker })).catch(nothingReady),
    renewTask: (hold) => write((session) => renewTask(session, hold)),
    releaseTask: (release) => write((session) => releaseTask(session, release)),
    completeTask: (id, worker, { epoch, result = '' }) => write((session) => completeTask(session, { task: id, agent: worker, epoch, report: result })),
    failTask: (id, worker, { epoch, result = '', reason }) => write((session) => failTask(session, { task: id, agent: worker, epoch, report: result, ...(reason === undefined ? {} : { reason }) })),
    shouldWorkerContinue: (worker, maxIdleMinutes) => read((session) => shouldWorkerContinue(session, worker, maxIdleMinutes)),
    writeMessage: (speaker, text, options) => write((session) => writeMessage(session, speaker ?? undefined, text, options)),
    readMessages: (options) => read((session) => readMessages(session, options)),
    sync: () => write(async (session) => ({ published: (await syncCheckout(session, false)).published.map(({ path }) => path) })),
    async close() {
      await turn;
      await clone.close();
    },
  };
}

function nothingReady(error: { readonly code?: unknown }): null {
  if (error.code === 'nothing-ready') return null;
  throw error;
}
