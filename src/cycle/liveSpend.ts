/** What spawns under way have cost so far, read from their logs as they grow, by their provider's own reader. */
import type { Workshop } from '../act/run/workshop.ts';
import type { SpawnEvent } from '../model/spawnEvent.ts';
import type { Usage } from '../model/task.ts';
import { tokensOf } from '../orient/budgets.ts';

export interface LiveSpent {
  readonly usd: number | null;
  readonly tokens: number;
  readonly usage: Usage | null;
  /** Answers of its model so far: each begins with the first word or tool after what it was told. */
  readonly turns: number;
}

export interface SpawnAtWork {
  readonly spawn: string;
  readonly provider: string;
  /** The session it goes on with: what that had cost before is not its own. */
  readonly resume?: { readonly usage: Usage | null; readonly costUsd: number | null } | null;
}

export interface LiveSpendReader {
  /** Reads on where it stopped; what is not named any more is forgotten. */
  read(spawns: readonly SpawnAtWork[]): Promise<void>;
  of(spawn: string): LiveSpent | null;
}

interface Reading {
  readonly read: (line: string) => readonly SpawnEvent[];
  readonly before: { readonly usd: number; readonly usage: Usage | null };
  offset: number;
  rest: string;
  spent: LiveSpent;
  answering: boolean;
}

const NOTHING: LiveSpent = { usd: null, tokens: 0, usage: null, turns: 0 };
/** A line longer than this is no event. */
const LINE_MAX = 4 * 1024 * 1024;

export function createLiveSpend(shop: Pick<Workshop, 'node' | 'scratch' | 'providers'>): LiveSpendReader {
  const readings = new Map<string, Reading>();

  function begin({ provider, resume }: SpawnAtWork): Reading | null {
    const known = shop.providers.get(provider);
    if (known === undefined || !known.conversational) return null;
    return { read: known.reader(), before: { usd: resume?.costUsd ?? 0, usage: resume?.usage ?? null }, offset: 0, rest: '', spent: NOTHING, answering: false };
  }

  return {
    async read(spawns) {
      const named = new Set(spawns.map(({ spawn }) => spawn));
      for (const spawn of readings.keys()) if (!named.has(spawn)) readings.delete(spawn);
      for (const at of spawns) {
        const reading = readings.get(at.spawn) ?? begin(at);
        if (reading === null) continue;
        readings.set(at.spawn, reading);
        const { text, next } = await shop.node.supervisor.readLog(shop.scratch(at.spawn), reading.offset);
        reading.offset = next;
        const lines = `${reading.rest}${text}`.split('\n');
        reading.rest = (lines.pop() ?? '').slice(-LINE_MAX);
        for (const line of lines) for (const event of reading.read(line)) hear(reading, event);
      }
    },
    of: (spawn) => readings.get(spawn)?.spent ?? null,
  };
}

function hear(reading: Reading, event: SpawnEvent): void {
  const { spent, before } = reading;
  if (event.kind === 'usage') {
    const usage = event.cumulative && before.usage !== null ? lessUsage(event.usage, before.usage) : event.usage;
    const usd = event.costUsd === null ? spent.usd : Math.max(0, event.costUsd - (event.cumulative ? before.usd : 0));
    if (tokensOf(usage) >= spent.tokens) reading.spent = { ...spent, usd, tokens: tokensOf(usage), usage };
  }
  if (event.kind === 'tool_result') reading.answering = false;
  if ((event.kind === 'text' || event.kind === 'tool') && !reading.answering) {
    reading.answering = true;
    reading.spent = { ...reading.spent, turns: reading.spent.turns + 1 };
  }
}

function lessUsage(all: Usage, before: Usage): Usage {
  return { input: Math.max(0, all.input - before.input), cached: Math.max(0, all.cached - before.cached), output: Math.max(0, all.output - before.output) };
}
