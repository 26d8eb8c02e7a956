/** What the fleet's agents have taken: from the records on main, and from what runs on this node now. */
import { CambiumError } from '../errors.ts';
import { COST_KEYS, costRows, costTotal } from '../orient/costs.ts';
import type { CostKey, CostRow } from '../orient/costs.ts';
import type { Session } from './session.ts';
import { lookAtSpawns } from './spawns.ts';
import type { SeenSpawn } from './spawns.ts';
import { startedMs } from '../observe/spawnRecords.ts';

export interface CostQuery {
  readonly by?: string | undefined;
  /** UTC ISO time: only spawns that began then or later. */
  readonly since?: string | undefined;
}

export interface Costs {
  readonly by: CostKey;
  readonly since: string | null;
  readonly rows: readonly CostRow[];
  readonly total: Omit<CostRow, 'key'>;
  /** Files among the records that are none, and are not counted. */
  readonly unread: readonly string[];
}

/** Throws `usage`. */
export async function costs(session: Session, { by = 'agent', since }: CostQuery): Promise<Costs> {
  const key = COST_KEYS.find((known) => known === by);
  if (key === undefined) throw new CambiumError('usage', `Costs are not told by ${by}.`, { hint: `Write one of ${COST_KEYS.map((known) => `\`--by ${known}\``).join(', ')}.` });
  const { fresh, records, recorded } = await lookAtSpawns(session);
  const spawns = new Map<string, SeenSpawn>(fresh.filter(({ node, state }) => node !== null || state !== 'ended').map((spawn) => [spawn.id, spawn]));
  // A record on main holds over what this clone still remembers.
  for await (const month of recorded(since ?? null)) for (const spawn of month) spawns.set(spawn.id, spawn);
  const counted = [...spawns.values()].filter((spawn) => isCounted(spawn) && (since === undefined || (startedMs(spawn) ?? 0) >= Date.parse(since)));
  return { by: key, since: since ?? null, rows: costRows(counted, key), total: costTotal(counted), unread: records.unread() };
}

/** Scripts that a node runs (`verify`, `setup`, hooks) have no provider, and cost nothing that one counts. */
const isCounted = ({ provider }: SeenSpawn): boolean => provider !== null;
