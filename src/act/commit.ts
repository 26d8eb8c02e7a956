/** Commits on top of main, built in the object store only: nobody's work tree or index is involved. */
import type { Signature, TreeEdit } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { treeOf } from '../observe/tree.ts';
import type { Store } from '../ports/store.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';

export type FileEdits = ReadonlyMap<string, Uint8Array | string | TreeEdit>;

/** Contents become blobs; ready entries and removals (null) pass through. */
export async function asTreeEdits(node: Node, files: FileEdits): Promise<Map<string, TreeEdit>> {
  const edits = await Promise.all([...files].map(async ([path, file]): Promise<[string, TreeEdit]> => {
    if (typeof file !== 'string' && !(file instanceof Uint8Array)) return [path, file];
    return [path, { mode: '100644', oid: await node.store.writeBlob(Buffer.from(file as Uint8Array)) }];
  }));
  return new Map(edits);
}

/** A tree of one file. Blob and tree are flushed side by side: both are durable before any commit names them. */
export async function writeFileTree(store: Store, name: string, text: string): Promise<Oid> {
  const bytes = Buffer.from(text);
  const [tree] = await Promise.all([store.writeTree([{ mode: '100644', name, oid: store.hashBlob(bytes) }]), store.writeBlob(bytes)]);
  return tree;
}

export interface CommitParts {
  /** Tree that the edits are applied to; the parent's when unsaid. */
  readonly tree?: Oid;
  readonly author: Signature;
  readonly message: string;
  readonly moreParents?: readonly Oid[];
}

/** A first-parent successor of `parent` with the edits applied. */
export async function commitOn(node: Node, parent: Oid, files: FileEdits, parts: CommitParts): Promise<Oid> {
  const { store } = node;
  const edits = await asTreeEdits(node, files);
  const before = parts.tree ?? (await treeOf(store, parent));
  const tree = edits.size === 0 ? before : await store.editTree(before, edits);
  return store.writeCommit({
    tree, parents: [parent, ...(parts.moreParents ?? [])], author: parts.author, committer: nodeSignature(node), message: parts.message,
  });
}
