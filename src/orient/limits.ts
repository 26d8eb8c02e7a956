/**
 * Whether something may be started now: what people have stopped, parked providers, budgets, quiet hours, the machine's room.
 * Each answer is null, or why not, until when, and what ends it sooner. Pure; asked before a claim, before each start of a
 * provider, and by whatever else starts one.
 */
import type { LimitFacts, Wait } from '../model/limits.ts';
import { quietUntil } from '../model/quietHours.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import { pauseOf } from '../model/stop.ts';
import type { Pausable, StopRecord, Wish } from '../model/stop.ts';
import type { Task } from '../model/task.ts';
import { agentBudget, fleetBudget, taskBudget } from './budgets.ts';
import { isInForce, providersFor } from './providers.ts';

type Asker = Pick<LocalAgent, 'id' | 'provider' | 'fallback'>;

/** What a person has stopped for the whole fleet. */
export function fleetStop({ fleet }: StopRecord): Wait | null {
  if (fleet === null) return null;
  return { kind: 'stop', reason: `the fleet is ${fleet.mode === 'freeze' ? 'frozen' : 'stopped'} by ${wishText(fleet)}`, until: null, mend: 'It goes on with `cambium resume --fleet`.' };
}

export function paused(stop: StopRecord, kind: Pausable, name: string): Wait | null {
  const wish = pauseOf(stop, kind, name);
  return wish === null ? null : { kind: 'paused', reason: `the ${kind} ${name} is paused by ${wishText(wish)}`, until: null, mend: `It goes on with \`cambium resume ${kind} ${name}\`.` };
}

const wishText = ({ by, why }: Wish): string => `${by.replace(/^human:/u, '')}${why === null ? '' : `: ${why}`}`;

/** Why this provider is not asked now. */
export function providerWait(facts: Pick<LimitFacts, 'stop' | 'parks' | 'config'>, name: string, now: string): Wait | null {
  const pause = paused(facts.stop, 'provider', name);
  if (pause !== null) return pause;
  const parks = facts.parks.filter((park) => park.provider === name && isInForce(park, { stop: facts.stop, config: facts.config, now }));
  const longest = parks.toSorted((a, b) => ((a.until ?? '~') < (b.until ?? '~') ? 1 : -1))[0];
  if (longest === undefined) return null;
  const until = longest.until === null ? '' : ` until ${longest.until.slice(0, 19)}Z`;
  const reason = `${name} is parked on ${longest.node}${until} (${longest.failure.replace('_', ' ')}${longest.reason === '' ? '' : `: ${longest.reason}`})`;
  return { kind: 'parked', reason, until: longest.until, mend: longest.until === null ? `Log in, then \`cambium provider resume ${name}\`.` : `Sooner with \`cambium provider resume ${name}\`.` };
}

/** Why none of the agent's providers is asked now; the soonest end of all. */
export function providersWait(facts: Pick<LimitFacts, 'stop' | 'parks' | 'config'>, agent: Asker, task: Pick<Task, 'provider'> | null, now: string): Wait | null {
  const waits = providersFor(agent, task).map((name) => providerWait(facts, name, now));
  return allOf(waits.filter((wait): wait is Wait => wait !== null), waits.length);
}

/** All waits together, where each of `count` ways is shut. */
export function allOf(waits: readonly Wait[], count: number): Wait | null {
  const [first] = waits;
  if (first === undefined || waits.length < count) return null;
  const untils = waits.flatMap(({ until }) => (until === null ? [] : [until])).toSorted();
  return { kind: first.kind, reason: [...new Set(waits.map(({ reason }) => reason))].join('; '), until: untils[0] ?? null, mend: first.mend };
}

/** What holds for the whole fleet, on every node. */
export function fleetWait(facts: Pick<LimitFacts, 'stop' | 'config' | 'ledger' | 'live'>, now: string): Wait | null {
  return fleetStop(facts.stop) ?? fleetBudget(facts, now);
}

/** What holds for one task, on every node. */
export function taskWait(facts: Pick<LimitFacts, 'stop' | 'config' | 'ledger' | 'live'>, task: Task): Wait | null {
  const project = task.project === undefined ? null : paused(facts.stop, 'project', task.project);
  return project ?? (task.assignedTo === undefined ? null : paused(facts.stop, 'agent', task.assignedTo)) ?? taskBudget(facts, task);
}

/** What keeps this node from starting anything new. */
export function nodeWait({ config, room }: Pick<LimitFacts, 'config' | 'room'>, now: string): Wait | null {
  const { quietHours, minFreeMemoryMb, minFreeDiskMb } = config.limits;
  const until = quietHours === null ? null : quietUntil(quietHours, now);
  if (until !== null) return { kind: 'quiet', reason: `these are quiet hours (${quietHours})`, until, mend: 'Change limits.quiet_hours in cambium.yaml to start earlier.' };
  return tooLittle('memory', room.memoryMb, minFreeMemoryMb) ?? tooLittle('disk', room.diskMb, minFreeDiskMb);
}

function tooLittle(kind: 'memory' | 'disk', have: number | null, need: number | null): Wait | null {
  if (have === null || need === null || have >= need) return null;
  return { kind, reason: `this machine has ${Math.floor(have)} MB of ${kind} left, and nothing is started below ${need} MB`, until: null, mend: `Free some, or lower limits.min_free_${kind}_mb in cambium.yaml.` };
}

/** What keeps the agent from starting anything, whatever it is about. */
export function agentWait(facts: LimitFacts, agent: Asker, now: string): Wait | null {
  return paused(facts.stop, 'agent', agent.id) ?? agentBudget(facts, agent.id, now);
}

/**
 * Why the agent may not be started now, for the task or (null) for something else; null when it may. `provider` asks about one
 * provider; null asks whether any of the agent's own would do.
 */
export function mayStart(facts: LimitFacts, agent: Asker, { task, provider }: { readonly task: Task | null; readonly provider: string | null }, now: string): Wait | null {
  return fleetWait(facts, now) ?? (task === null ? null : taskWait(facts, task)) ?? agentWait(facts, agent, now) ?? nodeWait(facts, now)
    ?? (provider === null ? providersWait(facts, agent, task, now) : providerWait(facts, provider, now));
}

/** One sentence of a wait, with its end. */
export function waitText({ reason, until }: Wait): string {
  return until === null || reason.includes(until.slice(0, 19)) ? reason : `${reason}, until ${until.slice(0, 19)}Z`;
}
