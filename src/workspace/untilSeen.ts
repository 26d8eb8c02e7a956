/** Waiting for something to come true of the fleet, by what this clone sees of it: its daemon asks the hub, and whoever waits is woken. */
import { createSystemClock } from '../adapters/system/clock.ts';
import { createWatcher } from '../adapters/system/watcher.ts';
import { HUB_MIRROR } from '../model/layout.ts';
import { withSession } from './session.ts';
import type { Session } from './session.ts';

/** What a timer holds at most. */
const SLEEP_MS_MAX = 2 ** 31 - 1;

/**
 * Looks at once, and again whenever the mirror of main or of a claim has moved; each `timings.fetch` at the latest. Where no
 * daemon runs in this clone, each look asks the hub itself. Resolves to the first that is not null, or to null after `forMs`.
 */
export async function untilSeen<T>(forMs: number, look: (session: Session) => Promise<T | null>): Promise<T | null> {
  const clock = createSystemClock();
  const untilMs = clock.bootMs() + forMs;
  const { commonDir, fetchMs } = await withSession({ needsHub: false, asKnown: true }, async ({ clone, fleet }) => ({ commonDir: clone.commonDir, fetchMs: fleet.config.timings.fetchMs }));
  const watcher = createWatcher({ root: commonDir, paths: [`${HUB_MIRROR}heads`, `${HUB_MIRROR}cambium/claims`], settleMs: SETTLE_MS, rescanMs: Math.max(fetchMs, SETTLE_MS) });
  let bell = new AbortController();
  await watcher.start(() => bell.abort());
  try {
    for (;;) {
      // Before the look, so that what moves during it is looked at again.
      bell = new AbortController();
      const found = await withSession({ needsHub: false }, look);
      const leftMs = untilMs - clock.bootMs();
      if (found !== null || leftMs <= 0) return found;
      await clock.sleep(Math.min(leftMs, SLEEP_MS_MAX), bell.signal);
    }
  } finally {
    await watcher.close();
  }
}

/** A push moves several refs: they are looked at together. */
const SETTLE_MS = 100;
