/** The real clock. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import { bootMs } from './bootClock.ts';
import { createUlid } from './ulid.ts';

/** setTimeout fires at once for anything longer (about 24.8 days). */
const TIMER_MAX_MS = 2 ** 31 - 1;

export function createSystemClock(): Clock {
  return {
    bootMs,
    now: () => new Date(),
    sleep,
    ulid: createUlid({ nowMs: () => Date.now(), randomBytes }),
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
  };
}

/** Resolves after `ms`, or at once when the signal aborts; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(Math.max(ms, 0), TIMER_MAX_MS));
    signal?.addEventListener('abort', done, { once: true });
  });
}
