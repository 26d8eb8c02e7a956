/** When a supervisor must end its agent. Pure. All times are boot-clock milliseconds. */
import type { SpawnEnd } from '../../ports/provider.ts';

export interface Watch {
  readonly startedMs: number;
  readonly lastOutputMs: number;
  readonly timeoutMs: number | null;
  readonly silenceMs: number | null;
  readonly deadlineMs: number;
}

/** The reason that has come due; the fence first, because it says the work may no longer land. */
export function dueReason(watch: Watch, nowMs: number): Exclude<SpawnEnd['stopped'], 'asked'> {
  if (nowMs >= watch.deadlineMs) return 'fenced';
  if (watch.timeoutMs !== null && nowMs >= watch.startedMs + watch.timeoutMs) return 'timeout';
  if (watch.silenceMs !== null && nowMs >= watch.lastOutputMs + watch.silenceMs) return 'silence';
  return null;
}

/** Milliseconds until the next look: never past the next due time, and at least once a second, because the deadline moves. */
export function nextLookMs(watch: Watch, nowMs: number): number {
  const dues = [watch.deadlineMs, watch.startedMs + (watch.timeoutMs ?? Infinity), watch.lastOutputMs + (watch.silenceMs ?? Infinity)];
  return Math.min(1000, Math.max(10, Math.min(...dues) - nowMs));
}

/** How long a spawn stood still: that time is not its own, so neither its time limit nor its silence counts it. */
export interface Frozen {
  /** When it was last seen to stand still; null while it runs. */
  readonly since: number | null;
  readonly totalMs: number;
  /** Of that, what came after its last output. */
  readonly sinceOutputMs: number;
  readonly lastOutputMs: number;
}

export const NEVER_FROZEN: Frozen = { since: null, totalMs: 0, sinceOutputMs: 0, lastOutputMs: 0 };

export function frozenAt({ since, totalMs, sinceOutputMs, ...before }: Frozen, { isFrozen, nowMs, lastOutputMs }: { readonly isFrozen: boolean; readonly nowMs: number; readonly lastOutputMs: number }): Frozen {
  const stoodMs = since === null ? 0 : nowMs - since;
  const heard = lastOutputMs !== before.lastOutputMs;
  return { since: isFrozen ? nowMs : null, totalMs: totalMs + stoodMs, sinceOutputMs: (heard ? 0 : sinceOutputMs) + stoodMs, lastOutputMs };
}
