/**
 * When a silent claim may be taken over (PROTOCOL P4.3). No wall clock: an observer times, on its own boot-time
 * clock, the pair (claim oid, last heartbeat of the claim's incarnation that names that claim). Either changing,
 * or the observer's own absence, restarts the timer. Pure.
 */
import type { Oid, TaskId } from './ids.ts';

/** What one observer remembers of one held claim. */
export interface LeaseWatch {
  readonly claim: Oid;
  /** The last heartbeat seen that names the claim; null while none was seen. */
  readonly heartbeat: Oid | null;
  readonly sinceMs: number;
  readonly seenMs: number;
  /** Successful fetches since the pair last changed: a failed fetch proves nothing. */
  readonly fetches: number;
}

export type LeaseWatches = ReadonlyMap<TaskId, LeaseWatch>;

/** A claim that is held now, with the node's present heartbeat if that names it. */
export interface HeldClaim {
  readonly task: TaskId;
  readonly claim: Oid;
  readonly heartbeat: Oid | null;
  readonly ttlMs: number;
}

/** Folds one successful fetch into what was remembered. Claims no longer held are forgotten. */
export function watchLeases(before: LeaseWatches, held: readonly HeldClaim[], bootMs: number): LeaseWatches {
  return new Map(held.map((claim) => [claim.task, watchOne(before.get(claim.task), claim, bootMs)]));
}

function watchOne(before: LeaseWatch | undefined, held: HeldClaim, bootMs: number): LeaseWatch {
  // A heartbeat that stops naming the claim is no news: the last one that named it stays the pair.
  const heartbeat = held.heartbeat ?? (before?.claim === held.claim ? before.heartbeat : null);
  const same = before !== undefined && before.claim === held.claim && before.heartbeat === heartbeat;
  // Long without a look (suspended, stopped, hub away): what happened meanwhile is unknown, so start over.
  const absent = before !== undefined && bootMs - before.seenMs > held.ttlMs / 2;
  if (!same || absent) return { claim: held.claim, heartbeat, sinceMs: bootMs, seenMs: bootMs, fetches: 1 };
  return { ...before, seenMs: bootMs, fetches: before.fetches + 1 };
}

export const TAKEOVER_FETCHES_MIN = 3;

/** Silence after which a claim may be taken over: 1.1 × its TTL + 2 fetch periods. */
export function takeoverAfterMs(ttlMs: number, fetchPeriodMs: number): number {
  return ttlMs * 1.1 + 2 * fetchPeriodMs;
}

export function isLapsed(watch: LeaseWatch | undefined, ttlMs: number, fetchPeriodMs: number, bootMs: number): boolean {
  return watch !== undefined && watch.fetches >= TAKEOVER_FETCHES_MIN && bootMs - watch.sinceMs >= takeoverAfterMs(ttlMs, fetchPeriodMs);
}

/** The owner stops its agents here: the start of its last good renewal plus two thirds of the TTL (P4.4). */
export function fenceDeadlineMs(renewalStartedMs: number, ttlMs: number): number {
  return renewalStartedMs + (ttlMs * 2) / 3;
}

/** How often a node beats: every third of the TTL at least (P4.1), with a margin for the push itself. */
export function heartbeatEveryMs(heartbeatMs: number, ttlMs: number): number {
  return Math.min(heartbeatMs, ttlMs / 3);
}
