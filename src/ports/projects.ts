/** Other repositories that tasks may work in (PROTOCOL P7): each with objects, a hub and worktrees of its own. */
import type { ProjectConfig } from '../model/config.ts';
import type { Oid } from '../model/ids.ts';
import type { Hub } from './hub.ts';
import type { Store } from './store.ts';
import type { Worktrees } from './worktrees.ts';

export interface Projects {
  /**
   * Opens the project. Its repository on this machine is made on first use; from then on its hub is not asked. The same
   * name and address give the same project again. Throws `hub-away`, `hub-denied`, `bad-config`, `disk-full`.
   */
  open(name: string, config: ProjectConfig): Promise<Project>;
  /** Ends helper processes. */
  close(): Promise<void>;
}

export interface Project {
  readonly name: string;
  readonly store: Store;
  readonly hub: Hub;
  readonly worktrees: Worktrees;
  /** True where hub and store are the workspace's own: a project on another branch of it. */
  readonly isOwnHub: boolean;
  /**
   * False where its host refuses refs below `refs/cambium/`: nothing there can be fenced, so only a branch for review is
   * pushed. Probes a host that was not found fit before. Throws `hub-away`, `hub-denied`, `hub-unfit`.
   */
  takesGuests(): Promise<boolean>;
  readonly outfit: Outfit;
}

/** What a worktree of the project needs beside the files that git checks out. */
export interface Outfit {
  /** What the tree of a commit asks for. */
  needs(commit: Oid): Promise<TreeNeeds>;
  /**
   * Copies the named ignored files and folders from the project's folder on this machine. Never what git would commit,
   * nothing through a symlink. Returns a sentence for each entry that was left out.
   */
  copy(worktree: string, entries: readonly string[]): Promise<readonly string[]>;
  /** Brings what an earlier setup with the same key left behind; false where there is nothing. */
  restore(worktree: string, key: string): Promise<boolean>;
  /** Keeps what setup created and git ignores, without the named entries. Returns why nothing was kept, or null. */
  keep(worktree: string, key: string, without: readonly string[]): Promise<string | null>;
}

export interface TreeNeeds {
  /** Path of a `.gitmodules` that names submodules, or null. */
  readonly submodules: string | null;
  /** Path of a `.gitattributes` that keeps files in Git LFS, where git-lfs cannot run on this machine; else null. */
  readonly lfs: string | null;
  /** Lock files of package managers, in the order of their paths. */
  readonly lockfiles: readonly { readonly path: string; readonly oid: Oid }[];
}
