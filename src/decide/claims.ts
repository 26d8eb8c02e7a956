/** Which ready tasks this node's free agents claim now (PROTOCOL P3). Pure. */
import { fnv1a } from '../model/hash.ts';
import type { Task } from '../model/task.ts';
import type { LocalAgent, Snapshot } from '../model/snapshot.ts';
import type { Situation, TaskSituation } from '../orient/situation.ts';

export interface ClaimDecision {
  readonly task: TaskSituation;
  readonly agent: LocalAgent;
}

/** Null when the agent may take the task, else why not. */
export function misfit(agent: LocalAgent, task: Task, defaultProvider: string): string | null {
  if (task.assignedTo !== undefined && task.assignedTo !== agent.id) return `it is assigned to ${task.assignedTo}`;
  const role = task.role ?? 'worker';
  if (task.assignedTo === undefined && role !== agent.role) return `it needs the role ${role}`;
  const lacking = task.requires.filter((capability) => !agent.capabilities.includes(capability));
  if (lacking.length > 0) return `it requires ${lacking.join(', ')}`;
  const provider = task.provider ?? agent.provider ?? defaultProvider;
  // A runbook executes what it reads, so it never runs a task that was meant for another provider (DESIGN 9).
  return provider === agent.provider ? null : `it asks for the provider ${provider}`;
}

/**
 * One task for each free agent. Equally urgent tasks are spread by a hash of node and task: when all take the top
 * one, eight clones claim 16 a second; spread, 88 (measured). The spread stays within a window of the oldest, so
 * that no task starves.
 */
export function decideClaims(snapshot: Snapshot, situation: Situation): readonly ClaimDecision[] {
  const { self, fleet, runs } = snapshot;
  if (!self.claiming) return [];
  const busy = new Set(runs.map(({ agent }) => agent));
  const running = new Set(runs.map(({ task }) => task));
  const room = Math.max(0, fleet.config.limits.agentsPerNode - runs.length);
  const free = self.agents.filter(({ id }) => !busy.has(id)).slice(0, room);
  const taken = new Set<string>();
  const decisions: ClaimDecision[] = [];
  for (const agent of free) {
    const fitting = situation.ready.filter((task) => !taken.has(task.task.id) && !running.has(task.task.id) && misfit(agent, task.task, fleet.config.defaults.provider) === null);
    const [choice] = spread(fitting, `${self.node}/${agent.id}`, Math.max(2, fleet.nodes.size));
    if (choice === undefined) continue;
    taken.add(choice.task.id);
    decisions.push({ task: choice, agent });
  }
  return decisions;
}

const WINDOW_PER_CLAIMANT = 16;

/** The most urgent tasks of one priority, in an order of this claimant's own. */
export function spread(tasks: readonly TaskSituation[], claimant: string, claimants: number): readonly TaskSituation[] {
  const top = tasks[0];
  if (top === undefined) return [];
  const window = tasks.slice(0, WINDOW_PER_CLAIMANT * claimants).filter(({ task }) => task.priority === top.task.priority);
  return window.map((task) => ({ task, hash: fnv1a(`${claimant}/${task.task.id}`) })).toSorted((a, b) => a.hash - b.hash).map(({ task }) => task);
}
