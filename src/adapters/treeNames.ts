/** Names that no tree may hold: they would leave the work tree or write into `.git` when checked out. Pure. */
import { CambiumError } from '../errors.ts';

/** Code points that HFS+ drops when it compares names, so that `.g\u200cit` opens `.git` there. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** NTFS drops trailing dots, spaces and stream names, and knows `.git` by its short name. */
const NTFS_DOT_GIT = /^(?:\.git|git~1)[ .]*(?::.*)?$/i;

/** Throws `bad-file` for `''`, `.`, `..`, a slash, NUL, and `.git` in any spelling that a file system takes for it. */
export function checkTreeName(name: string, path: string): void {
  if (!isEvil(name)) return;
  throw new CambiumError('bad-file', `${JSON.stringify(path)} is no path that a tree may hold.`, {
    hint: 'Use a relative path without "..", empty parts or ".git".', data: { path },
  });
}

/** The checked parts of a path. */
export function splitPath(path: string): string[] {
  const parts = path.split('/');
  for (const part of parts) checkTreeName(part, path);
  return parts;
}

function isEvil(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) return true;
  if (!/git/i.test(name.replace(HFS_IGNORED, ''))) return false;
  if (name.replace(HFS_IGNORED, '').toLowerCase() === '.git') return true;
  return name.split('\\').some((piece) => NTFS_DOT_GIT.test(piece));
}
