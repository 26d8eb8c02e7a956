/** Which paths differ between two trees, by object id: equal folders are never opened. */
import type { FileMode } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';

export interface Entry {
  readonly mode: FileMode;
  readonly oid: Oid;
}

export interface Difference {
  readonly from: Entry | null;
  readonly to: Entry | null;
}

const FOLDER = '40000' satisfies FileMode;
export type FolderEntry = Entry & { readonly mode: typeof FOLDER };
export const isFolder = (entry: Entry | null | undefined): entry is FolderEntry => entry?.mode === FOLDER;
export const sameEntry = (a: Entry | null, b: Entry | null): boolean => a?.oid === b?.oid && a?.mode === b?.mode;

/** Files, symlinks and gitlinks by path; a folder never appears itself. */
export async function differences(store: Store, from: Oid, to: Oid): Promise<Map<string, Difference>> {
  const found = new Map<string, Difference>();
  await compare(store, '', from, to, found);
  return found;
}

async function compare(store: Store, prefix: string, from: Oid | null, to: Oid | null, found: Map<string, Difference>): Promise<void> {
  if (from === to) return;
  const [left, right] = [await entriesOf(store, from), await entriesOf(store, to)];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [a, b] = [left.get(name) ?? null, right.get(name) ?? null];
    if (sameEntry(a, b)) continue;
    const [fileA, fileB] = [isFolder(a) ? null : a, isFolder(b) ? null : b];
    if (fileA !== null || fileB !== null) found.set(`${prefix}${name}`, { from: fileA, to: fileB });
    await compare(store, `${prefix}${name}/`, isFolder(a) ? a.oid : null, isFolder(b) ? b.oid : null, found);
  }
}

/** The entries of one folder by name; none for null. */
export async function entriesOf(store: Store, tree: Oid | null): Promise<Map<string, Entry>> {
  if (tree === null) return new Map();
  return new Map((await store.readTree(tree)).map(({ name, mode, oid }) => [name, { mode, oid }]));
}
