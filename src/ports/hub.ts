/** The shared remote: refs that move by compare-and-swap. PROTOCOL P1 says what a push promises. */
import type { RefUpdate } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';

export type PushOutcome =
  /** Every ref stands at its new value. (Also when it stood there before: an identical push repeated.) */
  | { readonly kind: 'accepted' }
  /** The hub answered no. The text never says who won (P2.4): read the tip. */
  | { readonly kind: 'refused'; readonly detail: string; readonly policy: boolean }
  /** No answer: it may have happened, or may yet happen (P1). */
  | { readonly kind: 'unknown'; readonly detail: string };

export interface Hub {
  readonly url: string;
  /** Every ref of the hub under refs/heads/ and refs/cambium/. Throws `hub-away` or `hub-denied`. No snapshot across refs (P1). */
  list(): Promise<ReadonlyMap<string, Oid>>;
  /**
   * Brings the objects of these refs into the local store (no ref of ours moves). Throws `hub-away`, `hub-denied`;
   * a ref that has moved or gone since the listing throws `refused`: list again.
   */
  fetch(refs: ReadonlyMap<string, Oid>): Promise<void>;
  /** One atomic push with a lease on every ref. Never throws for what the hub or the network does. */
  push(updates: readonly RefUpdate[]): Promise<PushOutcome>;
}
