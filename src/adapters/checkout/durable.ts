/** fsync: what was written or renamed survives a power cut. */
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';

/** Of a file or a folder; never through a symlink. */
export function syncPath(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
