/**
 * The person's index: locked, built beside, put in place. Our `index.lock` is a hard link of the pass's own lock
 * file, so that it can always be told from git's: same inode, and that file names the owner. The same holds for the
 * index: `index.old` and `index.new` are links, git replaces an index only by rename, so an equal inode is proof.
 */
import { copyFileSync, linkSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Oid } from '../../model/ids.ts';
import { syncPath } from './durable.ts';
import { incomingFolder, indexOf, lockOf } from './pass.ts';
import type { Pass } from './pass.ts';
import { treeGit, tryTreeGit } from './site.ts';
import type { Site } from './site.ts';
import { git, tryGit } from '../git/run.ts';
import { codeOf, sameInode, statOf } from './stamp.ts';

const indexPath = (site: Site): string => join(site.gitDir, 'index');
const indexLockPath = (site: Site): string => join(site.gitDir, 'index.lock');

/** Takes `index.lock`; false while another git command holds it. */
export function takeIndexLock(site: Site, pass: Pass): boolean {
  try {
    linkSync(lockOf(pass), indexLockPath(site));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return holdsIndexLock(site, pass);
    throw error;
  }
}

export function holdsIndexLock(site: Site, pass: Pass): boolean {
  return sameInode(statOf(indexLockPath(site)), statOf(lockOf(pass)));
}

export function releaseIndexLock(site: Site, pass: Pass): void {
  if (holdsIndexLock(site, pass)) rmSync(indexLockPath(site));
}

/**
 * Builds `index.new` from the person's index with every path that differs between the trees moved to its target
 * entry, the skipped ones too: nothing may look staged afterwards. Flags of the person's (skip-worktree) stay. False
 * when an entry is not that of `head`: something was staged since it was looked at.
 */
export async function buildIndex(site: Site, pass: Pass, head: Oid, target: Oid): Promise<boolean> {
  copyFileSync(indexPath(site), indexOf(pass, 'new'));
  if (head === target) return true;
  return (await tryTreeGit(site, ['read-tree', '-i', '-m', head, target], { env: newIndex(pass) })).code === 0;
}

/**
 * Writes the target's files below `incoming/` as git would check them out: modes, symlinks, line endings, LFS, by the
 * attributes of the target. One process for all; a file whose filter fails ends it, is left out, and the rest goes on.
 */
export async function checkOutIncoming(site: Site, pass: Pass, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const troubles = new Map<string, string>();
  const folder = incomingFolder(pass);
  let rest = [...paths];
  while (rest.length > 0) {
    const said = await tryGit(
      // One worker, so that files come in order and the first one missing is the one that failed.
      ['-c', 'checkout.workers=1', '--work-tree', folder, 'checkout-index', '-z', '--stdin', '--ignore-skip-worktree-bits'],
      { cwd: folder, gitDir: site.gitDir, env: newIndex(pass), input: rest.map((path) => `${path}\0`).join('') },
    );
    const missing = rest.findIndex((path) => statOf(join(folder, path)) === null);
    if (said.code === 0 && missing === -1) break;
    if (missing === -1) break;
    troubles.set(rest[missing] ?? '', said.stderr.trim().split('\n').at(-1) ?? 'git wrote nothing');
    rest = rest.slice(missing + 1);
  }
  return troubles;
}

/**
 * Fills in the stat data of the files that were exchanged, so that `git status` need not read them, and marks those that
 * stay out of a sparse work tree, so that it does not call them deleted.
 */
export async function refreshIndex(site: Site, pass: Pass, leftOut: readonly string[]): Promise<void> {
  const mark = leftOut.length === 0 ? [] : ['--skip-worktree', '-z', '--stdin'];
  // Status 1 only says that some files differ: the person's edits.
  await treeGit(site, ['update-index', '-q', '--refresh', ...mark], { env: newIndex(pass), ok: [0, 1], input: leftOut.map((path) => `${path}\0`).join('') });
}

/** Keeps a link to the index as it is, so that it can be told and put back. */
export function keepOldIndex(site: Site, pass: Pass): void {
  linkSync(indexPath(site), indexOf(pass, 'old'));
}

export function placeNewIndex(site: Site, pass: Pass): void {
  exchangeIndex(site, pass, 'new');
}

export function placeOldIndex(site: Site, pass: Pass): void {
  exchangeIndex(site, pass, 'old');
}

function exchangeIndex(site: Site, pass: Pass, which: 'old' | 'new'): void {
  // A second link is renamed over the index; the first stays as the proof of whose index it is.
  const link = `${indexOf(pass, which)}.link`;
  rmSync(link, { force: true });
  linkSync(indexOf(pass, which), link);
  renameSync(link, indexPath(site));
  syncPath(site.gitDir);
}

export function indexIs(site: Site, pass: Pass, which: 'old' | 'new'): boolean {
  return sameInode(statOf(indexPath(site)), statOf(indexOf(pass, which)));
}

/** Moves the branch by old value (PROTOCOL P11); false when it is not there any more. */
export async function moveBranch(site: Site, ref: string, target: Oid, head: Oid): Promise<boolean> {
  const said = await tryGit(['update-ref', '-m', 'cambium: advance', ref, target, head], { gitDir: site.gitDir });
  if (said.code === 0) return true;
  const now = await git(['for-each-ref', '--format=%(objectname)', ref], { gitDir: site.gitDir });
  return now.stdout.toString('utf8').trim() === target;
}

export const newIndex = (pass: Pass): Record<string, string> => ({ GIT_INDEX_FILE: indexOf(pass, 'new') });
