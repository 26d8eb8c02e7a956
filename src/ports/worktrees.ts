/** Where agents work: a folder a task and epoch, made from a commit, apart from the person's checkout. */
import type { Oid } from '../model/ids.ts';

export interface Captured {
  /** Tree of everything in the worktree that git would not ignore. */
  readonly tree: Oid;
  /** The worktree's HEAD: differs from the base when the agent committed itself. */
  readonly head: Oid;
}

export interface Worktrees {
  /** Absolute path the named worktree has or would have. */
  path(name: string): string;
  exists(name: string): Promise<boolean>;
  /** Makes the worktree at the commit, afresh when it is there already. Throws `disk-full`, `git-failed`. */
  create(name: string, commit: Oid): Promise<string>;
  /** Reads what stands there; nothing but the worktree's own index changes. Throws `git-failed` when it is gone. */
  capture(name: string): Promise<Captured>;
  /** Removes it. The caller has proven before that its work is on the hub. */
  remove(name: string): Promise<void>;
  list(): Promise<readonly string[]>;
}
