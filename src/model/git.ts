/** Git objects as plain data. Pure. */
import type { Oid } from './ids.ts';

export type FileMode = '100644' | '100755' | '120000' | '160000' | '40000';

export interface TreeEntry {
  readonly mode: FileMode;
  readonly name: string;
  readonly oid: Oid;
}

/** A file of a tree by its whole path. */
export interface FileEntry {
  readonly path: string;
  readonly mode: FileMode;
  readonly oid: Oid;
}

export interface Signature {
  readonly name: string;
  readonly email: string;
  /** Seconds since 1970, for people; nothing is decided by it. */
  readonly seconds: number;
  /** `+0100` */
  readonly zone: string;
}

export interface CommitDraft {
  readonly tree: Oid;
  readonly parents: readonly Oid[];
  readonly author: Signature;
  readonly committer: Signature;
  readonly message: string;
}

export interface Commit extends CommitDraft {
  readonly oid: Oid;
}

/** One edit of a tree: what shall stand at the path; null removes it. */
export type TreeEdit = { readonly mode: FileMode; readonly oid: Oid } | null;
export type TreeEdits = ReadonlyMap<string, TreeEdit>;

/** One ref moved by compare-and-swap: `expect` null means it must not exist, `to` null deletes it. */
export interface RefUpdate {
  readonly ref: string;
  readonly expect: Oid | null;
  readonly to: Oid | null;
}
