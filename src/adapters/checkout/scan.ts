/**
 * One walk over the state paths of the work tree beside the last-synced tree. It only lists and stats: no content is
 * read, no symlink is followed, and what cannot be published as it is comes back with the reason.
 */
import { readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { STATE_PATHS } from '../../model/layout.ts';
import type { Oid } from '../../model/ids.ts';
import { isTemporaryName, nameTrouble } from './names.ts';
import { workPath } from './site.ts';
import type { Site } from './site.ts';
import { codeOf, isGone, rawOidOf, stampOf, statOf } from './stamp.ts';
import type { FileStat } from './stamp.ts';
import { entriesOf, filesBelow, isFolder } from './trees.ts';
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

type SkipFolder = (path: string) => boolean;

/** `skipFolder` is asked for each folder that the synced tree does not have. */
export async function scanState(site: Site, synced: Oid, skipFolder: SkipFolder): Promise<Scan> {
  const scan: Scan = { files: [], missing: [], refused: [], newFolders: [], ignoreStamps: '' };
  const tops = await entriesOf(site.store, synced);
  const names = namesIn(site, '', scan) ?? [];
  const state: ReadonlySet<string> = new Set(STATE_PATHS);
  await scanNames(
    site, '', names.filter(({ name }) => state.has(name)),
    new Map([...tops].filter(([name]) => state.has(name))), scan, skipFolder,
  );
  return scan;
}

async function scanFolder(site: Site, path: string, tree: Oid | null, scan: Scan, skipFolder: SkipFolder): Promise<void> {
  const names = namesIn(site, path, scan);
  if (names === null) return;
  if (names.some(({ name }) => name === '.git')) {
    scan.refused.push({ path, reason: 'it is a git repository of its own' });
    return;
  }
  // A large tree is walked in pieces, so that heartbeats are not held up.
  await setImmediate();
  await scanNames(site, `${path}/`, names, await entriesOf(site.store, tree), scan, skipFolder);
}

function namesIn(site: Site, path: string, scan: Scan): Dirent[] | null {
  try {
    return readdirSync(workPath(site, path), { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    scan.refused.push({ path, reason: `it cannot be read (${codeOf(error) ?? 'unknown'})` });
    return null;
  }
}

async function scanNames(
  site: Site, prefix: string, names: readonly Dirent[], entries: Map<string, Entry>, scan: Scan, skipFolder: SkipFolder,
): Promise<void> {
  for (const { name } of names) {
    const [path, synced] = [`${prefix}${name}`, entries.get(name) ?? null];
    const trouble = nameTrouble(name);
    if (trouble !== null) scan.refused.push({ path, reason: trouble });
    else if (synced !== null || !isTemporaryName(name)) await scanOne(site, path, synced, scan, skipFolder);
  }
  const present = new Set(names.map(({ name }) => name));
  for (const [name, synced] of entries) {
    if (!present.has(name)) await missing(site, `${prefix}${name}`, synced, scan);
  }
}

async function scanOne(site: Site, path: string, synced: Entry | null, scan: Scan, skipFolder: SkipFolder): Promise<void> {
  const stat = statOf(workPath(site, path));
  if (stat === null) {
    if (synced !== null) await missing(site, path, synced, scan);
  } else if (stat.kind === 'folder') await scanSubfolder(site, path, synced, scan, skipFolder);
  else if (stat.kind === 'file') {
    if (path.endsWith('/.gitignore')) scan.ignoreStamps += `${path} ${stampOf(stat)} `;
    if (isFolder(synced)) await missing(site, path, synced, scan);
    scan.files.push({ path, stat, synced: isFolder(synced) ? null : synced });
  } else if (!isSyncedSymlink(site, path, stat, synced)) {
    const what = stat.kind === 'symlink' ? 'a symlink' : 'no regular file';
    scan.refused.push({ path, reason: `it is ${what}: only files and folders are published` });
  }
}

async function scanSubfolder(site: Site, path: string, synced: Entry | null, scan: Scan, skipFolder: SkipFolder): Promise<void> {
  if (synced?.mode === '160000') return;
  if (isFolder(synced)) return scanFolder(site, path, synced.oid, scan, skipFolder);
  if (path.endsWith('.md')) {
    scan.refused.push({ path, reason: 'it is a folder with the name of a file' });
    return;
  }
  if (synced !== null) await missing(site, path, synced, scan);
  if (skipFolder(path)) return;
  scan.newFolders.push(path);
  await scanFolder(site, path, null, scan, skipFolder);
}

function isSyncedSymlink(site: Site, path: string, stat: FileStat, synced: Entry | null): boolean {
  return stat.kind === 'symlink' && synced?.mode === '120000'
    && rawOidOf(workPath(site, path), 'symlink', site.store.objectFormat) === synced.oid;
}

async function missing(site: Site, path: string, synced: Entry, scan: Scan): Promise<void> {
  if (isFolder(synced)) {
    for (const { path: below, entry } of await filesBelow(site.store, synced.oid, `${path}/`)) await missing(site, below, entry, scan);
  } else if (synced.mode !== '160000') scan.missing.push({ path, synced });
}
