/**
 * Hints that something changed (DESIGN 7, 11). Events may be lost or doubled: nudges are coalesced, fire when
 * the last event has settled, and come at every rescan anyway.
 *
 * What chokidar misses is met by a census of the folders (inode by inode) after events that may have made,
 * moved or removed one: where it differs from what is watched, the target is planted anew.
 */
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { matchesAny } from '../../model/glob.ts';
import type { Watcher } from '../../ports/watcher.ts';
import { createNudger } from './nudger.ts';
import { watchPlain } from './watchPlain.ts';
import { plantTarget } from './watchTarget.ts';
import type { Plant } from './watchTarget.ts';

export interface WatcherOptions {
  /** Absolute path of the folder that the paths and globs are relative to. */
  readonly root: string;
  /** Files and folders to watch; they need not exist yet. `.` is the root itself. */
  readonly paths: readonly string[];
  /** Globs (model/glob.ts) of what is not looked into: the archive, worktrees. */
  readonly ignore?: readonly string[];
  /** From the last event to the nudge. */
  readonly settleMs?: number;
  /** A nudge without any event. */
  readonly rescanMs?: number;
  /** A folder with more entries gets a plain watch: chokidar's start and memory grow with its files. */
  readonly largeFolder?: number;
}

/** chokidar closed sooner after an event keeps handles open for ever. */
const CLOSE_AFTER_MS = 250;
/** A census reads every watched folder, so it is not taken with each burst. */
const CENSUS_EVERY_MS = 500;

export function createWatcher(options: WatcherOptions): Watcher {
  const { paths, ignore = [], settleMs = 100, rescanMs = 30_000, largeFolder = 1000 } = options;
  const root = resolve(options.root);
  const targets = outermost(paths.map((path) => resolve(root, path)));
  const isIgnored = (path: string): boolean => {
    const below = path.slice(root.length + 1);
    return below !== '' && matchesAny(below, ignore);
  };
  const plants = new Map<string, Plant>();
  const doors: Doors = new Map();
  let closed = false;
  let census: Promise<void> = Promise.resolve();
  let nudger = createNudger(() => undefined, settleMs);
  let looker = createNudger(() => undefined, CENSUS_EVERY_MS);
  let rescan: NodeJS.Timeout | undefined;

  const touch = (structure: boolean): void => {
    if (closed) return;
    nudger.touch();
    if (structure) looker.touch();
  };
  const lookAgain = (): Promise<void> => (census = census.then(refresh, refresh));
  const refresh = async (): Promise<void> => {
    if (closed) return;
    await keepDoors(root, targets, doors, () => touch(true));
    for (const target of targets) {
      const before = plants.get(target);
      if (before !== undefined && (await before.stands())) continue;
      // First closed, then planted: all of chokidar shares one handle a path, so a new tree beside the old one
      // would get the handle of the folder that is gone.
      await before?.close(CLOSE_AFTER_MS);
      plants.set(target, await plantTarget({ target, isIgnored, largeFolder, onEvent: touch }));
      // What happened while nobody watched.
      if (before !== undefined) touch(false);
    }
  };

  return {
    start: async (nudge) => {
      nudger = createNudger(nudge, settleMs);
      looker = createNudger(() => void lookAgain(), CENSUS_EVERY_MS);
      await lookAgain();
      rescan = setInterval(() => {
        nudge();
        void lookAgain();
      }, rescanMs);
    },
    close: async () => {
      closed = true;
      clearInterval(rescan);
      nudger.close();
      looker.close();
      await census;
      for (const { watcher } of doors.values()) watcher.close();
      await Promise.all([...plants.values()].map((plant) => plant.close(CLOSE_AFTER_MS)));
    },
  };
}

/** A folder inside another target is watched with it. */
function outermost(targets: readonly string[]): readonly string[] {
  return [...new Set(targets)].filter((target) => !targets.some((other) => target.startsWith(join(other, '/'))));
}

type Doors = Map<string, { readonly inode: string; readonly watcher: FSWatcher }>;

/**
 * Plain watches on the folders above the targets, the root's own parent included: they tell when a target
 * comes into being, goes, or is another one of the same name. A target that is a file needs no more than that.
 */
async function keepDoors(root: string, targets: readonly string[], doors: Doors, onEvent: () => void): Promise<void> {
  for (const [folder, names] of doorsFor(root, targets)) {
    const inode = await inodeOf(folder);
    const before = doors.get(folder);
    if (before?.inode === inode) continue;
    before?.watcher.close();
    doors.delete(folder);
    if (inode === null) continue;
    const watcher = watchPlain(folder, (name) => (name === null || names.has(name)) && onEvent());
    if (watcher !== null) doors.set(folder, { inode, watcher });
  }
}

/** Each folder on the way from the root's parent to a target, with the names in it that lead on. */
function doorsFor(root: string, targets: readonly string[]): ReadonlyMap<string, Set<string>> {
  const doors = new Map<string, Set<string>>();
  for (const target of targets) {
    for (let at = target; at === root || at.startsWith(join(root, '/')); at = dirname(at)) {
      doors.set(dirname(at), (doors.get(dirname(at)) ?? new Set()).add(basename(at)));
    }
  }
  return doors;
}

async function inodeOf(folder: string): Promise<string | null> {
  return stat(folder).then((found) => `${found.dev}.${found.ino}`, () => null);
}
