/** Where one checkout stands and what its parts share. */
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import { git, tryGit } from '../git/run.ts';
import type { GitOptions, GitResult } from '../git/run.ts';

export interface Site {
  /** Absolute path of the work tree. */
  readonly root: string;
  /** Absolute path of this worktree's git directory (HEAD, index) and of the one shared by all worktrees (refs, objects). */
  readonly gitDir: string;
  readonly commonDir: string;
  readonly branch: string;
  readonly store: Store;
  readonly clock: Clock;
  /** How long an empty or missing file must stay so before it counts as saved. */
  readonly halfSavedMs: number;
  /** How long any other changed file must stay the same. */
  readonly settleMs: number;
}

/** The folder of our own files in the git directory: never in `.cambium/`, which may be deleted at any time. */
export const ownFolder = (site: Pick<Site, 'gitDir'>): string => join(site.gitDir, 'cambium');
export const workPath = (site: Site, path: string): string => join(site.root, path);

type Extra = Omit<GitOptions, 'cwd' | 'gitDir'> & { readonly ok?: readonly number[] };

/** git in this work tree; throws unless the exit status is in `ok`. */
export function treeGit(site: Site, args: readonly string[], extra: Extra = {}): Promise<GitResult> {
  return git(['--work-tree', site.root, ...args], { cwd: site.root, gitDir: site.gitDir, ...extra });
}

/** git in this work tree, its exit status a value. */
export function tryTreeGit(site: Site, args: readonly string[], extra: Omit<Extra, 'ok'> = {}): Promise<GitResult> {
  return tryGit(['--work-tree', site.root, ...args], { cwd: site.root, gitDir: site.gitDir, ...extra });
}

/** The parts of a `-z` answer, without the empty one after the last NUL. */
export function fieldsOf(stdout: Buffer): string[] {
  const fields = stdout.toString('utf8').split('\0');
  if (fields.at(-1) === '') fields.pop();
  return fields;
}
