/** Which open tasks go on by themselves, and which need a person or a new instruction first. Pure. */
import type { TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { orientDependencies } from './dependencies.ts';
import { reviewerOf } from './reviewer.ts';
import { endedTasks } from './situation.ts';
import type { Situation } from './situation.ts';

/** True for a task that waits, runs, or is reviewed by an agent, or that waits for such a one; false for what has ended, and for ids that are not there. */
export function movement(fleet: Fleet, { tasks }: Pick<Situation, 'tasks'>): (task: TaskId) => boolean {
  const blocks = orientDependencies(fleet.tasks, endedTasks(fleet));
  const known = new Map<TaskId, boolean>();
  const moves = (id: TaskId): boolean => {
    const before = known.get(id);
    if (before !== undefined) return before;
    // What comes back to itself on the way goes nowhere.
    known.set(id, false);
    const found = decide(id);
    known.set(id, found);
    return found;
  };
  const decide = (id: TaskId): boolean => {
    const situation = tasks.get(id);
    if (situation === undefined || situation.result !== undefined) return false;
    const { state, chain, task } = situation;
    if (state === 'review') return chain !== undefined && (chain.record.kind === 'approve' || 'agent' in reviewerOf(fleet.config, task.review, chain.record));
    if (state !== 'blocked') return state !== 'input';
    const block = blocks.get(id);
    return block !== undefined && block !== 'met' && block.kind === 'waiting' && moves(block.on);
  };
  return moves;
}
