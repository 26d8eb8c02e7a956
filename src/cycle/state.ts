/** What a node remembers between passes. Losing it costs time, never correctness: everything that must last is on disk. */
import type { SeenDiffering } from '../act/projectClaims.ts';
import type { CheckoutView } from '../act/checkout.ts';
import { NO_CHECKOUT } from '../act/checkout.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { freshJanitor } from './janitorState.ts';
import type { JanitorState } from './janitorState.ts';
import { freshLimits } from './limitState.ts';
import type { LimitState } from './limitState.ts';
import type { LeaseWatches } from '../model/lease.ts';
import type { Answer } from '../model/answer.ts';
import type { Run } from '../model/run.ts';
import type { Fleet } from '../model/snapshot.ts';
import { NO_TALK } from '../observe/talk.ts';
import type { Talk } from '../observe/talk.ts';
import type { Request } from '../orient/requests.ts';
import type { Situation } from '../orient/situation.ts';

export interface Focus {
  readonly agent: string;
  readonly task: TaskId | null;
}

export interface SeenRequests {
  readonly situation: Situation;
  readonly conversations: Talk['conversations'];
  readonly due: readonly Request[];
}

export interface LoopState {
  fleet: Fleet | null;
  leases: LeaseWatches;
  unlandedBefore: ReadonlySet<TaskId>;
  openEndsBefore: ReadonlySet<TaskId>;
  deletedBefore: ReadonlySet<TaskId>;
  /** Commits that a heartbeat names and this clone has not seen yet. */
  doubtful: ReadonlySet<Oid>;
  /** Boot-time ms until which main is not pushed to, because the hub refused it by policy. */
  mainRefusedUntilMs: number;
  /** Tasks that are not claimed before this boot-time ms: the hub or the provider refused. */
  heldOff: Map<TaskId, number>;
  runs: Map<TaskId, Run>;
  /** What was said and who is awake, as of the last look. */
  talk: Talk;
  /** How requests stand, as of what was looked at last: they are many after years, and most of them are done. */
  requests: SeenRequests | null;
  /** Answers under way here, by `<agent>/<channel>`. */
  answers: Map<string, Answer>;
  /** Other nodes' wakes, timed as leases are. */
  wakeLeases: LeaseWatches;
  /** Boot-time ms at which the last good renewal of a wake of ours began. */
  wakeRenewed: Map<string, number>;
  /** Wakes that are not tried before this boot-time ms. */
  wakeHeldOff: Map<string, number>;
  /** Boot-time ms at which the last good renewal of a claim began, by `<task>.<epoch>`. */
  renewed: Map<string, number>;
  /** Claims that the last good heartbeat named, as `<task>.<epoch>.<oid>` lines. */
  beaten: string | null;
  nextBeatMs: number;
  fetchPeriodMs: number;
  checkout: CheckoutView;
  /** Paths that advance left alone, with the reason, until they agree again. */
  skipped: ReadonlyMap<string, string>;
  /** Rescues already made, by content, so that one conflict is kept once. */
  rescued: Set<string>;
  /** Landings that the hub refused by policy, with the reason, for status. */
  parked: ReadonlyMap<TaskId, string>;
  claiming: boolean;
  /** Only this is begun: one task for one agent, or (null) what was said to it. Null: whatever is to be done. */
  focus: Focus | null;
  /** Tasks that somebody has asked one of this node's agents to take next (`cambium spawn run --task`). */
  asked: ReadonlyMap<TaskId, string>;
  differing: SeenDiffering;
  /** Tasks whose claims a drain gave back, with the ref their work is kept on. */
  givenBack: Map<TaskId, string>;
  oriented: { readonly fleet: Fleet; readonly kept: string; readonly situation: Situation } | null;
  /** Files of the checkout may have changed since it was last looked at. */
  touched: boolean;
  /** A watcher tells when they do; without one each pass looks. */
  watched: boolean;
  /** Wall minus boot clock at the last pass. */
  clockOffsetMs: number | null;
  offline: string | null;
  janitor: JanitorState;
  limits: LimitState;
}

export function freshState(fetchMs: number): LoopState {
  return {
    fleet: null, leases: new Map(), unlandedBefore: new Set(), openEndsBefore: new Set(), deletedBefore: new Set(), doubtful: new Set(), mainRefusedUntilMs: 0, heldOff: new Map(), runs: new Map(), talk: NO_TALK, requests: null, answers: new Map(), wakeLeases: new Map(), wakeRenewed: new Map(), wakeHeldOff: new Map(), renewed: new Map(), beaten: null,
    nextBeatMs: 0, fetchPeriodMs: fetchMs, checkout: NO_CHECKOUT, skipped: new Map(), rescued: new Set(), parked: new Map(), claiming: true, focus: null, asked: new Map(), differing: new Map(), givenBack: new Map(), oriented: null, touched: true, watched: false, clockOffsetMs: null, offline: null, janitor: freshJanitor(), limits: freshLimits(),
  };
}

export const renewalKey = ({ task, epoch }: { readonly task: TaskId; readonly epoch: number }): string => `${task}.${epoch}`;
