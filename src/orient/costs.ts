/** What spawns have taken, summed by agent, task, day, model or provider. Pure. */
import type { SpawnFacts } from '../model/seenSpawn.ts';
import { addCost, addUsage } from '../model/spawn.ts';
import type { Usage } from '../model/task.ts';

export const COST_KEYS = ['agent', 'task', 'day', 'model', 'provider'] as const;
export type CostKey = (typeof COST_KEYS)[number];

export interface CostRow {
  /** The agent, the task (or `#channel` of an answer), the UTC day, the model or the provider; null where it is not known. */
  readonly key: string | null;
  readonly spawns: number;
  /** Of them, those that have not ended: what they take is still growing. */
  readonly live: number;
  /** Tokens; null where no spawn told any. */
  readonly usage: Usage | null;
  /** Dollars of the spawns that tell their cost; null where none does. */
  readonly costUsd: number | null;
  /** Spawns that asked a model and tell no dollars: what they cost comes on top. */
  readonly unknownCosts: number;
}

/** A runbook asks no model: that it tells no dollars means that there are none. */
export const isFree = (provider: string | null): boolean => provider === 'runbook';

type Spent = Pick<SpawnFacts, 'agent' | 'task' | 'channel' | 'model' | 'provider' | 'start' | 'usage' | 'costUsd' | 'end'>;

/** The dearest first, then those with the most tokens; days by date, newest first. */
export function costRows(spawns: readonly Spent[], by: CostKey): readonly CostRow[] {
  const groups = new Map<string | null, CostRow>();
  for (const spawn of spawns) {
    const key = keyOf(spawn, by);
    groups.set(key, addTo(groups.get(key) ?? { ...NOTHING, key }, spawn));
  }
  return [...groups.values()].toSorted((a, b) => (by === 'day' ? ((a.key ?? '') < (b.key ?? '') ? 1 : -1) : (b.costUsd ?? 0) - (a.costUsd ?? 0) || tokens(b.usage) - tokens(a.usage) || ((a.key ?? '~') < (b.key ?? '~') ? -1 : 1)));
}

export function costTotal(spawns: readonly Spent[]): Omit<CostRow, 'key'> {
  const { key: _, ...total } = spawns.reduce(addTo, { ...NOTHING, key: null });
  return total;
}

const NOTHING: CostRow = { key: null, spawns: 0, live: 0, usage: null, costUsd: null, unknownCosts: 0 };

function addTo(row: CostRow, { end, usage, costUsd, provider }: Spent): CostRow {
  return {
    ...row, spawns: row.spawns + 1, live: row.live + (end === null ? 1 : 0), usage: addUsage(row.usage, usage), costUsd: addCost(row.costUsd, costUsd), unknownCosts: row.unknownCosts + (costUsd === null && !isFree(provider) ? 1 : 0),
  };
}

function keyOf({ agent, task, channel, model, provider, start }: Spent, by: CostKey): string | null {
  const keys: Readonly<Record<CostKey, string | null>> = { agent, task: task ?? (channel === null ? null : `#${channel}`), day: start?.slice(0, 10) ?? null, model, provider };
  return keys[by];
}

/** What came from the provider's cache is part of the input. */
export const tokens = (usage: Usage | null): number => (usage === null ? 0 : usage.input + usage.output);
