/** An agent CLI driven headless. A provider says how to start one and how to read what it left; it runs nothing itself. */
import type { Criterion, Task, Usage } from '../model/task.ts';
import type { Oid } from '../model/ids.ts';

export interface SpawnRequest {
  readonly spawn: string;
  readonly task: Task;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string;
  readonly node: string;
  /** The instruction text without its front matter. */
  readonly instruction: string;
  readonly context: readonly { readonly path: string; readonly blob: Oid; readonly text: string }[];
  /** Absolute path of the task's worktree and of the folder in it where the work happens. */
  readonly worktree: string;
  readonly directory: string;
  /** Absolute path of a folder for this spawn's files (prompt, result, log). */
  readonly scratch: string;
  readonly timeoutMs: number;
  readonly model?: string;
  /** Set at a second turn: what was wrong with the first (red verify, conflict, changed instruction). */
  readonly feedback?: string;
  /** The worktree holds what the turn before left there; else it is fresh, and the feedback is about an earlier try. */
  readonly keptWork?: boolean;
}

/** What to start: an argument vector, never a shell string. */
export interface SpawnSpec {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Added to a minimal environment (PATH, HOME, LANG, TERM, CAMBIUM_*). */
  readonly env: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly stdin: string;
  /** Files to write into `scratch` before the start. */
  readonly files: Readonly<Record<string, string>>;
}

export type FailureKind = 'auth' | 'rate_limit' | 'overloaded' | 'refused' | 'denied' | 'hung' | 'timeout' | 'crashed' | 'empty';

export interface SpawnReport {
  readonly ok: boolean;
  readonly failure: FailureKind | null;
  /** Markdown for the result file. */
  readonly report: string;
  readonly criteria: readonly Criterion[];
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly session: string | null;
  /** False when trying again cannot help. */
  readonly retryable: boolean;
}

export interface Provider {
  readonly name: string;
  /** True when what an agent cannot mend may be handed back to it for another turn. */
  readonly conversational: boolean;
  /** The version, or why it cannot run on this machine. */
  probe(): Promise<{ readonly version: string } | { readonly unavailable: string; readonly hint: string }>;
  prepare(request: SpawnRequest): SpawnSpec;
  /** Reads exit status, log tail and files of `scratch`; throws for nothing an agent may do. */
  interpret(request: SpawnRequest, end: SpawnEnd, readFile: (name: string) => Promise<string | null>): Promise<SpawnReport>;
}

/** How a supervised process ended. */
export interface SpawnEnd {
  readonly exit: number | null;
  readonly signal: string | null;
  /** Why the supervisor ended it, if it did. */
  readonly stopped: 'timeout' | 'silence' | 'fenced' | 'asked' | null;
  readonly startedAt: string;
  readonly endedAt: string;
  /** Last lines of standard output and error, at most 64 KiB, redacted. */
  readonly tail: string;
}
