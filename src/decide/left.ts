/** Why a node leaves tasks alone: those that are ready and go to nobody here, and those that are not ready. Pure. */
import type { Decision } from '../model/decision.ts';
import type { TaskId } from '../model/ids.ts';
import { isLapsed, takeoverAfterMs } from '../model/lease.ts';
import type { LocalAgent, Snapshot } from '../model/snapshot.ts';
import { misfit } from '../orient/fit.ts';
import { allOf, mayStart, waitText } from '../orient/limits.ts';
import { byUrgency } from '../orient/situation.ts';
import type { Situation, TaskSituation } from '../orient/situation.ts';
import type { ClaimDecision } from './claims.ts';
import type { PlanFacts } from './facts.ts';

export interface LeftOptions {
  readonly snapshot: Snapshot;
  readonly situation: Situation;
  readonly facts: PlanFacts;
  readonly claims: readonly ClaimDecision[];
  /** Tasks that the plan does something about. */
  readonly planned: ReadonlySet<TaskId>;
}

/** One for each open task that the plan does nothing about, in the order of urgency; ended tasks are not told. */
export function leftAlone(options: LeftOptions): readonly Decision[] {
  const { situation, planned } = options;
  const open = [...situation.tasks.values()].filter(({ task, result }) => result === undefined && !planned.has(task.id));
  return open.toSorted((a, b) => Number(b.state === 'ready') - Number(a.state === 'ready') || byUrgency(a, b)).map((task) => {
    const record = task.chain?.record;
    const isHeld = task.state === 'held' || task.state === 'input' || task.state === 'review';
    return { kind: task.state, task: task.task.id, agent: isHeld ? (record?.agent ?? null) : null, epoch: record?.epoch ?? null, reason: reasonFor(options, task) };
  });
}

function reasonFor(options: LeftOptions, task: TaskSituation): string {
  if (task.state === 'ready') return whyUnclaimed(options, task);
  if (task.state === 'held') return whyHeld(options.snapshot, task);
  return task.reasons[0] ?? `it is ${task.state}`;
}

function whyUnclaimed({ snapshot, facts, claims }: LeftOptions, { task }: TaskSituation): string {
  const { self, fleet, runs, limits, now } = snapshot;
  const heldOff = facts.heldOff.get(task.id);
  if (heldOff !== undefined) return heldOff;
  if (!self.claiming) return 'the node is ending and claims nothing';
  if (self.agents.length === 0) return `no agent runs on ${self.node}: cambium.yaml gives it none`;
  const fitting = self.agents.filter((agent) => misfit(agent, task, fleet.config.defaults.provider) === null);
  if (fitting.length === 0) return whyNobodyFits(self.agents, task, fleet.config.defaults.provider);
  const waits = fitting.flatMap((agent) => mayStart(limits, agent, { task, provider: null }, now) ?? []);
  const kept = allOf(waits, fitting.length);
  if (kept !== null) return waitText(kept);
  const away = claims.find((claim) => claim.task.task.id === task.id && facts.unavailable.has(claim.agent.provider));
  if (away !== undefined) return `its provider cannot run here: ${facts.unavailable.get(away.agent.provider)}`;
  const { agentsPerNode } = fleet.config.limits;
  if (runs.length >= agentsPerNode) return `${self.node} runs ${runs.length} agent${runs.length === 1 ? '' : 's'}, its limit (limits.agents_per_node: ${agentsPerNode})`;
  const busy = fitting.map((agent) => doing(agent, snapshot, claims));
  return `${busy.filter((text) => text !== null).join(', ') || `${self.node} takes others first`}`;
}

function whyNobodyFits(agents: readonly LocalAgent[], task: TaskSituation['task'], provider: string): string {
  const reasons = [...new Set(agents.map((agent) => misfit(agent, task, provider)))];
  return `no agent here fits: ${reasons.join('; ')}`;
}

/** What keeps a fitting agent from taking the task now; null when only the limit of the node does. */
function doing(agent: LocalAgent, { runs }: Snapshot, claims: readonly ClaimDecision[]): string | null {
  const run = runs.find((candidate) => candidate.agent === agent.id);
  if (run !== undefined) return `${agent.id} works on ${run.task}`;
  const claim = claims.find((candidate) => candidate.agent.id === agent.id);
  return claim === undefined ? null : `${agent.id} takes ${claim.task.task.id} first`;
}

/** Somebody works on it: here, or on a node whose silence this one is timing. */
function whyHeld(snapshot: Snapshot, { task, chain, reasons }: TaskSituation): string {
  const holder = `held by ${reasons[0] ?? '?'}`;
  if (snapshot.runs.some((run) => run.task === task.id)) return `${holder}: its agent is at work here`;
  const watch = snapshot.leases.get(task.id);
  const ttlMs = (chain?.record.ttl_s ?? 0) * 1000;
  if (watch === undefined || isLapsed(watch, ttlMs, snapshot.fetchPeriodMs, snapshot.bootMs)) return holder;
  const silentS = Math.floor((snapshot.bootMs - watch.sinceMs) / 1000);
  return `${holder}, seen silent for ${silentS} s of the ${Math.ceil(takeoverAfterMs(ttlMs, snapshot.fetchPeriodMs) / 1000)} s after which a daemon takes it over`;
}
