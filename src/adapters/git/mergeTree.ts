/** Content merge by git itself, for the trees that both sides changed at one path. */
import type { Signature } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { MergeResult, Store } from '../../ports/store.ts';
import type { Repository } from './repository.ts';
import { git } from './run.ts';

/** Always the same bytes, so that merging the same trees twice leaves no second set of commits behind. */
const NOBODY: Signature = { name: 'cambium', email: 'cambium@localhost', seconds: 0, zone: '+0000' };

export interface GitMerge {
  readonly repository: Repository;
  readonly writeCommit: Store['writeCommit'];
  readonly trees: readonly [base: Oid, ours: Oid, theirs: Oid];
  /** Paths that both sides changed in different ways. */
  readonly contested: readonly string[];
}

/**
 * git 2.38 merges commits, not trees, so the trees get commits with a common parent. A renamed file keeps the other
 * side's edits. Folders are not followed: when finished tasks move to the archive, git would take the whole
 * folder for renamed and put every new task there.
 */
export async function gitMergeTree({ repository, writeCommit, trees: [base, ours, theirs], contested }: GitMerge): Promise<MergeResult> {
  const commit = (tree: Oid, parents: readonly Oid[]): Promise<Oid> =>
    writeCommit({ tree, parents, author: NOBODY, committer: NOBODY, message: 'merge\n' });
  const root = await commit(base, []);
  const [left, right] = await Promise.all([commit(ours, [root]), commit(theirs, [root])]);
  const { code, stdout } = await git(
    ['-c', 'merge.directoryRenames=false', 'merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', left, right],
    { ...repository.options, ok: [0, 1] },
  );
  const [tree, ...names] = stdout.toString('utf8').split('\0').filter((part) => part !== '');
  const paths = [...new Set(names.map((name) => plainPath(name, [left, right])))].toSorted();
  // Git may refuse without naming a path; the contested ones are then the answer.
  return { tree: tree as Oid, conflicts: code === 1 && paths.length === 0 ? contested : paths };
}

/** Where a file and a folder clash, git names the file `<path>~<its commit>`. */
function plainPath(name: string, commits: readonly Oid[]): string {
  const commit = commits.find((oid) => name.includes(`~${oid}`));
  return commit === undefined ? name : name.slice(0, name.lastIndexOf(`~${commit}`));
}
