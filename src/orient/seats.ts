/** Whether anybody in the fleet could take a task now: agents that fit it, on the nodes that run them, as main tells of each. Pure. */
import type { Wait } from '../model/limits.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { agentNamed } from './agents.ts';
import { misfit } from './fit.ts';
import { agentWait, allOf, providersWait } from './limits.ts';
import { holdsFor } from './providers.ts';

/** True where something keeps single agents or nodes back: without, there is nothing to look for. */
export function hasSeatLimits({ stop, parks, config }: Fleet): boolean {
  const { agents, limits } = config;
  return parks.length > 0 || Object.keys(stop.agents).length + Object.keys(stop.providers).length > 0 || limits.usdPerAgentDay !== null
    || Object.values(agents).some(({ usdPerDay, tokensPerDay }) => (usdPerDay ?? null) !== null || (tokensPerDay ?? null) !== null);
}

/** Why nobody whom cambium.yaml names can take it, on any node; null while somebody may. The soonest end of all. */
export function seatsWait(fleet: Fleet, task: Task, now: string): Wait | null {
  const { config, nodes } = fleet;
  const alive = [...nodes].filter(([, { heartbeat }]) => heartbeat !== null).map(([node]) => node);
  const waits: Wait[] = [];
  for (const id of Object.keys(config.agents)) {
    const agent = agentNamed(config, id);
    if (misfit(agent, task, config.defaults.provider) !== null) continue;
    const home = config.agents[id]?.node ?? '*';
    const on = home === '*' ? alive : [home];
    if (on.length === 0) return null;
    for (const node of on) {
      const facts = { ...fleet, parks: fleet.parks.filter((park) => holdsFor(park, node)), live: [], room: { memoryMb: null, diskMb: null } };
      const wait = agentWait(facts, agent, now) ?? providersWait(facts, agent, task, now);
      if (wait === null) return null;
      waits.push(wait);
    }
  }
  return allOf(waits, waits.length);
}
