/** The spawns under way as `cambium status` tells them: one line each, with what it said or did last. */
import { printable, plain } from '../workspace/plain.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';
import { eventLine, fitTable, lasting, paintState, shortIds, stateText, subjectOf, tookMs } from './spawnText.ts';

/** Pure. `self`: this node; others are named. */
export function atWorkText(spawns: readonly SeenSpawn[], { self, nowMs, width }: { readonly self: string; readonly nowMs: number; readonly width: number }): string {
  const short = shortIds(spawns.map(({ id }) => id));
  const rows = spawns.map((spawn) => {
    const took = tookMs(spawn, nowMs);
    const elsewhere = spawn.node !== null && spawn.node !== self;
    return [`  ${short.get(spawn.id)}`, `${printable(spawn.agent ?? '?')}${elsewhere ? `@${plain(spawn.node ?? '')}` : ''}`, subjectOf(spawn), stateText(spawn), took === null ? '' : lasting(took), lastOf(spawn)];
  });
  return fitTable([{ head: '' }, { head: '', least: 14 }, { head: '', least: 10 }, { head: '', paint: (text, row) => paintState(spawns[row] as SeenSpawn, text) }, { head: '', right: true }, { head: '', least: LAST_CHARS }], rows, width).split('\n').slice(1).join('\n');
}

/** What it does is what a person looks for here: of this much, the task's name is cut first. */
const LAST_CHARS = 24;

function lastOf({ sickness, last, quietMs, here }: SeenSpawn): string {
  if (sickness !== null) return plain(sickness.why);
  if (!here) return '';
  if (last === null) return quietMs === null ? 'has said nothing yet' : '';
  return `${quietMs === null || quietMs < 2_000 ? '' : `${lasting(quietMs)} ago: `}${eventLine(last)}`;
}
