/** Whether an agent may take a task. Pure. */
import type { LocalAgent } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';

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
