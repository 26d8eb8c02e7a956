/** A spawn: one run of a provider for an agent (docs/formats.md, agents/spawns). Pure nouns. */
import type { AgentId, TaskId } from './ids.ts';
import type { Usage } from './task.ts';

/** `message`: an answer to what was said in a channel or an inbox; `verify`: a task's check, which no provider runs. */
export type SpawnPurpose = 'task' | 'verify' | 'message';

export type SpawnOutcome = 'succeeded' | 'failed' | 'stopped' | 'fenced' | 'lost';

/**
 * Why a spawn failed, whatever the CLI calls it. `auth` no or refused credentials; `rate_limit` with a reset time where it
 * is known; `overloaded` the provider answers 5xx; `refused` no connection, or an answer that cannot be used; `denied` a
 * permission that it lacked; `hung` silent for too long; `timeout` over its time; `crashed`; `empty` a success without a word;
 * `declared` the agent itself says that it could not, or asks a person.
 */
export type FailureKind = 'auth' | 'rate_limit' | 'overloaded' | 'refused' | 'denied' | 'hung' | 'timeout' | 'crashed' | 'empty' | 'declared';

/** What a spawn was, for its record in the tree: written once, at its end. */
export interface SpawnRecord {
  readonly id: string;
  readonly purpose: SpawnPurpose;
  /** UTC ISO times, for people. */
  readonly start: string;
  readonly end: string;
  readonly outcome: SpawnOutcome;
  readonly failure: FailureKind | null;
  readonly session: string | null;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  /** Identity of the supervisor; null when it never started. */
  readonly process: { readonly boot_id: string; readonly pid: number; readonly start: number } | null;
  /** Unsaid in records that an earlier version began: the run's own. */
  readonly provider?: string;
  readonly providerVersion?: string;
  readonly model?: string | null;
}

/** Where a spawn stands in the tree of causes: who started it, how deep, and in answer to what. */
export interface Cause {
  /** The spawn that caused this one; null where a person or the queue did. */
  readonly parent: string | null;
  /** Spawns above it; bounded by `limits.spawn_depth`. */
  readonly depth: number;
}

/** What a spawn is about: a claimed task, or messages in a channel or an inbox. */
export interface SpawnSubject {
  readonly agent: AgentId;
  readonly task: TaskId | null;
  readonly epoch: number;
  readonly attempt: number;
  /** Null for a task, and for an inbox. */
  readonly channel: string | null;
  /** Ids of the messages that it answers. */
  readonly messages: readonly string[];
}

/** Path of a spawn's record: a folder a day keeps folders small. */
export const spawnRecordPath = ({ id, start }: Pick<SpawnRecord, 'id' | 'start'>): string => `agents/spawns/${start.slice(0, 7)}/${start.slice(8, 10)}/${id}.json`;

export function addUsage(before: Usage | null, now: Usage | null): Usage | null {
  if (before === null || now === null) return now ?? before;
  return { input: before.input + now.input, cached: before.cached + now.cached, output: before.output + now.output };
}

export function addCost(before: number | null, now: number | null): number | null {
  return before === null || now === null ? (now ?? before) : before + now;
}
