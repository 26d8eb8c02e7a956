/**
 * The person's work tree, index and branch (PROTOCOL P11). The daemon reads or writes them only through this
 * port, and only file by file: never pull, stash, reset, checkout or add -A.
 */
import type { FileMode, Signature } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';

export type CheckoutLook =
  /** HEAD is symbolic to the fleet branch, nothing under way, nothing staged. `head` is that branch's commit. */
  | { readonly state: 'ready'; readonly head: Oid }
  /** Nothing may be touched now, and why, in a sentence for status. */
  | { readonly state: 'busy'; readonly reason: string }
  /** A bare repository: there is no work tree to keep. */
  | { readonly state: 'absent' };

/** A saved edit of a state path. A deletion has neither mode nor oid. */
export type CheckoutEdit =
  | { readonly path: string; readonly mode: FileMode; readonly oid: Oid }
  | { readonly path: string; readonly mode: null; readonly oid: null };

export interface CheckoutEdits {
  readonly edits: readonly CheckoutEdit[];
  /** Paths whose content is still changing: look again soon. */
  readonly unsettled: readonly string[];
  /** Paths that cannot be published as they are (symlink, over the size cap, unreadable), with the reason. */
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

export interface Advance {
  /** False when HEAD, branch or index changed under the pass: nothing was moved, try at the next cycle. */
  readonly moved: boolean;
  /** The new last-synced tree; a path that was skipped keeps its old entry in it. */
  readonly synced: Oid;
  /** Paths left as the person has them because their content was not the expected one. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** Blobs of bytes that a person wrote in the very moment of the exchange, to be kept under a rescue ref. */
  readonly displaced: readonly { readonly path: string; readonly oid: Oid }[];
}

export interface Checkout {
  look(): Promise<CheckoutLook>;
  /** The person's name and e-mail. Throws `no-identity` with the two git commands that set them. */
  person(): Promise<Signature>;
  /**
   * Saved edits under the state paths against the last-synced tree, contents written to the store.
   * `full` reads every file; otherwise only what was touched since the last call (the watcher's hint).
   */
  edits(synced: Oid, full: boolean): Promise<CheckoutEdits>;
  /**
   * Moves work tree, index and branch from `head` to `target` (a commit that descends from `head`) together.
   * A file is replaced only when its content is its entry in `synced`, in `head`'s tree or in `target`'s tree.
   */
  advance(step: { readonly head: Oid; readonly target: Oid; readonly synced: Oid }): Promise<Advance>;
  /** Finishes or undoes a pass that a crash cut short. Called once before the first pass. */
  recover(): Promise<void>;
}
