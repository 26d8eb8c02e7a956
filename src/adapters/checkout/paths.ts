/** Folders of the work tree on the way to a path: made, checked and removed without ever passing through a symlink. */
import { lstatSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, isGone, statOf } from './stamp.ts';

/** `a/b/c.md` → [`a`, `a/b`]. */
export function startsOf(path: string): string[] {
  const segments = path.split('/');
  return segments.slice(1).map((_, at) => segments.slice(0, at + 1).join('/'));
}

export type ParentState =
  | { readonly state: 'folders' }
  /** Some folder on the way does not exist. */
  | { readonly state: 'absent' }
  /** `at` is no folder but a symlink or a file: what lies behind it is not of this tree. */
  | { readonly state: 'blocked'; readonly at: string; readonly reason: string };

export function parentState(root: string, path: string): ParentState {
  for (const start of startsOf(path)) {
    const stat = statOf(join(root, start));
    if (stat === null) return { state: 'absent' };
    if (stat.kind === 'symlink') return { state: 'blocked', at: start, reason: `its folder ${start} is a symlink` };
    if (stat.kind !== 'folder') return { state: 'blocked', at: start, reason: `${start} is a file and no folder here` };
  }
  return { state: 'folders' };
}

/** Makes the folders on the way to a path. Returns why it cannot be done, or null. */
export function makeParents(root: string, path: string): string | null {
  for (const start of startsOf(path)) {
    const at = join(root, start);
    try {
      mkdirSync(at);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') return `its folder ${start} cannot be made (${codeOf(error) ?? 'unknown'})`;
      if (!lstatSync(at).isDirectory()) return `${start} is no folder here`;
    }
  }
  return null;
}

/** Removes the folders on the way to a path that are empty now, as git does. One with anything in it stays. */
export function removeEmptyParents(root: string, path: string): void {
  for (const start of startsOf(path).toReversed()) {
    if (!removeIfEmpty(join(root, start))) return;
  }
}

/** Removes a folder that holds nothing but empty folders. */
export function removeEmptyFolders(path: string): boolean {
  if (statOf(path)?.kind !== 'folder') return false;
  for (const name of readdirSync(path)) {
    if (!removeEmptyFolders(join(path, name))) return false;
  }
  return removeIfEmpty(path);
}

function removeIfEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return isGone(error);
  }
}
