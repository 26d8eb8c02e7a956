/**
 * A workspace on a branch of its own beside protected code: an orphan branch, checked out in a work tree beside the clone.
 * The person's branch, index and files are not touched; the code is the workspace's project `code`.
 */
import { basename, dirname, join } from 'node:path';
import { git, gitText, tryGit } from '../adapters/git/run.ts';
import { isEmptyFolder } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { branchRef } from '../model/layout.ts';
import { workspaceFiles } from './workspaceFiles.ts';
import { writeWorkspace } from './writeWorkspace.ts';

export interface Initialized {
  /** Top of the workspace. */
  readonly root: string;
  readonly branch: string;
  /** Paths that were written and committed; empty when it was a workspace already. */
  readonly created: readonly string[];
  /** Branch of the code that the workspace stands beside; null where it holds the code itself. */
  readonly beside: string | null;
}

/** `code` is the branch that HEAD is on, where there is one. Throws `usage` and `refused`; nothing is made then. */
export async function initBeside(top: string, branch: string, code: string | null): Promise<Initialized> {
  if ((await tryGit(['check-ref-format', '--branch', branch], { cwd: top })).code !== 0) throw new CambiumError('usage', `${branch} is no good name for a branch.`, { hint: 'Try `--branch fleet`.' });
  if (code === null) throw new CambiumError('usage', 'HEAD is detached: there is no branch that the workspace could stand beside.', { hint: 'Run `git switch <branch>` first.' });
  if ((await tryGit(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { cwd: top })).code !== 0) {
    throw new CambiumError('usage', `HEAD is on ${code}, which has no commit yet.`, { hint: `Commit the code first, or leave out \`--branch\`: the workspace then lives on ${code}.` });
  }
  const before = await workTreeOf(top, branch);
  if (before !== null) return { root: before, branch, created: await writeWorkspace(before, filesBeside(branch, code)), beside: code };
  if ((await tryGit(['rev-parse', '--verify', '--quiet', branchRef(branch)], { cwd: top })).code === 0) {
    throw new CambiumError('refused', `There is a branch ${branch} already.`, { hint: `Choose another with \`--branch\`. If it is a workspace's: \`git worktree add ../${basename(top)}-${flat(branch)} ${branch}\`, and run cambium there.` });
  }
  const root = join(dirname(top), `${basename(top)}-${flat(branch)}`);
  if (!(await isEmptyFolder(root))) throw new CambiumError('refused', `${root} is there already.`, { hint: 'Move it away: the workspace is made there.' });
  await git(['worktree', 'add', '--quiet', '--detach', '--no-checkout', root, 'HEAD'], { cwd: top });
  // An unborn branch: the first commit there has no parent, and shares no history with the code.
  await git(['symbolic-ref', 'HEAD', branchRef(branch)], { cwd: root });
  const created = await writeWorkspace(root, filesBeside(branch, code));
  await git(['config', 'cambium.workspace', root], { cwd: top });
  return { root, branch, created, beside: code };
}

const flat = (branch: string): string => branch.replaceAll('/', '-');

/** The work tree in which the branch is checked out, or null. */
async function workTreeOf(top: string, branch: string): Promise<string | null> {
  const listed = (await gitText(['worktree', 'list', '--porcelain', '-z'], { cwd: top })).split('\0\0').map((entry) => entry.split('\0'));
  const found = listed.find((lines) => lines.includes(`branch ${branchRef(branch)}`));
  return found?.find((line) => line.startsWith('worktree '))?.slice('worktree '.length) ?? null;
}

function filesBeside(branch: string, code: string): ReadonlyMap<string, string> {
  const files = new Map(workspaceFiles(branch));
  files.set('cambium.yaml', `${files.get('cambium.yaml') ?? ''}
# The code beside this workspace: a task with \`project: code\` works in it, and what it made waits on branch review/<task>.
projects:
  code: { url: ".", branch: ${JSON.stringify(code)}, return: review }
`);
  return files;
}
