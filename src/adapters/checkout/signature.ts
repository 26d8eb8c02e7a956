/**
 * One string that changes whenever HEAD, the branch, the index or the state of a git operation may have changed,
 * read without a git process. HEAD and the loose ref are compared by content, the index by its stat and by the
 * checksum that git writes at its end; what git replaces, it replaces by rename, so an inode and its times tell.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { branchRef } from '../../model/layout.ts';
import type { Site } from './site.ts';
import { isGone, stampOf, statOf } from './stamp.ts';

const CHECKSUM_BYTES = 32;

export function signatureOf(site: Site): string {
  const tables = [site.commonDir, site.gitDir].map((folder) => textOf(join(folder, 'reftable', 'tables.list')));
  return JSON.stringify([
    textOf(join(site.gitDir, 'HEAD')), textOf(join(site.commonDir, branchRef(site.branch))), stampAt(join(site.commonDir, 'packed-refs')),
    ...tables, indexSignature(site),
  ]);
}

/** Changes with every index that git (or we) put in place. The ctime is left out: a hard link of ours moves it. */
export function indexSignature(site: Site): string {
  const path = join(site.gitDir, 'index');
  const stat = statOf(path);
  return stat === null ? '-' : `${stat.ino}.${stat.size}.${stat.mtimeNs}.${checksumOf(path)}`;
}

function checksumOf(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (isGone(error)) return '-';
    throw error;
  }
  try {
    const end = Buffer.alloc(CHECKSUM_BYTES);
    const count = readSync(fd, end, 0, CHECKSUM_BYTES, Math.max(0, fstatSync(fd).size - CHECKSUM_BYTES));
    return end.subarray(0, count).toString('hex');
  } finally {
    closeSync(fd);
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

function stampAt(path: string): string {
  const stat = statOf(path);
  return stat === null ? '-' : stampOf(stat);
}

const OPERATIONS: readonly (readonly [file: string, reason: string])[] = [
  ['MERGE_HEAD', 'a merge is under way'],
  ['rebase-merge', 'a rebase is under way'],
  ['rebase-apply/applying', 'git am is under way'],
  ['rebase-apply', 'a rebase is under way'],
  ['CHERRY_PICK_HEAD', 'a cherry-pick is under way'],
  ['REVERT_HEAD', 'a revert is under way'],
  ['sequencer', 'a series of cherry-picks or reverts is under way'],
  ['BISECT_LOG', 'a bisect is under way'],
];

/** The git operation that is under way, in plain words, or null. */
export function operationUnderWay(site: Site): string | null {
  const found = OPERATIONS.find(([file]) => existsSync(join(site.gitDir, file)));
  return found === undefined ? null : found[1];
}
