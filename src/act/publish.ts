/**
 * The one way anything reaches the hub's main or a claim chain: a group of members, each rebuilt on the newest
 * main, in one atomic leased push (PROTOCOL P2, P5). A member that no longer holds is dropped and the rest is
 * rebuilt; a refusal is read from the chain, never from its text.
 */
import { CambiumError } from '../errors.ts';
import type { RefUpdate } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { NODES_PREFIX, branchRef } from '../model/layout.ts';
import type { HubView } from '../observe/hubMirror.ts';
import type { Node } from './node.ts';
import { REFUSALS_BEFORE_LOCK, dropLock, takeLock, yieldToLock } from './landingLock.ts';
import { dropOutbox, outboxDrop, pushUntilAnswered, putOutbox } from './outbox.ts';

/** The main commit that a member builds on: the hub's, plus what members before it in the group have added. */
export interface Base {
  readonly main: Oid;
  readonly view: HubView;
}

export interface Built<T> {
  /** The new main; equal to the base's when the member moves refs only. */
  readonly main: Oid;
  readonly refs: readonly RefUpdate[];
  readonly value: T;
}

export type DropCode =
  | 'nothing' | 'fenced' | 'lost' | 'conflict' | 'instruction-changed' | 'instruction-deleted' | 'used' | 'not-ready' | 'forbidden' | 'unknown-task';

export interface Drop {
  readonly code: DropCode;
  readonly detail: string;
}

export interface Member<T> {
  readonly key: string;
  /**
   * True when it moves main and a chain together. A push carries one such member at most: where two were stacked, rolling
   * one forward after a half-applied push would drag the other in, whose claim may have moved on (M6).
   */
  readonly ends?: boolean;
  /**
   * Builds a candidate with a new op-id on this base. `already`: an earlier candidate landed, there is nothing left
   * to move. `dropped`: the member no longer holds, and why.
   */
  build(base: Base): Promise<Built<T> | { readonly already: T } | { readonly dropped: Drop }>;
}

export function drop(code: DropCode, detail: string): { readonly dropped: Drop } {
  return { dropped: { code, detail } };
}

export type Published<T> =
  | { readonly state: 'published'; readonly value: T; readonly main: Oid }
  | { readonly state: 'dropped'; readonly drop: Drop }
  /** A hook or a protected branch of the hub refuses: no retry helps (P5.7). */
  | { readonly state: 'refused-by-policy'; readonly detail: string }
  /** In the outbox; the next settling decides. */
  | { readonly state: 'unknown'; readonly detail: string };

export interface PublishOptions {
  /** How long an unanswered push is repeated. */
  readonly patienceMs?: number;
  /** Refusals in a row after which the group gives up with `lost-race`. */
  readonly triesMax?: number;
  /** Build on the view as it is known at first; a refusal refreshes it. */
  readonly trustKnown?: boolean;
}

interface Candidate<T> {
  readonly member: Member<T>;
  readonly built: Built<T>;
  /** It moves main. */
  readonly moves: boolean;
}

/** Publishes the members, together as far as may be; returns each one's end by key. Throws `hub-away`, `hub-rewritten`, `lost-race`. */
export async function publish<T>(node: Node, members: readonly Member<T>[], options: PublishOptions = {}): Promise<ReadonlyMap<string, Published<T>>> {
  const keys = new Set(members.map(({ key }) => key));
  if (keys.size !== members.length) throw new CambiumError('internal', `Two members of one push have the same key: ${members.map(({ key }) => key).join(', ')}`);
  let lock: Oid | null = null;
  const fair: Fairness = {
    yields: (view) => yieldToLock(node, view, lock),
    async afterRefusal(refusals) {
      if (lock === null && refusals >= REFUSALS_BEFORE_LOCK) lock = await takeLock(node);
    },
  };
  try {
    return await publishFairly(node, members, options, fair);
  } finally {
    await dropLock(node, lock);
  }
}

interface Fairness {
  /** True when it had to wait for another node's lock, so that the group must be built anew. */
  yields(view: HubView): Promise<boolean>;
  afterRefusal(refusals: number): Promise<void>;
}

async function publishFairly<T>(node: Node, members: readonly Member<T>[], options: PublishOptions, fair: Fairness): Promise<ReadonlyMap<string, Published<T>>> {
  const { triesMax = 40, patienceMs = 15_000 } = options;
  const ends = new Map<string, Published<T>>();
  const past: Candidate<T>[] = [];
  let view = options.trustKnown === true ? node.mirror.known() : await node.mirror.refresh();
  for (let refusals = 0; refusals < triesMax; ) {
    await settlePast(node, view, past, ends);
    const open = members.filter(({ key }) => !ends.has(key));
    if (open.length === 0) return ends;
    const group = await buildGroup(node, view, open, ends);
    const movesMain = group.some(({ moves }) => moves);
    if (movesMain && (await fair.yields(view))) {
      view = node.mirror.known();
      continue;
    }
    if (await pushGroup(node, view, group, ends, patienceMs)) {
      view = node.mirror.known();
      continue;
    }
    refusals += 1;
    past.push(...group);
    view = await node.mirror.refresh();
    if (movesMain) await fair.afterRefusal(refusals);
    await pause(node, refusals);
    view = node.mirror.known();
  }
  throw new CambiumError('lost-race', `The hub moved on before each of ${triesMax} pushes.`, { hint: 'Try again: other nodes were faster each time.' });
}

