/** Tasks, results and quarantine as they stand in the tree. Pure nouns. */
import type { AgentId, NodeName, Oid, TaskId } from './ids.ts';

/** A shell script of the author's (string) or an argument vector (list). */
export type Script = string | readonly string[];

/** What the front matter of an instruction file says, with defaults filled in. */
export interface Task {
  readonly id: TaskId;
  /** Path in the tree, `tasks/add-login.md` or `tasks/web/add-login.md`. */
  readonly path: string;
  readonly blob: Oid;
  readonly title: string;
  /** 0 is the most urgent, 4 the least; 2 when unsaid. */
  readonly priority: number;
  readonly assignedTo?: AgentId;
  readonly role?: string;
  readonly requires: readonly string[];
  readonly dependsOn: readonly TaskId[];
  readonly contextFiles: readonly string[];
  readonly workingDirectory?: string;
  readonly project?: string;
  readonly acceptanceCriteria: readonly string[];
  readonly verify?: Script;
  readonly review?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly maxAttempts?: number;
  readonly timeoutMinutes?: number;
  readonly budgetUsd?: number;
  readonly maxTurns?: number;
  /** UTC ISO time before which the task waits. */
  readonly notBefore?: string;
  readonly parent?: TaskId;
  /** The message of a person's request that it is a part of (orient/requests.ts). */
  readonly request?: string;
  /** The spawn whose agent added it; unsaid for a person's. */
  readonly spawnedBy?: string;
  readonly labels: readonly string[];
  readonly estimatedMinutes?: number;
  /** Keys that this version does not know, kept and shown. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export type Outcome = 'done' | 'failed' | 'cancelled';

export interface Criterion {
  readonly text: string;
  readonly met: boolean;
  readonly evidence: string;
}

export interface Usage {
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

/** Front matter of `tasks/<id>.result.md` (docs/formats.md). */
export interface TaskResult {
  readonly task: TaskId;
  readonly outcome: Outcome;
  readonly epoch: number;
  /** The claim tip before the end; null for a cancel without a claim. */
  readonly claim: Oid | null;
  readonly attempts: number;
  readonly agent: AgentId | null;
  readonly node: NodeName | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly started: string | null;
  readonly ended: string;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly commits: readonly Oid[];
  readonly criteria: readonly Criterion[];
  readonly verify: { readonly command: string; readonly exit: number; readonly seconds: number } | null;
  readonly spawns: readonly string[];
  /** Where the work of a task with `project` went: the commit on that repository's branch. */
  readonly project?: { readonly name: string; readonly branch: string; readonly commit: Oid } | null;
}

/** A file that cannot be trusted or parsed: set aside and shown, never acted on. */
export interface Quarantined {
  readonly path: string;
  readonly line: number;
  /** What is wrong, one sentence. */
  readonly reason: string;
  /** What to do about it, one sentence. */
  readonly mend: string;
}
