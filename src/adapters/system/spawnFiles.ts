/** The files of a spawn's scratch folder that the daemon and the supervisor speak through. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ProcessIdentity } from '../../ports/process.ts';
import type { SpawnEnd } from '../../ports/provider.ts';
import { asIdentity } from './identity.ts';

export const SPAWN_FILE = 'spawn.json';
export const SUPERVISOR_FILE = 'supervisor.json';
export const DEADLINE_FILE = 'deadline';
export const STOP_FILE = 'stop';
/** While it is there, every process of the spawn stands still. */
export const FREEZE_FILE = 'freeze';
export const LAST_OUTPUT_FILE = 'last-output';
export const LOG_FILE = 'output.log';
export const END_FILE = 'end.json';
export const SUPERVISOR_LOG = 'supervisor.log';

/** What an agent may leave behind is read up to here. */
const READ_BYTES_MAX = 32 * 1024 * 1024;

/** Written by the daemon before anything is started. */
export interface SpawnRecordFile {
  readonly id: string;
  readonly graceMs: number;
  readonly startedBootMs: number;
  /** For who looks on; null: no such limit, or of an earlier version. */
  readonly timeoutMs: number | null;
  readonly silenceMs: number | null;
  readonly logBytesMax: number | null;
}

/** Written by the supervisor at once, so that a restarted daemon finds it; again when the agent runs. */
export interface SupervisorRecord {
  readonly process: ProcessIdentity;
  readonly agent: ProcessIdentity | null;
}

/** What the daemon writes to the supervisor's standard input: secrets stay off the disk. */
export interface Order {
  readonly id: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly timeoutMs: number | null;
  readonly silenceMs: number | null;
  readonly graceMs: number;
  readonly deadlineBootMs: number;
  readonly logBytesMax: number;
  /** Values to mask in the log. */
  readonly secrets: readonly string[];
  /** Lines that hold one of these stay out of the log. Unsaid by an earlier version. */
  readonly passOver?: readonly string[];
  /** Silence does not count while a command runs that was started since the last output. */
  readonly waitsForTools?: boolean;
}

/**
 * The text of a regular file, or null. The folder is the agent's too: a link is not followed out of it, a
 * pipe is not waited for, and of a file over 32 MiB the end is read.
 */
export async function readPlain(path: string): Promise<string | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return null;
  try {
    const { size } = await file.stat().then((stat) => (stat.isFile() ? stat : { size: -1 }));
    if (size < 0) return null;
    const length = Math.min(size, READ_BYTES_MAX);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return null;
  } finally {
    await file.close();
  }
}

/** At most this much of a log at once, so that a daemon which starts late does not read it all in one breath. */
const STEP_BYTES_MAX = 4 * 1024 * 1024;

/** What a file has from byte `from` on, up to its last whole line, or as much as is read at once. Nothing where it is gone. */
export async function readFrom(path: string, from: number): Promise<{ readonly text: string; readonly next: number }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return { text: '', next: from };
  try {
    const { size } = await file.stat();
    if (size <= from) return { text: '', next: from };
    const length = Math.min(size - from, STEP_BYTES_MAX);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    // A character is never cut: whole lines, unless a single one fills the step.
    const lines = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    const end = lines > 0 ? lines : bytesRead === STEP_BYTES_MAX ? bytesRead : 0;
    return { text: buffer.toString('utf8', 0, end), next: from + end };
  } finally {
    await file.close();
  }
}

async function readJson(path: string): Promise<Record<string, unknown> | null> {
  try {
    const value: unknown = JSON.parse((await readPlain(path)) ?? 'null');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

export async function readSpawnRecord(scratch: string): Promise<SpawnRecordFile | null> {
  const record = await readJson(`${scratch}/${SPAWN_FILE}`);
  if (record === null || typeof record['id'] !== 'string') return null;
  const limit = (name: string): number | null => (typeof record[name] === 'number' ? record[name] : null);
  return { id: record['id'], graceMs: numberOr(record['graceMs'], 0), startedBootMs: numberOr(record['startedBootMs'], 0), timeoutMs: limit('timeoutMs'), silenceMs: limit('silenceMs'), logBytesMax: limit('logBytesMax') };
}

export async function readSupervisorRecord(scratch: string): Promise<SupervisorRecord | null> {
  const record = await readJson(`${scratch}/${SUPERVISOR_FILE}`);
  const process = asIdentity(record?.['process']);
  return process === null ? null : { process, agent: asIdentity(record?.['agent']) };
}

const STOPPED: readonly unknown[] = ['timeout', 'silence', 'fenced', 'asked'] satisfies readonly SpawnEnd['stopped'][];

export async function readEnd(scratch: string): Promise<SpawnEnd | null> {
  const end = await readJson(`${scratch}/${END_FILE}`);
  if (end === null || typeof end['endedAt'] !== 'string') return null;
  return {
    exit: typeof end['exit'] === 'number' ? end['exit'] : null,
    signal: typeof end['signal'] === 'string' ? end['signal'] : null,
    stopped: STOPPED.includes(end['stopped']) ? (end['stopped'] as SpawnEnd['stopped']) : null,
    startedAt: String(end['startedAt']),
    endedAt: end['endedAt'],
    tail: String(end['tail'] ?? ''),
  };
}

/** A number that stands alone in a file: a deadline, the time of the last output. */
export async function readNumber(path: string): Promise<number | null> {
  const text = (await readPlain(path))?.trim() ?? '';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
