/**
 * What an agent prints, kept redacted. Lines of the two streams are never mixed within a line, because CLIs
 * report in JSON lines. The log keeps its beginning (session ids stand there) and its end (the outcome stands
 * there); what is between goes when it grows over its cap.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { lineRedactor } from './redact.ts';

const TAIL_BYTES = 64 * 1024;
/** A longer line is written in pieces. */
const LINE_CHARS_MAX = 1024 * 1024;
/** Held back where a long line is cut, so that no credential falls on the cut. */
const OVERLAP_CHARS = 4096;

export interface OutputLog {
  /** A sink for one stream; call it with null at the stream's end. */
  stream(): (chunk: Buffer | null) => void;
  /** A line of the supervisor's own. */
  note(line: string): void;
  /** Writes what was held back and closes. Returns the last 64 KiB. */
  finish(): string;
}

/** Lines that hold one of `passOver` are left out: pieces of an answer that comes whole later, thousands of them. */
export function openOutputLog(path: string, bytesMax: number, secrets: readonly string[], passOver: readonly string[] = []): OutputLog {
  const file = openSync(path, 'a', 0o600);
  const headMax = Math.ceil(bytesMax / 2);
  const ring = createRing(Math.max(bytesMax - headMax, TAIL_BYTES));
  const tail = createRing(TAIL_BYTES);
  const open = new Set<(chunk: null) => void>();
  let written = 0;
  const keep = (text: string): void => {
    const bytes = Buffer.from(text);
    tail.add(bytes);
    if (ring.isEmpty() && written + bytes.length <= headMax) written += writeQuietly(file, bytes);
    else ring.add(bytes);
  };
  return {
    stream: () => {
      const sink = lineSink(keep, lineRedactor(secrets), (line) => !passOver.some((mark) => line.includes(mark)));
      open.add(sink);
      return sink;
    },
    note: (line) => keep(`${line}\n`),
    finish: () => {
      for (const sink of open) sink(null);
      if (ring.dropped() > 0) writeQuietly(file, Buffer.from(`\n[cambium: ${ring.dropped()} bytes left out]\n`));
      writeQuietly(file, ring.take());
      closeSync(file);
      return tail.take().toString('utf8').replace(/^\uFFFD+/, '');
    },
  };
}

/** A full disk costs the log, not the agent: the tail still goes into the end record. */
function writeQuietly(file: number, bytes: Buffer): number {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } catch {
    return bytes.length;
  }
  return bytes.length;
}

function lineSink(keep: (text: string) => void, redactLine: (line: string) => string, isKept: (line: string) => boolean): (chunk: Buffer | null) => void {
  const decoder = new StringDecoder('utf8');
  let held = '';
  return (chunk) => {
    held += chunk === null ? decoder.end() : decoder.write(chunk);
    const cut = chunk === null ? held.length : cutOf(held);
    if (cut === 0) return;
    const lines = held.slice(0, cut).split(/(?<=\n)/).filter(isKept);
    held = held.slice(cut);
    keep(lines.map(redactLine).join(''));
  };
}

function cutOf(held: string): number {
  const lineEnd = held.lastIndexOf('\n') + 1;
  return held.length - lineEnd <= LINE_CHARS_MAX ? lineEnd : held.length - OVERLAP_CHARS;
}

interface Ring {
  add(bytes: Buffer): void;
  take(): Buffer;
  isEmpty(): boolean;
  dropped(): number;
}

/** The last `bytesMax` bytes of what was added. */
function createRing(bytesMax: number): Ring {
  let chunks: Buffer[] = [];
  let size = 0;
  let dropped = 0;
  const trim = (): void => {
    const all = Buffer.concat(chunks);
    const kept = all.subarray(Math.max(0, all.length - bytesMax));
    dropped += all.length - kept.length;
    chunks = [kept];
    size = kept.length;
  };
  return {
    add: (bytes) => {
      if (bytes.length === 0) return;
      chunks.push(bytes);
      size += bytes.length;
      // Twice the size before cutting, so that each byte is copied about once.
      if (size > 2 * bytesMax) trim();
    },
    take: () => {
      trim();
      return chunks[0] ?? Buffer.alloc(0);
    },
    isEmpty: () => size === 0,
    dropped: () => {
      trim();
      return dropped;
    },
  };
}
