/** Whether anything is left that this node does or could come to run. Pure. */
import { chainState, isTerminal } from '../model/claim.ts';
import type { LimitFacts } from '../model/limits.ts';
import type { LocalAgent, Snapshot } from '../model/snapshot.ts';
import type { Situation, TaskSituation } from '../orient/situation.ts';
import { misfit } from '../orient/fit.ts';
import { agentWait, providersWait } from '../orient/limits.ts';

/**
 * True when nothing is ready or held, here or on another node, that one of this node's agents could run, and
 * nothing waits for such a task. A task that waits for a person or for a time to come is not waited for, save
 * the short back-off after a failed attempt.
 */
export function isIdle(snapshot: Snapshot, situation: Situation): boolean {
  if (snapshot.runs.length > 0 || situation.approved.length > 0) return false;
  // The common case by far, and the cheap one: something is ready for an agent of ours.
  if (situation.ready.some((task) => couldRun(snapshot, task))) return false;
  const live = new Set([...situation.tasks.values()].filter((task) => isMoving(task, snapshot.now)).map(({ task }) => task.id));
  return [...situation.tasks.values()].every((task) => !couldRun(snapshot, task) || !(live.has(task.task.id) || waitsForMoving(snapshot, situation, task, live)));
}

function couldRun({ self, fleet, limits, now }: Snapshot, task: TaskSituation): boolean {
  return self.agents.some((agent) => misfit(agent, task.task, fleet.config.defaults.provider) === null && !waitsForPerson(limits, agent, task, now));
}

/** Kept back without an end that anybody knows: a pause, a login that is missing. What ends by the clock is waited for. */
function waitsForPerson(limits: LimitFacts, agent: LocalAgent, { task }: TaskSituation, now: string): boolean {
  const wait = agentWait(limits, agent, now) ?? providersWait(limits, agent, task, now);
  return wait !== null && wait.until === null;
}

function isMoving({ state, task, chain, result, limited }: TaskSituation, now: string): boolean {
  if (limited === true) return false;
  if (state === 'ready' || state === 'held') return true;
  // Ended in the chain and not yet on main: a push about to be healed.
  if (result === undefined && chain !== undefined && isTerminal(chainState(chain))) return true;
  return state === 'waiting' && (task.notBefore === undefined || task.notBefore <= now);
}

/** Blocked, and every dependency that is not done may still become so. */
function waitsForMoving({ fleet }: Pick<Snapshot, 'fleet'>, situation: Situation, task: TaskSituation, live: ReadonlySet<string>, seen: ReadonlySet<string> = new Set()): boolean {
  if (task.state !== 'blocked' || seen.has(task.task.id) || task.task.dependsOn.length === 0) return false;
  return task.task.dependsOn.every((id) => {
    const dependency = situation.tasks.get(id);
    if (dependency === undefined) return fleet.archived.get(id)?.outcome === 'done';
    return dependency.state === 'done' || live.has(id) || waitsForMoving({ fleet }, situation, dependency, live, new Set([...seen, task.task.id]));
  });
}
