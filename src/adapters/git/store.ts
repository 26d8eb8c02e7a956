/**
 * The Store over a git repository. Objects are written in this process and read through one git process; refs move
 * through another; only content merges and questions about long histories start one of their own.
 */
import { CambiumError } from '../../errors.ts';
import type { Commit, TreeEntry } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';
import { editTree } from '../treeEdit.ts';
import { planMerge, writeMerge } from '../treeMerge.ts';
import { openHistory } from './history.ts';
import { openLooseWriter } from './looseWriter.ts';
import { gitMergeTree } from './mergeTree.ts';
import { createObjectCache } from './objectCache.ts';
import { openObjectReader } from './objectReader.ts';
import { decodeCommit, decodeTree, emptyTree, encodeCommit, encodeTree, hashObject, missing, unexpected } from './objects.ts';
import type { ObjectType } from './objects.ts';
import { openRefs } from './refs.ts';
import { openRepository } from './repository.ts';

/** Enough for every folder of a workspace with 100,000 tasks in shards. */
const CACHE_BYTES = 32 * 1024 * 1024;

/** `gitDir` may be that of a linked worktree. Throws `git-failed` where there is no repository. */
export async function openGitStore({ gitDir }: { readonly gitDir: string }): Promise<Store> {
  const repository = await openRepository(gitDir);
  const { format } = repository;
  const reader = openObjectReader(repository);
  const writer = openLooseWriter(repository, reader);
  const refs = openRefs(repository);
  const trees = createObjectCache<readonly TreeEntry[]>(CACHE_BYTES);
  const commits = createObjectCache<Commit>(CACHE_BYTES);
  const nothing = emptyTree(format);

  async function read(oid: Oid, wanted: ObjectType): Promise<Buffer> {
    try {
      const { type, body } = await reader.read(oid);
      if (type !== wanted) throw unexpected(oid, wanted, type);
      return body;
    } catch (error) {
      if (error instanceof CambiumError && error.code === 'object-corrupt') writer.suspect(oid);
      throw error;
    }
  }

  async function readTree(oid: Oid): Promise<readonly TreeEntry[]> {
    const cached = trees.get(oid);
    if (cached !== undefined) return cached;
    const body = await read(oid, 'tree');
    const entries = decodeTree(oid, body, format);
    trees.put(oid, entries, body.length);
    return entries;
  }

  async function readCommit(oid: Oid): Promise<Commit> {
    const cached = commits.get(oid);
    if (cached !== undefined) return cached;
    const body = await read(oid, 'commit');
    const commit = decodeCommit(oid, body);
    commits.put(oid, commit, body.length);
    return commit;
  }

  const writeTree: Store['writeTree'] = async (entries) => {
    const body = encodeTree(entries, format);
    const oid = await writer.write('tree', body);
    trees.put(oid, decodeTree(oid, body, format), body.length);
    return oid;
  };

  const writeCommit: Store['writeCommit'] = async (draft) => {
    const body = encodeCommit(draft, format);
    const oid = await writer.write('commit', body);
    commits.put(oid, decodeCommit(oid, body), body.length);
    return oid;
  };

  const access = { readTree, writeTree };

  return {
    objectFormat: format,
    hashBlob: (bytes) => hashObject(format, 'blob', bytes),
    has: async (oid) => (await reader.info(oid)) !== null,
    async sizeOf(oid) {
      const info = await reader.info(oid);
      if (info === null) throw missing(oid);
      return info.size;
    },
    readBlob: (oid) => read(oid, 'blob'),
    readTree,
    readCommit,
    writeBlob: (bytes) => writer.write('blob', bytes),
    writeTree,
    writeCommit,
    editTree: (root, edits) => editTree(access, root, edits),
    async mergeTrees(base, ours, theirs) {
      const plan = await planMerge(access, [base, ours, theirs], () => Promise.resolve(null));
      if (plan.conflicts.length === 0) return { tree: await writeMerge(access, plan.folder), conflicts: [] };
      // Git knows the empty tree without having it; a commit of ours must not lean on that.
      if ([base, ours, theirs].includes(nothing)) await writeTree([]);
      return gitMergeTree({ repository, writeCommit, trees: [base, ours, theirs], contested: plan.conflicts });
    },
    ...openHistory(repository, readCommit),
    readRef: refs.read,
    listRefs: refs.list,
    updateRefs: refs.update,
    async close() {
      await Promise.all([reader.close(), refs.close()]);
    },
  };
}
