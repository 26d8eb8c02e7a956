/** Parses the answers of `git cat-file --batch-command`, in whatever pieces they arrive. */
import { constants } from 'node:buffer';
import type { ObjectType } from './objects.ts';

export type BatchAnswer =
  /** `body` is null where only the header was asked for, or where it is larger than this process can hold. */
  | { readonly found: true; readonly type: ObjectType; readonly size: number; readonly body: Buffer | null }
  | { readonly found: false };

const HEADER = /^[0-9a-f]+ (blob|tree|commit|tag) (\d+)$/;
const NEWLINE = 0x0a;

interface Body {
  readonly type: ObjectType;
  readonly size: number;
  readonly bytes: Buffer | null;
  filled: number;
}

/**
 * `wantsBody` tells, at each header, whether a body follows it: git's answer does not say which of its two
 * commands it belongs to.
 */
export function batchParser(wantsBody: () => boolean, onAnswer: (answer: BatchAnswer) => void): (chunk: Buffer) => void {
  let header = '';
  let body: Body | null = null;

  function readHeader(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(NEWLINE, at);
    header += chunk.toString('latin1', at, end < 0 ? chunk.length : end);
    if (end < 0) return chunk.length;
    const found = HEADER.exec(header);
    header = '';
    if (found === null) onAnswer({ found: false });
    else startBody(found[1] as ObjectType, Number(found[2]));
    return end + 1;
  }

  function startBody(type: ObjectType, size: number): void {
    if (!wantsBody()) onAnswer({ found: true, type, size, body: null });
    else body = { type, size, bytes: size > constants.MAX_LENGTH ? null : Buffer.allocUnsafe(size), filled: 0 };
  }

  /** The body is followed by one newline, which belongs to neither. */
  function fillBody(chunk: Buffer, at: number, into: Body): number {
    const end = Math.min(chunk.length, at + into.size + 1 - into.filled);
    if (into.bytes !== null) chunk.copy(into.bytes, into.filled, at, end);
    into.filled += end - at;
    if (into.filled === into.size + 1) {
      body = null;
      onAnswer({ found: true, type: into.type, size: into.size, body: into.bytes });
    }
    return end;
  }

  return (chunk) => {
    for (let at = 0; at < chunk.length; ) at = body === null ? readHeader(chunk, at) : fillBody(chunk, at, body);
  };
}
