/** Git objects as bytes: encoding, decoding, hashing and git's order of tree entries. Pure. */
import { createHash } from 'node:crypto';
import { CambiumError } from '../../errors.ts';
import type { Commit, CommitDraft, FileMode, Signature, TreeEntry } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';
import { checkTreeName } from '../treeNames.ts';

export type ObjectFormat = Store['objectFormat'];
export type ObjectType = 'blob' | 'tree' | 'commit' | 'tag';

/** An object without its header. */
export interface RawObject {
  readonly type: ObjectType;
  readonly body: Buffer;
}

/** `blob 6\0`: what is hashed and deflated before the body. */
export function objectHeader(type: ObjectType, size: number): Buffer {
  return Buffer.from(`${type} ${size}\0`, 'latin1');
}

export function hashObject(format: ObjectFormat, type: ObjectType, body: Uint8Array): Oid {
  return createHash(format).update(objectHeader(type, body.length)).update(body).digest('hex');
}

export function oidLength(format: ObjectFormat): number {
  return format === 'sha1' ? 40 : 64;
}

const HEX = /^[0-9a-f]+$/;

/** True for a whole oid of this format; abbreviations are refused, because git would resolve them. */
export function isOid(text: string, format: ObjectFormat): boolean {
  return text.length === oidLength(format) && HEX.test(text);
}

export function emptyTree(format: ObjectFormat): Oid {
  return hashObject(format, 'tree', new Uint8Array());
}

// --- trees ---

const NOT_ASCII = /[^\0-\x7f]/;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/**
 * Names are bytes in git and strings here. A byte that is not UTF-8 becomes the lone surrogate U+DC00 + byte, so
 * that a folder with a foreign name can be edited and written back without changing that name.
 */
export function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text).equals(bytes)) return text;
  let name = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const slice = bytes.subarray(at, at + sequenceLength(first));
    const piece = slice.toString('utf8');
    const valid = Buffer.from(piece).equals(slice);
    name += valid ? piece : String.fromCharCode(0xdc00 + first);
    at += valid ? slice.length : 1;
  }
  return name;
}

function sequenceLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

export function encodeName(name: string): Buffer {
  if (!LONE_SURROGATE.test(name)) return Buffer.from(name, 'utf8');
  return Buffer.concat([...name].map((char) => {
    if (!LONE_SURROGATE.test(char)) return Buffer.from(char, 'utf8');
    const byte = char.charCodeAt(0) - 0xdc00;
    if (byte >= 0x80 && byte <= 0xff) return Buffer.from([byte]);
    throw new CambiumError('bad-file', `The name ${JSON.stringify(name)} is not text that git can hold.`, { hint: 'Rename the file.' });
  }));
}

