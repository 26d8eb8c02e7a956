/** The local object database and its refs: everything a node reads and writes before it is pushed. */
import type { Commit, CommitDraft, RefUpdate, TreeEdits, TreeEntry } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';

export interface MergeResult {
  /** Tree of the merge; with conflicts it holds git's markers and must not be used. */
  readonly tree: Oid;
  readonly conflicts: readonly string[];
}

/** Throws CambiumError `object-missing`, `object-corrupt`, `disk-full` or `git-failed`. */
export interface Store {
  readonly objectFormat: 'sha1' | 'sha256';
  /** The oid that `writeBlob` would give, without writing. */
  hashBlob(bytes: Uint8Array): Oid;
  has(oid: Oid): Promise<boolean>;
  /** Size in bytes without reading the content. */
  sizeOf(oid: Oid): Promise<number>;
  readBlob(oid: Oid): Promise<Uint8Array>;
  readTree(oid: Oid): Promise<readonly TreeEntry[]>;
  readCommit(oid: Oid): Promise<Commit>;
  /** Durable (fsynced) before it resolves. Writing what is already there is no work. */
  writeBlob(bytes: Uint8Array): Promise<Oid>;
  /** Entries in any order; sorted as git does. The empty tree is allowed. */
  writeTree(entries: readonly TreeEntry[]): Promise<Oid>;
  writeCommit(draft: CommitDraft): Promise<Oid>;
  /** The tree with the edits applied; touches only the folders on the edited paths. Folders left empty vanish. */
  editTree(root: Oid, edits: TreeEdits): Promise<Oid>;
  /** Three-way merge of trees, content merged line by line where both sides changed a file. */
  mergeTrees(base: Oid, ours: Oid, theirs: Oid): Promise<MergeResult>;
  /** Reachability by parents; a commit is its own ancestor. */
  isAncestor(ancestor: Oid, descendant: Oid): Promise<boolean>;
  /** The best common ancestor, or null. */
  mergeBase(a: Oid, b: Oid): Promise<Oid | null>;
  /** Commits reachable from `from` and not from `not`, newest first. */
  log(from: Oid, options?: { readonly not?: readonly Oid[]; readonly limit?: number; readonly firstParent?: boolean }): Promise<readonly Commit[]>;

  readRef(ref: string): Promise<Oid | null>;
  listRefs(prefix: string): Promise<ReadonlyMap<string, Oid>>;
  /**
   * All or none, durable before it resolves. Returns false when any `expect` does not hold.
   * `expect` undefined means "whatever is there".
   */
  updateRefs(updates: readonly (Omit<RefUpdate, 'expect'> & { readonly expect?: Oid | null })[], reason: string): Promise<boolean>;
  /** Ends helper processes. The store may be used again afterwards. */
  close(): Promise<void>;
}
