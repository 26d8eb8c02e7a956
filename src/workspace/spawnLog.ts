/** What a spawn has said: its log, read into events by the reader of its provider. */
import { createProviders } from '../adapters/providers/registry.ts';
import { plainReader } from '../adapters/providers/plainReader.ts';
import { followFile, readEnds } from '../adapters/system/followFile.ts';
import { logPath } from '../adapters/system/spawnLook.ts';
import type { Resume } from '../model/run.ts';
import type { SpawnEvent } from '../model/spawnEvent.ts';
import type { Usage } from '../model/task.ts';
import type { Provider } from '../ports/provider.ts';
import type { Session } from './session.ts';

export type LineReader = ReturnType<Provider['reader']>;

/** The fleet's providers as they are configured now; none where the configuration is no good. */
export function fleetProviders({ fleet }: Pick<Session, 'fleet'>): ReadonlyMap<string, Provider> {
  try {
    return createProviders(fleet.config.providers);
  } catch {
    // Looking at spawns goes on; `cambium check` says what is wrong.
    return new Map();
  }
}

export function readerOf(providers: ReadonlyMap<string, Provider>, provider: string | null): LineReader {
  return (provider === null ? undefined : providers.get(provider))?.reader() ?? plainReader();
}

/** What a live spawn's log tells so far; null is unknown. */
export interface LogDigest {
  readonly session: string | null;
  readonly model: string | null;
  /** Of this spawn alone. */
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  /** The last thing it said or did. */
  readonly last: SpawnEvent | null;
}

const HEAD_BYTES = 64 * 1024;
/** As much as a log holds: readers add up what they are told, so a part of it would tell too little. */
const TAIL_BYTES = 16 * 1024 * 1024;

export async function digestLog(scratch: string, reader: LineReader, resumed: Resume | null): Promise<LogDigest> {
  const ends = await readEnds(logPath(scratch), HEAD_BYTES, TAIL_BYTES);
  if (ends === null) return digestOf([], resumed);
  const head = ends.whole ? [] : eventsOf(ends.head, reader);
  // A line that is cut at the beginning is no event of any reader, and none is lost that matters.
  return digestOf([...head, ...eventsOf(ends.whole ? ends.tail : ends.tail.slice(ends.tail.indexOf('\n') + 1), reader)], resumed);
}

function eventsOf(text: string, reader: LineReader): readonly SpawnEvent[] {
  return text.split('\n').flatMap((line) => safely(reader, line));
}

/** A reader is made for what its CLI prints; what else stands in the log must not end the looking. */
export function safely(reader: LineReader, line: string): readonly SpawnEvent[] {
  try {
    return reader(line);
  } catch {
    return [{ kind: 'text', text: line }];
  }
}

/** Pure. `resumed`: totals of the session before this spawn, which a CLI that counts over its whole session tells again. */
export function digestOf(events: readonly SpawnEvent[], resumed: Resume | null): LogDigest {
  const start = events.find((event) => event.kind === 'start');
  const counted = events.findLast((event) => event.kind === 'usage');
  const last = events.findLast(({ kind }) => kind !== 'usage' && kind !== 'start') ?? start ?? null;
  const before = counted?.cumulative === true ? resumed : null;
  return {
    session: start?.session ?? null, model: start?.model ?? null, last,
    usage: counted === undefined ? null : less(counted.usage, before?.usage ?? null),
    costUsd: counted === undefined || counted.costUsd === null ? null : Math.max(0, counted.costUsd - (before?.costUsd ?? 0)),
  };
}

function less(now: Usage, before: Usage | null): Usage {
  if (before === null) return now;
  return { input: Math.max(0, now.input - before.input), cached: Math.max(0, now.cached - before.cached), output: Math.max(0, now.output - before.output) };
}

export type LogPiece =
  | { readonly kind: 'line'; readonly line: string; readonly events: readonly SpawnEvent[] }
  /** The log begins anew: what was shown before stands there no more. */
  | { readonly kind: 'cut' };

export interface LogOptions {
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Whether it has ended: then the log grows no more. */
  readonly ended: () => Promise<boolean>;
}

/** The lines of a log, each whole and with its events; with `follow` until the spawn has ended or the signal aborts. */
export async function* readLog(scratch: string, makeReader: () => LineReader, { follow, signal, ended }: LogOptions): AsyncGenerator<LogPiece> {
  let reader = makeReader();
  let held = '';
  for await (const piece of followFile(logPath(scratch), { ended: follow ? ended : async () => true, signal })) {
    if (piece.kind === 'cut') {
      [reader, held] = [makeReader(), ''];
      yield piece;
      continue;
    }
    const lines = (held + piece.text).split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) yield { kind: 'line', line, events: safely(reader, line) };
  }
  if (held !== '') yield { kind: 'line', line: held, events: safely(reader, held) };
}
