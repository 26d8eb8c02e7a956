/** Which ready tasks this node's free agents claim now (PROTOCOL P3). Pure. */
import { fnv1a } from '../model/hash.ts';
import type { LocalAgent, Snapshot } from '../model/snapshot.ts';
import { misfit } from '../orient/fit.ts';
import { agentWait, fleetWait, nodeWait, providersWait, taskWait } from '../orient/limits.ts';
import type { Situation, TaskSituation } from '../orient/situation.ts';


export interface ClaimDecision {
  readonly task: TaskSituation;
  readonly agent: LocalAgent;
  /** Why this task for this agent, in words. */
  readonly reason: string;
}

/**
 * One task for each free agent. Equally urgent tasks are spread by a hash of node and task: when all take the top
 * one, eight clones claim 16 a second; spread, 88 (measured). The spread stays within a window of the oldest, so
 * that no task starves.
 */
export function decideClaims(snapshot: Snapshot, situation: Situation): readonly ClaimDecision[] {
  const { self, fleet, runs, limits, now } = snapshot;
  if (!self.claiming || (fleetWait(limits, now) ?? nodeWait(limits, now)) !== null) return [];
  const busy = new Set(runs.map(({ agent }) => agent));
  const running = new Set(runs.map(({ task }) => task));
  const room = Math.max(0, fleet.config.limits.agentsPerNode - runs.length);
  const free = self.agents.filter((agent) => !busy.has(agent.id) && agentWait(limits, agent, now) === null);
  const taken = new Set<string>();
  const decisions: ClaimDecision[] = [];
  for (const agent of free) {
    // Room is for who has something to do: an agent without a fitting task keeps none from the next one.
    if (decisions.length >= room) break;
    const fitting = situation.ready.filter((task) => !taken.has(task.task.id) && !running.has(task.task.id) && misfit(agent, task.task, fleet.config.defaults.provider) === null && (taskWait(limits, task.task) ?? providersWait(limits, agent, task.task, now)) === null);
    const claimant = `${self.node}/${agent.id}`;
    const wanted = fitting.find(({ task }) => self.asked.get(task.id) === agent.id);
    // What was asked of another agent here waits for that one.
    const [choice] = wanted === undefined ? spread(fitting.filter(({ task }) => !self.asked.has(task.id)), claimant, Math.max(2, fleet.nodes.size)) : [wanted];
    if (choice === undefined) continue;
    taken.add(choice.task.id);
    decisions.push({ task: choice, agent, reason: wanted === undefined ? choiceReason(choice, fitting, agent, claimant) : `${agent.id} was asked to take it` });
  }
  return decisions;
}

const WINDOW_PER_CLAIMANT = 16;

/** The most urgent tasks of one priority, in an order of this claimant's own. */
export function spread(tasks: readonly TaskSituation[], claimant: string, claimants: number): readonly TaskSituation[] {
  const top = tasks[0];
  if (top === undefined) return [];
  const window = tasks.slice(0, WINDOW_PER_CLAIMANT * claimants).filter(({ task }) => task.priority === top.task.priority);
  return window.map((task) => ({ task, hash: spreadHash(claimant, task) })).toSorted((a, b) => a.hash - b.hash).map(({ task }) => task);
}

const spreadHash = (claimant: string, { task }: TaskSituation): number => fnv1a(`${claimant}/${task.id}`);

/** What of the choice a person can check: urgency, age, how many there were, and the hash that spread them. */
export function choiceReason(choice: TaskSituation, fitting: readonly TaskSituation[], agent: LocalAgent, claimant: string): string {
  const { priority, assignedTo } = choice.task;
  const urgency = `${assignedTo === undefined ? '' : `assigned to ${agent.id}, `}priority ${priority}`;
  if (fitting.length === 1) return `${urgency}, the only ready task that fits ${agent.id}`;
  const equals = fitting.filter(({ task }) => task.priority === priority);
  if (equals.length === 1) return `${urgency}, the most urgent of ${fitting.length} ready that fit ${agent.id}`;
  const hash = spreadHash(claimant, choice).toString(16).padStart(8, '0');
  return `${urgency}, ${ordinal(equals.indexOf(choice))}oldest of ${equals.length} equally urgent that fit ${agent.id} (spread hash ${hash})`;
}

/** Of the first nothing is said: it is simply the oldest. */
function ordinal(at: number): string {
  const number = at + 1;
  if (number === 1) return '';
  const ending = number % 100 >= 11 && number % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${ending} `;
}
