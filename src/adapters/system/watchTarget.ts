/** Watches one folder with all below it: chokidar for the ordinary folders, a plain watch for each large one. */
import type { FSWatcher as PlainWatcher } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { watch as watchTree } from 'chokidar';
import type { FSWatcher } from 'chokidar';
import { sleep } from './clock.ts';
import { watchPlain } from './watchPlain.ts';

export interface TargetOptions {
  readonly target: string;
  readonly isIgnored: (path: string) => boolean;
  readonly largeFolder: number;
  /** `structure`: a folder may have come, gone or changed places. */
  readonly onEvent: (structure: boolean) => void;
}

export interface Plant {
  /** False when the folders are no longer those that are watched. */
  stands(): Promise<boolean>;
  close(afterMs: number): Promise<void>;
}

interface Folder {
  readonly inode: string;
  readonly large: boolean;
}

/** Watches what stands at the target now; a file or nothing needs no watch of its own (see `keepDoors`). */
export async function plantTarget(options: TargetOptions): Promise<Plant> {
  const census = await takeCensus(options);
  const plain = plantPlain(census, options);
  const tree = await plantTree(census, options);
  return {
    stands: async () => sameCensus(census, await takeCensus(options)),
    close: async (afterMs) => {
      for (const watcher of plain) watcher.close();
      tree?.removeAllListeners();
      tree?.on('error', () => undefined);
      await sleep(afterMs);
      await tree?.close();
    },
  };
}

type Census = ReadonlyMap<string, Folder>;

/** Every folder from the target down that is not ignored. Links are not followed. */
async function takeCensus({ target, isIgnored, largeFolder }: TargetOptions): Promise<Census> {
  const census = new Map<string, Folder>();
  const queue = [target];
  for (let folder = queue.pop(); folder !== undefined; folder = queue.pop()) {
    const found = await lstat(folder).catch(() => null);
    if (found === null || !found.isDirectory() || isIgnored(folder)) continue;
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    census.set(folder, { inode: `${found.dev}.${found.ino}`, large: entries.length > largeFolder });
    for (const entry of entries) if (entry.isDirectory()) queue.push(join(folder, entry.name));
  }
  return census;
}

function sameCensus(a: Census, b: Census): boolean {
  return a.size === b.size && [...a].every(([path, { inode, large }]) => b.get(path)?.inode === inode && b.get(path)?.large === large);
}

function plantPlain(census: Census, { isIgnored, onEvent }: TargetOptions): readonly PlainWatcher[] {
  const large = [...census].filter(([, folder]) => folder.large).map(([path]) => path);
  const watchers = large.map((path) => watchPlain(path, (name) => {
    // A rename event may be a new folder; a census of many files is taken for it, but rarely.
    if (name === null || !isIgnored(join(path, name))) onEvent(true);
  }));
  return watchers.filter((watcher) => watcher !== null);
}

/** Starts at each ordinary folder whose parent is not watched by the same tree. */
async function plantTree(census: Census, { target, isIgnored, onEvent }: TargetOptions): Promise<FSWatcher | null> {
  const isLarge = (path: string): boolean => census.get(path)?.large === true;
  const starts = [...census].filter(([path, { large }]) => !large && (path === target || isLarge(dirname(path)))).map(([path]) => path);
  if (starts.length === 0) return null;
  const tree = watchTree(starts, {
    ignoreInitial: true, followSymlinks: false, ignorePermissionErrors: true,
    ignored: (path) => isIgnored(path) || isLarge(path),
  });
  tree.on('error', () => undefined);
  await new Promise<void>((resolve) => void tree.once('ready', resolve));
  tree.on('all', (event) => onEvent(event === 'addDir' || event === 'unlinkDir'));
  // chokidar throttles and forgets; the events below it do not.
  tree.on('raw', (event, path, details) => {
    if (!isIgnored(absolute(path, details))) onEvent(event === 'rename');
  });
  return tree;
}

function absolute(path: string, details: unknown): string {
  const watched = (details as { readonly watchedPath?: unknown } | undefined)?.watchedPath;
  return typeof watched === 'string' ? join(watched, path) : path;
}
