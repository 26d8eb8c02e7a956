/** Looking into trees by path and comparing them, reading only the folders on the way. */
import type { FileEntry, TreeEntry } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import type { Store } from '../ports/store.ts';

/** The entry at a path, or null. A path is resolved by tree entries only, so it can never leave the tree. */
export async function entryAt(store: Store, root: Oid, path: string): Promise<TreeEntry | null> {
  let tree = root;
  const segments = path.split('/');
  for (const [at, segment] of segments.entries()) {
    const entry = (await store.readTree(tree)).find(({ name }) => name === segment);
    if (entry === undefined) return null;
    if (at === segments.length - 1) return entry;
    if (entry.mode !== '40000') return null;
    tree = entry.oid;
  }
  return null;
}

export async function treeOf(store: Store, commit: Oid): Promise<Oid> {
  return (await store.readCommit(commit)).tree;
}

/** A file's bytes at a path of a tree, or null when there is no plain file. */
export async function fileAt(store: Store, root: Oid, path: string): Promise<{ readonly oid: Oid; readonly bytes: Uint8Array } | null> {
  const entry = await entryAt(store, root, path);
  if (entry === null || (entry.mode !== '100644' && entry.mode !== '100755')) return null;
  return { oid: entry.oid, bytes: await store.readBlob(entry.oid) };
}

export interface PathChange {
  readonly path: string;
  readonly before: FileEntry | null;
  readonly after: FileEntry | null;
}

/** Files that differ between two trees; equal folders are never opened. */
export async function diffTrees(store: Store, before: Oid | null, after: Oid | null, prefix = ''): Promise<readonly PathChange[]> {
  if (before === after) return [];
  const [old, now] = await Promise.all([entriesByName(store, before), entriesByName(store, after)]);
  const changes: PathChange[] = [];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].toSorted()) {
    changes.push(...(await diffEntry(store, old.get(name), now.get(name), `${prefix}${name}`)));
  }
  return changes;
}

async function diffEntry(store: Store, old: TreeEntry | undefined, now: TreeEntry | undefined, path: string): Promise<readonly PathChange[]> {
  if (old?.oid === now?.oid && old?.mode === now?.mode) return [];
  const isFolder = (entry: TreeEntry | undefined): boolean => entry?.mode === '40000';
  const file = (entry: TreeEntry | undefined): FileEntry | null =>
    entry === undefined || isFolder(entry) ? null : { path, mode: entry.mode, oid: entry.oid };
  const inside = isFolder(old) || isFolder(now)
    ? await diffTrees(store, isFolder(old) ? (old as TreeEntry).oid : null, isFolder(now) ? (now as TreeEntry).oid : null, `${path}/`)
    : [];
  const [before, after] = [file(old), file(now)];
  return before === null && after === null ? inside : [{ path, before, after }, ...inside];
}

async function entriesByName(store: Store, tree: Oid | null): Promise<Map<string, TreeEntry>> {
  return new Map(tree === null ? [] : (await store.readTree(tree)).map((entry) => [entry.name, entry]));
}
