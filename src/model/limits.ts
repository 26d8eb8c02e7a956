/** What keeps work from being started though it is ready: people, limits, money. Plain data. */
import type { FleetConfig } from './config.ts';
import type { ProviderPark } from './providers.ts';
import type { SpawnFacts } from './seenSpawn.ts';
import type { StopRecord } from './stop.ts';
import { NO_STOP } from './stop.ts';

/** Why nothing is started now, for how long, and what ends it sooner. */
export interface Wait {
  readonly kind: 'stop' | 'paused' | 'parked' | 'away' | 'budget' | 'quiet' | 'memory' | 'disk';
  readonly reason: string;
  /** UTC ISO time; null where nobody knows, or a person must act. */
  readonly until: string | null;
  /** What a person can do about it, one sentence. */
  readonly mend: string | null;
}

/** What one spawn under way has cost so far, as its own events tell. Null: it has not said. */
export interface LiveSpend {
  readonly agent: string;
  readonly task: string | null;
  readonly usd: number | null;
  readonly tokens: number;
}

/** What this machine has left; null where it cannot be told. */
export interface MachineRoom {
  readonly memoryMb: number | null;
  readonly diskMb: number | null;
}

/** All that a decision to start something is made from (orient/limits.ts). */
export interface LimitFacts {
  readonly config: FleetConfig;
  readonly stop: StopRecord;
  /** This node's own, and those of others that hold for every node; some may be over. */
  readonly parks: readonly ProviderPark[];
  /** Ended spawns: those on main, and those of this node that are not there yet. */
  readonly ledger: readonly SpawnFacts[];
  readonly live: readonly LiveSpend[];
  readonly room: MachineRoom;
}

export const UNLIMITED: Omit<LimitFacts, 'config'> = { stop: NO_STOP, parks: [], ledger: [], live: [], room: { memoryMb: null, diskMb: null } };
