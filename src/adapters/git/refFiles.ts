/**
 * Reads one ref from the files that hold it, without a process. The order is git's own and the reason it is right:
 * the loose file first, then packed-refs. Git packs a ref by writing packed-refs before it removes the loose file, so
 * a ref that is there at all is seen by one of the two reads; both files are replaced by rename, so neither is torn.
 */
import { open, readFile, readdir, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join, relative } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import { errnoOf } from '../system/durable.ts';
import { isOid } from './objects.ts';
import type { Repository } from './repository.ts';

export interface RefFiles {
  /** Throws `git-failed` for a file that is neither an oid nor a symbolic ref (a power cut can leave one empty). */
  read(ref: string): Promise<Oid | null>;
  /** Refs below a folder of refs (`refs/x/`), loose and packed. Costs a file read each: for few refs. */
  list(folder: string): Promise<Map<string, Oid>>;
  /** Folders to fsync so that a change of this ref survives a power cut. */
  folders(ref: string): readonly string[];
}

/** Each linked worktree has its own of these; all other refs are shared. */
const PER_WORKTREE = /^refs\/(?:bisect|worktree|rewritten)\//;
/** As in git: deeper is a loop. */
const SYMBOLIC_DEPTH_MAX = 5;
const NOT_THERE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

export function openRefFiles(repository: Repository): RefFiles {
  const packed = openPackedRefs(join(repository.commonDir, 'packed-refs'));
  const baseOf = (ref: string): string => (PER_WORKTREE.test(ref) ? repository.gitDir : repository.commonDir);

  async function read(ref: string, depth: number): Promise<Oid | null> {
    const text = await textOf(join(baseOf(ref), ref));
    if (text === null) return (await packed()).get(ref) ?? null;
    const value = text.trimEnd();
    if (isOid(value, repository.format)) return value;
    const target = /^ref: *(refs\/.+)$/.exec(value)?.[1];
    if (target === undefined || depth === SYMBOLIC_DEPTH_MAX) throw damaged(ref);
    return read(target, depth + 1);
  }

  async function list(folder: string): Promise<Map<string, Oid>> {
    const names = await readdir(join(baseOf(folder), folder), { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
      if (NOT_THERE.has(errnoOf(cause) ?? '')) return [];
      throw cause;
    });
    const loose = names.filter((entry) => entry.isFile() && !entry.name.endsWith('.lock')).map((entry) => relative(baseOf(folder), join(entry.parentPath, entry.name)));
    const known = new Set([...loose, ...[...(await packed()).keys()].filter((ref) => ref.startsWith(folder))]);
    const values = await Promise.all([...known].map(async (ref): Promise<[string, Oid | null]> => [ref, await read(ref, 0)]));
    return new Map(values.filter((pair): pair is [string, Oid] => pair[1] !== null));
  }

  return {
    list,
    read: (ref) => read(ref, 0),
    folders(ref) {
      const parts = ref.split('/').slice(0, -1);
      return [baseOf(ref), ...parts.map((_, index) => join(baseOf(ref), ...parts.slice(0, index + 1)))];
    },
  };
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'latin1');
  } catch (cause) {
    if (NOT_THERE.has(errnoOf(cause) ?? '')) return null;
    throw new CambiumError('git-failed', `A ref could not be read: ${(cause as Error).message}`, { cause });
  }
}

/** The packed refs, read again only when the file was replaced. */
function openPackedRefs(path: string): () => Promise<ReadonlyMap<string, Oid>> {
  let seen: BigIntStats | null = null;
  let refs: ReadonlyMap<string, Oid> = new Map();
  return async () => {
    try {
      const now = await stat(path, { bigint: true });
      if (seen !== null && isSameFile(seen, now)) return refs;
      const file = await open(path, 'r');
      try {
        const opened = await file.stat({ bigint: true });
        const read = parsePacked(await file.readFile('utf8'));
        [seen, refs] = [opened, read];
        return read;
      } finally {
        await file.close();
      }
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return new Map();
      throw new CambiumError('git-failed', `The packed refs could not be read: ${(cause as Error).message}`, { cause });
    }
  };
}

function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

/** Lines are `<oid> <ref>`; `#` begins the header and `^` the object behind the tag above. */
function parsePacked(text: string): Map<string, Oid> {
  const refs = new Map<string, Oid>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0 && !line.startsWith('#')) refs.set(line.slice(space + 1), line.slice(0, space));
  }
  return refs;
}

function damaged(ref: string): CambiumError {
  return new CambiumError('git-failed', `The ref ${ref} is damaged: its file holds no object id.`, {
    hint: `Look at it with \`git reflog ${ref}\` or at the hub, then set it with \`git update-ref\`.`, data: { ref },
  });
}
