/** Whole-or-nothing files: a temporary file beside the target, fsync, rename, fsync of the folder. */
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CambiumError } from '../../errors.ts';

export interface WholeOptions {
  /** False skips both fsyncs: for files that a power cut may take, such as a deadline of a dead boot. */
  readonly durable?: boolean;
  readonly mode?: number;
}

/** Temporary files left by a crash have this start of the name, and are nobody's. */
export const TEMPORARY = '.tmp-';
let made = 0;

/** Replaces `path` so that a reader sees the old text or the new, never a part. Throws `disk-full`. */
export async function writeWhole(path: string, text: string, options: WholeOptions = {}): Promise<void> {
  const durable = options.durable ?? true;
  made += 1;
  const temporary = join(dirname(path), `${TEMPORARY}${process.pid}-${made}-${basename(path)}`);
  try {
    await fill(temporary, text, durable, options.mode ?? 0o600);
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    throw explain(path, cause);
  }
  if (durable) await syncFolder(dirname(path));
}

async function fill(path: string, text: string, durable: boolean, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text, 'utf8');
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename or an unlink in the folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function explain(path: string, cause: unknown): unknown {
  const code = errnoOf(cause);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause;
  return new CambiumError('disk-full', `${path} could not be written: the disk is full.`, { hint: 'Free some space; the node goes on by itself.', cause });
}

/** The system's error name (`ENOENT`), or undefined for anything else. */
export function errnoOf(cause: unknown): string | undefined {
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
}
