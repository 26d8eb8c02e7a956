/**
 * The daemon's side of supervised processes. All state is in the scratch folder, so that a restarted daemon
 * goes on by `status` alone (PROTOCOL P4.4: it adopts or ends its agents before its first heartbeat).
 */
import { mkdir, open, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, normalize } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Limits, SpawnStatus, Supervisor } from '../../ports/process.ts';
import type { SpawnSpec } from '../../ports/provider.ts';
import { bootMs } from './bootClock.ts';
import { sleep } from './clock.ts';
import { endTree, signalExactly, spawnTree } from './descendants.ts';
import { errnoOf, writeWhole } from './durable.ts';
import { liveness, machineId, selfIdentity } from './identity.ts';
import { launchSupervisor } from './launch.ts';
import { withProgram, writeShim } from './shim.ts';
import { prepareHome } from './spawnHome.ts';
import { redact, secretValues } from './redact.ts';
import { agentEnvironment } from './spawnEnvironment.ts';
import { DEADLINE_FILE, FREEZE_FILE, LAST_OUTPUT_FILE, LOG_FILE, SPAWN_FILE, STOP_FILE, readEnd, readFrom, readNumber, readPlain, readSpawnRecord, readSupervisorRecord } from './spawnFiles.ts';
import type { Order, SpawnRecordFile } from './spawnFiles.ts';

/** A supervisor that is not on record after this long never will be: whoever started it died first. */
const STARTING_MS_MAX = 30_000;
/** What a supervisor gets over the grace to write its end record, before it is killed itself. */
const STOP_MARGIN_MS = 15_000;
const POLL_MS = 50;
/** How often spawns that another daemon started are looked at; our own tell us by their exit. */
const ADOPTED_POLL_MS = 500;
const LOG_BYTES_MAX = 16 * 1024 * 1024;

export interface SupervisorOptions {
  readonly programs: { readonly supervise: string; readonly cli: string };
  /** Cap of output.log. */
  readonly logBytesMax?: number;
}

export function createSupervisor({ programs, logBytesMax = LOG_BYTES_MAX }: SupervisorOptions): Supervisor {
  const nudges: (() => void)[] = [];
  const nudgeAll = (): void => nudges.forEach((nudge) => nudge());
  const started = new Set<string>();
  const adopted = watchAdopted(nudgeAll);
  return {
    self: async () => ({ process: selfIdentity(), machine: machineId() }),
    alive: async (identity) => liveness(identity) === 'alive',
    start: async (id, scratch, spec, limits) => {
      await prepareScratch(id, scratch, spec, limits, logBytesMax);
      started.add(scratch);
      const bin = await writeShim(scratch, programs.cli);
      await launchSupervisor(programs.supervise, scratch, orderOf(id, spec, limits, logBytesMax, bin), nudgeAll);
    },
    status: async (scratch) => {
      const status = await statusOf(scratch);
      if (status.state === 'running' && !started.has(scratch)) adopted.add(scratch);
      return status;
    },
    setDeadline: async (scratch, deadlineBootMs) => {
      await writeWhole(`${scratch}/${DEADLINE_FILE}`, `${deadlineBootMs}\n`, { durable: false }).catch(ignoreMissing);
    },
    freeze: async (scratch, frozen) => {
      const path = `${scratch}/${FREEZE_FILE}`;
      if (!frozen) return rm(path, { force: true });
      await writeWhole(path, '', { durable: false }).catch(ignoreMissing);
    },
    readLog: (scratch, from) => readFrom(`${scratch}/${LOG_FILE}`, from),
    stop: stopSpawn,
    readFile: async (scratch, name) => {
      const text = await readPlain(`${scratch}/${plainName(name)}`);
      return text === null ? null : redact(text, secretValues(process.env));
    },
    onChange: (nudge) => void nudges.push(nudge),
  };
}

