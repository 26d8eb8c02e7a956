/**
 * The exchange of one file without ever losing a byte (PROTOCOL P11). The file that stands there is moved aside by
 * rename(2), so that whatever a person saved up to that instant is in our hand and not overwritten; its content is
 * read again; only then the new one is put in place by link(2), which fails where a person saved in between: theirs
 * stays. What is not the expected content goes back the same way. All of it is synchronous: the path is empty for
 * microseconds, and nothing of ours runs in between.
 *
 * A step is always in one of these states, told from the files alone:
 *   not begun      no displaced file; the work file is not ours
 *   displaced      displaced file, nothing at the path                        → undo links it back
 *   done           displaced file (or none was there), the work file is ours  → undo displaces ours, links it back
 *   overtaken      displaced file, the work file is the person's              → stays; the displaced one is looked at later
 */
import { linkSync, mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from './intent.ts';
import { displacedFolder, incomingFolder } from './pass.ts';
import type { Pass } from './pass.ts';
import { makeParents, parentState, removeEmptyFolders, removeEmptyParents } from './paths.ts';
import { workPath } from './site.ts';
import type { Site } from './site.ts';
import { codeOf, isGone, rawOidOf, sameInode, stampOf, statOf } from './stamp.ts';
import type { Oid } from '../../model/ids.ts';

const CHANGED = 'it was saved in the very moment of the exchange';

export const displacedPath = (pass: Pass, step: Step): string => join(displacedFolder(pass), String(step.slot));
/** Where a file of ours goes when a step is undone. */
export const undonePath = (pass: Pass, step: Step): string => `${displacedPath(pass, step)}.undone`;
const incomingPath = (pass: Pass, step: Step): string => join(incomingFolder(pass), step.path);

/** Does one step. `stamp` is that of the expected file. Returns why the path is left to the person, or null. */
export function exchange(site: Site, pass: Pass, step: Step, stamp: string | null): string | null {
  const parents = parentState(site.root, step.path);
  if (parents.state === 'blocked') return parents.reason;
  const work = workPath(site, step.path);
  if (step.old !== null) {
    const stat = statOf(work);
    if (stat === null || stampOf(stat) !== stamp) return CHANGED;
    const trouble = displace(site, work, displacedPath(pass, step), step.old);
    if (trouble !== null) return trouble;
  }
  if (step.next === null && !step.folder) return null;
  const trouble = makeParents(site.root, step.path) ?? place(pass, step, work);
  if (trouble !== null && step.old !== null) putBack(displacedPath(pass, step), work);
  return trouble;
}

/** Undoes a step as far as it was done. What a person has put at the path since then stays. */
export function undo(site: Site, pass: Pass, step: Step): void {
  const work = workPath(site, step.path);
  if (parentState(site.root, step.path).state === 'blocked') return;
  if (step.folder) removeEmptyFolders(work);
  if (step.next !== null && isOurs(pass, step, work) && displace(site, work, undonePath(pass, step), step.next) !== null) return;
  if (step.old === null) removeEmptyParents(site.root, step.path);
  else if (statOf(displacedPath(pass, step)) !== null && makeParents(site.root, step.path) === null) putBack(displacedPath(pass, step), work);
}

/** The work file is the very file that this step put there. */
export function isOurs(pass: Pass, step: Step, work: string): boolean {
  const [there, incoming] = [statOf(work), statOf(incomingPath(pass, step))];
  if (there?.kind === 'symlink' && incoming?.kind === 'symlink') return readlinkSync(work) === readlinkSync(incomingPath(pass, step));
  return sameInode(there, incoming);
}

/** Moves the file aside; back again unless it holds the expected bytes. */
function displace(site: Site, work: string, aside: string, expected: Oid): string | null {
  try {
    renameSync(work, aside);
  } catch (error) {
    if (isGone(error)) return 'it was deleted in the very moment of the exchange';
    if (codeOf(error) === 'EXDEV') return 'it is on another file system than the rest of the checkout';
    throw error;
  }
  const moved = statOf(aside);
  if (moved !== null && rawOidOf(aside, moved.kind, site.store.objectFormat) === expected) return null;
  putBack(aside, work);
  return CHANGED;
}

function place(pass: Pass, step: Step, work: string): string | null {
  try {
    // Folders of the person's without a file in them stand in nobody's way.
    removeEmptyFolders(work);
    if (step.folder) mkdirSync(work);
    else linkExclusively(incomingPath(pass, step), work);
    return null;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return step.old === null ? 'something of yours stands there already' : CHANGED;
    if (codeOf(error) === 'EXDEV') return 'it is on another file system than the rest of the checkout';
    if (isGone(error)) return 'its folder was removed in the very moment of the exchange';
    throw error;
  }
}

/** Puts a displaced file back unless a person has saved another one by now: then both are kept, theirs at the path. */
function putBack(aside: string, work: string): void {
  try {
    if (statOf(aside)?.kind === 'folder') {
      if (statOf(work) === null) renameSync(aside, work);
      return;
    }
    linkExclusively(aside, work);
    unlinkSync(aside);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && !isGone(error)) throw error;
  }
}

/** Fails with EEXIST where anything stands, a dangling symlink too. */
function linkExclusively(from: string, to: string): void {
  // link(2) on a symlink would link what it points to on some systems.
  if (statOf(from)?.kind === 'symlink') symlinkSync(readlinkSync(from), to);
  else linkSync(from, to);
}
