/** Virtual time and seeded chance: a run is repeated exactly by its seed. */
import type { Clock } from '../../ports/clock.ts';
import { createUlid } from '../system/ulid.ts';

export interface ManualClock extends Clock {
  /**
   * Moves boot and wall clock by `ms`. Whoever sleeps is woken in the order of time, each at its own time, and
   * runs until it waits again before the next is woken. Resolves when all of that is over.
   */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock by `ms` forth or back, as a person or NTP does; the boot clock goes on. */
  jumpWall(ms: number): void;
  /** Boot-clock time of the next sleeper, or null when nobody sleeps. */
  nextWakeMs(): number | null;
}

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Boots at `bootMs` 1,000,000 on 21 November 2026. */
export function createManualClock(seed: number): ManualClock {
  const random = seededRandom(seed);
  const randomBytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random() & 0xff);
  const sleepers = new Set<Sleeper>();
  let bootMs = 1_000_000;
  let wallAheadMs = Date.UTC(2026, 10, 21) - bootMs;
  let order = 0;

  const next = (): Sleeper | undefined => [...sleepers].toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
  const now = (): Date => new Date(bootMs + wallAheadMs);
  return {
    bootMs: () => bootMs,
    now,
    sleep: (ms, signal) => new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      order += 1;
      const wake = (): void => {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { atMs: bootMs + Math.max(ms, 0), order, wake };
      sleepers.add(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
    }),
    ulid: createUlid({ nowMs: () => now().getTime(), randomBytes }),
    randomBytes,
    advance: async (ms) => {
      const until = bootMs + ms;
      await settled();
      for (let sleeper = next(); sleeper !== undefined && sleeper.atMs <= until; sleeper = next()) {
        bootMs = Math.max(bootMs, sleeper.atMs);
        sleeper.wake();
        await settled();
      }
      bootMs = until;
    },
    jumpWall: (ms) => void (wallAheadMs += ms),
    nextWakeMs: () => next()?.atMs ?? null,
  };
}

/** A turn of the event loop: every chain of promises that can go on has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** splitmix32: 32 bits a call. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}
