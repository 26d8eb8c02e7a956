/**
 * What is to be done at each path that differs (PROTOCOL P11): a file is exchanged only when its content is its entry
 * in the synced tree, in HEAD's tree or in the target; anything else is the person's and stays.
 */
import type { Oid } from '../../model/ids.ts';
import { cleanOids, filterJudge } from './filters.ts';
import { nameTrouble } from './names.ts';
import { parentState } from './paths.ts';
import type { Settings } from './settings.ts';
import { workPath } from './site.ts';
import type { Site } from './site.ts';
import { codeOf, rawOidOf, stampOf, statOf } from './stamp.ts';
import type { FileStat } from './stamp.ts';
import { differences } from './trees.ts';
import type { Entry } from './trees.ts';

/** The three entries of one path; null where the tree has no file there. */
export interface Wanted {
  readonly path: string;
  readonly synced: Entry | null;
  readonly head: Entry | null;
  readonly target: Entry | null;
}

export interface Skipped {
  readonly path: string;
  readonly reason: string;
}

/** A file to exchange: `old` is the raw oid of what stands there (null: nothing) and `stamp` its stamp. */
export interface Exchange {
  readonly wanted: Wanted;
  readonly old: Oid | null;
  readonly stamp: string | null;
}

export interface ExchangePlan {
  readonly exchanges: readonly Exchange[];
  /** Paths where the target's content stands already. */
  readonly adopted: readonly Wanted[];
  readonly skipped: readonly Skipped[];
}

/** Every path that differs between the synced tree and the target, or between HEAD's tree and the target. */
export async function wantedPaths(site: Site, trees: { readonly synced: Oid; readonly head: Oid; readonly target: Oid }): Promise<Wanted[]> {
  const fromSynced = await differences(site.store, trees.synced, trees.target);
  const fromHead = trees.head === trees.synced ? fromSynced : await differences(site.store, trees.head, trees.target);
  return [...new Set([...fromSynced.keys(), ...fromHead.keys()])].toSorted().map((path) => {
    const [synced, head] = [fromSynced.get(path), fromHead.get(path)];
    const target = (synced ?? head)?.to ?? null;
    return { path, target, synced: synced === undefined ? target : synced.from, head: head === undefined ? target : head.from };
  });
}

type Work =
  /** Nothing, an empty way to it, or a folder: no file. */
  | { readonly kind: 'none' }
  | { readonly kind: 'content'; readonly stat: FileStat; readonly raw: Oid }
  | { readonly kind: 'trouble'; readonly reason: string };

export async function planExchanges(site: Site, settings: Settings, wanted: readonly Wanted[]): Promise<ExchangePlan> {
  const works = new Map(wanted.map(({ path }) => [path, workAt(site, path)]));
  const clean = await cleanedOf(site, settings, wanted, works);
  const exchanges: Exchange[] = [];
  const adopted: Wanted[] = [];
  const skipped: Skipped[] = [];
  for (const one of wanted) {
    const work = works.get(one.path) ?? { kind: 'none' };
    const holds = (entry: Entry | null): boolean => matches(entry, work, clean.get(one.path) ?? null, settings);
    if (work.kind === 'trouble') skipped.push({ path: one.path, reason: work.reason });
    else if (holds(one.target) && !needsFolder(site, one)) adopted.push(one);
    else if (holds(one.synced) || holds(one.head)) exchanges.push(exchangeOf(one, work));
    else skipped.push({ path: one.path, reason: whyKept(one, work) });
  }
  return { exchanges, adopted, skipped };
}

function workAt(site: Site, path: string): Work {
  const trouble = path.split('/').map(nameTrouble).find((one) => one !== null);
  if (trouble !== undefined) return { kind: 'trouble', reason: trouble };
  // What lies behind a symlink is not in this tree; the exchange refuses to go there.
  if (parentState(site.root, path).state !== 'folders') return { kind: 'none' };
  try {
    const stat = statOf(workPath(site, path));
    if (stat === null || stat.kind === 'folder') return { kind: 'none' };
    if (stat.kind === 'other') return { kind: 'trouble', reason: 'it is no regular file here' };
    const raw = rawOidOf(workPath(site, path), stat.kind, site.store.objectFormat, stat.kind === 'file' ? stampOf(stat) : undefined);
    return raw === null ? { kind: 'trouble', reason: 'it is being saved right now' } : { kind: 'content', stat, raw };
  } catch (error) {
    return { kind: 'trouble', reason: `it cannot be read (${codeOf(error) ?? 'unknown'})` };
  }
}

/** The oids by git's filters, for the files whose raw bytes are none of the expected blobs and where a filter may apply. */
async function cleanedOf(
  site: Site, settings: Settings, wanted: readonly Wanted[], works: ReadonlyMap<string, Work>,
): Promise<ReadonlyMap<string, Oid>> {
  const mayFilter = filterJudge(site, settings);
  const asked = wanted.filter(({ path, synced, head, target }) => {
    const work = works.get(path);
    if (work?.kind !== 'content' || work.stat.kind !== 'file') return false;
    return ![synced, head, target].some((entry) => entry?.oid === work.raw) && mayFilter(path);
  });
  const oids = new Map<string, Oid>();
  for (const [path, cleaned] of await cleanOids(site, asked.map(({ path }) => path), false)) {
    const work = works.get(path);
    const same = cleaned !== null && 'oid' in cleaned && work?.kind === 'content' && stampOf(work.stat) === cleaned.stamp;
    if (same) oids.set(path, cleaned.oid);
  }
  return oids;
}

function matches(entry: Entry | null, work: Work, clean: Oid | null, settings: Settings): boolean {
  if (entry === null || entry.mode === '160000') return work.kind === 'none';
  if (work.kind !== 'content') return false;
  const { stat, raw } = work;
  if (entry.mode === '120000') return raw === entry.oid && (stat.kind === 'symlink' || !settings.symlinks);
  if (stat.kind !== 'file' || (settings.fileMode && stat.executable !== (entry.mode === '100755'))) return false;
  return raw === entry.oid || clean === entry.oid;
}

// git shows a gitlink without a folder as deleted.
function needsFolder(site: Site, { path, target }: Wanted): boolean {
  return target?.mode === '160000' && statOf(workPath(site, path)) === null;
}

function exchangeOf(wanted: Wanted, work: Work): Exchange {
  return work.kind === 'content' ? { wanted, old: work.raw, stamp: stampOf(work.stat) } : { wanted, old: null, stamp: null };
}

function whyKept({ synced, head }: Wanted, work: Work): string {
  if (work.kind === 'none') return 'it is deleted here and changed at the hub';
  return synced === null && head === null ? 'a file of yours with other content stands there' : 'it is edited here and changed at the hub';
}
