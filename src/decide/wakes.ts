/** Which agents this node wakes now, for what was said. Pure. */
import type { AgentId } from '../model/ids.ts';
import type { DueWake } from '../orient/wakes.ts';

export interface WakeChoice {
  readonly due: readonly DueWake[];
  /** Agents that this node runs. */
  readonly agents: readonly AgentId[];
  /** Keys of the answers under way here. */
  readonly answering: readonly string[];
  /** Keys of the wakes that live nodes hold. */
  readonly taken: ReadonlySet<string>;
  /** Answers at once; they have room of their own beside tasks, since somebody waits for them. */
  readonly room: number;
  /** Answers that may begin in the whole fleet. */
  readonly budget: number;
  /** Spawns that answer at this moment, here or elsewhere. */
  readonly atWork: ReadonlySet<string>;
}

/**
 * Oldest first, one answer a place and agent: what is said meanwhile is answered together, afterwards. What an agent at work
 * calls for may be what it waits for: a place beyond the room for each answer that it is deep, or agents that fill the room
 * would wait for others that never get any.
 */
export function decideWakes({ due, agents, answering, taken, room, budget, atWork }: WakeChoice): readonly DueWake[] {
  const open = due.filter(({ key, agent }) => agents.includes(agent) && !answering.includes(key) && !taken.has(key));
  const chosen: DueWake[] = [];
  for (const wake of open) {
    const beyond = wake.parent !== null && atWork.has(wake.parent) ? wake.hops : 0;
    if (chosen.length < budget && answering.length + chosen.length < room + beyond) chosen.push(wake);
  }
  return chosen;
}
