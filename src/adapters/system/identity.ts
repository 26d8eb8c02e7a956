/** Who a process is: {boot id, namespace, pid, start time} (PROTOCOL P4.5). A pid alone is reused within minutes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProcessIdentity } from '../../ports/process.ts';
import { readProcess } from './processTable.ts';

/** `unseen`: of another namespace of this boot (a container), so that its pid means nothing to us. */
export type Liveness = 'alive' | 'dead' | 'unseen';

/** Changes at every boot of the machine. */
export const bootId = once(() => firstOf([
  () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'),
  () => sysctl('kern.bootsessionuuid'),
  () => sysctl('kern.boottime'),
], 'unknown-boot'));

/**
 * The time namespace, in which start times are counted, and the pid namespace, in which pids are: containers
 * commonly have a pid namespace of their own and share the host's time namespace.
 */
export const namespaceId = once(() => {
  const names = ['time', 'pid'].map((kind) => firstOf([() => readlinkSync(`/proc/self/ns/${kind}`)], ''));
  return names.filter((name) => name !== '').join(' ') || 'host';
});

/** Tells machines apart without giving their id away: 16 hex characters. */
export const machineId = once(() => {
  const raw = firstOf([
    () => readFileSync('/etc/machine-id', 'utf8'),
    () => readFileSync('/var/lib/dbus/machine-id', 'utf8'),
    () => sysctl('kern.uuid'),
  ], hostname());
  return createHash('sha256').update(`cambium ${raw}`).digest('hex').slice(0, 16);
});

/** The identity of a live process, or null. */
export function identify(pid: number): ProcessIdentity | null {
  const row = readProcess(pid);
  return row === null ? null : { boot_id: bootId(), namespace: namespaceId(), pid, start: row.start };
}

export const selfIdentity = once((): ProcessIdentity => {
  const self = identify(process.pid);
  if (self === null) throw new Error('this process is not in the process table');
  return self;
});

/** A stopped process (SIGSTOP) is alive; a zombie is dead. */
export function liveness(identity: ProcessIdentity): Liveness {
  if (identity.boot_id !== bootId()) return 'dead';
  if (identity.namespace !== namespaceId()) return 'unseen';
  return readProcess(identity.pid)?.start === identity.start ? 'alive' : 'dead';
}

/** Checks what was read from a file: anything else is null. */
export function asIdentity(value: unknown): ProcessIdentity | null {
  if (typeof value !== 'object' || value === null) return null;
  const { boot_id, namespace, pid, start } = value as Record<string, unknown>;
  const good = typeof boot_id === 'string' && typeof namespace === 'string' && Number.isInteger(pid) && typeof start === 'number';
  return good ? { boot_id, namespace, pid: pid as number, start } : null;
}

function sysctl(name: string): string {
  return spawnSync('sysctl', ['-n', name], { encoding: 'utf8' }).stdout ?? '';
}

/** The first answer that is not blank; a source that throws has none. */
function firstOf(sources: readonly (() => string)[], otherwise: string): string {
  for (const source of sources) {
    try {
      const text = source().trim();
      if (text !== '') return text;
    } catch {
      continue;
    }
  }
  return otherwise;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
