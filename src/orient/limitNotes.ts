/** What people should see of the limits in force: one sentence each, for status and for the plan of a cycle. Pure. */
import type { LimitFacts } from '../model/limits.ts';
import { quietUntil } from '../model/quietHours.ts';
import { PAUSABLE } from '../model/stop.ts';
import { agentBudget, fleetBudget } from './budgets.ts';
import { fleetStop, nodeWait, paused, waitText } from './limits.ts';
import { isInForce } from './providers.ts';

export type LimitView = Pick<LimitFacts, 'config' | 'stop' | 'parks' | 'ledger' | 'live' | 'room'>;

/** The stop first, for it outweighs the others. */
export function limitNotes(facts: LimitView, now: string): readonly string[] {
  const { stop, parks, config } = facts;
  const groups = { agent: stop.agents, provider: stop.providers, project: stop.projects };
  const pauses = PAUSABLE.flatMap((kind) => Object.keys(groups[kind]).toSorted().map((name) => paused(stop, kind, name)));
  const budgets = [fleetBudget(facts, now), ...Object.keys(config.agents).map((agent) => agentBudget(facts, agent, now))];
  const quiet = config.limits.quietHours === null || quietUntil(config.limits.quietHours, now) === null ? null : nodeWait({ config, room: { memoryMb: null, diskMb: null } }, now);
  const told = [fleetStop(stop), ...pauses, ...budgets, quiet, nodeWait({ config: { ...config, limits: { ...config.limits, quietHours: null } }, room: facts.room }, now)];
  const parked = parks.filter((park) => isInForce(park, { stop, config, now })).map(({ provider, node, failure, until, reason }) => `${provider} is parked on ${node}${until === null ? '' : ` until ${until.slice(0, 19)}Z`} (${failure.replace('_', ' ')}: ${reason}); ${until === null ? 'log in, then' : 'sooner with'} \`cambium provider resume ${provider}\``);
  return [...told.flatMap((wait) => (wait === null ? [] : [`${waitText(wait)}. ${wait.mend ?? ''}`.trim()])), ...new Set(parked)].map(capital);
}

/** Names of providers, agents and tasks stay as they are written. */
const capital = (text: string): string => (/^(?:the|these|this) /u.test(text) ? `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}` : text);
