/** What a node remembers of its limits between passes; its parks alone are on disk. */
import type { MachineRoom } from '../model/limits.ts';
import type { ProviderPark } from '../model/providers.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import type { LiveSpendReader } from './liveSpend.ts';

export interface LimitState {
  /** This node's own; one that is over stays until the provider has worked, for the next wait is longer. */
  parks: readonly ProviderPark[];
  /** Ended spawns of this node whose records are not on main yet. */
  kept: readonly SpawnFacts[];
  keptKeys: string;
  room: MachineRoom;
  /** Spawns by id, and whether they were told to stand still. */
  readonly told: Map<string, boolean>;
  reader: LiveSpendReader | null;
}

export function freshLimits(): LimitState {
  return { parks: [], kept: [], keptKeys: '', room: { memoryMb: null, diskMb: null }, told: new Map(), reader: null };
}
