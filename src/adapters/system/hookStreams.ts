/** Standard input and output of a hook, read and written at once: node's streams alone would cost a third of what a hook may. */
import { fstatSync, readSync, writeSync } from 'node:fs';

const CHUNK = 65_536;
const BYTES_MAX = 32 * 1024 * 1024;

/**
 * The JSON object on standard input; null where there is none. It is taken as whole when it parses: a CLI that leaves the pipe
 * open is not waited for. Never throws.
 */
export function readHookInput(): unknown {
  // A terminal would be waited for. Asking process.stdin would make it a stream, which costs more than all of this.
  if (isDevice()) return null;
  const chunks: Buffer[] = [];
  for (let total = 0; total < BYTES_MAX; ) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const length = readSome(chunk);
    if (length > 0) chunks.push(chunk.subarray(0, length));
    total += length;
    // While chunks come in full there is more to come, and parsing each time would be for nothing.
    if (length === CHUNK) continue;
    const found = length === 0 || endsObject(chunk, length) ? parsed(chunks) : undefined;
    if (found !== undefined || length === 0) return found ?? null;
  }
  return null;
}

function isDevice(): boolean {
  try {
    return fstatSync(0).isCharacterDevice();
  } catch {
    return true;
  }
}

/** 0 at the end, and where nothing can be read. */
function readSome(chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(0, chunk, 0, CHUNK, null);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') return 0;
      rest();
    }
  }
}

/** A pipe that does not wait: a thousandth of a second for whoever is at its other end. */
function rest(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

function endsObject(chunk: Buffer, length: number): boolean {
  return chunk.toString('latin1', Math.max(0, length - 8), length).trimEnd().endsWith('}');
}

function parsed(chunks: readonly Buffer[]): unknown {
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** Writes all of it; a reader that is gone needs nothing any more. */
export function writeHookOutput(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      rest();
    }
  }
}
