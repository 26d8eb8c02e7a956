/** `cambium spawn logs`: what an agent says and does, as it does it. */
import { CambiumError } from '../errors.ts';
import { withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { findSpawn } from '../workspace/spawns.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';
import { fleetProviders, readLog, readerOf } from '../workspace/spawnLog.ts';
import type { LogPiece } from '../workspace/spawnLog.ts';
import { lookAtScratch } from '../adapters/system/spawnLook.ts';
import { scratchOf } from '../workspace/localSpawns.ts';
import { plain, printable } from '../workspace/plain.ts';
import { paint } from './output.ts';
import type { Answer } from './output.ts';
import { createLogText } from './spawnLogText.ts';
import { hintId, lasting, stateText, subjectOf, terminalWidth, tookMs, usageText } from './spawnText.ts';

export interface LogsOptions {
  readonly follow?: boolean | undefined;
  /** Only so many of the last lines (`raw`) or events. */
  readonly tail?: number | undefined;
  readonly raw?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const FOLD_LINES = 4;

/** Streams to standard output; the answer is what remains to be said to a person at the end, null where a program reads. */
export function logsCommand(ref: string, options: LogsOptions): Promise<Answer | null> {
  return withSession({ needsHub: false, asKnown: true }, async (session) => {
    const spawn = await findSpawn(session, ref).catch(async (error: unknown) => {
      // Another node may have told of it since this clone last asked.
      if (!(error instanceof CambiumError) || error.code !== 'unknown-spawn' || session.stale !== null) throw error;
      return withSession({ needsHub: false }, (fresh) => findSpawn(fresh, ref));
    });
    if (!spawn.here) throw elsewhere(session, spawn);
    const stopping = new AbortController();
    const onInterrupt = (): void => stopping.abort();
    process.once('SIGINT', onInterrupt);
    try {
      return await tell(session, spawn, options, stopping.signal);
    } finally {
      process.off('SIGINT', onInterrupt);
    }
  });
}

function elsewhere({ node }: Session, { id, node: other, state }: SeenSpawn): CambiumError {
  if (other !== null && other !== node.identity.node) {
    return new CambiumError('refused', `The spawn ${id} ${state === 'ended' ? 'ran' : 'runs'} on ${other}: logs stay on the machine where they are written.`, { hint: `Run it in the clone on ${other}: \`cambium spawn logs ${hintId(id)}\`.`, data: { node: other } });
  }
  return new CambiumError('refused', `The log of ${id} is not here any more: its folder was removed.`, { hint: `\`cambium spawn show ${id}\` has what its record tells.` });
}

async function tell(session: Session, spawn: SeenSpawn, options: LogsOptions, signal: AbortSignal): Promise<Answer | null> {
  const { clone, node } = session;
  const scratch = scratchOf(clone, spawn.id);
  const ended = async (): Promise<boolean> => !['starting', 'running'].includes((await node.supervisor.status(scratch)).state);
  const providers = fleetProviders(session);
  const follow = options.follow === true;
  const print = printerOf(options);
  const pieces = readLog(scratch, () => readerOf(providers, spawn.provider), { follow, signal, ended });
  if (options.raw !== true && options.json !== true) write(headLine(spawn));
  const { logHeadBytes, end } = await lookAtScratch(scratch);
  // Of what grows beyond this nothing is written before the end: somebody who follows must not take it for silence.
  let roomBytes = !follow || end !== null || logHeadBytes === null || options.raw === true || options.json === true ? Infinity : logHeadBytes - FULL_MARGIN_BYTES;
  let told = 0;
  const show = (piece: LogPiece): void => {
    for (const line of print(piece)) {
      write(line);
      told += 1;
    }
    roomBytes -= piece.kind === 'cut' ? 0 : Buffer.byteLength(piece.line) + 1;
    if (roomBytes < 0) write(FULL_NOTE);
    if (roomBytes < 0) roomBytes = Infinity;
  };
  if (options.tail === undefined) for await (const piece of pieces) show(piece);
  else await tellTail(pieces, options.tail, { print, isFollowed: follow, alreadyThere: (await lookAtScratch(scratch)).logBytes });
  return options.raw === true || options.json === true ? null : lastWords(session, spawn, { follow, interrupted: signal.aborted, told });
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

type Printer = (piece: LogPiece) => readonly string[];

function printerOf({ raw, json }: LogsOptions): Printer {
  if (json === true) return (piece) => (piece.kind === 'cut' ? [JSON.stringify({ kind: 'cut' })] : piece.events.map((event) => JSON.stringify(event)));
  if (raw === true) return (piece) => (piece.kind === 'cut' ? [] : [process.stdout.isTTY === true ? printable(piece.line) : piece.line]);
  const render = createLogText({ width: Math.min(terminalWidth(), WIDTH_MAX), foldLines: FOLD_LINES });
  return (piece) => {
    if (piece.kind === 'cut') return [paint('— the log was cut: it begins anew —', 33)];
    // What a CLI says beside its events (on standard error: why it could not start) would else be lost to a person.
    const isAside = piece.events.length === 0 && piece.line.trim() !== '' && !piece.line.trimStart().startsWith('{');
    return isAside ? [paint(printable(piece.line.trimEnd()), 2)] : piece.events.flatMap(render);
  };
}

/** Without a terminal nothing need be cut, yet a tool's output of one line of a megabyte is. */
const WIDTH_MAX = 400;

interface TailOptions {
  readonly print: Printer;
  readonly isFollowed: boolean;
  /** Bytes of the log when it was first looked at: what comes after them is new. */
  readonly alreadyThere: number;
}

/** The last lines of what is there; followed, all that comes after. */
async function tellTail(pieces: AsyncGenerator<LogPiece>, tail: number, { print, isFollowed, alreadyThere }: TailOptions): Promise<void> {
  const ring: string[] = [];
  let bytes = 0;
  let isLive = isFollowed && alreadyThere === 0;
  const flush = (): void => ring.splice(0).forEach(write);
  for await (const piece of pieces) {
    const lines = print(piece);
    bytes += piece.kind === 'cut' ? 0 : Buffer.byteLength(piece.line) + 1;
    if (isLive) {
      lines.forEach(write);
      continue;
    }
    ring.push(...lines);
    ring.splice(0, Math.max(0, ring.length - tail));
    isLive = isFollowed && bytes >= alreadyThere;
    if (isLive) flush();
  }
  flush();
}

function headLine(spawn: SeenSpawn): string {
  return paint(`— ${spawn.id} · ${printable(spawn.agent ?? '?')} · ${subjectOf(spawn)}${spawn.provider === null ? '' : ` · ${plain(spawn.provider)}`} —`, 2);
}

async function lastWords(session: Session, spawn: SeenSpawn, { follow, interrupted, told }: { readonly follow: boolean; readonly interrupted: boolean; readonly told: number }): Promise<Answer> {
  const { clone } = session;
  const scratch = scratchOf(clone, spawn.id);
  const look = await lookAtScratch(scratch);
  const now = await findSpawn(session, spawn.id);
  const took = tookMs(now, clone.clock.now().getTime());
  const full = look.end === null && look.logHeadBytes !== null && look.logBytes > look.logHeadBytes - FULL_MARGIN_BYTES ? [FULL_NOTE] : [];
  const nothing = told === 0 && look.logBytes === 0 ? [paint('It has said nothing yet.', 2)] : [];
  const spent = now.usage === null || now.state === 'ended' ? '' : ` · ${usageText(now.usage, now.costUsd)}`;
  const state = look.end === null && now.state !== 'lost'
    ? `— ${stateText(now)}${interrupted ? ', and goes on' : ''}${spent}${follow && !interrupted ? '' : ` · more: cambium spawn logs ${hintId(spawn.id)} -f`} —`
    : `— ${stateText(now)}${took === null ? '' : ` after ${lasting(took)}`} —`;
  return { data: null, text: [...(interrupted && process.stdout.isTTY === true ? [''] : []), ...nothing, ...full, paint(state, 2)].join('\n') };
}

const FULL_NOTE = '— the log is full: its middle is left out, and its end follows when the spawn has ended —';

/** A line may be as long as this, and is then not begun. */
const FULL_MARGIN_BYTES = 64 * 1024;
