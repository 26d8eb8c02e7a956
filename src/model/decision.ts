/**
 * A decision as a node puts it on record: what, about which task, and why. `kind` is one of the transitions of a claim
 * chain (`claim`, `release`, `input`, `review`, `failed`, `done`, `cancel`, `reopen` …), or what leads to one:
 *
 *   takeover                        the claims of a silent node, swapped
 *   lost                            a claim that another node won
 *   held-off, refused, parked       a provider that is away, a hub that refuses a claim or a landing
 *   spawn, spawn-end, verify, turn  an agent started, ended, judged, or given another turn
 *   fence                           the claim is somebody else's: the agent is stopped
 *   roll-forward, repair            a push that was applied by half is mended (PROTOCOL P5.3)
 *   publish, projection             a person's saved edits go out; main is told what the chains say
 *   project-landing, archive        work reached its other repository; ended tasks leave `tasks/` (PROTOCOL P7, P9)
 *   drain, offline, doubt, again    the node ends, its hub is away, its clock jumped, a pass failed
 *
 * Pure nouns.
 */
import type { AgentId, NodeName, Oid, TaskId } from './ids.ts';

export interface Decision {
  readonly kind: string;
  /** Null where it is about the node itself. */
  readonly task: TaskId | null;
  readonly agent: AgentId | null;
  readonly epoch: number | null;
  /** Why, in words for a person. */
  readonly reason: string;
}

/** One line of a node's decision log. */
export interface DecisionRecord extends Decision {
  /** UTC ISO time, for people. */
  readonly at: string;
  readonly node: NodeName;
  /** The pass it was made in (ULID). */
  readonly cycle: string;
}

/** A decision as it is shown: from this node's log, or read from a claim chain of the hub. */
export interface ToldDecision extends Omit<DecisionRecord, 'cycle' | 'node'> {
  readonly node: NodeName | null;
  /** Null where the chain alone tells. */
  readonly cycle: string | null;
  /** The transition on the claim chain; null where only this node's log knows. */
  readonly commit: Oid | null;
}
