/**
 * Setting this machine's spawns in order: what is dead is marked as such and its orphans are ended, and folders that
 * nobody needs are removed. A living spawn is never touched, nor one that a run or an answer still counts on.
 */
import { livingProcesses, lookAtScratch, markLost, removeScratch } from '../adapters/system/spawnLook.ts';
import { scriptPurpose } from '../model/seenSpawn.ts';
import { startedMs } from '../observe/spawnRecords.ts';
import { scratchOf, unknown } from './localSpawns.ts';
import type { Session } from './session.ts';
import { lookAtSpawns } from './spawns.ts';
import type { SeenSpawn } from './spawns.ts';

export interface CleanedSpawns {
  /** Dead ones that were marked as lost, with how many processes they had left running. */
  readonly marked: readonly { readonly id: string; readonly orphans: number }[];
  /** Dead ones that a run counts on: their orphans were ended, the daemon puts them on record. */
  readonly awaited: readonly { readonly id: string; readonly orphans: number; readonly action: string }[];
  /** Ended ones whose folders are gone now. */
  readonly removed: readonly string[];
  /** Ended and old enough, and kept because no record tells of them. */
  readonly unrecorded: readonly string[];
  /** Days after its end for which a folder stays. */
  readonly keepDays: number;
}

export interface CleanOptions {
  /** Days after its end for which a spawn's folder stays; `archive.spawn_days` of cambium.yaml when unsaid. */
  readonly keepDays?: number | undefined;
  /** Also folders of ended spawns that no record tells of. */
  readonly unrecorded?: boolean | undefined;
}

const DAY_MS = 86_400_000;

export async function cleanSpawns(session: Session, { keepDays = session.fleet.config.archive.spawnDays, unrecorded = false }: CleanOptions = {}): Promise<CleanedSpawns> {
  const { clone } = session;
  const sight = await lookAtSpawns(session);
  const dead = sight.fresh.filter(({ state, keeper }) => state === 'lost' && keeper !== null);
  const orphans = await Promise.all(dead.map((spawn) => endOrphans(session, spawn)));
  const counted = dead.map((spawn, at) => ({ spawn, id: spawn.id, orphans: orphans[at] ?? 0 }));
  for (const { spawn } of counted) if (spawn.keeper === 'nobody') await markLost(scratchOf(clone, spawn.id), { startedAt: spawn.start ?? clone.clock.now().toISOString(), endedAt: clone.clock.now().toISOString() });

  const recorded = new Set(sight.local.ended.map(({ id }) => id));
  for await (const month of sight.recorded(null)) for (const { id } of month) recorded.add(id);
  const awaited = new Set(sight.local.candidates.filter(({ isKept }) => isKept).map(({ facts }) => facts.id));
  const held = await runningIds(session);
  const before = clone.clock.now().getTime() - keepDays * DAY_MS;
  const [removed, left]: [string[], string[]] = [[], []];
  for (const [id, { ended }] of sight.local.folders) {
    if (!ended || awaited.has(id) || held.has(id) || (await endedMs(scratchOf(clone, id), id)) >= before) continue;
    if (recorded.has(id) || scriptPurpose(id) !== null || unrecorded) {
      await removeScratch(scratchOf(clone, id));
      removed.push(id);
    } else left.push(id);
  }
  for (const key of await clone.local.list('stop-reasons/')) if (removed.includes(key.slice('stop-reasons/'.length))) await clone.local.remove(key);
  return {
    keepDays, removed, unrecorded: left,
    marked: counted.filter(({ spawn }) => spawn.keeper === 'nobody').map(({ id, orphans: count }) => ({ id, orphans: count })),
    awaited: counted.filter(({ spawn }) => spawn.keeper !== 'nobody').map(({ spawn, id, orphans: count }) => ({ id, orphans: count, action: spawn.sickness?.action ?? '' })),
  };
}

/** How many there were. Its supervisor is dead, so they are found by their mark. */
async function endOrphans({ clone, node }: Session, { id }: SeenSpawn): Promise<number> {
  const count = livingProcesses(id);
  const scratch = scratchOf(clone, id);
  // Nothing is asked of a folder that is gone; the mark is enough.
  if (count > 0 || (await lookAtScratch(scratch)).supervisor !== null) await node.supervisor.stop(scratch, 'asked', 2_000);
  return count;
}

/** Spawns of runs and answers that this clone has not forgotten: their folders are read again until then. */
async function runningIds({ clone }: Session): Promise<ReadonlySet<string>> {
  const keys = [...(await clone.local.list('runs/')), ...(await clone.local.list('answers/'))];
  const ids = await Promise.all(keys.map(async (key) => {
    const { spawn, verifySpawn, spawns = [], project } = ((await clone.local.read(key)) ?? {}) as { readonly spawn?: string; readonly verifySpawn?: string; readonly spawns?: readonly { readonly id: string }[]; readonly project?: { readonly setupSpawn: string } | null };
    return [spawn, verifySpawn, project?.setupSpawn, ...spawns.map(({ id }) => id)];
  }));
  return new Set(ids.flat().filter((id): id is string => typeof id === 'string' && id !== ''));
}

async function endedMs(scratch: string, id: string): Promise<number> {
  const { end } = await lookAtScratch(scratch);
  const ms = Date.parse(end?.endedAt ?? '');
  return Number.isNaN(ms) ? (startedMs(unknown(id)) ?? 0) : ms;
}
