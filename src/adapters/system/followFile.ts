/**
 * Reading a file that grows. The folder is an agent's too: no link is followed and no pipe is waited for. Watch events only
 * say "look again", and a look comes at every poll anyway, so a lost event costs half a second.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { sleep } from './clock.ts';
import { watchPlain } from './watchPlain.ts';

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  /** It is shorter than what was read, or another file: what follows is its beginning. */
  | { readonly kind: 'cut' };

export interface FollowOptions {
  /** Asked before each look; after its first `true` what is there is read once more, and that is the end. */
  readonly ended: () => Promise<boolean>;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

const POLL_MS = 500;
const CHUNK_BYTES = 64 * 1024;

/** All that the file holds and comes to hold, in order. A file that is not there yet is waited for. */
export async function* followFile(path: string, { ended, signal, pollMs = POLL_MS }: FollowOptions): AsyncGenerator<Piece> {
  const bell = createBell(path);
  const at = { offset: 0, inode: '', decoder: new StringDecoder('utf8') };
  try {
    for (;;) {
      const over = await ended();
      yield* readOn(path, at);
      if (over || signal.aborted) return;
      await bell.ring(pollMs, signal);
      if (signal.aborted) return;
    }
  } finally {
    bell.close();
  }
}

interface Position {
  offset: number;
  inode: string;
  decoder: StringDecoder;
}

async function* readOn(path: string, at: Position): AsyncGenerator<Piece> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return;
  try {
    if (yield* isElsewhere(file, at)) Object.assign(at, { offset: 0, decoder: new StringDecoder('utf8') });
    for (const buffer = Buffer.alloc(CHUNK_BYTES); at.inode !== ''; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at.offset);
      if (bytesRead === 0) return;
      at.offset += bytesRead;
      yield { kind: 'text', text: at.decoder.write(buffer.subarray(0, bytesRead)) };
    }
  } finally {
    await file.close();
  }
}

async function* isElsewhere(file: FileHandle, at: Position): AsyncGenerator<Piece, boolean> {
  const stat = await file.stat();
  const before = at.inode;
  at.inode = stat.isFile() ? `${stat.dev}.${stat.ino}` : '';
  const isCut = before !== '' && (before !== at.inode || stat.size < at.offset);
  if (isCut) yield { kind: 'cut' };
  return isCut;
}

interface Bell {
  /** Resolves at the next change since the last ring, after `ms`, or when the signal aborts. */
  ring(ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

function createBell(path: string): Bell {
  let rung = new AbortController();
  const name = basename(path);
  const watcher = watchPlain(dirname(path), (changed) => {
    if (changed === null || changed === name || changed === 'end.json') rung.abort();
  });
  return {
    ring: async (ms, signal) => {
      await sleep(ms, AbortSignal.any([signal, rung.signal]));
      rung = new AbortController();
    },
    close: () => watcher?.close(),
  };
}

/** The first and the last bytes of a plain file, whole where it is small; null where there is none. */
export async function readEnds(path: string, headBytes: number, tailBytes: number): Promise<{ readonly head: string; readonly tail: string; readonly whole: boolean } | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return null;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return null;
    const part = async (from: number, length: number): Promise<string> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
      return buffer.toString('utf8', 0, bytesRead);
    };
    if (stat.size <= tailBytes) {
      const text = await part(0, stat.size);
      return { head: text, tail: text, whole: true };
    }
    return { head: await part(0, Math.min(headBytes, stat.size)), tail: await part(stat.size - tailBytes, tailBytes), whole: false };
  } finally {
    await file.close();
  }
}