/** One push of a group; false when it was refused and must be rebuilt. */
async function pushGroup<T>(node: Node, view: HubView, group: readonly Candidate<T>[], ends: Map<string, Published<T>>, patienceMs: number): Promise<boolean> {
  const updates = groupUpdates(node, view, group);
  if (updates.length === 0) return endAll(group, ends);
  const entry = await putOutbox(node, updates);
  const outcome = await pushUntilAnswered(node, updates, patienceMs);
  if (outcome.kind === 'unknown') return endAll(group, ends, { state: 'unknown', detail: outcome.detail });
  if (outcome.kind === 'accepted') {
    await node.mirror.adopt(updates, [outboxDrop(entry)]);
    return endAll(group, ends);
  }
  await dropOutbox(node, entry);
  if (!outcome.policy) return false;
  await settlePast(node, await node.mirror.refresh(), group, ends);
  const left = group.filter(({ member }) => !ends.has(member.key));
  // Where main is protected, what does not move it may still go through in a push of its own (P5.7).
  const movers = left.filter(({ moves }) => moves);
  return endAll(movers.length > 0 ? movers : left, ends, { state: 'refused-by-policy', detail: outcome.detail });
}

async function buildGroup<T>(node: Node, view: HubView, members: readonly Member<T>[], ends: Map<string, Published<T>>): Promise<Candidate<T>[]> {
  if (view.main === null) throw new CambiumError('hub-not-joined', `The hub has no branch ${node.mirror.branch}.`, { hint: 'Run `cambium join <url>` in a workspace to set it up.' });
  const group: Candidate<T>[] = [];
  let main = view.main;
  let isEnding = false;
  const moved = new Set<string>();
  for (const member of members) {
    if (member.ends === true && isEnding) continue;
    const built = await member.build({ main, view });
    if ('dropped' in built) ends.set(member.key, { state: 'dropped', drop: built.dropped });
    else if ('already' in built) ends.set(member.key, { state: 'published', value: built.already, main });
    // A push moves a ref once: what moves one that is in the group already is built anew after it.
    else if (built.refs.some(({ ref }) => moved.has(ref))) continue;
    else {
      for (const { ref } of built.refs) moved.add(ref);
      group.push({ member, built, moves: built.main !== main });
      main = built.main;
      isEnding ||= member.ends === true;
    }
  }
  return group;
}

function groupUpdates<T>(node: Node, view: HubView, group: readonly Candidate<T>[]): RefUpdate[] {
  const main = group.at(-1)?.built.main ?? view.main;
  const refs = group.flatMap(({ built }) => built.refs);
  return main === view.main ? refs : [...refs, { ref: branchRef(node.mirror.branch), expect: view.main, to: main }];
}

function endAll<T>(group: readonly Candidate<T>[], ends: Map<string, Published<T>>, end?: Published<T>): true {
  for (const { member, built } of group) ends.set(member.key, end ?? { state: 'published', value: built.value, main: built.main });
  return true;
}

/**
 * After a refusal: an earlier candidate landed all the same if every ref it moved now has it in its history (P2.3).
 * A member of which only a part landed is left to its next build, which sees the new tip and repairs (P5.3).
 */
async function settlePast<T>(node: Node, view: HubView, past: readonly Candidate<T>[], ends: Map<string, Published<T>>): Promise<void> {
  for (const { member, built } of past) {
    if (!ends.has(member.key) && (await hasLanded(node, view, built))) ends.set(member.key, { state: 'published', value: built.value, main: built.main });
  }
}

async function hasLanded<T>({ store }: Node, view: HubView, built: Built<T>): Promise<boolean> {
  for (const { ref, to } of built.refs) {
    // Heartbeats have no parents: what stands on a node ref says nothing about what stood there.
    if (ref.startsWith(NODES_PREFIX)) continue;
    const tip = view.refs.get(ref);
    // What stands on an archive ref may never have been fetched: the next build looks into it.
    if (to === null ? tip !== undefined : tip === undefined || !(await store.has(tip)) || !(await store.isAncestor(to, tip))) return false;
  }
  if (built.refs.length === 0 || view.main === null) return view.main !== null && store.isAncestor(built.main, view.main);
  return store.isAncestor(built.main, view.main);
}

/** Losers wait a random, growing while: without jitter one node takes all (PROTOCOL P5.6). */
async function pause({ clock }: Node, tries: number): Promise<void> {
  const mostMs = Math.min(20 * 2 ** Math.min(tries, 5), 500);
  await clock.sleep(((clock.randomBytes(1)[0] ?? 0) / 255) * mostMs);
}
