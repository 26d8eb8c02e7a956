/**
 * A run: this node's work on one claimed task, from the win to the end of the claim. It is kept as a durable
 * local record, so that a restarted daemon goes on where the old one died.
 *
 *   preparing  the worktree is made and the provider started. → working
 *   working    the provider runs under its supervisor. Ends well → verifying or landing; badly → ending
 *   verifying  the node runs the task's `verify`. Green → landing; red → preparing (another turn) or ending
 *   landing    work and result go to main in one push. Conflict → preparing (once), then ending
 *   ending     the claim is released, failed or handed to a person; work is kept on wip. → gone
 *   fenced     the claim is no longer ours: the agent is stopped, its work goes to stale. → gone
 */
import type { ProjectConfig } from './config.ts';
import type { AgentId, Oid, TaskId } from './ids.ts';
import type { Cause, SpawnRecord } from './spawn.ts';
import type { Criterion, Usage } from './task.ts';

export type RunPhase = 'preparing' | 'working' | 'verifying' | 'landing' | 'ending' | 'fenced';

/** How a run ends when it does not land as done. */
export type Ending =
  | { readonly kind: 'retry'; readonly reason: string; readonly backoffMs: number }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'input'; readonly question: string }
  /** `feedback`: the reason is told to whoever claims next. */
  | { readonly kind: 'release'; readonly reason: string; readonly feedback?: boolean };

export interface Run {
  readonly task: TaskId;
  readonly path: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: AgentId;
  readonly incarnation: string;
  /** Tip of the claim chain that this run owns. */
  readonly claim: Oid;
  readonly instruction: Oid;
  readonly ttlMs: number;
  /** Main commit the worktree was made from. */
  readonly base: Oid;
  readonly phase: RunPhase;
  readonly provider: string;
  readonly providerVersion: string;
  readonly model: string | null;
  /** The spawn under way, and those before it in this run. */
  readonly spawn: string;
  readonly spawns: readonly SpawnRecord[];
  readonly startedAt: string;
  /** Turns given after a red verify or a scope breach; conflicts at landing, each counted once. */
  readonly turns: number;
  readonly conflicts: number;
  readonly feedback: string | null;
  readonly report: string;
  readonly criteria: readonly Criterion[];
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly verify: { readonly command: string; readonly exit: number; readonly seconds: number } | null;
  /** The supervised run of `verify` under way or last ended; empty before the first. */
  readonly verifySpawn: string;
  /** Main commit on whose merge `verify` was green; null where the worktree's own green is enough. */
  readonly verifiedOn: Oid | null;
  readonly ending: Ending | null;
  /** The session that the next turn goes on with, where the provider can; its totals so far. */
  readonly resume?: Resume | null;
  /** The commit that the first worktree is made from in place of the base: work of an earlier hold, merged with main. */
  readonly kept?: Oid | null;
  /** Providers that had begun this attempt and could not go on; its worktree is what they left. */
  readonly handed?: readonly string[];
  /** Who made the task: the spawn that dropped its file, and how deep; a person or the queue where unsaid. */
  readonly cause?: Cause | null;
  /** Set where nothing is spawned: the approved work of an earlier epoch is landed as it was reviewed (PROTOCOL P6). */
  readonly pin?: Pin | null;
  /** The task's work happens in another repository (PROTOCOL P7). */
  readonly project?: ProjectRun | null;
  /** What the agent made, once it has ended well: the commit keeps it alive under a local ref. */
  readonly work: { readonly tree: Oid; readonly head: Oid | null; readonly commit: Oid } | null;
  /** The commit of the work last pushed to wip, so that the same work is not pushed twice. */
  readonly wip: Oid | null;
  readonly wipAtMs: number;
}

export interface Resume {
  readonly session: string;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
}

export interface Pin {
  /** The reviewed commit: its first parent is the main that the work was made on, its tree holds the result file too. */
  readonly commit: Oid;
}

export interface ProjectRun {
  readonly name: string;
  /** As cambium.yaml had it when the run began. */
  readonly config: ProjectConfig;
  /** Tip of the guest ref that this epoch swapped in; null where the project's host refuses such refs. */
  readonly guest: Oid | null;
  /** Commit of the project's branch that the worktree was made from. */
  readonly base: Oid;
  /** The commit that holds the work on the project's side, once it is there, and the branch it went to. */
  readonly landed: Oid | null;
  readonly branch: string | null;
  /** How many scripts of `setup` have ended well in the worktree; null before it was made. */
  readonly ready: number | null;
  /** The supervised run of the setup script under way; empty where none is. */
  readonly setupSpawn: string;
  /** The agent's own commits, as an earlier epoch told them that had landed the work. */
  readonly commits: readonly Oid[] | null;
  /** What the result must tell of the project's side, in sentences. */
  readonly notes: readonly string[];
}

export const worktreeName = ({ task, epoch }: Pick<Run, 'task' | 'epoch'>): string => `${task}-${epoch}`;

export const mergedName = (run: Pick<Run, 'task' | 'epoch'>): string => `${worktreeName(run)}-merged`;

/** Before the id of a task that somebody has asked an agent of this node to take next (`cambium spawn run --task`, `spawn resume`). */
export const ASKED = 'asked/';

export interface Asked {
  readonly agent: AgentId;
  /** The ended spawn whose session and work it goes on with; null for a fresh one. */
  readonly resume: string | null;
}

export const runKey = (task: TaskId, epoch: number): string => `runs/${task}.${epoch}`;

/** Why somebody asked for the end of a spawn of this clone; what the claim's release says. */
export const stopReasonKey = (spawn: string): string => `stop-reasons/${spawn}`;

/** Wait before the next attempt: 5 s doubling to 5 min. */
export function backoffMs(attempt: number): number {
  return Math.min(5_000 * 2 ** Math.max(0, attempt - 1), 300_000);
}
