/** An agent CLI driven headless. A provider says how to start one and how to read what it left; it runs nothing itself. */
import type { FailureKind, SpawnPurpose } from '../model/spawn.ts';
import type { SpawnEvent } from '../model/spawnEvent.ts';
import type { Criterion, Task, Usage } from '../model/task.ts';

export type { FailureKind } from '../model/spawn.ts';

export interface SpawnRequest {
  readonly spawn: string;
  readonly purpose: SpawnPurpose;
  readonly agent: string;
  readonly role: string;
  readonly node: string;
  /** Null where the spawn answers messages. */
  readonly task: Task | null;
  /** 0 without a task. */
  readonly epoch: number;
  readonly attempt: number;
  /** The instruction text without its front matter; what a runbook runs. Empty without a task. */
  readonly instruction: string;
  /** Everything that an agent CLI is told, whole (orient/prompt): written to its standard input. */
  readonly prompt: string;
  /** Absolute path of the worktree and of the folder in it where the work happens. */
  readonly worktree: string;
  readonly directory: string;
  /** Absolute path of a folder for this spawn's files (prompt, result, log). */
  readonly scratch: string;
  /** Absolute path where the agent leaves its report, named in the prompt: `<scratch>/result.md`. */
  readonly resultFile: string;
  /** Absolute path of this agent's own home, kept between its spawns: sessions and settings of the CLI stand there. */
  readonly home: string;
  readonly timeoutMs: number;
  readonly model: string | null;
  /** The session to go on with; null for a new one. Its totals so far, for CLIs that count over the whole session. */
  readonly resume: { readonly session: string; readonly usage: Usage | null; readonly costUsd: number | null } | null;
  /** Bounds that some CLIs can keep themselves; the engine keeps them too. Null: none. */
  readonly maxTurns: number | null;
  readonly budgetUsd: number | null;
  /** False for a role that may change no file of its own choice: its editing tools are left out. */
  readonly mayWrite: boolean;
  /** Argument vector of `cambium hook`, to which the name of the hook is added; null where none are to run. */
  readonly hook: readonly string[] | null;
  /** What the process is told about itself: CAMBIUM_AGENT, CAMBIUM_TASK and their like. */
  readonly variables: Readonly<Record<string, string>>;
}

/** What to start: an argument vector, never a shell string. */
export interface SpawnSpec {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Added to a minimal environment (PATH, HOME, LANG, TERM, CAMBIUM_*). */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables that are taken over from this machine's environment where they are set: a CLI's credentials. */
  readonly keepEnv?: readonly string[];
  /** Written to standard input, which is then closed. */
  readonly stdin: string;
  /** Files to write into `scratch` before the start. */
  readonly files: Readonly<Record<string, string>>;
  /** The agent's home to make ready: files by relative path, and links to files of the person's own home where they exist. */
  readonly home?: SpawnHome;
  /** Lines of output that hold one of these are a sign of life and nothing more: they are kept in no log. */
  readonly passOver?: readonly string[];
  /** True of CLIs that run commands as tools and say nothing meanwhile: silence counts only while no such command runs. */
  readonly waitsForTools?: boolean;
}

export interface SpawnHome {
  /** Absolute path. */
  readonly path: string;
  readonly files: Readonly<Record<string, string>>;
  /** Relative path in the home -> path relative to the person's HOME: login files that the CLI refreshes itself. */
  readonly links: Readonly<Record<string, string>>;
}

export interface SpawnReport {
  readonly ok: boolean;
  readonly failure: FailureKind | null;
  /** Markdown for the result file. */
  readonly report: string;
  readonly criteria: readonly Criterion[];
  /** Of this spawn alone, resumed or not. */
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly session: string | null;
  /** The model that the CLI says it asked; absent where it does not say. */
  readonly model?: string | null;
  /** False when trying again cannot help. */
  readonly retryable: boolean;
  /** UTC ISO time from which on the provider may be asked again; null where it did not say. */
  readonly resetAt: string | null;
  /** What went wrong on the way and ended nothing: denied permissions, tools that were not there. */
  readonly warnings: readonly string[];
  /** The agent ends with a question to a person instead of a result (`outcome: input`). */
  readonly question: string | null;
}

export interface Provider {
  readonly name: string;
  /** True when what an agent cannot mend may be handed back to it for another turn. */
  readonly conversational: boolean;
  /** Whether a session can be gone on with, and from where. */
  readonly resumes: 'anywhere' | 'same-folder' | 'never';
  /** The version, or why it cannot run on this machine. */
  probe(): Promise<{ readonly version: string } | { readonly unavailable: string; readonly hint: string }>;
  /** The model name that this provider is asked for: tiers (`high`, `daily`, `fast`) are looked up, others pass. Null: its own choice. */
  model(asked: string | null): string | null;
  prepare(request: SpawnRequest): SpawnSpec;
  /** Reads lines of output into events; one a spawn, since lines may belong together. Lines that are none of its events are none. */
  reader(): (line: string) => readonly SpawnEvent[];
  /** Reads exit status, log and files of `scratch`; throws for nothing an agent may do. */
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
