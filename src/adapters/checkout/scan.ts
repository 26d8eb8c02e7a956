/**
 * One walk over the state paths of the work tree beside the last-synced tree. It only lists and stats: no content is
 * read, no symlink is followed, and what cannot be published as it is comes back with the reason.
 */
import { readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { STATE_PATHS } from '../../model/layout.ts';
import type { Oid } from '../../model/ids.ts';
import { entryAt } from '../../observe/tree.ts';
import { isBelow } from '../git/sparse.ts';
import { isTemporaryName, nameTrouble } from './names.ts';
import { parentState } from './paths.ts';
import { workPath } from './site.ts';
import type { Site } from './site.ts';
import { codeOf, isGone, rawOidOf, stampOf, statOf } from './stamp.ts';
import type { FileStat } from './stamp.ts';
import { entriesOf, isFolder } from './trees.ts';
import type { Entry } from './trees.ts';

export interface Scan {
  readonly files: { readonly path: string; readonly stat: FileStat; readonly synced: Entry | null }[];
  /** In the synced tree and not in the work tree. */
  readonly missing: { readonly path: string; readonly synced: Entry }[];
  readonly refused: { readonly path: string; readonly reason: string }[];
  /** Folders that the synced tree does not have, outermost first. */
  readonly newFolders: string[];
  /** Changes when an ignore file below the state paths does. */
  ignoreStamps: string;
}

export interface ScanOptions {
  /** Asked for each folder that the synced tree does not have. */
  readonly skipFolder: (path: string) => boolean;
  /** Folders that are not walked, and of which nothing counts as missing. */
  readonly passOver: readonly string[];
  /** Folders that are walked as far as they are there, and of which nothing counts as missing. */
  readonly leftOut: readonly string[];
}

interface Walk extends ScanOptions {
  readonly site: Site;
  readonly scan: Scan;
  /** Both kinds together. */
  readonly elsewhere: readonly string[];
}

export async function scanState(site: Site, synced: Oid, options: ScanOptions): Promise<Scan> {
  const scan: Scan = { files: [], missing: [], refused: [], newFolders: [], ignoreStamps: '' };
  const walk: Walk = { ...options, site, scan, elsewhere: [...options.passOver, ...options.leftOut] };
  const tops = await entriesOf(site.store, synced);
  const names = namesIn(walk, '') ?? [];
  const state: ReadonlySet<string> = new Set(STATE_PATHS);
  await scanNames(walk, '', names.filter(({ name }) => state.has(name)), new Map([...tops].filter(([name]) => state.has(name))));
  return scan;
}

/** Adds single files to a scan, whatever folders it passed over. */
export async function scanFiles(site: Site, synced: Oid, paths: readonly string[], scan: Scan): Promise<void> {
  const walk: Walk = { site, scan, skipFolder: () => true, passOver: [], leftOut: [], elsewhere: [] };
  for (const path of paths) {
    const entry = await fileEntry(site, synced, path);
    const trouble = path.split('/').map(nameTrouble).find((one) => one !== null);
    const parents = parentState(site.root, path).state;
    if (trouble !== undefined) scan.refused.push({ path, reason: trouble });
    else if (parents === 'folders') await scanOne(walk, path, entry);
    // What lies behind a symlink is not of this tree, and what stood there is not deleted.
    else if (parents === 'absent' && entry !== null) await missing(walk, path, entry);
  }
}

async function fileEntry(site: Site, root: Oid, path: string): Promise<Entry | null> {
  const entry = await entryAt(site.store, root, path);
  return entry === null || isFolder(entry) ? null : entry;
}

async function scanFolder(walk: Walk, path: string, tree: Oid | null): Promise<void> {
  const names = namesIn(walk, path);
  if (names === null) return;
  if (names.some(({ name }) => name === '.git')) {
    walk.scan.refused.push({ path, reason: 'it is a git repository of its own' });
    return;
  }
  // A large tree is walked in pieces, so that heartbeats are not held up.
  await setImmediate();
  await scanNames(walk, `${path}/`, names, await entriesOf(walk.site.store, tree));
}

function namesIn({ site, scan }: Walk, path: string): Dirent[] | null {
  try {
    return readdirSync(workPath(site, path), { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    scan.refused.push({ path, reason: `it cannot be read (${codeOf(error) ?? 'unknown'})` });
    return null;
  }
}

async function scanNames(walk: Walk, prefix: string, names: readonly Dirent[], entries: Map<string, Entry>): Promise<void> {
  for (const { name } of names) {
    const [path, synced] = [`${prefix}${name}`, entries.get(name) ?? null];
    const trouble = nameTrouble(name);
    if (trouble !== null) walk.scan.refused.push({ path, reason: trouble });
    else if (synced !== null || !isTemporaryName(name)) await scanOne(walk, path, synced);
  }
  const present = new Set(names.map(({ name }) => name));
  for (const [name, synced] of entries) {
    if (!present.has(name)) await missing(walk, `${prefix}${name}`, synced);
  }
}

async function scanOne(walk: Walk, path: string, synced: Entry | null): Promise<void> {
  const { site, scan } = walk;
  const stat = statOf(workPath(site, path));
  if (stat === null) {
    if (synced !== null) await missing(walk, path, synced);
  } else if (stat.kind === 'folder') await scanSubfolder(walk, path, synced);
  else if (stat.kind === 'file') {
    if (path.endsWith('/.gitignore')) scan.ignoreStamps += `${path} ${stampOf(stat)} `;
    if (isFolder(synced)) await missing(walk, path, synced);
    scan.files.push({ path, stat, synced: isFolder(synced) ? null : synced });
  } else if (!isSyncedSymlink(site, path, stat, synced)) {
    const what = stat.kind === 'symlink' ? 'a symlink' : 'no regular file';
    scan.refused.push({ path, reason: `it is ${what}: only files and folders are published` });
  }
}

async function scanSubfolder(walk: Walk, path: string, synced: Entry | null): Promise<void> {
  if (synced?.mode === '160000' || walk.passOver.includes(path)) return;
  if (isFolder(synced)) return scanFolder(walk, path, synced.oid);
  if (path.endsWith('.md')) {
    walk.scan.refused.push({ path, reason: 'it is a folder with the name of a file' });
    return;
  }
  if (synced !== null) await missing(walk, path, synced);
  if (walk.skipFolder(path)) return;
  walk.scan.newFolders.push(path);
  await scanFolder(walk, path, null);
}

function isSyncedSymlink(site: Site, path: string, stat: FileStat, synced: Entry | null): boolean {
  return stat.kind === 'symlink' && synced?.mode === '120000'
    && rawOidOf(workPath(site, path), 'symlink', site.store.objectFormat) === synced.oid;
}

async function missing(walk: Walk, path: string, synced: Entry): Promise<void> {
  if (isBelow(walk.elsewhere, path)) return;
  if (isFolder(synced)) {
    for (const [name, entry] of await entriesOf(walk.site.store, synced.oid)) await missing(walk, `${path}/${name}`, entry);
  } else if (synced.mode !== '160000') walk.scan.missing.push({ path, synced });
}
