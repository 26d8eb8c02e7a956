/** Taking, renewing and giving back named locks and path reservations: compare-and-swap like everything exclusive (PROTOCOL P2, P10). */
import type { Signature } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { LOCKS_PREFIX } from '../model/layout.ts';
import { PATHS_LOCK, holdOf, isSameParty, rivals } from '../model/lock.ts';
import type { Lease, LockChain, LockKind, LockRecord, Party, Reservation } from '../model/lock.ts';
import { renderMessage } from '../model/message.ts';
import { readLock, renderLockRecord } from '../observe/lockRecord.ts';
import { writeFileTree } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Base, Built, Member } from './publish.ts';

export interface LockAsk {
  readonly party: Party;
  readonly by: Signature;
  readonly why: string;
  readonly ttlS: number;
  readonly spawn?: string | undefined;
  /** True for a renewal that this clone has watched in silence for longer than its term. */
  isLapsed(lease: Lease): boolean;
  /** A person takes what others hold: why. */
  readonly force?: string | undefined;
}

export const lockKey = (name: string): string => `lock:${name}`;

/** Takes the lock, or renews it for the one who has it. `lost`: somebody else has it. */
export function takeMember(node: Node, name: string, ask: LockAsk): Member<LockRecord> {
  return transitions(node, name, ask.by, (chain) => {
    const hold = holdOf(chain);
    const isMine = hold !== null && isSameParty(hold, ask.party);
    if (hold !== null && !isMine && !ask.isLapsed(hold) && ask.force === undefined) return drop('lost', describeHold(hold));
    const ended = hold === null || isMine ? {} : endedBy(ask, [hold]);
    return { kind: isMine ? 'renew' : 'take', epoch: (chain?.record.epoch ?? 0) + (isMine ? 0 : 1), lease: leaseOf(node, ask), more: ended };
  });
}

export interface ReleaseAsk {
  readonly party: Party;
  readonly by: Signature;
  /** A person ends what others hold: why. */
  readonly force?: string | undefined;
}

/** Gives the lock back. `nothing`: it is free; `forbidden`: somebody else has it. */
export function giveBackMember(node: Node, name: string, ask: ReleaseAsk): Member<LockRecord> {
  return transitions(node, name, ask.by, (chain) => {
    const hold = holdOf(chain);
    if (chain === null || hold === null) return drop('nothing', 'it is free');
    const isMine = isSameParty(hold, ask.party);
    if (!isMine && ask.force === undefined) return drop('forbidden', describeHold(hold));
    const { holder, node: at, ttl_s, why, spawn } = hold;
    const lease = { holder, node: at, ttl_s, why, ...(spawn === undefined ? {} : { spawn }), at: node.clock.now().toISOString(), op: node.clock.ulid() };
    return { kind: 'release', epoch: hold.epoch, lease, more: isMine ? {} : { by: ask.party.holder, reason: ask.force ?? '' } };
  });
}

/** Reserves paths; the same globs asked for again are renewed. `lost`: others have reserved some of them. */
export function reserveMember(node: Node, globs: readonly string[], ask: LockAsk): Member<LockRecord> {
  return transitions(node, PATHS_LOCK, ask.by, (chain) => {
    const standing = (chain?.record.reservations ?? []).filter((other) => !ask.isLapsed(other) || isSameParty(other, ask.party));
    const others = rivals(standing, ask.party, globs);
    if (others.length > 0 && ask.force === undefined) return drop('lost', describeReservations(others));
    const kept = standing.filter((other) => !others.includes(other) && !(isSameParty(other, ask.party) && sameGlobs(other.globs, globs)));
    const mine = leaseOf(node, ask);
    return pathsDraft(node, chain, ask.party, [...kept, { ...mine, globs: [...globs] }], { kind: 'take', ...(others.length === 0 ? {} : { ended: endedBy(ask, others) }) });
  });
}

/** Gives back these globs, or all of one's own; `spawn` only those that it took. `nothing`: there are none. */
export function unreserveMember(node: Node, globs: readonly string[] | null, ask: ReleaseAsk & { readonly spawn?: string | undefined }): Member<LockRecord> {
  return transitions(node, PATHS_LOCK, ask.by, (chain) => {
    const before = chain?.record.reservations ?? [];
    const isMeant = (one: Reservation): boolean => (ask.force !== undefined || isSameParty(one, ask.party)) && (ask.spawn === undefined || one.spawn === ask.spawn);
    const after = before.flatMap((one) => {
      if (!isMeant(one) || (globs !== null && !one.globs.some((glob) => globs.includes(glob)))) return [one];
      const left = globs === null ? [] : one.globs.filter((glob) => !globs.includes(glob));
      return left.length === 0 ? [] : [{ ...one, globs: left }];
    });
    if (chain === null || JSON.stringify(after) === JSON.stringify(before)) return drop('nothing', 'nothing of the kind is reserved');
    const foreign = before.some((one) => !after.includes(one) && !isSameParty(one, ask.party));
    return pathsDraft(node, chain, ask.party, after, { kind: 'release', ...(foreign ? { ended: { by: ask.party.holder, reason: ask.force ?? '' } } : {}) });
  });
}

