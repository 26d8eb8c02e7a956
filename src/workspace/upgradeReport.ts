/** What `cambium upgrade` did, or would do. Types only. */
import type { Oid } from '../model/ids.ts';

export interface UpgradeReport {
  /** `code`: the workspace holds the framework's own code. `files`: only files that `cambium init` laid down. */
  readonly mode: 'code' | 'files';
  readonly from: string;
  readonly to: string;
  /** Null when nothing was to do, and with `check`. */
  readonly commit: Oid | null;
  readonly changed: readonly string[];
  /** Files with edits of this fleet's own that the changes were merged into. */
  readonly merged: readonly string[];
  /** Files that stay as they are here, and why. */
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
  /** With `check` only: what would refuse the upgrade. */
  readonly conflicts: readonly string[];
  /** Files that would change and that are edited in the checkout without a commit; they refuse the upgrade too. */
  readonly uncommitted: readonly string[];
  /** True while a daemon of this clone goes on with the code that it started with. */
  readonly daemon: boolean;
}
