/** Commits on top of main, built in the object store only: nobody's work tree or index is involved. */
import type { Signature, TreeEdit } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { treeOf } from '../observe/tree.ts';
import type { Store } from '../ports/store.ts';
import { sameCodeTrees } from './agreement.ts';
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
    tree, parents: [parent, ...(parts.moreParents ?? [])], author: parts.author, committer: nodeSignature(node), message: await messageOnMain(node, tree, parts.message),
  });
}

const SKIP_CI = '[skip ci]';

/**
 * The message of a commit on main. Where cambium.yaml asks for it (`commits.skip_ci`), the subject of one that moves nothing
 * but the fleet's own state ends in `[skip ci]`. Compared is with the hub's main and not with the parent: CI looks at the
 * newest commit of a push, and a claim that is told on top of landed code in one push must not hide that code from it.
 */
export async function messageOnMain(node: Node, tree: Oid, message: string): Promise<string> {
  if (node.config()?.commits.skipCi !== true) return message;
  const { main } = node.mirror.known();
  if (main === null || !(await sameCodeTrees(node.store, await treeOf(node.store, main), tree))) return message;
  return message.replace(/\n|$/, (end) => ` ${SKIP_CI}${end}`);
}
