/** What this node mends for others: lapsed leases and half-applied pushes (PROTOCOL P4.3, P5.3). Pure. */
import { chainState } from '../model/claim.ts';
import type { TaskId } from '../model/ids.ts';
import { isLapsed } from '../model/lease.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Situation } from '../orient/situation.ts';

/** Lapsed claims by the node that held them: those of one node are broken together, in one push. */
export function decideTakeovers(snapshot: Snapshot): ReadonlyMap<string, readonly TaskId[]> {
  const byNode = new Map<string, TaskId[]>();
  if (!snapshot.self.claiming) return byNode;
  for (const [task, chain] of snapshot.fleet.chains) {
    const { node, incarnation, ttl_s } = chain.record;
    if (chainState(chain) !== 'held' || node === null || incarnation === snapshot.self.incarnation) continue;
    if (!isLapsed(snapshot.leases.get(task), ttl_s * 1000, snapshot.fetchPeriodMs, snapshot.bootMs)) continue;
    byNode.set(node, [...(byNode.get(node) ?? []), task]);
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

/** A missing half must be seen at two successive fetches: one fetch is no snapshot across refs (P1). */
export function decideHealing(snapshot: Snapshot, situation: Situation): { readonly rollForward: readonly TaskId[]; readonly repair: readonly TaskId[] } {
  const twice = (now: ReadonlySet<TaskId>, before: ReadonlySet<TaskId>): TaskId[] => [...now].filter((task) => before.has(task));
  return {
    rollForward: twice(snapshot.fleet.unlanded, snapshot.unlandedBefore),
    repair: twice(situation.openEnds, snapshot.openEndsBefore),
  };
}
