/** How spawns look in a terminal: ids, times, states and tables that fit its width. */
import type { SpawnEvent } from '../model/spawnEvent.ts';
import type { Usage } from '../model/task.ts';
import { isFree } from '../orient/costs.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';
import { printable } from '../workspace/plain.ts';
import { paint } from './output.ts';

/** Columns of the terminal; without one nothing is cut. */
export const terminalWidth = (): number => (process.stdout.isTTY === true ? process.stdout.columns : Infinity);

const SHORT_CHARS = 6;

/** The shortest end of each id that is unique among them, at least six characters: chance stands at the end of a ULID. */
export function shortIds(ids: readonly string[]): ReadonlyMap<string, string> {
  const all = [...new Set(ids)];
  let length = SHORT_CHARS;
  while (new Set(all.map((id) => id.slice(-length))).size < all.length) length += 2;
  // A script's id ends with its purpose, which says nothing; the spawn's own part stands before it.
  return new Map(all.map((id) => [id, /-[a-z]/.test(id) ? id.slice(26 - length) : id.slice(-length)]));
}

/** For a command that a person copies: enough of the id to be the only one of millions. */
export const hintId = (id: string): string => (/^[0-9A-Z]{26}$/.test(id) ? id.slice(-8) : id);

/** `8s`, `2m10s`, `1h04m`, `3d`. */
export function lasting(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h${String(Math.floor((seconds % 3_600) / 60)).padStart(2, '0')}m`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Coarse, for ages: `8s`, `12m`, `3h`, `5d`. */
export function since(ms: number): string {
  return lasting(ms).replace(/(?<=[mh])\d+[sm]$/, '');
}

/** From its start to its end, or to now. */
export function tookMs({ start, end }: Pick<SeenSpawn, 'start' | 'end'>, nowMs: number): number | null {
  const [from, to] = [Date.parse(start ?? ''), end === null ? nowMs : Date.parse(end)];
  return Number.isNaN(from) || Number.isNaN(to) ? null : Math.max(0, to - from);
}

/** `?` where nobody told it. */
export function dollars(usd: number | null, unknown = '?'): string {
  if (usd === null) return unknown;
  return usd === 0 || usd >= 0.995 ? `$${usd.toFixed(2)}` : `$${usd.toFixed(usd < 0.01 ? 4 : 3)}`;
}

/** `–` where there was nothing to pay: a script, a runbook. */
export function costOf({ costUsd, provider }: Pick<SeenSpawn, 'costUsd' | 'provider'>): string {
  return costUsd === null && (provider === null || isFree(provider)) ? '–' : dollars(costUsd);
}

/** `18.2k` */
export function count(tokens: number): string {
  if (tokens < 1_000) return String(tokens);
  return tokens < 999_950 ? `${(tokens / 1_000).toFixed(tokens < 99_950 ? 1 : 0)}k` : `${(tokens / 1_000_000).toFixed(1)}M`;
}

export function usageText(usage: Usage | null, costUsd: number | null): string {
  const told = usage === null ? 'no tokens told' : `${count(usage.input)} in${usage.cached > 0 ? ` (${count(usage.cached)} cached)` : ''} · ${count(usage.output)} out`;
  return `${told} · ${dollars(costUsd, 'cost unknown')}`;
}

/** What it is for: the task, `#channel`, or a script of a task. */
export function subjectOf({ purpose, task, channel, agent }: SeenSpawn): string {
  if (!['task', 'message', 'unknown'].includes(purpose)) return printable(`${purpose}${task === null ? '' : ` ${task}`}`);
  return printable(task ?? (channel !== null ? `#${channel}` : purpose === 'message' && agent !== null ? `@${agent}` : '?'));
}

/** `running`, `stalled`, `succeeded`, `failed: rate_limit`. */
export function stateText({ state, outcome, failure, exited }: SeenSpawn): string {
  if (state !== 'ended') return state;
  if (outcome === null) return `ended: ${exited ?? '?'}`;
  return printable(outcome + (failure === null ? '' : `: ${failure}`));
}

const COLORS: Readonly<Record<string, number>> = { starting: 36, running: 36, 'no session': 33, stalled: 33, 'over time': 33, lost: 31, succeeded: 32, failed: 31, stopped: 90, fenced: 90 };

export function paintState(spawn: SeenSpawn, text: string): string {
  const color = COLORS[spawn.state === 'ended' ? (spawn.outcome ?? '') : spawn.state];
  return color === undefined ? text : paint(text, color);
}

/** Provider and model, `claude/opus-5`; a model that begins with its provider's name is enough. */
export function madeBy({ provider, model }: Pick<SeenSpawn, 'provider' | 'model'>): string {
  if (provider === null) return '';
  return printable(model === null ? provider : model.startsWith(provider) ? model : `${provider}/${model}`);
}

/** One event in one line, for where a log has no place. */
export function eventLine(event: SpawnEvent): string {
  const line = (text: string): string => printable(text).replace(/\s+/g, ' ').trim();
  switch (event.kind) {
    case 'start': return 'session begun';
    case 'text': return line(event.text);
    case 'tool': return line(`${event.name} ${event.input}`);
    case 'tool_result': return `${event.ok ? '→' : '✗'} ${line(event.output) || 'no output'}`;
    case 'usage': return usageText(event.usage, event.costUsd);
    case 'limit': return line(`${event.failure}${event.resetAt === null ? '' : ` until ${event.resetAt}`}: ${event.text}`);
    case 'error': return line(`error: ${event.text}`);
    case 'end': return line(`${event.ok ? 'done' : 'failed'}: ${event.text}`);
  }
}

/** Items one after the other, broken into lines where the terminal ends; lines after the first are indented. */
export function wrapped(items: readonly string[], indent: number, width: number): string {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last === undefined || indent + last.length + item.length + 2 > width) lines.push(item);
    else lines[lines.length - 1] = `${last}, ${item}`;
  }
  return lines.join(`,\n${' '.repeat(indent)}`);
}

