/**
 * One daemon per clone. Thrift only: that no task has two owners is the work of the refs (PROTOCOL P2).
 *
 * The lock is a row of numbered owner records, `owner.1.json`, `owner.2.json` …; the highest number is the
 * owner. Taking over is creating the next number by link(2), which one contender alone can do. Release marks
 * the record instead of deleting it, and a lower number is deleted only by the owner of a higher one, so that
 * the numbers never start again under a contender (removing a stale lock and making one anew let in two
 * holders in 6 of 25 trials).
 *
 * An owner whose identity is dead is followed at once; a stopped one (SIGSTOP) is alive and keeps the lock. Of
 * an owner whose processes we cannot see (another container or machine on the same folder) proper-lockfile's
 * heartbeat on `daemon.lock` tells whether it lives.
 */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessIdentity } from '../../ports/process.ts';
import { TEMPORARY, errnoOf, syncFolder, writeWhole } from './durable.ts';
import { asIdentity, liveness, machineId, selfIdentity } from './identity.ts';
import { readPlain } from './spawnFiles.ts';

const HEARTBEAT_MS = 10_000;
const STALE_MS = 60_000;

export type DaemonLock =
  | { release(): Promise<void> }
  | { readonly heldBy: ProcessIdentity };

interface OwnerRecord {
  readonly number: number;
  readonly owner: ProcessIdentity | null;
  readonly machine: string;
}

/** Takes the lock of the clone whose git directory holds `dir`, or says who has it. Never waits. */
export async function acquireDaemonLock(dir: string): Promise<DaemonLock> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // Who has the lock may be nudged from that moment on, long before it listens, and until after it no longer does: unheard, the signal kills.
  if (!process.listeners('SIGUSR2').includes(unheard)) process.on('SIGUSR2', unheard);
  for (;;) {
    const top = await highest(dir);
    const heldBy = await livingOwner(dir, top);
    if (heldBy !== null) return { heldBy };
    const number = (top?.number ?? 0) + 1;
    if (!(await createRecord(dir, number))) continue;
    // A listing is no snapshot: ours may have missed a number that was made while we read.
    const rival = await highest(dir);
    if (rival !== null && rival.number > number) {
      await unlink(recordPath(dir, number)).catch(() => undefined);
      continue;
    }
    await removeBelow(dir, number);
    return held(dir, number);
  }
}

function unheard(): void {}

/** The living daemon of the clone, or null. Takes nothing. */
export async function daemonOwner(dir: string): Promise<ProcessIdentity | null> {
  return livingOwner(dir, await highest(dir));
}

const recordPath = (dir: string, number: number): string => join(dir, `owner.${number}.json`);

async function numbers(dir: string): Promise<readonly number[]> {
  const names = await readdir(dir).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  });
  return names.flatMap((name) => /^owner\.(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number).toSorted((a, b) => b - a);
}

async function highest(dir: string): Promise<OwnerRecord | null> {
  for (;;) {
    const number = (await numbers(dir))[0];
    if (number === undefined) return null;
    const text = await readPlain(recordPath(dir, number));
    // Gone between the listing and the reading: a higher one stands by now.
    if (text !== null) return { number, ...parseRecord(text) };
  }
}

/** A damaged record counts as released: link made it whole, so only a disk fault damages it. */
function parseRecord(text: string): Omit<OwnerRecord, 'number'> {
  try {
    const { owner, machine } = JSON.parse(text) as Record<string, unknown>;
    return { owner: asIdentity(owner), machine: String(machine) };
  } catch {
    return { owner: null, machine: '' };
  }
}

async function livingOwner(dir: string, record: OwnerRecord | null): Promise<ProcessIdentity | null> {
  const owner = record?.owner ?? null;
  if (record === null || owner === null) return null;
  const seen = record.machine === machineId() ? liveness(owner) : 'unseen';
  if (seen === 'unseen') return (await heartbeats(dir)) ? owner : null;
  return seen === 'alive' ? owner : null;
}

let made = 0;

/** Made whole under another name and then linked: the number appears with its content or not at all. */
async function createRecord(dir: string, number: number): Promise<boolean> {
  made += 1;
  const whole = join(dir, `${TEMPORARY}owner-${process.pid}-${made}`);
  await writeWhole(whole, recordText(selfIdentity()));
  try {
    await linkOrCopy(whole, recordPath(dir, number));
    await syncFolder(dir);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false;
    throw cause;
  } finally {
    await unlink(whole).catch(() => undefined);
  }
}

/** File systems without hard links (exFAT) get an exclusive copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (cause) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errnoOf(cause) ?? '')) throw cause;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
}

function recordText(owner: ProcessIdentity | null): string {
  return `${JSON.stringify({ schema: 'cambium.daemon/1', machine: machineId(), owner })}\n`;
}

async function removeBelow(dir: string, number: number): Promise<void> {
  for (const lower of await numbers(dir)) if (lower < number) await unlink(recordPath(dir, lower)).catch(() => undefined);
}

async function held(dir: string, number: number): Promise<DaemonLock> {
  const heartbeat = await startHeartbeat(dir, number);
  let released = false;
  return {
    release: async () => {
      if (released) return;
      released = true;
      await heartbeat.stop();
      // Only ours: after a takeover (we were given up as unseen) the number stands no more.
      if ((await highest(dir))?.number === number) await writeWhole(recordPath(dir, number), recordText(null));
    },
  };
}

const LOCK_OPTIONS = { realpath: false, stale: STALE_MS, update: HEARTBEAT_MS } as const;
const heartbeatPath = (dir: string): string => join(dir, 'daemon');

async function heartbeats(dir: string): Promise<boolean> {
  const { default: lockfile } = await import('proper-lockfile');
  return lockfile.check(heartbeatPath(dir), LOCK_OPTIONS).catch(() => false);
}

/**
 * Keeps `daemon.lock` fresh for those who cannot see our process. Losing it (a long sleep, a deleted folder) is
 * mended by taking it again and never throws: the record decides.
 */
async function startHeartbeat(dir: string, number: number): Promise<{ stop(): Promise<void> }> {
  let stopped = false;
  let release: (() => Promise<void>) | null = null;
  const take = async (): Promise<void> => {
    // Given up as unseen and followed: the lock is another's now.
    if (stopped || (await highest(dir))?.number !== number) return;
    // The owner record is ours, so whatever stands here is a dead owner's.
    await rm(`${heartbeatPath(dir)}.lock`, { recursive: true, force: true });
    const { default: lockfile } = await import('proper-lockfile');
    release = await lockfile.lock(heartbeatPath(dir), { ...LOCK_OPTIONS, onCompromised: () => void takeQuietly() });
  };
  const takeQuietly = (): Promise<void> => take().catch(() => undefined);
  await takeQuietly();
  return {
    stop: async () => {
      stopped = true;
      await release?.().catch(() => undefined);
    },
  };
}
