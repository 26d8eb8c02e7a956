/** The process table by ps(1), for systems without /proc (macOS). */
import { spawnSync } from 'node:child_process';
import type { ProcessRow } from './processRow.ts';

const COLUMNS = ['-o', 'pid=', '-o', 'ppid=', '-o', 'stat=', '-o', 'lstart='];

export function psProcess(pid: number): ProcessRow | null {
  return parsePs(ps([...COLUMNS, '-p', String(pid)]))[0] ?? null;
}

export function psProcesses(): readonly ProcessRow[] {
  return parsePs(ps(['-A', ...COLUMNS]));
}

/** `-E` adds the environment after the command; entries are parted by spaces. */
export function psEnvironmentHas(pid: number, entry: string): boolean {
  return ` ${ps(['-E', '-ww', '-o', 'command=', '-p', String(pid)]).trim()} `.includes(` ${entry} `);
}

/** `  41 1 Ss Fri Nov 20 23:00:00 2026`: zombies are left out. */
export function parsePs(text: string): readonly ProcessRow[] {
  return text.split('\n').flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line);
    if (found === null || (found[3] ?? '').startsWith('Z')) return [];
    const start = Date.parse(`${found[4] ?? ''} UTC`) / 1000;
    return Number.isFinite(start) ? [{ pid: Number(found[1]), ppid: Number(found[2]), start }] : [];
  });
}

function ps(args: readonly string[]): string {
  // lstart is written in the user's language and time zone unless told otherwise; in a zone with a summer time one hour
  // of the year comes twice, and a daemon and a command may have been started with zones that differ.
  const ran = spawnSync('ps', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC0' }, maxBuffer: 64 * 1024 * 1024 });
  return ran.stdout ?? '';
}
