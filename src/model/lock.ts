/**
 * Named locks and path reservations (PROTOCOL P10): chains like those of claims, on `refs/cambium/locks/<name>`. They are
 * advisory: they protect only pushes that move their ref, and nobody's work moves it. All reservations of paths stand in the
 * one ref `paths`, because two that overlap could not be seen across refs. Pure.
 *
 *   held      somebody has it, under a lease that only a new transition renews. Left by release; by take, once it has lapsed
 *   released  open to anybody; the epoch goes on from here and never restarts
 */
import { isId } from './ids.ts';
import type { NodeName } from './ids.ts';
import { globsOverlap } from './globOverlap.ts';

export const PATHS_LOCK = 'paths';
/** `landing` is the engine's own (P5.6), `paths` holds the reservations; `list` is a word of the command line. */
const RESERVED_LOCKS: ReadonlySet<string> = new Set(['landing', PATHS_LOCK, 'list']);

/** True for names that a lock may be given. */
export const isLockName = (name: string): boolean => isId(name) && !RESERVED_LOCKS.has(name);

/** Who has something, since which op, for how long after each renewal. */
export interface Lease {
  /** `agent:<id>` or `human:<name>`. */
  readonly holder: string;
  readonly node: NodeName;
  /** Unique to this renewal: what an observer times (P4.3). */
  readonly op: string;
  readonly ttl_s: number;
  /** Empty when nobody said. */
  readonly why: string;
  /** UTC, for people; nothing is decided by it. */
  readonly at: string;
  /** The spawn that took it, whose end gives it back. */
  readonly spawn?: string;
}

export interface Reservation extends Lease {
  readonly globs: readonly string[];
}

export type LockKind = 'take' | 'renew' | 'release';

/** lock.json, the tree of each commit of the chain. In `paths` the holder is whoever wrote the transition. */
export interface LockRecord extends Lease {
  readonly schema: 'cambium.lock/1';
  readonly name: string;
  readonly kind: LockKind;
  /** +1 whenever it changes hands; carried by every other kind. */
  readonly epoch: number;
  readonly incarnation: string;
  /** Only in `paths`. */
  readonly reservations?: readonly Reservation[];
  /** Who ended somebody else's hold, and why: it lapsed, or a person said so. */
  readonly by?: string;
  readonly reason?: string;
  /** Keys of a newer minor version, kept byte for byte. */
  readonly [key: string]: unknown;
}

export interface LockChain {
  readonly tip: string;
  readonly record: LockRecord;
}

/** Who asks: the same agent on another node is another party. */
export type Party = Pick<Lease, 'holder' | 'node'>;

export const isSameParty = (a: Party, b: Party): boolean => a.holder === b.holder && a.node === b.node;

/** The hold that a named lock is under; null for one that is free. */
export function holdOf(chain: LockChain | null): LockRecord | null {
  return chain === null || chain.record.kind === 'release' ? null : chain.record;
}

/** Reservations of others that overlap with any of these globs. */
export function rivals(reservations: readonly Reservation[], party: Party, globs: readonly string[]): readonly Reservation[] {
  return reservations.filter((other) => !isSameParty(other, party) && other.globs.some((theirs) => globs.some((ours) => globsOverlap(theirs, ours))));
}

/** When this clone first saw each renewal, on its boot-time clock; void after a reboot. */
export interface LockWatch {
  readonly boot: string;
  /** Boot-time ms by op. */
  readonly since: Readonly<Record<string, number>>;
}

/** Folds one look at the hub into what was remembered; what is gone is forgotten. */
export function watchLocks(before: LockWatch | null, leases: readonly Lease[], boot: string, bootMs: number): LockWatch {
  const known = before?.boot === boot ? before.since : {};
  return { boot, since: Object.fromEntries(leases.map(({ op }) => [op, Object.hasOwn(known, op) ? (known[op] as number) : bootMs])) };
}

/**
 * Milliseconds until this clone may take it to be given up: 1.1 × its term after the clone first saw this very renewal, plus
 * two fetch periods, as for claims (P4.3). Zero or less: it has lapsed. A renewal that was never seen has the whole wait ahead.
 */
export function lapsesInMs({ op, ttl_s }: Pick<Lease, 'op' | 'ttl_s'>, watch: LockWatch | null, clock: { readonly boot: string; readonly bootMs: number; readonly fetchMs: number }): number {
  const term = ttl_s * 1_100 + 2 * clock.fetchMs;
  const since = watch?.boot === clock.boot && Object.hasOwn(watch.since, op) ? (watch.since[op] as number) : clock.bootMs;
  return term - (clock.bootMs - since);
}

/** Every lease that stands in the chains. */
export function leasesOf(chains: Iterable<LockChain>): readonly Lease[] {
  return [...chains].flatMap((chain) => [...(chain.record.name === PATHS_LOCK ? [] : [holdOf(chain)].filter((hold) => hold !== null)), ...(chain.record.reservations ?? [])]);
}
