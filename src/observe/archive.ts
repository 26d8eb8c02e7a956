/**
 * Looking into the archive (PROTOCOL P9): which task files stand in `tasks/archive/`, and where the chains of tasks are
 * whose claim refs were collected. Names are known from main's own tree; chains are fetched month by month when asked for.
 */
import type { Chain } from '../model/claim.ts';
import { ARCHIVE_FOLDER, archivedMonth, archivedName, chainEntry } from '../model/archive.ts';
import type { ArchivedFiles } from '../model/archive.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { ARCHIVE_PREFIX } from '../model/layout.ts';
import type { TaskResult } from '../model/task.ts';
import type { Hub } from '../ports/hub.ts';
import type { Store } from '../ports/store.ts';
import type { ChainReader } from './chains.ts';
import { entryAt, treeOf } from './tree.ts';

/** What `tasks/archive/` says of task ids. */
export interface ArchivedNames {
  get(task: TaskId): ArchivedFiles | undefined;
  tasks(): Iterable<TaskId>;
}

type Names = ReadonlyMap<TaskId, ArchivedFiles>;

/** Months that no longer change are listed once a process; this many stay known, the oldest are listed anew. */
const REMEMBERED_MAX = 60;
const remembered = new WeakMap<Store, Map<string, Names>>();

/** Reads no file, and of the folders only those that this process has not listed before. */
export async function archivedNames(store: Store, root: Oid): Promise<ArchivedNames> {
  const archive = await entryAt(store, root, ARCHIVE_FOLDER);
  const months = archive?.mode === '40000' ? await store.readTree(archive.oid) : [];
  const lists = await Promise.all(months.toReversed().map(({ mode, name, oid }) => (mode === '40000' ? listMonth(store, `${ARCHIVE_FOLDER}/${name}/`, oid) : namesOf([`${ARCHIVE_FOLDER}/${name}`]))));
  return {
    get(task) {
      let found: ArchivedFiles | undefined;
      for (const list of lists) {
        const more = list.get(task);
        if (more !== undefined) found = found === undefined ? more : join(found, more);
      }
      return found;
    },
    tasks: () => new Set(lists.flatMap((list) => [...list.keys()])),
  };
}

async function listMonth(store: Store, prefix: string, tree: Oid): Promise<Names> {
  const known = remembered.get(store) ?? new Map<string, Names>();
  remembered.set(store, known);
  const key = `${prefix} ${tree}`;
  const names = known.get(key) ?? namesOf(await filesBelow(store, prefix, tree));
  known.delete(key);
  known.set(key, names);
  for (const old of known.keys()) if (known.size > REMEMBERED_MAX) known.delete(old);
  return names;
}

async function filesBelow(store: Store, prefix: string, tree: Oid): Promise<string[]> {
  const entries = await store.readTree(tree);
  const below = await Promise.all(entries.map(({ mode, name, oid }) => (mode === '40000' ? filesBelow(store, `${prefix}${name}/`, oid) : mode.startsWith('100') ? [`${prefix}${name}`] : [])));
  return below.flat();
}

function namesOf(paths: readonly string[]): Names {
  const names = new Map<TaskId, { -readonly [kind in keyof ArchivedFiles]: string | null }>();
  for (const path of paths) {
    const named = archivedName(path.slice(path.lastIndexOf('/') + 1));
    if (named === null) continue;
    const files = names.get(named.task) ?? { instruction: null, result: null, reopened: null };
    files[named.kind] ??= path;
    names.set(named.task, files);
  }
  return names;
}

function join(a: ArchivedFiles, b: ArchivedFiles): ArchivedFiles {
  return { instruction: a.instruction ?? b.instruction, result: a.result ?? b.result, reopened: a.reopened ?? b.reopened };
}

/** True when the task's files stand in the archive now: it has ended and was not taken out again. */
export function isArchived(files: ArchivedFiles | undefined): boolean {
  return files !== undefined && (files.result !== null || files.instruction !== null);
}

export interface ArchiveMonth {
  readonly month: string;
  readonly ref: string;
  readonly tip: Oid;
}

/** Newest first. */
export function archiveMonths(refs: ReadonlyMap<string, Oid>): readonly ArchiveMonth[] {
  const months = [...refs].filter(([ref]) => ref.startsWith(ARCHIVE_PREFIX)).map(([ref, tip]) => ({ month: ref.slice(ARCHIVE_PREFIX.length), ref, tip }));
  return months.toSorted((a, b) => (a.month > b.month ? -1 : 1));
}

/** Brings a month's chains here, if they are not. Throws `hub-away`, `hub-denied`, `refused` (it has moved: list again). */
export async function fetchMonths(store: Store, hub: Hub, months: readonly ArchiveMonth[]): Promise<void> {
  const have = await Promise.all(months.map(({ tip }) => store.has(tip)));
  const missing = months.filter((_, at) => have[at] !== true);
  if (missing.length > 0) await hub.fetch(new Map(missing.map(({ ref, tip }) => [ref, tip])));
}

/** What an archive commit's tree has at an entry (model/archive.ts), or null. The commit must be here. */
export async function entryOf(store: Store, commit: Oid, entry: string): Promise<Oid | null> {
  const found = await entryAt(store, await treeOf(store, commit), entry);
  return found?.mode === '160000' ? found.oid : null;
}

/**
 * The newest archived end of a task's chain, or undefined. `result` is the task's archived result, if the caller has it:
 * the end that it tells of needs no further month to be fetched. The view's claim ref must have been seen absent before
 * the view was listed (PROTOCOL P2.3).
 */
export async function archivedChain(store: Store, hub: Hub, reader: ChainReader, view: { readonly refs: ReadonlyMap<string, Oid> }, task: TaskId, result: Pick<TaskResult, 'epoch' | 'claim'> & { readonly path: string } | null = null): Promise<Chain | undefined> {
  let newest: Chain | undefined;
  for (const month of inOrder(archiveMonths(view.refs), result === null ? '' : archivedMonth(result.path))) {
    await fetchMonths(store, hub, [month]);
    const tip = await entryOf(store, month.tip, chainEntry(task));
    if (tip === null) continue;
    const chain = await reader.chain(tip);
    if (result !== null && (await endsIn(store, chain, result))) return chain;
    // Epochs alone do not order them: a task may be reopened and cancelled without a claim in between.
    if (newest === undefined || (await store.isAncestor(newest.tip, tip))) newest = chain;
  }
  return newest;
}

/** From the month in which the task ended on, in which its chain was most likely folded; then the others, newest first. */
function inOrder(months: readonly ArchiveMonth[], ended: string): readonly ArchiveMonth[] {
  const after = months.filter(({ month }) => ended !== '' && month >= ended);
  return [...after.toReversed(), ...months.filter((month) => !after.includes(month))];
}

/** True when this very transition is the end that the result tells of: its epoch, on top of the claim tip it names. */
export async function endsIn(store: Store, { tip, record }: Chain, { epoch, claim }: Pick<TaskResult, 'epoch' | 'claim'>): Promise<boolean> {
  const [before] = (await store.readCommit(tip)).parents;
  return record.epoch === epoch && (before === undefined || before === record.result ? null : before) === claim;
}
