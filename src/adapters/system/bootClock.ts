/**
 * The boot-time clock of PROTOCOL P4.5: monotonic, counts suspend, the same for every process of this boot.
 * `/proc/uptime` on Linux (10 ms steps; Node's own hrtime stands still in suspend there), hrtime elsewhere
 * (macOS counts suspend in it).
 */
import { openSync, readSync } from 'node:fs';

const text = Buffer.alloc(64);
let uptime: number | null | undefined;

/** A descriptor kept open: procfs renders the file anew at each read from position 0. */
function uptimeFile(): number | null {
  if (uptime === undefined) {
    try {
      uptime = openSync('/proc/uptime', 'r');
    } catch {
      uptime = null;
    }
  }
  return uptime;
}

/** Milliseconds since boot. */
export function bootMs(): number {
  const file = uptimeFile();
  if (file === null) return Number(process.hrtime.bigint() / 1_000_000n);
  const length = readSync(file, text, 0, text.length, 0);
  return Math.round(Number.parseFloat(text.toString('latin1', 0, length)) * 1000);
}
