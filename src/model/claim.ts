/**
 * The claim chain of one task and what may follow what (PROTOCOL P6, docs/formats.md "Task states").
 *
 * Every commit on `refs/cambium/claims/<task>` is one transition; its tree is `claim.json`, its first
 * parent the transition before it. Each record carries everything needed to judge the next one, so the
 * tip alone decides: nobody walks the chain to act.
 *
 *   open      nothing held. Left by `claim`, `cancel`.
 *   held      an owner works under a lease. Left by release, input, review, done, failed, cancel, claim (takeover).
 *   waiting   a person must answer. Left by release (answer), cancel.
 *   review    a reviewer must decide. Left by approve (→ approved), release (reject), cancel.
 *   approved  any node may land it: claim (no spawn), cancel, release. A node that lets go before it has landed
 *             writes the approval again: what was approved stays approved.
 *   done, failed, cancelled   terminal; left only by reopen.
 */
import type { AgentId, NodeName, Oid, TaskId } from './ids.ts';

export const CLAIM_KINDS = ['claim', 'renew', 'release', 'input', 'review', 'approve', 'done', 'failed', 'cancel', 'reopen'] as const;
export type ClaimKind = (typeof CLAIM_KINDS)[number];

export interface ClaimRecord {
  readonly schema: 'cambium.claim/1';
  readonly task: TaskId;
  readonly kind: ClaimKind;
  /** The fencing token: +1 at each claim, carried by every other kind; 0 before the first claim. */
  readonly epoch: number;
  /** Counts spawns that ended by themselves, plus the one under way; 0 before the first claim. */
  readonly attempt: number;
  readonly agent: AgentId | null;
  readonly node: NodeName | null;
  /** Who wrote the claim this transition belongs to; never reused. */
  readonly incarnation: string | null;
  readonly op: string;
  /** The instruction file pinned at the claim. */
  readonly instruction: { readonly blob: Oid; readonly commit: Oid } | null;
  readonly ttl_s: number;
  readonly claimed_at: string;
  /** done, failed. */
  readonly outcome?: 'done' | 'failed';
  /** The main commit that this transition moved in the same push: done, failed, cancel, reopen. */
  readonly result?: Oid;
  readonly reason?: string;
  readonly by?: string;
  readonly not_before?: string;
  /** release: the spawn ended by itself, so the next claim counts a new attempt. */
  readonly spent?: boolean;
  /**
   * review, approve, and the claim that lands what was approved: the reviewed commit and the branch that shows it. A claim
   * that carries it spawns nothing.
   */
  readonly branch?: string;
  readonly commit?: Oid;
  /** release: the reason is meant for whoever claims next (a rejection, an answer, a merge that turned verify red). */
  readonly feedback?: boolean;
  readonly question?: string;
  /** Keys of a newer minor version, kept byte for byte. */
  readonly [key: string]: unknown;
}

export interface Chain {
  readonly tip: Oid;
  readonly record: ClaimRecord;
}

export type ChainState = 'open' | 'held' | 'waiting' | 'review' | 'approved' | 'done' | 'failed' | 'cancelled';

const STATE_OF: Readonly<Record<ClaimKind, ChainState>> = {
  claim: 'held', renew: 'held', release: 'open', input: 'waiting', review: 'review', approve: 'approved',
  done: 'done', failed: 'failed', cancel: 'cancelled', reopen: 'open',
};

const FOLLOWS: Readonly<Record<ChainState, readonly ClaimKind[]>> = {
  open: ['claim', 'cancel'],
  held: ['renew', 'release', 'claim', 'input', 'review', 'done', 'failed', 'cancel'],
  waiting: ['release', 'cancel'],
  review: ['approve', 'release', 'cancel'],
  approved: ['claim', 'release', 'cancel'],
  done: ['reopen'],
  failed: ['reopen'],
  cancelled: ['reopen'],
};

export function chainState(chain: Chain | undefined): ChainState {
  return chain === undefined ? 'open' : STATE_OF[chain.record.kind];
}

export function mayFollow(chain: Chain | undefined, kind: ClaimKind): boolean {
  if (kind === 'approve' && isPinned(chain)) return true;
  return FOLLOWS[chainState(chain)].includes(kind);
}

/** True for a hold that only lands what was approved (PROTOCOL P6). */
export function isPinned(chain: Chain | undefined): boolean {
  return chainState(chain) === 'held' && chain?.record.commit !== undefined;
}

export function isTerminal(state: ChainState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** The number the next spawn carries: a takeover keeps it, an attempt that ended by itself adds one, a reopen starts over. */
export function nextAttempt(chain: Chain | undefined): number {
  if (chain === undefined || chain.record.kind === 'reopen') return 1;
  const { attempt, spent } = chain.record;
  return spent === true || attempt === 0 ? attempt + 1 : attempt;
}

/** Attempts already used up when the task is open. */
export function attemptsUsed(chain: Chain | undefined): number {
  return nextAttempt(chain) - 1;
}
