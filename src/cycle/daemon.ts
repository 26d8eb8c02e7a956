/**
 * The daemon: one per clone. Triggers (files, timers, ended spawns) only nudge; nudges coalesce, passes never overlap.
 *
 *   running   → draining (first signal) → stopped
 *   running   → stopped (idle, when asked to end then)
 *   running   → halted (the hub went backwards, a twin): agents are stopped, nothing is pushed
 */
import { CambiumError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Watcher } from '../ports/watcher.ts';
import type { Loop } from './loop.ts';
import { pass } from './pass.ts';
import type { PassReport } from './pass.ts';
import { releaseAnswers } from './answers.ts';
import { releaseRuns } from './runs.ts';
import { stopSpawn } from '../act/run/end.ts';

export interface DaemonOptions {
  /** End when nothing was to do for this long; 0 ends at the first idle pass; null stays. */
  readonly idleMs: number | null;
  /** At the end: give claims back, or leave agents running for a restarted daemon to adopt. */
  readonly onExit: 'release' | 'keep';
  readonly onPass: (report: PassReport) => Promise<void>;
}

export interface Daemon {
  /** Resolves when the daemon has ended; throws what halted it. */
  run(): Promise<void>;
  nudge(): void;
  /** First call drains; a second one stops at once. */
  stop(): void;
}

/** The fetch period adapts: quick while things move, slow only while there is no work for this node (5 s → 2 … 30 s by default). */
const QUICK = 0.4;
const SLOW = 6;

export function createDaemon(loop: Loop, watcher: Watcher, options: DaemonOptions): Daemon {
  const { clock } = loop.shop.node;
  const waiter = createWaiter(clock);
  let stops = 0;
  let scannedMs = -Infinity;

  /** A full disk or one failed git command must not end a fleet's night: say it, wait, look again. */
  async function onePass(): Promise<PassReport> {
    for (let failures = 1; ; failures++) {
      try {
        return await tryPass();
      } catch (error) {
        if (!isPassing(error) || (failures >= FAILURES_MAX && !isOutside(error)) || stops > 1) throw error;
        loop.shop.say('pass failed', { reason: (error as Error).message, again: `in ${failures} s` });
        await waiter.wait(Math.min(failures, 30) * 1_000);
      }
    }
  }

  async function tryPass(): Promise<PassReport> {
    const { timings } = loop.shop.config();
    const fullScan = clock.bootMs() - scannedMs >= timings.rescanMs;
    const report = await pass(loop, { fullScan });
    if (fullScan && report.offline === null) scannedMs = clock.bootMs();
    adapt(loop, report, timings.fetchMs);
    await options.onPass(report);
    return report;
  }

  async function serve(): Promise<void> {
    let idleSinceMs: number | null = null;
    while (stops === 0) {
      const report = await onePass();
      if (stops > 0) break;
      const isIdle = report.idle && report.settled && !report.progress;
      idleSinceMs = isIdle ? (idleSinceMs ?? clock.bootMs()) : null;
      const leftMs = options.idleMs === null || idleSinceMs === null ? Infinity : idleSinceMs + options.idleMs - clock.bootMs();
      if (leftMs <= 0) return;
      if (!report.progress) await waiter.wait(Math.min(leftMs, nextLookMs(loop)));
    }
  }

  /** Running agents get their grace to end by themselves and land; then their claims are released, their work kept. */
  async function drain(): Promise<void> {
    const { state, shop } = loop;
    state.claiming = false;
    if (options.onExit === 'keep') return;
    const { graceMs } = shop.config().timings;
    const untilMs = clock.bootMs() + graceMs;
    const busy = (): number => state.runs.size + state.answers.size;
    if (busy() > 0) shop.say('draining', { running: [...state.runs.keys(), ...state.answers.keys()].join(', '), grace: `${graceMs / 1000} s`, hint: 'Ctrl-C again stops at once' });
    while (busy() > 0 && stops === 1 && clock.bootMs() < untilMs) {
      const report = await onePass();
      if (!report.progress && busy() > 0) await waiter.wait(Math.min(500, Math.max(0, untilMs - clock.bootMs())));
    }
    // The waiting above was their grace; what is left is for a last word.
    await releaseAnswers(loop, stops > 1 ? 0 : LAST_WORD_MS);
    await releaseRuns(loop, 'the node was stopped', stops > 1 ? 0 : LAST_WORD_MS);
    for (let tries = 0; state.runs.size > 0 && tries < 5; tries++) await onePass();
    // One more, so that main tells what was given back.
    if (state.givenBack.size > 0 || state.talk.wakes.size > 0) await onePass();
  }

  return {
    nudge: waiter.nudge,
    stop() {
      stops += 1;
      waiter.nudge();
    },
    async run() {
      loop.shop.node.supervisor.onChange(waiter.nudge);
      await watcher.start(() => {
        loop.state.touched = true;
        waiter.nudge();
      });
      loop.state.watched = true;
      try {
        await serve();
        if (stops > 0) await drain();
      } catch (error) {
        await stopAgents(loop, error);
        throw error;
      } finally {
        await watcher.close();
      }
    },
  };
}

