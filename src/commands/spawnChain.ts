/** `cambium spawn chain`: which spawn caused which, as a tree. */
import { withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { flat, spawnChains } from '../workspace/spawnChain.ts';
import type { ChainNode, ChainQuery, SpawnChains } from '../workspace/spawnChain.ts';
import { daemonNode } from '../workspace/spawns.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';
import { plain, printable } from '../workspace/plain.ts';
import { paint } from './output.ts';
import type { Answer } from './output.ts';
import { chainData } from './spawnData.ts';
import { costOf, fitTable, lasting, paintState, shortIds, stateText, subjectOf, terminalWidth, tookMs, usageText } from './spawnText.ts';
import { staleText } from './taskShow.ts';

export function chainCommand(query: ChainQuery): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const chains = await spawnChains(session, query);
    const { roots, totals, asked, cut } = chains;
    return { data: { chains: roots.map(chainData), totals: { spawns: totals.spawns, live: totals.live, usage: totals.usage, cost_usd: totals.costUsd, unknown_costs: totals.unknownCosts }, asked, cut, stale: session.stale }, text: [chainText(chains, { nowMs: session.clone.clock.now().getTime(), self: await daemonNode(session), width: terminalWidth() }), ...staleText(session as Session)].join('\n') };
  });
}

export interface ChainStyle {
  readonly nowMs: number;
  /** This node: others are named. */
  readonly self: string;
  readonly width: number;
}

/** Pure. */
export function chainText({ roots, totals, asked, cut }: SpawnChains, { nowMs, self, width }: ChainStyle): string {
  if (roots.length === 0) return 'No agent has run yet.';
  const spawns = roots.flatMap(flat);
  const short = shortIds(spawns.map(({ id }) => id));
  const lines = roots.flatMap((root) => branches(root, '', ''));
  const rows = lines.map(({ spawn, stem }) => {
    const took = tookMs(spawn, nowMs);
    return [`${stem}${printable(spawn.agent ?? '?')}${spawn.node === null || spawn.node === self ? '' : `@${plain(spawn.node)}`}${spawn.id === asked ? ' ◀' : ''}`, stateText(spawn), subjectOf(spawn), spawn.start === null ? '' : plain(spawn.start.slice(11, 19)), took === null ? '' : lasting(took), costOf(spawn), short.get(spawn.id) ?? ''];
  });
  const table = fitTable([
    { head: 'AGENT', least: 20 }, { head: 'STATE', least: 9, paint: (text, row) => paintState((lines[row] as Branch).spawn, text) }, { head: 'FOR', least: 10 }, { head: 'BEGAN', spare: 1 }, { head: 'TOOK', right: true }, { head: 'COST', right: true }, { head: 'ID' },
  ], rows, width);
  const unknown = totals.unknownCosts === 0 || totals.costUsd === null ? '' : ` and ${totals.unknownCosts} of unknown cost`;
  const sum = `${totals.spawns} spawn${totals.spawns === 1 ? '' : 's'} in ${roots.length} chain${roots.length === 1 ? '' : 's'}${totals.live === 0 ? '' : `, ${totals.live} live`} · ${usageText(totals.usage, totals.costUsd)}${unknown}`;
  return [table, '', sum, ...(cut ? [paint('… and older chains: `-n`', 2)] : [])].join('\n');
}

interface Branch {
  readonly spawn: SeenSpawn;
  readonly stem: string;
}

function branches({ spawn, children }: ChainNode, own: string, below: string): readonly Branch[] {
  return [{ spawn, stem: own }, ...children.flatMap((child, at) => {
    const isLast = at === children.length - 1;
    return branches(child, `${below}${isLast ? '└─ ' : '├─ '}`, `${below}${isLast ? '   ' : '│  '}`);
  })];
}
