/** The rules that wakes are judged by, from the fleet's settings: the same for the daemon, for `channel read` and for status. Pure. */
import type { FleetConfig } from '../model/config.ts';
import { agentNamed } from './agents.ts';
import type { WakeRules } from './wakes.ts';

/** `awake`: keys of the wakes that somebody holds; `nowMs`: milliseconds since 1970. */
export function wakeRules(config: FleetConfig, awake: Iterable<string>, nowMs: number): WakeRules {
  const agents = new Map(Object.keys(config.agents).map((id) => {
    const { role, provider } = agentNamed(config, id);
    // A runbook executes what it reads: what is said is never that.
    return [id, { role, answers: provider !== 'runbook' }];
  }));
  const { spawnDepth, threadWakes, wakesPerHour } = config.limits;
  return { agents, spawnDepth, threadWakes, wakesPerHour, nowMs, awake: new Set(awake) };
}
