/** Supervised processes that outlive the daemon, and the identity of any process (PROTOCOL P4.5). */
import type { SpawnEnd, SpawnSpec } from './provider.ts';

/** A pid alone is no identity: it is reused (DESIGN 9). */
export interface ProcessIdentity {
  readonly boot_id: string;
  /** Time namespace, so that two containers of one host are told apart. */
  readonly namespace: string;
  readonly pid: number;
  /** Start time in clock ticks since boot (/proc/pid/stat field 22) or the platform's equal. */
  readonly start: number;
}

export type SpawnStatus =
  | { readonly state: 'starting' | 'running'; readonly supervisor: ProcessIdentity | null; readonly lastOutputBootMs: number | null }
  | { readonly state: 'ended'; readonly end: SpawnEnd; readonly supervisor: ProcessIdentity | null }
  /** The supervisor is gone without a record: killed, or the machine was rebooted. */
  | { readonly state: 'lost' };

/** 0 or a non-finite number turns the timeout or the silence limit off. */
export interface Limits {
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly graceMs: number;
  /** Boot-time ms after which the supervisor must end the tree (self-fencing, P4.4). */
  readonly deadlineBootMs: number;
}

export interface Supervisor {
  /** Identity of this process, of this boot and of this machine. */
  self(): Promise<{ readonly process: ProcessIdentity; readonly machine: string }>;
  /** True while exactly that process lives. */
  alive(identity: ProcessIdentity): Promise<boolean>;
  /** Starts a detached supervisor for the spec; `scratch` is where its files stand. */
  start(id: string, scratch: string, spec: SpawnSpec, limits: Limits): Promise<void>;
  status(scratch: string): Promise<SpawnStatus>;
  /** Moves the self-fencing deadline after each good renewal. */
  setDeadline(scratch: string, deadlineBootMs: number): Promise<void>;
  /** TERM, grace, KILL for every descendant; resolves when none is left. `graceMs` instead of the spawn's own grace. */
  stop(scratch: string, reason: 'fenced' | 'asked', graceMs?: number): Promise<void>;
  /**
   * Holds every process of the spawn still (SIGSTOP), and those they start, until it is called with false. Neither its time
   * limit nor its silence runs meanwhile; its deadline does (P4.4). A spawn that has ended is left alone.
   */
  freeze(scratch: string, frozen: boolean): Promise<void>;
  /** What its log has gained since byte `from`, redacted, with the byte to go on from; a whole line at the end is not promised. */
  readLog(scratch: string, from: number): Promise<{ readonly text: string; readonly next: number }>;
  /** A file that a spawn left in its scratch folder, or null. */
  readFile(scratch: string, name: string): Promise<string | null>;
  /** Calls back when a spawn of this machine may have ended. */
  onChange(nudge: () => void): void;
}
