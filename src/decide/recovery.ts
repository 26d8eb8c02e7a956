/** What this node mends for others: lapsed leases, half-applied pushes, deleted tasks (PROTOCOL P4.3, P5.3, P6). Pure. */
import { chainState, isTerminal } from '../model/claim.ts';
import type { NodeName, TaskId } from '../model/ids.ts';
import { taskStem } from '../model/layout.ts';
import { isLapsed } from '../model/lease.ts';
import type { Fleet, Snapshot } from '../model/snapshot.ts';
import { heldByOthers } from '../orient/leases.ts';
import type { Situation } from '../orient/situation.ts';

export interface LapsedClaim {
  readonly task: TaskId;
  readonly reason: string;
}

/**
 * Lapsed claims by the node that held them: those of one node are broken together, in one push. A claim counts as
 * lapsed only while the very pair that was timed still stands in the fleet that is decided on: one that was renewed
 * in a later look of the same pass has an owner again.
 */
export function decideTakeovers(snapshot: Snapshot): ReadonlyMap<NodeName, readonly LapsedClaim[]> {
  const byNode = new Map<NodeName, LapsedClaim[]>();
  if (!snapshot.self.claiming) return byNode;
  const running = new Set(snapshot.runs.map(({ task }) => task));
  for (const held of heldByOthers(snapshot.fleet, snapshot.self.incarnation)) {
    const watch = snapshot.leases.get(held.task);
    const same = watch?.claim === held.claim && (held.heartbeat === null || held.heartbeat === watch.heartbeat);
    if (!same || running.has(held.task) || !isLapsed(watch, held.ttlMs, snapshot.fetchPeriodMs, snapshot.bootMs)) continue;
    const node = snapshot.fleet.chains.get(held.task)?.record.node;
    if (node === null || node === undefined) continue;
    const silentS = Math.floor((snapshot.bootMs - (watch?.sinceMs ?? snapshot.bootMs)) / 1000);
    byNode.set(node, [...(byNode.get(node) ?? []), { task: held.task, reason: `${node} has not renewed it for ${silentS} s, its lease of ${held.ttlMs / 1000} s has lapsed` }]);
  }
  return byNode;
}

/**
 * Claims that this clone holds without working on them: those of an earlier life, and those of this life that it does
 * not know of, which landed late (P2.5, P4.1). They are released at once.
 */
export function decideReleases(snapshot: Snapshot): readonly { readonly task: TaskId; readonly reason: string }[] {
  const { self, fleet, runs } = snapshot;
  const running = new Set(runs.map(({ task, epoch }) => `${task}.${epoch}`));
  const mine = new Set([self.incarnation, ...self.pastIncarnations]);
  return [...fleet.chains]
    .filter(([task, { record }]) => (record.kind === 'claim' || record.kind === 'renew') && mine.has(record.incarnation ?? '') && !running.has(`${task}.${record.epoch}`))
    .map(([task, { record }]) => ({
      task,
      reason: record.incarnation === self.incarnation ? 'the claim landed late, nobody works on it' : 'the node was restarted',
    }));
}

export interface Healing {
  readonly rollForward: readonly TaskId[];
  readonly repair: readonly TaskId[];
  readonly cancel: readonly TaskId[];
}

/** A missing half must be seen at two successive fetches: one fetch is no snapshot across refs (P1). */
export function decideHealing(snapshot: Snapshot, situation: Situation): Healing {
  const twice = (now: ReadonlySet<TaskId>, before: ReadonlySet<TaskId>): TaskId[] => [...now].filter((task) => before.has(task));
  return {
    rollForward: twice(snapshot.fleet.unlanded, snapshot.unlandedBefore),
    repair: twice(situation.openEnds, snapshot.openEndsBefore),
    cancel: twice(deletedTasks(snapshot.fleet), snapshot.deletedBefore),
  };
}

/** Why each of them, in words: the same for all of a kind. */
export const HEALING_REASONS = {
  rollForward: 'its chain names a commit that main does not have: a push was applied by half, and it is merged',
  repair: 'main shows an end that its chain does not name: a push was applied by half, and the missing transition is written',
  cancel: 'its instruction file was deleted, which asks for a cancel',
} as const satisfies Record<keyof Healing, string>;

/** Tasks whose chain goes on while main has neither their instruction nor a result: somebody deleted the file, which asks for a cancel (P6). */
export function deletedTasks(fleet: Fleet): ReadonlySet<TaskId> {
  const setAside = new Set(fleet.quarantine.map(({ path }) => taskStem(path)));
  const gone = [...fleet.chains].filter(([task, chain]) => !isTerminal(chainState(chain)) && !fleet.tasks.has(task) && !fleet.results.has(task) && !setAside.has(task));
  return new Set(gone.map(([task]) => task));
}

export const OUTDATED_REVIEW = 'the instruction was edited while its work waited for review';

/** Work that waits for review, or for its landing, and was made for a text that has been edited since: it is done again (P5.4). */
export function outdatedReviews(fleet: Fleet): readonly TaskId[] {
  return [...fleet.chains]
    .filter(([task, chain]) => ['review', 'approved'].includes(chainState(chain)) && fleet.tasks.has(task) && !fleet.results.has(task) && fleet.tasks.get(task)?.blob !== chain.record.instruction?.blob)
    .map(([task]) => task);
}
