/**
 * Three-way merge of trees by entries. Only folders whose oids differ on both sides are opened, so the cost is that
 * of the changes, not of the tree. Planned first and written afterwards: a merge with conflicts writes nothing.
 */
import type { FileMode, TreeEntry } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import type { TreeAccess } from './treeEdit.ts';

export interface FileVersion {
  readonly mode: FileMode;
  readonly oid: Oid;
}

/** A path that both sides changed in different ways. Null: not there on that side. */
export interface Contest {
  readonly path: string;
  readonly base: FileVersion | null;
  readonly ours: FileVersion | null;
  readonly theirs: FileVersion | null;
}

/** Settles a contest, or answers null: a conflict. */
export type MergeFile = (contest: Contest) => Promise<FileVersion | null>;

/** A folder of the merge: one that exists already, or one to be written from its entries. */
type Folder = { readonly oid: Oid } | { readonly entries: readonly Planned[] };
type Planned = TreeEntry | { readonly name: string; readonly folder: Folder };

export interface MergePlan {
  readonly folder: Folder;
  /** Paths, sorted. A plan with conflicts keeps our side there. */
  readonly conflicts: readonly string[];
}

type Side = TreeEntry | null;
type Three<T> = readonly [base: T, ours: T, theirs: T];

export async function planMerge(access: Pick<TreeAccess, 'readTree'>, trees: Three<Oid>, mergeFile: MergeFile): Promise<MergePlan> {
  const conflicts: string[] = [];
  const folder = await mergeFolders({ access, mergeFile, conflicts }, trees, '');
  return { folder, conflicts: conflicts.toSorted() };
}

export async function writeMerge(access: Pick<TreeAccess, 'writeTree'>, folder: Folder): Promise<Oid> {
  if ('oid' in folder) return folder.oid;
  const entries = await Promise.all(folder.entries.map(async (entry): Promise<TreeEntry> =>
    'folder' in entry ? { mode: '40000', name: entry.name, oid: await writeMerge(access, entry.folder) } : entry));
  return access.writeTree(entries);
}

interface Work {
  readonly access: Pick<TreeAccess, 'readTree'>;
  readonly mergeFile: MergeFile;
  readonly conflicts: string[];
}

/** Null stands for a folder that is not there. */
async function mergeFolders(work: Work, trees: Three<Oid | null>, prefix: string): Promise<Folder> {
  const settled = pick(trees);
  if (settled !== undefined) return settled === null ? { entries: [] } : { oid: settled };
  const [base, ours, theirs] = await Promise.all([entriesOf(work, trees[0]), entriesOf(work, trees[1]), entriesOf(work, trees[2])]);
  const names = [...new Set([...ours.keys(), ...theirs.keys()])];
  const merged = await Promise.all(names.map((name) =>
    mergeEntry(work, [base.get(name) ?? null, ours.get(name) ?? null, theirs.get(name) ?? null], name, prefix)));
  return { entries: merged.filter((entry) => entry !== null) };
}

async function entriesOf({ access }: Work, tree: Oid | null): Promise<Map<string, TreeEntry>> {
  const entries = tree === null ? [] : await access.readTree(tree);
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** The side that changed, when at most one did or both did the same. */
function pick<T>([base, ours, theirs]: Three<T>): T | undefined {
  if (ours === theirs || base === theirs) return ours;
  return base === ours ? theirs : undefined;
}

/** Files and folders of one name are merged apart; what both leave behind cannot stand side by side. */
async function mergeEntry(work: Work, sides: Three<Side>, name: string, prefix: string): Promise<Planned | null> {
  const path = `${prefix}${name}`;
  const file = await mergeVersions(work, each(sides, (side) => (side?.mode === '40000' ? null : side)), path);
  const trees = each(sides, (side) => (side?.mode === '40000' ? side.oid : null));
  const folder = trees.every((tree) => tree === null) ? { entries: [] } : await mergeFolders(work, trees, `${path}/`);
  const isEmpty = 'entries' in folder && folder.entries.length === 0;
  if (file === null) return isEmpty ? null : { name, folder };
  if (!isEmpty) work.conflicts.push(path);
  return { mode: file.mode, name, oid: file.oid };
}

function each<A, B>([base, ours, theirs]: Three<A>, change: (side: A) => B): Three<B> {
  return [change(base), change(ours), change(theirs)];
}

async function mergeVersions(work: Work, sides: Three<Side>, path: string): Promise<FileVersion | null> {
  const settled = settle(sides);
  if (settled !== undefined) return settled;
  const [base, ours, theirs] = sides;
  const merged = await work.mergeFile({ path, base, ours, theirs });
  if (merged === null) work.conflicts.push(path);
  return merged ?? ours;
}

function settle(sides: Three<Side>): FileVersion | null | undefined {
  const whole = pick(each(sides, (side) => side && `${side.mode} ${side.oid}`));
  if (whole !== undefined) return sides.find((side) => (side && `${side.mode} ${side.oid}`) === whole) ?? null;
  // One side may make a file executable while the other changes its text.
  if (!sides.every((side) => side !== null && isRegular(side))) return undefined;
  const mode = pick(each(sides, (side) => (side as TreeEntry).mode));
  const oid = pick(each(sides, (side) => (side as TreeEntry).oid));
  return mode === undefined || oid === undefined ? undefined : { mode, oid };
}

export function isRegular({ mode }: FileVersion): boolean {
  return mode === '100644' || mode === '100755';
}
