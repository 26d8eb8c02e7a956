/**
 * Bytes become text here or are set aside. What git stores is read fatally: a lossy decode would silently write
 * back other bytes than a person saved, and NUL, BOM or CR make two readers of one file see two files.
 */
import type { Quarantined } from '../model/task.ts';

/** A task file larger than this is not read at all. */
export const FILE_BYTES_MAX = 1_048_576;
export const FRONT_MATTER_BYTES_MAX = 65_536;

export function isQuarantined(value: string | object | null | undefined): value is Quarantined {
  return typeof value === 'object' && value !== null && 'mend' in value && 'reason' in value;
}

export function tooLarge(path: string, bytes: number): Quarantined {
  return { path, line: 1, reason: `The file is ${bytes} bytes; at most ${FILE_BYTES_MAX} are read.`, mend: 'Move the bulk into another file and name that under `context_files`.' };
}

/** The file's text, with `\n` line ends only, or the first thing that is wrong with it and its line (from 1). */
export function decodeText(path: string, bytes: Uint8Array): string | Quarantined {
  if (bytes.length > FILE_BYTES_MAX) return tooLarge(path, bytes.length);
  const fault = byteFault(bytes);
  if (fault !== null) return { path, ...fault };
  const text = decode(bytes);
  if (text === null) {
    return { path, line: invalidLine(bytes), reason: 'The file is not valid UTF-8.', mend: 'Save it as UTF-8 in your editor.' };
  }
  const marker = /^(?:<{7}|>{7})(?: .*)?$/mu.exec(text);
  if (marker === null) return text;
  return {
    path, line: lineAt(text, marker.index),
    reason: 'The file holds an unresolved merge conflict.',
    mend: 'Keep the side you want and delete the markers; indent them by a space if they are meant as text.',
  };
}

/** Line number, from 1, of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

function byteFault(bytes: Uint8Array): Omit<Quarantined, 'path'> | null {
  const [first, second, third] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return { line: 1, reason: 'The file is UTF-16.', mend: 'Save it as UTF-8 without a byte order mark.' };
  }
  if (first === 0xef && second === 0xbb && third === 0xbf) {
    return { line: 1, reason: 'The file begins with a byte order mark.', mend: 'Save it as UTF-8 without a byte order mark.' };
  }
  const nul = bytes.indexOf(0);
  if (nul !== -1) return { line: byteLine(bytes, nul), reason: 'The file holds a NUL byte, so it is no text.', mend: 'Save it as plain UTF-8 text.' };
  const cr = bytes.indexOf(0x0d);
  if (cr === -1) return null;
  return { line: byteLine(bytes, cr), reason: 'The file has carriage returns (Windows line ends).', mend: 'Save it with Unix line ends (LF).' };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function byteLine(bytes: Uint8Array, offset: number): number {
  let line = 1;
  for (let at = 0; at < offset; at++) if (bytes[at] === 0x0a) line++;
  return line;
}

/** A line feed is never part of a longer UTF-8 sequence, so lines can be tried one by one. */
function invalidLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start);
    const stop = end === -1 ? bytes.length : end;
    if (decode(bytes.subarray(start, stop)) === null) return line;
    start = stop + 1;
  }
  return line;
}
