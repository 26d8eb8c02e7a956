/** Looking at spawns' scratch folders from outside, for people: nothing here starts or judges anything. */
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from '../../ports/process.ts';
import type { SpawnEnd } from '../../ports/provider.ts';
import { spawnTree } from './descendants.ts';
import { errnoOf, writeWhole } from './durable.ts';
import { END_FILE, LAST_OUTPUT_FILE, LOG_FILE, STOP_FILE, readEnd, readNumber, readPlain, readSpawnRecord, readSupervisorRecord } from './spawnFiles.ts';

export interface ScratchEntry {
  readonly id: string;
  /** Whether its end is on record in the folder. */
  readonly ended: boolean;
}

/** Every spawn that has a folder here, by name; one that is a link or has no plain name is none. */
export async function listScratches(folder: string): Promise<readonly ScratchEntry[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  });
  const names = entries.filter((entry) => entry.isDirectory() && /^\w[\w.-]*$/.test(entry.name)).map(({ name }) => name).toSorted();
  return Promise.all(names.map(async (id) => ({ id, ended: (await lstat(join(folder, id, END_FILE)).catch(() => null))?.isFile() === true })));
}

export interface ScratchLook {
  /** As the daemon asked for them; null where it set none, or an earlier version said none. */
  readonly timeoutMs: number | null;
  readonly silenceMs: number | null;
  readonly graceMs: number;
  /** On the boot-time clock of the boot it began in. */
  readonly startedBootMs: number | null;
  readonly supervisor: ProcessIdentity | null;
  readonly agent: ProcessIdentity | null;
  readonly lastOutputBootMs: number | null;
  readonly stopAsked: boolean;
  readonly end: SpawnEnd | null;
  readonly logBytes: number;
  /** While it runs, the log holds no more than this: the rest follows at the end. */
  readonly logHeadBytes: number | null;
}

export async function lookAtScratch(scratch: string): Promise<ScratchLook> {
  const [record, supervisor, lastOutputBootMs, stop, end, log] = await Promise.all([
    readSpawnRecord(scratch), readSupervisorRecord(scratch), readNumber(join(scratch, LAST_OUTPUT_FILE)), readPlain(join(scratch, STOP_FILE)), readEnd(scratch), lstat(logPath(scratch)).catch(() => null),
  ]);
  return {
    timeoutMs: record?.timeoutMs ?? null, silenceMs: record?.silenceMs ?? null, graceMs: record?.graceMs ?? 0, startedBootMs: record?.startedBootMs ?? null,
    supervisor: supervisor?.process ?? null, agent: supervisor?.agent ?? null, lastOutputBootMs, stopAsked: stop !== null, end,
    logBytes: log?.isFile() === true ? log.size : 0, logHeadBytes: typeof record?.logBytesMax === 'number' ? Math.ceil(record.logBytesMax / 2) : null,
  };
}

export const logPath = (scratch: string): string => join(scratch, LOG_FILE);

export interface ScratchFile {
  readonly name: string;
  readonly bytes: number;
}

export async function scratchFiles(scratch: string): Promise<readonly ScratchFile[]> {
  const names = (await readdir(scratch).catch(() => [])).toSorted();
  const files = await Promise.all(names.map(async (name) => ({ name, found: await lstat(join(scratch, name)).catch(() => null) })));
  return files.flatMap(({ name, found }) => (found?.isFile() === true ? [{ name, bytes: found.size }] : []));
}

/** How many processes of the spawn live, found by its mark and by descent. */
export function livingProcesses(id: string): number {
  return spawnTree(id, 0).find().length;
}

/**
 * Marks a spawn whose supervisor died as ended: nobody saw how, so there is neither exit nor signal nor a stop in its
 * record. From then on nothing takes it for one under way.
 */
export async function markLost(scratch: string, { startedAt, endedAt }: Pick<SpawnEnd, 'startedAt' | 'endedAt'>): Promise<void> {
  const end: SpawnEnd = { exit: null, signal: null, stopped: null, startedAt, endedAt, tail: 'cambium: its supervisor was gone without a record.' };
  await writeWhole(join(scratch, END_FILE), `${JSON.stringify(end)}\n`);
}

/** A link in its place is removed, not followed. */
export async function removeScratch(scratch: string): Promise<void> {
  await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
}
