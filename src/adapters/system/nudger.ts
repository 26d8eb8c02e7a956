/** Many touches, one nudge: it fires when touches have ceased for `settleMs`, and at the latest after ten times that. */
export interface Nudger {
  touch(): void;
  close(): void;
}

const PATIENCE = 10;

export function createNudger(nudge: () => void, settleMs: number): Nudger {
  let timer: NodeJS.Timeout | undefined;
  let latest: NodeJS.Timeout | undefined;
  const close = (): void => {
    clearTimeout(timer);
    clearTimeout(latest);
    latest = undefined;
  };
  const fire = (): void => {
    close();
    nudge();
  };
  return {
    touch: () => {
      clearTimeout(timer);
      timer = setTimeout(fire, settleMs);
      // A folder that never rests must not silence the watcher.
      latest ??= setTimeout(fire, settleMs * PATIENCE);
    },
    close,
  };
}
