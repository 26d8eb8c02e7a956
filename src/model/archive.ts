/**
 * Where ended tasks and their chains go (PROTOCOL P9, docs/decisions/0010-archive.md). Their files move to a folder of the
 * day they ended; their chains are folded into one ref a month, whose tree says where each task's chain ends. Pure.
 */
import { fnv1a } from './hash.ts';
import type { Oid, TaskId } from './ids.ts';
import { ARCHIVE_PREFIX, RESCUE_PREFIX, REVIEW_BRANCHES, REVIEW_PREFIX, STALE_PREFIX, WIP_PREFIX } from './layout.ts';

export const ARCHIVE_FOLDER = 'tasks/archive';

/** Where the archived files of one task stand; each null where there is none. */
export interface ArchivedFiles {
  readonly instruction: string | null;
  readonly result: string | null;
  /** Stands where a task was taken out again: its id was used, and its chain goes on from the archive. */
  readonly reopened: string | null;
}

const LAST_DAY_MS = Date.UTC(9999, 11, 31);

/** `2026-11/21` of milliseconds since 1970, UTC. */
export function archiveDay(ms: number): string {
  const day = new Date(Math.min(Math.max(ms, 0), LAST_DAY_MS)).toISOString();
  return `${day.slice(0, 7)}/${day.slice(8, 10)}`;
}

/** `tasks/archive/2026-11/21/add-login.md` */
export const archivedPath = (task: TaskId, day: string): string => `${ARCHIVE_FOLDER}/${day}/${task}.md`;

const REOPENED = '.reopened.json';

/** Beside the place that the archived file had. */
export const reopenedPath = (task: TaskId, archived: string): string => `${archived.slice(0, archived.lastIndexOf('/') + 1)}${task}${REOPENED}`;

/** Which task a file name of the archive speaks of, and as what; null for any other file. */
export function archivedName(name: string): { readonly task: TaskId; readonly kind: keyof ArchivedFiles } | null {
  if (name.endsWith(REOPENED)) return { task: name.slice(0, -REOPENED.length), kind: 'reopened' };
  if (name.endsWith('.result.md')) return { task: name.slice(0, -'.result.md'.length), kind: 'result' };
  return name.endsWith('.md') && name !== 'README.md' ? { task: name.slice(0, -'.md'.length), kind: 'instruction' } : null;
}

/** `2026-11` of a path below the archive; `''` for a file that stands outside the months. */
export function archivedMonth(path: string): string {
  return /^tasks\/archive\/(\d{4}-\d{2})\//.exec(path)?.[1] ?? '';
}

export const archiveRef = (month: string): string => `${ARCHIVE_PREFIX}${month}`;
export const monthOf = (ms: number): string => archiveDay(ms).slice(0, 7);

/** The path of a task's entry in the tree of an archive commit: 256 folders keep each commit of a month small. */
export function chainEntry(task: TaskId, name: string = task): string {
  return `${fnv1a(task).toString(16).padStart(8, '0').slice(0, 2)}/${name}`;
}

/** Work that is kept on the hub beside the chains. `task` is null where it belongs to none. */
export interface Pin {
  readonly ref: string;
  readonly oid: Oid;
  readonly task: TaskId | null;
  /** Its place in the tree of an archive commit: `3f/add-login.wip.2`, `rescue/vm-a.01JD…`. */
  readonly entry: string;
}

const BY_EPOCH: readonly (readonly [prefix: string, kind: string])[] = [[WIP_PREFIX, 'wip'], [STALE_PREFIX, 'stale'], [REVIEW_PREFIX, 'review']];

/** What a ref pins, or null where it is none of these. An id holds no dot, so no entry is mistaken for a chain's. */
export function pinOf(ref: string, oid: Oid): Pin | null {
  for (const [prefix, kind] of BY_EPOCH) {
    const found = ref.startsWith(prefix) ? /^([^/]+)\/(\d+)$/.exec(ref.slice(prefix.length)) : null;
    if (found?.[1] !== undefined) return { ref, oid, task: found[1], entry: chainEntry(found[1], `${found[1]}.${kind}.${found[2]}`) };
  }
  if (ref.startsWith(REVIEW_BRANCHES)) {
    const task = ref.slice(REVIEW_BRANCHES.length);
    return task.includes('/') ? null : { ref, oid, task, entry: chainEntry(task, `${task}.review`) };
  }
  const rescue = ref.startsWith(RESCUE_PREFIX) ? /^([^/]+)\/([^/]+)$/.exec(ref.slice(RESCUE_PREFIX.length)) : null;
  return rescue === null ? null : { ref, oid, task: null, entry: `rescue/${rescue[1]}.${rescue[2]}` };
}

const ULID = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Milliseconds since 1970 of the ULID that a ref name ends in; null for another name. */
export function ulidTime(ref: string): number | null {
  const time = /(?:^|\/)([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}$/.exec(ref)?.[1];
  return time === undefined ? null : [...time].reduce((sum, character) => sum * 32 + ULID.indexOf(character), 0);
}
