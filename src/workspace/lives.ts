/**
 * The incarnations of a clone (PROTOCOL P4.1): a restarted daemon on the same machine and boot goes on as the same
 * one; after a reboot it is a new one, and the old one's claims are given back at once.
 */
import type { Local } from '../ports/local.ts';
import type { ProcessIdentity } from '../ports/process.ts';

export interface Lives {
  readonly incarnation: string;
  readonly past: readonly string[];
}

interface LivesRecord extends Lives {
  readonly machine: string;
  readonly bootId: string;
  readonly namespace: string;
}

const PAST_MAX = 20;

export async function openLives(local: Local, machine: string, self: ProcessIdentity, fresh: string): Promise<Lives> {
  const before = (await local.read('incarnation')) as LivesRecord | null | undefined;
  const same = before?.machine === machine && before.bootId === self.boot_id && before.namespace === self.namespace;
  if (before !== null && before !== undefined && same) return before;
  // Another machine, or a life that met its twin: those claims may be a living node's, and are left to their lease.
  const past = before?.machine === machine ? [before.incarnation, ...before.past].slice(0, PAST_MAX) : [];
  const record: LivesRecord = { incarnation: fresh, past, machine, bootId: self.boot_id, namespace: self.namespace };
  await local.write('incarnation', record);
  return record;
}

/** A twin was met: this life is over, the next start takes a new one (P4.2). */
export async function endLife(local: Local, lives: Lives): Promise<void> {
  await local.write('incarnation', { incarnation: lives.incarnation, past: [], machine: '', bootId: '', namespace: '' });
}
