/** What runs on this machine: from /proc on Linux, from ps elsewhere. Zombies are dead: nothing is listed that has ended. */
import { readFileSync, readdirSync } from 'node:fs';
import type { ProcessRow } from './processRow.ts';
import { psEnvironmentHas, psProcess, psProcesses } from './processTablePs.ts';

export type { ProcessRow } from './processRow.ts';

const PROC = process.platform === 'linux';

/** The row of a live process, or null. */
export function readProcess(pid: number): ProcessRow | null {
  if (!PROC) return psProcess(pid);
  const stat = readOrNull(`/proc/${pid}/stat`);
  return stat === null ? null : parseStat(stat);
}

export function listProcesses(): readonly ProcessRow[] {
  if (!PROC) return psProcesses();
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readProcess(Number(pid))).filter((row) => row !== null);
}

/** When it began, in ms of the boot clock (clock ticks are 10 ms to user space); null where this system tells it otherwise. */
export function beganBootMs({ start }: Pick<ProcessRow, 'start'>): number | null {
  return PROC ? start * 10 : null;
}

/** Whether the environment the process was started with holds exactly `NAME=value`. False where it may not be read. */
export function environmentHas(pid: number, entry: string): boolean {
  if (!PROC) return psEnvironmentHas(pid, entry);
  const environ = readOrNull(`/proc/${pid}/environ`);
  return environ !== null && `\0${environ}\0`.includes(`\0${entry}\0`);
}

/**
 * One line of /proc/pid/stat. The command name stands in parentheses and may itself hold spaces and
 * parentheses, so fields are counted from the last closing one. Null for a zombie.
 */
export function parseStat(stat: string): ProcessRow | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ppid, start] = [fields[0], Number(fields[1]), Number(fields[19])];
  if (state === 'Z' || state === 'X' || !Number.isInteger(start)) return null;
  return { pid: Number.parseInt(stat, 10), ppid, start };
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone in between, or another user's: either way not ours to see.
    return null;
  }
}
