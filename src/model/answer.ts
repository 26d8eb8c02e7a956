/**
 * An answer: this node's work on what was said to one agent at one place, from the win of its wake to the message on main.
 * Kept as a durable local record, as runs are, so that a restarted daemon goes on with it. Pure nouns.
 *
 *   preparing  the wake is won. The agent is started → working
 *   working    the agent runs under its supervisor. Ends → landing; fails the first time → preparing
 *   landing    its message goes to main and the wake goes from the hub, in one push. → gone
 *   fenced     the wake is somebody else's: the agent is stopped. → gone
 */
import type { AgentId, Oid, TaskId } from './ids.ts';
import type { Resume } from './run.ts';
import type { Cause, SpawnRecord } from './spawn.ts';
import type { Place } from './talk.ts';

export type AnswerPhase = 'preparing' | 'working' | 'landing' | 'fenced';

export interface Answer {
  /** `<agent>/<channel>`: one answer at a time for each. */
  readonly key: string;
  readonly agent: AgentId;
  readonly place: Place;
  /** Ids of the messages that it answers, oldest first. */
  readonly messages: readonly string[];
  /** Agents among those who asked: an answer in an inbox is sent to theirs too. */
  readonly askers: readonly AgentId[];
  readonly thread: string;
  /** The request that it answers, whose tasks those that it adds are. */
  readonly request?: string | null;
  readonly chain: readonly AgentId[];
  readonly hops: number;
  readonly cause: Cause;
  readonly incarnation: string;
  /** Tip of the wake ref that this answer owns. */
  readonly wake: Oid;
  readonly ttlMs: number;
  readonly phase: AnswerPhase;
  /** Main commit that the worktree was made from. */
  readonly base: Oid;
  readonly provider: string;
  readonly providerVersion: string;
  readonly model: string | null;
  /** The session that answers, where one was asked for. */
  readonly resume?: Resume | null;
  readonly spawn: string;
  readonly spawns: readonly SpawnRecord[];
  readonly startedAt: string;
  /** The message that will be posted. */
  readonly reply: Reply | null;
  /** What the agent changed in its worktree beside what may land with a message. */
  readonly work: KeptChanges | null;
}

export interface Reply {
  readonly id: string;
  /** False where the agent could not answer: the text says why, and wakes nobody. */
  readonly ok: boolean;
  readonly text: string;
  /** Files that may land with it, as blobs: tasks it hands out, memories of its own. */
  readonly files: readonly { readonly path: string; readonly before: Oid | null; readonly blob: Oid }[];
}

/** Changes land only under a task: one is made for them (issue: mentions that change files). */
export interface KeptChanges {
  readonly task: TaskId;
  readonly commit: Oid;
  readonly paths: readonly string[];
}

/** An agent that failed is started once more before its failure is told. */
export const ANSWER_TRIES = 2;

export const answerRecordKey = (key: string): string => `answers/${key.replace('/', '.')}`;
export const answerWorktree = ({ spawn }: Pick<Answer, 'spawn'>): string => `answer-${spawn.toLowerCase()}`;
