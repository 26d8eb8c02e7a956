/**
 * All that this node would do in its next pass, and what it leaves alone, each with its reason: plain data that one can
 * print. The claims, takeovers, releases and repairs are those that the pass itself decides (claims.ts, recovery.ts).
 * Pure: what only the shell can know (a provider's probe, the checkout, ended processes) is handed in.
 */
import type { Decision } from '../model/decision.ts';
import type { TaskId } from '../model/ids.ts';
import type { Run } from '../model/run.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Situation } from '../orient/situation.ts';
import { decideClaims } from './claims.ts';
import type { ClaimDecision } from './claims.ts';
import type { PlanFacts } from './facts.ts';
import { leftAlone } from './left.ts';
import { HEALING_REASONS, OUTDATED_REVIEW, decideHealing, decideReleases, decideTakeovers, outdatedReviews } from './recovery.ts';
import type { Healing } from './recovery.ts';

export interface Plan {
  /** In the order of a pass. */
  readonly does: readonly Decision[];
  /** Tasks that it does nothing about, most urgent first, and why. */
  readonly leaves: readonly Decision[];
}

export function decidePlan(snapshot: Snapshot, situation: Situation, facts: PlanFacts): Plan {
  const claims = decideClaims(snapshot, { ...situation, ready: situation.ready.filter(({ task }) => !facts.heldOff.has(task.id)) });
  const runnable = claims.filter(({ agent }) => !facts.unavailable.has(agent.provider));
  const fleetwide = (kind: string, reason: string): Decision => ({ kind, task: null, agent: null, epoch: null, reason });
  const steps = snapshot.runs.flatMap((run) => stepOf(snapshot, run, facts) ?? []);
  const pushed = [
    ...(facts.edits.length === 0 ? [] : [fleetwide('publish', `saved in your checkout: ${facts.edits.join(', ')}; what becomes of it is decided afterwards`)]),
    ...healings(snapshot, decideHealing(snapshot, situation)),
    ...decideReleases(snapshot).map(({ task, reason }) => about(snapshot, 'release', task, reason)),
    ...outdatedReviews(snapshot.fleet).map((task) => about(snapshot, 'release', task, OUTDATED_REVIEW)),
  ];
  // Main is told of claims in a push that goes out anyway, or when a daemon has seen them differ for a while.
  const told = facts.projections.length === 0 || steps.length + pushed.length === 0 ? [] : [fleetwide('projection', `main does not tell yet what the claim chains say of ${facts.projections.join(', ')}`)];
  const claimed = [
    ...[...decideTakeovers(snapshot).values()].flat().map(({ task, reason }) => about(snapshot, 'takeover', task, reason, 1)),
    ...situation.approved.filter(({ task }) => !facts.heldOff.has(task.id) && snapshot.fleet.stop.fleet === null).map(({ task, chain }) => about(snapshot, 'claim', task.id, `approved by ${chain?.record.by ?? '?'}: landed as it was reviewed, no agent is started`, 1)),
    ...runnable.map((claim) => claimOf(snapshot, claim)),
  ];
  const does = [...steps, ...pushed, ...told, ...claimed];
  const planned = new Set(does.flatMap(({ task }) => task ?? []));
  return { does, leaves: leftAlone({ snapshot, situation, facts, claims, planned }) };
}

/** `later` is added to the epoch of the chain as it stands. */
function about({ fleet }: Snapshot, kind: string, task: TaskId, reason: string, later = 0): Decision {
  const record = fleet.chains.get(task)?.record;
  return { kind, task, agent: later === 0 ? (record?.agent ?? null) : null, epoch: record === undefined && later === 0 ? null : (record?.epoch ?? 0) + later, reason };
}

function claimOf(snapshot: Snapshot, { task, agent, reason }: ClaimDecision): Decision {
  return { ...about(snapshot, 'claim', task.task.id, reason, 1), agent: agent.id };
}

function healings(snapshot: Snapshot, { rollForward, repair, cancel }: Healing): readonly Decision[] {
  return [
    ...rollForward.map((task) => about(snapshot, 'roll-forward', task, HEALING_REASONS.rollForward)),
    ...repair.map((task) => about(snapshot, 'repair', task, HEALING_REASONS.repair)),
    ...cancel.map((task) => about(snapshot, 'cancel', task, HEALING_REASONS.cancel)),
  ];
}

/** What a run of this node does next; null while it only runs. */
function stepOf({ fleet }: Snapshot, run: Run, { ended }: PlanFacts): Decision | null {
  const step = (kind: string, reason: string): Decision => ({ kind, task: run.task, agent: run.agent, epoch: run.epoch, reason });
  const chain = fleet.chains.get(run.task);
  if (run.phase === 'fenced') return step('fence', 'the claim is no longer ours: its agent is stopped and its work kept under stale');
  if (chain?.tip !== run.claim) return step('fence', chain === undefined ? 'the claim is gone' : `the claim has moved on: its chain says ${chain.record.kind}, epoch ${chain.record.epoch}`);
  if (run.phase === 'preparing') return step('spawn', `attempt ${run.attempt} with ${run.provider}, once a heartbeat has shown that the claim is still ours`);
  if (run.phase === 'landing') return step('done', 'its agent ended well and the checks are met: work and result are landed');
  if (run.phase === 'ending') return run.ending === null ? null : step(run.ending.kind === 'retry' ? 'release' : run.ending.kind, 'question' in run.ending ? run.ending.question : run.ending.reason);
  return ended.has(run.task) ? step(run.phase === 'verifying' ? 'verify' : 'spawn-end', run.phase === 'verifying' ? 'its verify has ended and is judged' : 'its agent has ended and its work is judged') : null;
}
