/** Which agents a node runs: those that cambium.yaml gives to it, or those asked for by name. Pure. */
import type { FleetConfig } from '../model/config.ts';
import type { LocalAgent } from '../model/snapshot.ts';

/** An agent that is asked for and not in cambium.yaml joins as a worker with the fleet's defaults. */
export function agentsOf(config: FleetConfig, node: string, asked: readonly string[] | null): readonly LocalAgent[] {
  if (asked !== null) return asked.map((id) => agentNamed(config, id));
  return Object.keys(config.agents).filter((id) => ['*', node].includes(config.agents[id]?.node ?? '*')).map((id) => agentNamed(config, id));
}

export function agentNamed(config: FleetConfig, id: string): LocalAgent {
  const agent = Object.hasOwn(config.agents, id) ? config.agents[id] : undefined;
  return {
    id, role: agent?.role ?? 'worker', capabilities: agent?.capabilities ?? [],
    provider: agent?.provider ?? config.defaults.provider, model: agent?.model ?? null, ...(agent === undefined || agent.fallback.length === 0 ? {} : { fallback: agent.fallback }),
  };
}
