/** The providers of a fleet as this machine sees them: what is there, in which version, who uses it, and what is parked. */
import { createProviders } from '../adapters/providers/registry.ts';
import type { ProviderPark } from '../model/providers.ts';
import { pauseOf } from '../model/stop.ts';
import type { Wish } from '../model/stop.ts';
import { isInForce } from '../orient/providers.ts';
import type { Session } from './session.ts';

export interface ListedProvider {
  readonly name: string;
  /** On this machine; null where it cannot run here. */
  readonly version: string | null;
  /** Why it cannot run here, and what to do; null where it can. */
  readonly unavailable: string | null;
  /** Agents of cambium.yaml that it is the first choice of, and those that fall back on it. */
  readonly agents: readonly string[];
  readonly fallbackOf: readonly string[];
  readonly paused: Wish | null;
  /** In force now, by node. */
  readonly parks: readonly ProviderPark[];
}

/** Those that agents use first, then the others that can run here, then the rest; each by name. */
export async function listProviders({ clone, fleet }: Session): Promise<readonly ListedProvider[]> {
  const { config, stop, parks } = fleet;
  const now = clone.clock.now().toISOString();
  const agents = Object.entries(config.agents);
  const known = createProviders(config.providers);
  const used = agents.flatMap(([, { provider, fallback }]) => [provider, ...fallback]);
  const names = [...new Set([...known.keys(), ...used])];
  const listed = await Promise.all(names.map(async (name): Promise<ListedProvider> => {
    const provider = known.get(name);
    const probed = provider === undefined ? { unavailable: 'cambium.yaml defines no such provider.', hint: 'Define it under `providers:`.' } : await provider.probe();
    return {
      name, ...('version' in probed ? { version: probed.version, unavailable: null } : { version: null, unavailable: `${probed.unavailable} ${probed.hint}` }),
      agents: agents.filter(([, agent]) => agent.provider === name).map(([id]) => id), fallbackOf: agents.filter(([, agent]) => agent.fallback.includes(name)).map(([id]) => id),
      paused: pauseOf(stop, 'provider', name), parks: parks.filter((park) => park.provider === name && isInForce(park, { stop, config, now })),
    };
  }));
  const rank = ({ agents: own, fallbackOf, version }: ListedProvider): number => (own.length > 0 ? 0 : fallbackOf.length > 0 ? 1 : version !== null ? 2 : 3);
  return listed.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}
