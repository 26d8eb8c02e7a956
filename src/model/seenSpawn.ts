/**
 * A spawn as it is shown, wherever what is known of it stands: its record in the tree, what this clone keeps of spawns
 * under way, or another node's heartbeat. Pure nouns.
 */
import type { Usage } from './task.ts';

/** What is known of one spawn; null is unknown. Times are UTC ISO, for people. */
export interface SpawnFacts {
  readonly id: string;
  readonly agent: string | null;
  readonly node: string | null;
  /** `task`, `message`, `verify`, `setup`, or a word of a newer version. */
  readonly purpose: string;
  readonly task: string | null;
  readonly epoch: number | null;
  readonly attempt: number | null;
  readonly channel: string | null;
  /** Ids of the messages that it answers. */
  readonly messages: readonly string[];
  /** The spawn that caused it; null where a person or the queue did. */
  readonly parent: string | null;
  readonly depth: number;
  readonly provider: string | null;
  readonly providerVersion: string | null;
  readonly model: string | null;
  readonly session: string | null;
  /** Its supervisor. */
  readonly process: { readonly boot_id: string; readonly pid: number; readonly start: number } | null;
  readonly start: string | null;
  /** Null while it is under way. */
  readonly end: string | null;
  /** `succeeded`, `failed`, `stopped`, `fenced` or `lost`; null while it is under way. */
  readonly outcome: string | null;
  readonly failure: string | null;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
}

export const UNKNOWN_SPAWN: Omit<SpawnFacts, 'id'> = {
  agent: null, node: null, purpose: 'unknown', task: null, epoch: null, attempt: null, channel: null, messages: [], parent: null, depth: 0,
  provider: null, providerVersion: null, model: null, session: null, process: null, start: null, end: null, outcome: null, failure: null, usage: null, costUsd: null,
};

/** `<ulid>-verify`: scripts that a node runs for a task carry their purpose in the id, and have no record of their own. */
export function scriptPurpose(id: string): string | null {
  return /^[0-9A-Z]{26}-([a-z]+)/.exec(id)?.[1] ?? null;
}

/** What a live spawn tells of itself in its node's heartbeat, beside `id` and `agent`; all unsaid by an earlier version. */
export interface ToldSpawn {
  readonly id: string;
  readonly agent: string;
  readonly task?: string;
  readonly channel?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly parent?: string;
  readonly depth?: number;
  /** UTC ISO time of its start, for people. */
  readonly since?: string;
}