export function clipped(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

export interface Column {
  readonly head: string;
  /** May be cut down to so many characters where the table is too wide: the spare ones first, and of them and the others the last one first. */
  readonly least?: number;
  /** May be left out, the highest first, before any other is cut. */
  readonly spare?: number;
  readonly right?: boolean;
  readonly paint?: (text: string, row: number) => string;
}

const GAP = '  ';

/** A table with a head, no wider than `width`. */
export function fitTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string {
  const natural = columns.map(({ head }, at) => rows.reduce((widest, row) => Math.max(widest, (row[at] ?? '').length), head.length));
  let widths = natural;
  // Columns in which nobody has anything to say are none.
  const kept = new Set(columns.flatMap((_, at) => (rows.every((row) => (row[at] ?? '') === '') ? [] : [at])));
  const total = (): number => [...kept].reduce((sum, at) => sum + (widths[at] ?? 0) + GAP.length, -GAP.length);
  const shrink = (among: (column: Column) => boolean): void => {
    widths = [...natural];
    for (const at of [...kept].toReversed()) {
      const { least } = columns[at] as Column;
      const over = total() - width;
      if (over > 0 && least !== undefined && among(columns[at] as Column)) widths[at] = Math.min(widths[at] as number, Math.max(least, (widths[at] as number) - over));
    }
  };
  const isSpare = ({ spare }: Column): boolean => spare !== undefined;
  shrink(isSpare);
  while (total() > width) {
    const spare = [...kept].filter((at) => isSpare(columns[at] as Column)).toSorted((a, b) => (columns[b]?.spare ?? 0) - (columns[a]?.spare ?? 0))[0];
    if (spare === undefined) break;
    kept.delete(spare);
    shrink(isSpare);
  }
  // Only where nothing can be spared any more are the others cut.
  if (total() > width) shrink(() => true);
  const line = (cells: readonly string[], row: number): string => [...kept].map((at) => {
    const { right, paint: color } = columns[at] as Column;
    const text = clipped(cells[at] ?? '', widths[at] as number);
    const padded = right === true ? text.padStart(widths[at] as number) : text.padEnd(widths[at] as number);
    return color === undefined || row < 0 ? padded : padded.replace(text, () => color(text, row));
  }).join(GAP).trimEnd();
  return [paint(line(columns.map(({ head }) => head), -1), 2), ...rows.map((row, at) => line(row, at))].join('\n');
}