interface Draft {
  readonly kind: LockKind;
  readonly epoch: number;
  readonly lease: Lease;
  readonly more: Partial<Pick<LockRecord, 'reservations' | 'by' | 'reason'>>;
}

type Answer = Draft | ReturnType<typeof drop>;

/** Each candidate is built on the tip as it is then; one of ours that is the tip has landed though its answer was lost (P2.3). */
function transitions(node: Node, name: string, author: Signature, next: (chain: LockChain | null) => Answer): Member<LockRecord> {
  const written = new Set<Oid>();
  return {
    key: lockKey(name),
    async build(base: Base): Promise<Built<LockRecord> | { readonly already: LockRecord } | ReturnType<typeof drop>> {
      const ref = `${LOCKS_PREFIX}${name}`;
      const tip = base.view.refs.get(ref);
      const chain = await readLock(node.store, tip);
      if (chain !== null && written.has(chain.tip)) return { already: chain.record };
      const draft = next(chain);
      if ('dropped' in draft) return draft;
      const record: LockRecord = { schema: 'cambium.lock/1', name, kind: draft.kind, epoch: draft.epoch, incarnation: node.identity.incarnation, ...draft.lease, ...draft.more };
      const oid = await writeLock(node, record, tip ?? null, author);
      written.add(oid);
      return { main: base.main, refs: [{ ref, expect: tip ?? null, to: oid }], value: record };
    },
  };
}

async function writeLock(node: Node, record: LockRecord, tip: Oid | null, author: Signature): Promise<Oid> {
  const tree = await writeFileTree(node.store, 'lock.json', renderLockRecord(record));
  const message = renderMessage({
    subject: `lock ${record.name}: ${record.kind} epoch ${record.epoch} by ${record.holder}`, body: record.reason ?? record.why,
    trailers: { Kind: `lock-${record.kind}`, Node: record.node, Epoch: record.epoch, 'Op-Id': record.op },
  });
  return node.store.writeCommit({ tree, parents: tip === null ? [] : [tip], author, committer: nodeSignature(node), message });
}

function leaseOf(node: Node, { party, why, ttlS, spawn }: LockAsk): Lease {
  return { ...party, op: node.clock.ulid(), why, ttl_s: ttlS, at: node.clock.now().toISOString(), ...(spawn === undefined ? {} : { spawn }) };
}

/** The epoch of `paths` counts its transitions: whoever compares two of them sees that something has changed. */
function pathsDraft(node: Node, chain: LockChain | null, party: Party, reservations: readonly Reservation[], { kind, ended = {} }: { readonly kind: LockKind; readonly ended?: Draft['more'] }): Draft {
  const lease = { ...party, op: node.clock.ulid(), why: '', ttl_s: 0, at: node.clock.now().toISOString() };
  return { kind, epoch: (chain?.record.epoch ?? 0) + 1, lease, more: { reservations, ...ended } };
}

function endedBy({ party, force }: LockAsk, holds: readonly Lease[]): Draft['more'] {
  const whose = [...new Set(holds.map(({ holder, node }) => `${holder} on ${node}`))].join(', ');
  return { by: party.holder, reason: force === undefined ? `the hold of ${whose} had lapsed` : `taken from ${whose}: ${force}` };
}

const sameGlobs = (a: readonly string[], b: readonly string[]): boolean => a.toSorted().join('\n') === b.toSorted().join('\n');

function describeHold({ holder, node, epoch, why }: LockRecord): string {
  return `${holder} on ${node} holds it (epoch ${epoch})${why === '' ? '' : `: ${why}`}`;
}

const DESCRIBED_MAX = 3;

function describeReservations(all: readonly Reservation[]): string {
  const more = all.length - DESCRIBED_MAX;
  return [...all.slice(0, DESCRIBED_MAX).map(describeReservation), ...(more > 0 ? [`${more} more`] : [])].join('; ');
}

function describeReservation({ holder, node, globs, why }: Reservation): string {
  return `${holder} on ${node} has reserved ${globs.join(', ')}${why === '' ? '' : ` (${why})`}`;
}
