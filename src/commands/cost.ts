/** `cambium cost`: what the fleet's agents have taken. */
import type { CostRow } from '../orient/costs.ts';
import { costs } from '../workspace/cost.ts';
import type { Costs } from '../workspace/cost.ts';
import { withSession } from '../workspace/session.ts';
import { printable } from '../workspace/plain.ts';
import type { Answer } from './output.ts';
import { sinceTime, unreadText } from './spawn.ts';
import { count, dollars, fitTable, terminalWidth } from './spawnText.ts';
import { staleText } from './taskShow.ts';

export interface CostOptions {
  readonly by?: string | undefined;
  readonly since?: string | undefined;
}

export function costCommand({ by, since }: CostOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const told = await costs(session, { by, since: since === undefined ? undefined : sinceTime(since, session.clone.clock.now()) });
    return { data: { by: told.by, since: told.since, rows: told.rows.map(rowData), total: rowData(told.total), unread: told.unread, stale: session.stale }, text: [costText(told, terminalWidth()), ...unreadText(told.unread), ...staleText(session)].join('\n') };
  });
}

const rowData = <T extends Omit<CostRow, 'key'>>({ usage, costUsd, unknownCosts, ...row }: T): Readonly<Record<string, unknown>> => ({ ...row, usage, cost_usd: costUsd, unknown_costs: unknownCosts });

/** Pure. Dollars that nobody told are never shown as none. */
export function costText({ by, since, rows, total }: Costs, width: number): string {
  if (rows.length === 0) return since === null ? 'No agent has run yet.' : `No agent has run since ${since.slice(0, 16).replace('T', ' ')} UTC.`;
  const cells = (name: string, row: Omit<CostRow, 'key'>): readonly string[] => [
    name, `${row.spawns}${row.live === 0 ? '' : ` (${row.live} live)`}`, ...(row.usage === null ? [none(row), none(row), none(row)] : [row.usage.input, row.usage.cached, row.usage.output].map(count)), costCell(row),
  ];
  const body = [...rows.map((row) => cells(row.key === null ? 'unknown' : printable(row.key), row)), ...(rows.length > 1 ? [cells('all', total)] : [])];
  const table = fitTable([{ head: by.toUpperCase(), least: 12 }, { head: 'SPAWNS', right: true }, { head: 'INPUT', right: true }, { head: 'OF IT CACHED', right: true, spare: 1 }, { head: 'OUTPUT', right: true }, { head: 'COST', right: true }], body, width);
  return total.unknownCosts === 0 ? table : `${table}\n\n${total.unknownCosts === 1 ? 'One spawn tells no dollars' : `${total.unknownCosts} spawns tell no dollars`}${total.costUsd === null ? '.' : `: what ${total.unknownCosts === 1 ? 'it costs' : 'they cost'} comes on top (+).`}`;
}

/** Nothing where no model was asked, and `?` where somebody asked one and told nothing. */
const none = ({ unknownCosts }: Omit<CostRow, 'key'>): string => (unknownCosts === 0 ? '–' : '?');

function costCell({ costUsd, unknownCosts }: Omit<CostRow, 'key'>): string {
  if (costUsd === null && unknownCosts === 0) return '–';
  return costUsd === null ? 'unknown' : `${dollars(costUsd)}${unknownCosts > 0 ? ' +' : ''}`;
}
