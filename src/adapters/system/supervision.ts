/**
 * One agent under supervision, from its start to an end with no process left.
 *
 *   running   the agent lives. Exits by itself → leftovers; a watchdog, the fence or TERM to us → stopping
 *   stopping  TERM, grace, KILL for every descendant. None left → ended
 *   leftovers what the agent left running gets the same with a short grace. None left → ended
 *   ended     the log is closed and the end record returned
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { ProcessIdentity } from '../../ports/process.ts';
import type { SpawnEnd } from '../../ports/provider.ts';
import { bootMs } from './bootClock.ts';
import { sleep } from './clock.ts';
import { endTree, spawnTree } from './descendants.ts';
import { beganBootMs } from './processTable.ts';
import type { ProcessRow } from './processTable.ts';
import type { SpawnTree } from './descendants.ts';
import { writeWhole } from './durable.ts';
import { identify, selfIdentity } from './identity.ts';
import { openOutputLog } from './outputLog.ts';
import { DEADLINE_FILE, FREEZE_FILE, LAST_OUTPUT_FILE, LOG_FILE, SPAWN_FILE, readNumber } from './spawnFiles.ts';
import type { Order } from './spawnFiles.ts';
import { NEVER_FROZEN, dueReason, frozenAt, nextLookMs } from './watchdog.ts';
import type { Watch } from './watchdog.ts';

/** What outlives an agent that ended by itself is no longer its work. */
const LEFTOVER_GRACE_MS_MAX = 2000;
/** How often descendants are looked up while the agent runs, so that their own children stay known. */
const LOOK_MS = 2000;
/** After the last process has gone nothing can write to the pipes; this bounds the wait for their end. */
const DRAIN_MS_MAX = 2000;

export interface Supervision {
  readonly scratch: string;
  readonly order: Order;
  /** Why TERM came, once it has; null before. */
  readonly stopAsked: () => 'fenced' | 'asked' | null;
  /** Resolves as soon as `stopAsked` has an answer. */
  readonly stopSignal: AbortSignal;
  readonly onAgent: (agent: ProcessIdentity | null) => Promise<void>;
}

export async function superviseAgent({ scratch, order, stopAsked, stopSignal, onAgent }: Supervision): Promise<SpawnEnd> {
  const startedAt = new Date().toISOString();
  const log = openOutputLog(`${scratch}/${LOG_FILE}`, order.logBytesMax, order.secrets, order.passOver);
  const tree = spawnTree(order.id, selfIdentity().start);
  const finish = (how: Pick<SpawnEnd, 'exit' | 'signal' | 'stopped'>): SpawnEnd => ({ ...how, startedAt, endedAt: new Date().toISOString(), tail: log.finish() });
  if (stopAsked() !== null) return finish({ exit: null, signal: null, stopped: stopAsked() });

  let lastOutputMs = bootMs();
  const child = startAgent(order);
  if (child instanceof Error) {
    log.note(startFailure(order, child));
    return finish({ exit: 126, signal: null, stopped: null });
  }
  const ended = endOf(child);
  // What is there when it first speaks is the CLI itself: its wrapper, its servers. What comes later are its tools.
  const before = new Set<string>();
  for (const stream of [child.stdout, child.stderr]) {
    const sink = log.stream();
    stream?.on('data', (chunk: Buffer) => {
      if (order.waitsForTools === true && before.size === 0) for (const row of tree.find()) before.add(keyOf(row));
      lastOutputMs = bootMs();
      sink(chunk);
    });
  }
  const agent = child.pid === undefined ? null : identify(child.pid);
  if (agent !== null) tree.adopt(agent);
  await onAgent(agent);

  const watching = watch(scratch, order, tree, before, () => lastOutputMs, stopAsked, stopSignal);
  const stopped = await Promise.race([ended.exit.then(() => null), watching.due]);
  watching.close();
  await endTree(tree, stopped === null ? Math.min(order.graceMs, LEFTOVER_GRACE_MS_MAX) : order.graceMs);
  const { exit, signal, error } = await ended.exit;
  await Promise.race([ended.closed, sleep(DRAIN_MS_MAX)]);
  if (error !== null) log.note(startFailure(order, error));
  return finish({ exit, signal, stopped });
}