const LAST_WORD_MS = 1_000;
const FAILURES_MAX = 10;

function isDiskFull(error: unknown): boolean {
  return (error instanceof CambiumError && error.code === 'disk-full') || (error as NodeJS.ErrnoException).code === 'ENOSPC';
}

/** The world outside: a full disk, a hub that is away or busy. The node waits for it, however long. */
function isOutside(error: unknown): boolean {
  return isDiskFull(error) || (error instanceof CambiumError && ['hub-away', 'hub-denied', 'lost-race', 'outcome-unknown', 'refused'].includes(error.code));
}

/** What may pass by itself. A halt, a bad configuration and a bug do not. */
function isPassing(error: unknown): boolean {
  return isOutside(error) || (error instanceof CambiumError && ['git-failed', 'object-missing'].includes(error.code));
}

function adapt({ state }: Loop, report: PassReport, fetchMs: number): void {
  const slowest = report.idle ? fetchMs * SLOW : fetchMs;
  state.fetchPeriodMs = report.progress ? fetchMs * QUICK : Math.min(state.fetchPeriodMs * 1.25, slowest);
}

/** The next time something is due without anybody's nudge. */
function nextLookMs({ state, shop }: Loop): number {
  const now = shop.node.clock.bootMs();
  const polls = [state.fetchPeriodMs, Math.max(0, state.nextBeatMs - now)];
  if (state.checkout.unsettled.length > 0) polls.push(shop.config().timings.settleMs);
  if (state.checkout.held.length > 0) polls.push(shop.config().timings.halfSavedMs);
  if ([...state.runs.values()].some(({ phase }) => phase === 'working' || phase === 'verifying') || state.answers.size > 0) polls.push(1_000);
  return Math.min(...polls);
}

/** A halted node must not leave agents that could land under a claim it can no longer judge. */
async function stopAgents(loop: Loop, error: unknown): Promise<void> {
  if (!(error instanceof CambiumError) || (error.code !== 'hub-rewritten' && error.code !== 'node-taken')) return;
  for (const run of loop.state.runs.values()) await stopSpawn(loop.shop, run, 'fenced');
  for (const { spawn } of loop.state.answers.values()) await loop.shop.node.supervisor.stop(loop.shop.scratch(spawn), 'fenced');
}

/** A sleep that any nudge ends; a nudge that comes while nobody sleeps ends the next one. */
function createWaiter(clock: Clock): { wait(ms: number): Promise<void>; nudge(): void } {
  let pending = false;
  let waking: AbortController | null = null;
  return {
    nudge() {
      pending = true;
      waking?.abort();
    },
    async wait(ms) {
      if (!pending && ms > 0) {
        waking = new AbortController();
        await clock.sleep(ms, waking.signal);
        waking = null;
      }
      pending = false;
    },
  };
}
