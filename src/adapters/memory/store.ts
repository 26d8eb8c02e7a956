/** The Store in memory, with git's own object ids: for tests and for the simulator. */
import type { Commit, TreeEntry } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';
import { mergeText } from '../diff3.ts';
import { decodeCommit, decodeTree, emptyTree, encodeCommit, encodeTree, hashObject, missing, unexpected } from '../git/objects.ts';
import type { ObjectFormat, ObjectType, RawObject } from '../git/objects.ts';
import { editTree } from '../treeEdit.ts';
import { isRegular, planMerge, writeMerge } from '../treeMerge.ts';
import type { Contest, FileVersion } from '../treeMerge.ts';
import { memoryHistory } from './history.ts';
import { memoryRefs } from './refs.ts';

export interface MemoryStore extends Store {
  /** Everything written or copied here. Values are shared between stores and never changed. */
  readonly objects: Map<Oid, RawObject>;
}

/** Decoded once for all stores that share an object: a fleet of simulated nodes reads the same trees. */
const decoded = new WeakMap<RawObject, readonly TreeEntry[] | Commit>();

/**
 * Merges of a file changed on both sides are line-based; renames are not followed, so a file renamed on one side
 * and changed on the other is a conflict here, which the git store may settle.
 */
export function createMemoryStore({ objectFormat = 'sha1' }: { readonly objectFormat?: ObjectFormat } = {}): MemoryStore {
  const objects = new Map<Oid, RawObject>();
  const nothing: RawObject = { type: 'tree', body: Buffer.alloc(0) };
  const emptyOid = emptyTree(objectFormat);

  /** Git knows the empty tree without having it. */
  const find = (oid: Oid): RawObject | undefined => objects.get(oid) ?? (oid === emptyOid ? nothing : undefined);

  function get(oid: Oid, wanted?: ObjectType): RawObject {
    const object = find(oid);
    if (object === undefined) throw missing(oid);
    if (wanted !== undefined && object.type !== wanted) throw unexpected(oid, wanted, object.type);
    return object;
  }

  function put(type: ObjectType, body: Buffer): Oid {
    const oid = hashObject(objectFormat, type, body);
    if (!objects.has(oid)) objects.set(oid, { type, body });
    return oid;
  }

  function tree(oid: Oid): readonly TreeEntry[] {
    return once(get(oid, 'tree'), ({ body }) => decodeTree(oid, body, objectFormat)) as readonly TreeEntry[];
  }

  function commit(oid: Oid): Commit {
    return once(get(oid, 'commit'), ({ body }) => decodeCommit(oid, body)) as Commit;
  }

  const readTree: Store['readTree'] = async (oid) => tree(oid);
  const writeTree: Store['writeTree'] = async (entries) => put('tree', encodeTree(entries, objectFormat));

  async function mergeFile({ base, ours, theirs }: Contest): Promise<FileVersion | null> {
    if (base === null || ours === null || theirs === null || ![base, ours, theirs].every(isRegular)) return null;
    const merged = mergeText(get(base.oid, 'blob').body, get(ours.oid, 'blob').body, get(theirs.oid, 'blob').body);
    if (merged === null) return null;
    return { mode: ours.mode === base.mode ? theirs.mode : ours.mode, oid: put('blob', Buffer.from(merged)) };
  }

  return {
    objects,
    objectFormat,
    hashBlob: (bytes) => hashObject(objectFormat, 'blob', bytes),
    has: async (oid) => find(oid) !== undefined,
    sizeOf: async (oid) => get(oid).body.length,
    // Copies, so that a caller who scribbles on what it read or wrote changes nothing here.
    readBlob: async (oid) => Buffer.from(get(oid, 'blob').body),
    readTree,
    readCommit: async (oid) => commit(oid),
    writeBlob: async (bytes) => put('blob', Buffer.from(bytes)),
    writeTree,
    writeCommit: async (draft) => put('commit', encodeCommit(draft, objectFormat)),
    editTree: (root, edits) => editTree({ readTree, writeTree }, root, edits),
    async mergeTrees(base, ours, theirs) {
      const { folder, conflicts } = await planMerge({ readTree }, [base, ours, theirs], mergeFile);
      return { tree: await writeMerge({ writeTree }, folder), conflicts };
    },
    ...memoryHistory(commit),
    ...memoryRefs((oid) => find(oid)?.type ?? null),
    close: async () => undefined,
  };
}

function once(object: RawObject, decode: (object: RawObject) => readonly TreeEntry[] | Commit): readonly TreeEntry[] | Commit {
  const known = decoded.get(object) ?? decode(object);
  decoded.set(object, known);
  return known;
}