/** Leads its own session, so that a signal to ours does not reach it. Some failures are thrown (E2BIG), others emitted (ENOENT). */
function startAgent(order: Order): ChildProcess | NodeJS.ErrnoException {
  const [program = '', ...args] = order.argv;
  try {
    const child = spawn(program, args, { cwd: order.cwd, env: order.env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    // A child that never reads, or ends first, breaks the pipe: that is its choice. Input is always ended:
    // some CLIs wait for ever on an open one.
    child.stdin.on('error', () => undefined);
    child.stdin.end(order.stdin);
    return child;
  } catch (cause) {
    return cause as NodeJS.ErrnoException;
  }
}

interface Exit {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly error: NodeJS.ErrnoException | null;
}

/** `closed` waits for the pipes too, which a grandchild may hold open long after the exit. */
function endOf(child: ChildProcess): { readonly exit: Promise<Exit>; readonly closed: Promise<void> } {
  return {
    exit: new Promise((resolve) => {
      child.once('exit', (exit, signal) => resolve({ exit, signal, error: null }));
      child.once('error', (error: NodeJS.ErrnoException) => resolve({ exit: error.code === 'EACCES' ? 126 : 127, signal: null, error }));
    }),
    closed: new Promise((resolve) => void child.once('close', () => resolve())),
  };
}

function startFailure(order: Order, error: NodeJS.ErrnoException): string {
  const program = order.argv[0] ?? '';
  if (!existsSync(order.cwd)) return `cambium: the working directory ${order.cwd} does not exist.`;
  if (error.code === 'ENOENT') return `cambium: ${program} was not found. Install it on this machine or correct the command.`;
  return `cambium: ${program} could not be started: ${error.message}`;
}

interface Watching {
  readonly due: Promise<SpawnEnd['stopped']>;
  close(): void;
}

/** Looks at the clock, the moving deadline and the process tree until something is due. */
function watch(scratch: string, order: Order, tree: SpawnTree, before: ReadonlySet<string>, lastOutputMs: () => number, stopAsked: Supervision['stopAsked'], stopSignal: AbortSignal): Watching {
  const closing = new AbortController();
  const woken = AbortSignal.any([closing.signal, stopSignal]);
  const loop = async (): Promise<SpawnEnd['stopped']> => {
    const startedMs = bootMs();
    let state: Watch = { startedMs, lastOutputMs: lastOutputMs(), timeoutMs: order.timeoutMs, silenceMs: order.silenceMs, deadlineMs: order.deadlineBootMs };
    let lookedMs = startedMs;
    let toldMs = 0;
    let frozen = NEVER_FROZEN;
    while (!closing.signal.aborted) {
      if (stopAsked() !== null) return stopAsked();
      state = { ...state, deadlineMs: await deadlineOf(scratch, state.deadlineMs) };
      const now = bootMs();
      const isFrozen = existsSync(`${scratch}/${FREEZE_FILE}`);
      // At each look anew: what was forked behind the last look still runs.
      if (isFrozen) tree.signal(tree.find(), 'SIGSTOP');
      else if (frozen.since !== null) tree.signal(tree.find(), 'SIGCONT');
      frozen = frozenAt(frozen, { isFrozen, nowMs: now, lastOutputMs: lastOutputMs() });
      state = { ...state, startedMs: startedMs + frozen.totalMs, lastOutputMs: lastOutputMs() + frozen.sinceOutputMs };
      const due = dueReason(state, now);
      if (due !== null && !(due === 'silence' && order.waitsForTools === true && hasTool(tree, before, lastOutputMs()))) return due;
      if (now - lookedMs >= LOOK_MS) {
        tree.find();
        lookedMs = now;
      }
      if (lastOutputMs() !== toldMs) toldMs = await tellOutput(scratch, lastOutputMs());
      await sleep(due === null ? nextLookMs(state, now) : TOOL_LOOK_MS, woken);
    }
    return null;
  };
  return { due: loop(), close: () => closing.abort() };
}

/**
 * An agent CLI says nothing while a command of its tool runs, a test suite of five minutes for instance. Such a command was
 * started with, or after, the last thing it said; what hangs on its model has started nothing since. The time limit holds all
 * the same.
 */
function hasTool(tree: SpawnTree, before: ReadonlySet<string>, lastOutputMs: number): boolean {
  return tree.find().some((row) => !before.has(keyOf(row)) && (beganBootMs(row) ?? -Infinity) >= lastOutputMs - TOOL_MARGIN_MS);
}

const keyOf = ({ pid, start }: ProcessRow): string => `${pid}.${start}`;

const TOOL_MARGIN_MS = 1_000;
const TOOL_LOOK_MS = 1_000;

/**
 * The deadline that the daemon moves with each good renewal. Where the scratch folder was deleted nobody will
 * renew or read this spawn again: it is fenced at once. An unreadable file leaves what is known.
 */
async function deadlineOf(scratch: string, knownMs: number): Promise<number> {
  const written = await readNumber(`${scratch}/${DEADLINE_FILE}`);
  return written ?? (existsSync(`${scratch}/${SPAWN_FILE}`) ? knownMs : -1);
}

async function tellOutput(scratch: string, lastOutputMs: number): Promise<number> {
  await writeWhole(`${scratch}/${LAST_OUTPUT_FILE}`, `${lastOutputMs}\n`, { durable: false }).catch(() => undefined);
  return lastOutputMs;
}