/** The record comes first and only once: a second start of the same scratch would be a second agent. */
async function prepareScratch(id: string, scratch: string, spec: SpawnSpec, limits: Limits, logBytesMax: number): Promise<void> {
  if (!/^[\w.-]+$/.test(id) || spec.argv.length === 0) throw new CambiumError('internal', `A spawn needs a plain id and a command: ${id}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const record: SpawnRecordFile = { id, graceMs: limits.graceMs, startedBootMs: bootMs(), timeoutMs: timed(limits.timeoutMs), silenceMs: timed(limits.silenceMs), logBytesMax };
  const file = await open(`${scratch}/${SPAWN_FILE}`, 'wx', 0o600).catch((cause: unknown) => {
    if (errnoOf(cause) !== 'EEXIST') throw cause;
    throw new CambiumError('refused', `Spawn ${id} was started before.`, { hint: 'Read its status instead.', data: { scratch }, cause });
  });
  await file.writeFile(`${JSON.stringify(record)}\n`).finally(() => file.close());
  for (const [name, text] of Object.entries(spec.files)) {
    const path = `${scratch}/${plainName(name)}`;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeWhole(path, text, { durable: false });
  }
  if (spec.home !== undefined) await prepareHome(spec.home);
  await writeWhole(`${scratch}/${DEADLINE_FILE}`, `${limits.deadlineBootMs}\n`, { durable: false });
}

/** A watchdog of 0 or of no finite time is off. */
function timed(ms: number): number | null {
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

function orderOf(id: string, spec: SpawnSpec, limits: Limits, logBytesMax: number, bin: string): Order {
  const kept = Object.fromEntries((spec.keepEnv ?? []).flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const env = withProgram(agentEnvironment(process.env, { ...kept, ...spec.env }, id), bin);
  return {
    id, argv: spec.argv, cwd: spec.cwd, env, stdin: spec.stdin, logBytesMax,
    timeoutMs: timed(limits.timeoutMs), silenceMs: timed(limits.silenceMs), graceMs: limits.graceMs, deadlineBootMs: limits.deadlineBootMs,
    // The daemon's own are masked too: an agent of the same user can find them.
    secrets: [...secretValues(env), ...secretValues(process.env)], passOver: spec.passOver ?? [], waitsForTools: spec.waitsForTools ?? false,
  };
}

async function statusOf(scratch: string): Promise<SpawnStatus> {
  const record = await readSupervisorRecord(scratch);
  const alive = record !== null && liveness(record.process) === 'alive';
  // Read after the look at the process: the record is written before the supervisor ends.
  const end = await readEnd(scratch);
  if (end !== null) return { state: 'ended', end, supervisor: record?.process ?? null };
  if (record !== null) {
    if (!alive) return { state: 'lost' };
    return { state: 'running', supervisor: record.process, lastOutputBootMs: await readNumber(`${scratch}/${LAST_OUTPUT_FILE}`) };
  }
  return (await isStarting(scratch)) ? { state: 'starting', supervisor: null, lastOutputBootMs: null } : { state: 'lost' };
}

async function isStarting(scratch: string): Promise<boolean> {
  const spawn = await readSpawnRecord(scratch);
  const agoMs = bootMs() - (spawn?.startedBootMs ?? -Infinity);
  return agoMs >= 0 && agoMs < STARTING_MS_MAX && (await readPlain(`${scratch}/${STOP_FILE}`)) === null;
}

/**
 * The stop file is written before the supervisor is looked for, and the supervisor goes on record before it
 * looks for the stop file: so one of the two sees the other.
 */
async function stopSpawn(scratch: string, reason: 'fenced' | 'asked', asked?: number): Promise<void> {
  const spawn = await readSpawnRecord(scratch);
  const graceMs = asked ?? spawn?.graceMs ?? 0;
  if ((await statusOf(scratch)).state === 'ended') return;
  await writeWhole(`${scratch}/${STOP_FILE}`, `${reason}\n`).catch(ignoreMissing);
  if (await endBySupervisor(scratch, graceMs + STOP_MARGIN_MS)) return;
  // The supervisor is dead, or as good as dead: its orphans are found by their mark.
  const record = await readSupervisorRecord(scratch);
  if (record !== null && liveness(record.process) === 'alive') signalExactly(record.process, 'SIGKILL');
  const tree = spawnTree(spawn?.id ?? basename(scratch), record?.process.start ?? 0);
  const agent = record?.agent ?? null;
  if (agent !== null && liveness(agent) === 'alive') tree.adopt(agent);
  await endTree(tree, graceMs);
}

/** True when the supervisor ended the tree and said so; false when it is dead or does not answer. */
async function endBySupervisor(scratch: string, patienceMs: number): Promise<boolean> {
  const record = await readSupervisorRecord(scratch);
  // Of another boot, pid and start time may be those of somebody else's process by now.
  if (record === null || liveness(record.process) !== 'alive') return false;
  signalExactly(record.process, 'SIGTERM');
  // One that was stopped (SIGSTOP) must run to take it.
  signalExactly(record.process, 'SIGCONT');
  for (const until = bootMs() + patienceMs; bootMs() < until; await sleep(POLL_MS)) {
    const { state } = await statusOf(scratch);
    if (state !== 'running') return state === 'ended';
  }
  return false;
}

/** Nudges at the end of spawns that are no children of this process. The timer keeps nothing alive. */
function watchAdopted(nudge: () => void): { add(scratch: string): void } {
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    for (const scratch of waiting) if ((await statusOf(scratch)).state !== 'running' && waiting.delete(scratch)) nudge();
    timer = undefined;
    arm();
  };
  const arm = (): void => {
    if (waiting.size > 0) timer ??= setTimeout(() => void look(), ADOPTED_POLL_MS).unref();
  };
  return {
    add: (scratch) => {
      waiting.add(scratch);
      arm();
    },
  };
}

/** A name inside the scratch folder. Throws `internal` for one that leads out of it. */
function plainName(name: string): string {
  const clean = normalize(name);
  if (isAbsolute(clean) || clean.startsWith('..')) throw new CambiumError('internal', `${name} is not a name inside a scratch folder.`);
  return clean;
}

/** A scratch folder that was deleted fences its spawn by itself; there is nothing to tell it. */
function ignoreMissing(cause: unknown): void {
  if (errnoOf(cause) !== 'ENOENT') throw cause;
}
