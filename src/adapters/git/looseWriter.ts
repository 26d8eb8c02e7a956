/**
 * Writes loose objects in this process: a temporary file beside the fan-out folders (a name that `git prune` knows),
 * fsync, rename, fsync of the folder. So a half-written object never stands under its name, whatever kills the
 * process or fills the disk. Git itself trusts whatever stands there, and one poisoned file would make every later
 * write of the same content a silent loss (measured); here a file that is there is compared before it is trusted.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { deflate, deflateSync, inflate } from 'node:zlib';
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import { errnoOf, syncFolder } from '../system/durable.ts';
import { looseFile } from './objectReader.ts';
import type { ObjectReader } from './objectReader.ts';
import { emptyTree, hashObject, objectHeader } from './objects.ts';
import type { ObjectType } from './objects.ts';
import type { Repository } from './repository.ts';

export interface LooseWriter {
  /** Durable before it resolves. Throws `disk-full` or `git-failed`. */
  write(type: ObjectType, body: Uint8Array): Promise<Oid>;
  /** A read found this object damaged: its next write is made whatever seems to be there. */
  suspect(oid: Oid): void;
}

/** Above this, zlib goes to a thread; below, the hop costs more than the work. */
const INLINE_BYTES = 32_768;
const KNOWN_MAX = 50_000;
/** Git prunes unreachable objects by the age of their file (two weeks); one that is used again is made young. */
const FRESH_MS = 24 * 3_600_000;
/** A `git gc` next door may remove an empty fan-out folder between its making and its use. */
const RENAME_TRIES_MAX = 3;

export function openLooseWriter(repository: Repository, reader: Pick<ObjectReader, 'info'>): LooseWriter {
  const { format, objectsDir } = repository;
  const nothing = emptyTree(format);
  const known = new Set<Oid>();
  const suspects = new Set<Oid>();
  const underWay = new Map<Oid, Promise<Oid>>();

  async function writeOnce(oid: Oid, type: ObjectType, body: Uint8Array): Promise<Oid> {
    try {
      const isThere = !suspects.has(oid) && (await isPresent(oid, type, body));
      if (!isThere) await store(oid, type, body);
    } catch (cause) {
      throw explain(cause);
    }
    suspects.delete(oid);
    if (known.size >= KNOWN_MAX) known.clear();
    known.add(oid);
    return oid;
  }

  async function isPresent(oid: Oid, type: ObjectType, body: Uint8Array): Promise<boolean> {
    const path = looseFile(repository, oid);
    const found = await stat(path).catch(() => null);
    // Git says that it has the empty tree, also where it has not; fsck then misses it in every commit that names it.
    if (found === null) return oid !== nothing && (await reader.info(oid)) !== null;
    if (found.size === 0 || !(known.has(oid) || (await isWhole(path, type, body)))) return false;
    if (Date.now() - found.mtimeMs > FRESH_MS) await utimes(path, new Date(), new Date()).catch(() => undefined);
    return true;
  }

  async function store(oid: Oid, type: ObjectType, body: Uint8Array): Promise<void> {
    const temporary = join(objectsDir, `tmp_obj_${randomBytes(9).toString('hex')}`);
    try {
      await fill(temporary, await packed(type, body));
      await settle(temporary, looseFile(repository, oid), objectsDir);
    } catch (cause) {
      await unlink(temporary).catch(() => undefined);
      throw cause;
    }
  }

  return {
    write(type, body) {
      const oid = hashObject(format, type, body);
      const writing = underWay.get(oid) ?? writeOnce(oid, type, body).finally(() => underWay.delete(oid));
      underWay.set(oid, writing);
      return writing;
    },
    suspect(oid) {
      known.delete(oid);
      suspects.add(oid);
    },
  };
}

/** True when the file is exactly this object; it is then made durable, for whoever wrote it may not have done so. */
async function isWhole(path: string, type: ObjectType, body: Uint8Array): Promise<boolean> {
  try {
    const whole = plain(type, body);
    const found = await unpacked(await readFile(path), whole.length);
    if (!found.equals(whole)) return false;
  } catch {
    return false;
  }
  await syncFile(path);
  await syncFolder(dirname(path));
  return true;
}

function plain(type: ObjectType, body: Uint8Array): Buffer {
  return Buffer.concat([objectHeader(type, body.length), body]);
}

async function packed(type: ObjectType, body: Uint8Array): Promise<Buffer> {
  const whole = plain(type, body);
  return whole.length <= INLINE_BYTES ? deflateSync(whole, { level: 1 }) : promisify<Buffer, { level: number }, Buffer>(deflate)(whole, { level: 1 });
}

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** Throws for bytes that zlib refuses and for bytes left over behind the end, which zlib alone would ignore. */
async function unpacked(bytes: Buffer, expected: number): Promise<Buffer> {
  const { buffer, engine } = await new Promise<Inflated>((resolve, reject) => {
    inflate(bytes, { maxOutputLength: expected + 1, info: true }, (error, result) => {
      // With `info` the result is a pair, which Node's types do not say.
      if (error === null) resolve(result as unknown as Inflated);
      else reject(error);
    });
  });
  if (engine.bytesWritten !== bytes.length) throw new RangeError('garbage behind the object');
  return buffer;
}

async function fill(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o444);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function settle(temporary: string, path: string, objectsDir: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await rename(temporary, path);
      break;
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT' || tries === RENAME_TRIES_MAX) throw cause;
      await mkdir(dirname(path)).catch(() => undefined);
      await syncFolder(objectsDir);
    }
  }
  await syncFolder(dirname(path));
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function explain(cause: unknown): unknown {
  if (cause instanceof CambiumError || errnoOf(cause) === undefined) return cause;
  if (errnoOf(cause) === 'ENOSPC' || errnoOf(cause) === 'EDQUOT') {
    return new CambiumError('disk-full', 'An object could not be written: the disk is full.', { hint: 'Free some space; the node goes on by itself.', cause });
  }
  return new CambiumError('git-failed', `An object could not be written: ${(cause as Error).message}`, { hint: 'Check who owns the repository and what its disk allows.', cause });
}
