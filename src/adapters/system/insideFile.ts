/** Files of a person's folder by their path inside it: never through a symlink, never outside. */
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { CambiumError } from '../../errors.ts';

/** The bytes of a plain file, or null where there is none. Throws `refused` for a symlink on the way. */
export async function readInside(root: string, path: string): Promise<Uint8Array | null> {
  await requireInside(root, path);
  try {
    const file = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return (await file.stat()).isFile() ? await file.readFile() : null;
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return null;
    throw new CambiumError('refused', `${path} cannot be read.`, { hint: 'It must be a plain file of this folder that you may read.', cause });
  }
}

/** Whole or not at all: a watcher never sees half of it. Throws `refused`. */
export async function writeInside(root: string, path: string, text: string): Promise<void> {
  await requireInside(root, path);
  const target = join(root, path);
  // A leading dot keeps the half-written file from being taken for a task.
  const half = join(dirname(target), `.${Date.now()}-${process.pid}.tmp`);
  try {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(half, text, { flag: 'wx' });
    await rename(half, target);
  } catch (cause) {
    await rm(half, { force: true }).catch(() => undefined);
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw cause;
    throw new CambiumError('refused', `${path} cannot be written.`, { hint: 'It must be a plain file, or none yet, in a folder that you may write to.', cause });
  }
}

/** A file that stands under a hidden name while it is decided what becomes of it. */
export interface SetAside {
  /** Its path meanwhile. */
  readonly path: string;
  /** Puts it back, unless somebody has written another one there by now: then both stay. */
  restore(): Promise<void>;
  discard(): Promise<void>;
}

/** Takes a file out of sight, so that nobody takes it for a task and nothing is lost whatever happens; null when it does not hold these bytes any more. */
export async function setAside(root: string, path: string, bytes: Uint8Array): Promise<SetAside | null> {
  const now = await readInside(root, path);
  if (now === null || Buffer.compare(now, bytes) !== 0) return null;
  const hidden = join(dirname(path), `.${Date.now()}-${process.pid}.${basename(path)}`);
  await rename(join(root, path), join(root, hidden));
  return {
    path: hidden,
    async restore() {
      try {
        await link(join(root, hidden), join(root, path));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return;
        throw cause;
      }
      await rm(join(root, hidden));
    },
    discard: () => rm(join(root, hidden), { force: true }),
  };
}

async function requireInside(root: string, path: string): Promise<void> {
  const top = await realpath(root);
  const segments = path.split('/');
  if (path.startsWith('/') || segments.includes('..') || segments.includes('')) throw new CambiumError('usage', `${path} is not a path inside the workspace.`, { hint: 'Write it relative to the top of the workspace.' });
  for (let depth = 1; depth < segments.length; depth++) {
    const folder = join(top, ...segments.slice(0, depth));
    const state = await lstat(folder).catch(() => null);
    if (state === null) return;
    if (state.isSymbolicLink() || !(await realpath(folder)).startsWith(top + sep)) throw new CambiumError('refused', `${path} leads through the symlink ${segments.slice(0, depth).join('/')}.`, { hint: 'Name the file where it really stands.' });
  }
}