/** Git compares names as bytes, a folder's as if it ended in a slash (`a.b` stands before `a/`). */
export function sortEntries(entries: readonly TreeEntry[]): TreeEntry[] {
  const keyed = entries.map((entry) => ({ entry, key: entry.mode === '40000' ? `${entry.name}/` : entry.name }));
  if (entries.some(({ name }) => NOT_ASCII.test(name))) {
    // UTF-16 order differs from byte order above the basic plane.
    const bytes = keyed.map(({ entry, key }) => ({ entry, key: encodeName(key) }));
    return bytes.toSorted((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
  }
  return keyed.toSorted((a, b) => compareText(a.key, b.key)).map(({ entry }) => entry);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Throws `bad-file` for a name that git refuses and `internal` for a name that stands twice. */
export function encodeTree(entries: readonly TreeEntry[], format: ObjectFormat): Buffer {
  const names = new Set<string>();
  for (const { name, oid } of entries) {
    checkTreeName(name, name);
    if (names.has(name)) throw new CambiumError('internal', `A tree was given two entries named ${JSON.stringify(name)}.`);
    if (!isOid(oid, format)) throw new CambiumError('internal', `A tree entry was given ${JSON.stringify(oid)} for an object id.`);
    names.add(name);
  }
  return entryBytes(sortEntries(entries), oidLength(format) / 2);
}

/** One buffer for the whole tree: folders of thousands of tasks are encoded at every commit. */
function entryBytes(sorted: readonly TreeEntry[], width: number): Buffer {
  const room = sorted.reduce((sum, { name }) => sum + '100644 \0'.length + Buffer.byteLength(name) + width, 0);
  const bytes = Buffer.allocUnsafe(room);
  let at = 0;
  for (const { mode, name, oid } of sorted) {
    at += bytes.write(`${mode} `, at, 'latin1');
    at += LONE_SURROGATE.test(name) ? encodeName(name).copy(bytes, at) : bytes.write(name, at, 'utf8');
    bytes[at++] = 0;
    at += bytes.write(oid, at, 'hex');
  }
  return bytes.subarray(0, at);
}

/** Throws `object-corrupt` for bytes that are no tree. */
export function decodeTree(oid: Oid, body: Buffer, format: ObjectFormat): TreeEntry[] {
  const width = oidLength(format) / 2;
  const entries: TreeEntry[] = [];
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const end = space < 0 ? -1 : body.indexOf(0, space);
    if (end < 0 || end + 1 + width > body.length) throw malformed(oid, 'tree');
    const mode = fileMode(body.toString('latin1', at, space));
    if (mode === null) throw malformed(oid, 'tree');
    entries.push({ mode, name: decodeName(body.subarray(space + 1, end)), oid: body.toString('hex', end + 1, end + 1 + width) });
    at = end + 1 + width;
  }
  return entries;
}

/** Old tools wrote modes such as 100664 and 040000; git reads them as the canonical ones, and so do we. */
function fileMode(text: string): FileMode | null {
  const mode = Number.parseInt(text, 8);
  switch (mode & 0o170000) {
    case 0o100000: return (mode & 0o100) === 0 ? '100644' : '100755';
    case 0o120000: return '120000';
    case 0o160000: return '160000';
    case 0o040000: return '40000';
    default: return null;
  }
}

// --- commits ---

/** Names and e-mail addresses lose what would break the header line; the message loses NUL, at which git would cut it. */
export function encodeCommit(draft: CommitDraft, format: ObjectFormat): Buffer {
  const oids = [draft.tree, ...draft.parents];
  const wrong = oids.find((oid) => !isOid(oid, format));
  if (wrong !== undefined) throw new CambiumError('internal', `A commit was given ${JSON.stringify(wrong)} for an object id.`);
  const lines = [
    `tree ${draft.tree}`, ...draft.parents.map((parent) => `parent ${parent}`),
    `author ${encodeSignature(draft.author)}`, `committer ${encodeSignature(draft.committer)}`,
  ];
  return Buffer.from(`${lines.join('\n')}\n\n${draft.message.replaceAll('\0', '')}`, 'utf8');
}

function encodeSignature({ name, email, seconds, zone }: Signature): string {
  const when = Number.isSafeInteger(seconds) && seconds >= 0 ? seconds : 0;
  const where = /^[+-]\d{4}$/.test(zone) ? zone : '+0000';
  return `${headerText(name) || 'unknown'} <${headerText(email)}> ${when} ${where}`;
}

function headerText(text: string): string {
  return text.replace(/[<>\0\r\n]+/g, ' ').replace(/ {2,}/g, ' ').trim();
}

/** Reads what any git wrote: other encodings, signatures and headers that are not known here. */
export function decodeCommit(oid: Oid, body: Buffer): Commit {
  const blank = body.indexOf('\n\n');
  const head = blank < 0 ? body : body.subarray(0, blank);
  // A line that begins with a space continues the header above it (a signature, a merged tag).
  const headers = head.toString('latin1').split('\n').filter((line) => line !== '' && !line.startsWith(' ')).map(splitHeader);
  const first = (name: string): string => headers.find(([key]) => key === name)?.[1] ?? '';
  if (first('tree') === '') throw malformed(oid, 'commit');
  const encoding = first('encoding');
  const signature = (name: string): Signature => decodeSignature(decodeText(Buffer.from(first(name), 'latin1'), encoding));
  return {
    oid, tree: first('tree'), parents: headers.filter(([key]) => key === 'parent').map(([, value]) => value),
    author: signature('author'), committer: signature('committer'),
    message: blank < 0 ? '' : decodeText(body.subarray(blank + 2), encoding),
  };
}

function splitHeader(line: string): [string, string] {
  const space = line.indexOf(' ');
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}

function decodeSignature(text: string): Signature {
  const found = /^(.*?) ?<([^>]*)>(?: *(\d+))?(?: +([+-]\d+))?/.exec(text);
  return { name: found?.[1] ?? text, email: found?.[2] ?? '', seconds: Number(found?.[3] ?? 0), zone: found?.[4] ?? '+0000' };
}

/** The declared encoding, else UTF-8, else Latin-1 (as git itself guesses): no byte is dropped. */
function decodeText(bytes: Buffer, encoding: string): string {
  for (const label of [encoding, 'utf-8']) {
    try {
      if (label !== '') return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch { /* an unknown label, or bytes that are not what they are declared to be */ }
  }
  return bytes.toString('latin1');
}

function malformed(oid: Oid, type: ObjectType): CambiumError {
  return corrupt(oid, `it is no well-formed ${type}`);
}

export function corrupt(oid: Oid, why: string): CambiumError {
  return new CambiumError('object-corrupt', `Object ${oid} is damaged: ${why}.`, {
    hint: 'Run `git fsck` in the repository; a copy from another clone or from the hub mends it.', data: { oid },
  });
}

export function missing(oid: Oid): CambiumError {
  return new CambiumError('object-missing', `Object ${JSON.stringify(oid)} is not in this repository.`, { hint: 'Fetch from the hub.', data: { oid } });
}

/** The object was there and is another kind of object than was asked for. */
export function unexpected(oid: Oid, wanted: ObjectType, found: ObjectType): CambiumError {
  return new CambiumError('object-missing', `Object ${oid} is a ${found}, not a ${wanted}.`, { data: { oid, wanted, found } });
}
