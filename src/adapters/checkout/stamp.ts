/** What a file is right now: its stat, its stamp (equal stamps mean untouched), its raw bytes and their oid. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';

export type FileKind = 'file' | 'folder' | 'symlink' | 'other';

export interface FileStat {
  readonly kind: FileKind;
  readonly size: number;
  readonly executable: boolean;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export type ObjectFormat = Store['objectFormat'];

const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR']);
export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
export const isGone = (error: unknown): boolean => GONE.has(codeOf(error));

/** The stat of the path itself, never of what a symlink points to; null where nothing stands. Other errors are thrown. */
export function statOf(path: string): FileStat | null {
  try {
    return fromStats(lstatSync(path, { bigint: true }));
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

function fromStats(stats: BigIntStats): FileStat {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'symlink' : 'other';
  return {
    kind, size: Number(stats.size), executable: (stats.mode & 0o100n) !== 0n,
    dev: stats.dev, ino: stats.ino, mtimeNs: stats.mtimeNs, ctimeNs: stats.ctimeNs,
  };
}

export function stampOf(stat: FileStat): string {
  return `${stat.ino}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs}.${stat.executable ? 'x' : '-'}.${stat.kind}`;
}

export const sameInode = (a: FileStat | null, b: FileStat | null): boolean => a !== null && b !== null && a.ino === b.ino && a.dev === b.dev;

/**
 * Calls `use` with the open file. Opened without following a symlink and without waiting for the other end of a
 * FIFO: the path may have been exchanged since it was looked at. Null when it is no regular file (any more), when it
 * changed while it was used, or when it does not have the `stamp` that was asked for.
 */
function withFile<T>(path: string, stamp: string | undefined, use: (fd: number, size: number) => T): T | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isGone(error) || codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') return null;
    throw error;
  }
  try {
    const before = fromStats(fstatSync(fd, { bigint: true }));
    if (before.kind !== 'file' || (stamp !== undefined && stampOf(before) !== stamp)) return null;
    const used = use(fd, before.size);
    return stampOf(fromStats(fstatSync(fd, { bigint: true }))) === stampOf(before) ? used : null;
  } finally {
    closeSync(fd);
  }
}

/** The bytes of a regular file, or null when it changed meanwhile or is none. */
export function bytesOf(path: string, stamp?: string): Uint8Array | null {
  return withFile(path, stamp, (fd, size) => {
    const bytes = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      const count = readSync(fd, bytes, at, size - at, at);
      if (count === 0) break;
      at += count;
    }
    return at === size ? bytes : null;
  });
}

/** The oid that the raw bytes of a file, or the text of a symlink, have as a blob; null when it changed meanwhile or is neither. */
export function rawOidOf(path: string, kind: FileKind, format: ObjectFormat, stamp?: string): Oid | null {
  if (kind === 'symlink') return symlinkOid(path, format);
  return withFile(path, stamp, (fd, size) => {
    const hash = createHash(format).update(`blob ${size}\0`);
    const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(size, 1 << 18)));
    let left = size;
    while (left > 0) {
      const count = readSync(fd, chunk, 0, Math.min(chunk.length, left), null);
      if (count === 0) return null;
      hash.update(chunk.subarray(0, count));
      left -= count;
    }
    return hash.digest('hex');
  });
}

function symlinkOid(path: string, format: ObjectFormat): Oid | null {
  try {
    const text = readlinkSync(path, { encoding: 'buffer' });
    return createHash(format).update(`blob ${text.length}\0`).update(text).digest('hex');
  } catch (error) {
    if (isGone(error) || codeOf(error) === 'EINVAL') return null;
    throw error;
  }
}
