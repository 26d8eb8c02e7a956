/** Copying folders that pulled trees and agents have written: nothing is read or written through a symlink that leaves its folder. */
import { constants } from 'node:fs';
import { cp, lstat, mkdir, readlink } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

/** The first part of a relative path that is a symlink below `root`, or null; parts that do not exist are none. */
export async function symlinkOn(root: string, path: string): Promise<string | null> {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  for (let at = 1; at <= segments.length; at++) {
    const part = segments.slice(0, at).join('/');
    if ((await lstat(join(root, part)).catch(() => null))?.isSymbolicLink() === true) return part;
  }
  return null;
}

/** True when `path` is `root` or below it, after every `..` is resolved. */
function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (!way.startsWith('..') && !way.startsWith('/'));
}

/**
 * Copies the file or folder at a relative path of one tree to the same path of another, sharing blocks where the file
 * system can. Relative symlinks that stay within the tree come along as they are. Returns the paths that were left out:
 * other symlinks, sockets, devices.
 */
export async function copyInside(from: string, to: string, path: string): Promise<readonly string[]> {
  const left: string[] = [];
  await mkdir(dirname(join(to, path)), { recursive: true });
  await cp(join(from, path), join(to, path), {
    recursive: true, verbatimSymlinks: true, force: false, errorOnExist: false, mode: constants.COPYFILE_FICLONE,
    async filter(source) {
      const may = await mayCopy(from, source);
      if (!may) left.push(relative(from, source));
      return may;
    },
  });
  return left;
}

async function mayCopy(root: string, path: string): Promise<boolean> {
  const found = await lstat(path);
  if (found.isFile() || found.isDirectory()) return true;
  if (!found.isSymbolicLink()) return false;
  const target = await readlink(path);
  return !target.startsWith('/') && isInside(root, resolve(dirname(path), target));
}
