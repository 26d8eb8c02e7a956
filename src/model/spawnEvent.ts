/**
 * What an agent CLI says while it runs, whatever its own format (CLIENTS: every CLI streams JSON lines of its own shape).
 * One union for logs that people follow, for usage, and for judging how a spawn ended. Pure nouns.
 */
import type { FailureKind } from './spawn.ts';
import type { Usage } from './task.ts';

export type SpawnEvent =
  /** The CLI is up. The session is the one to resume. */
  | { readonly kind: 'start'; readonly session: string | null; readonly model: string | null }
  | { readonly kind: 'text'; readonly text: string }
  /** `input` is one line that says what it is about: the command, the path. */
  | { readonly kind: 'tool'; readonly id: string | null; readonly name: string; readonly input: string }
  | { readonly kind: 'tool_result'; readonly id: string | null; readonly ok: boolean; readonly output: string }
  /** Counted since the spawn began, or since its session did where `cumulative` is true. */
  | { readonly kind: 'usage'; readonly usage: Usage; readonly costUsd: number | null; readonly cumulative: boolean }
  /** `resetAt`: UTC ISO time from which on the provider may be asked again, where it says so. */
  | { readonly kind: 'limit'; readonly failure: 'rate_limit' | 'overloaded'; readonly resetAt: string | null; readonly text: string }
  /** `failure` null: a warning that ends nothing. */
  | { readonly kind: 'error'; readonly failure: FailureKind | null; readonly text: string }
  /** The CLI's own terminal event. `text` is its final message. */
  | { readonly kind: 'end'; readonly ok: boolean; readonly text: string; readonly turns: number | null };
