/** `cambium init [dir]`: makes a workspace, commits what it creates, and run twice changes nothing. */
import { join, resolve } from 'node:path';
import { git, gitText, tryGit } from '../adapters/git/run.ts';
import { appendLine, makeFolder, writeNew } from '../adapters/system/files.ts';
import { packageFile } from '../adapters/system/version.ts';
import { CambiumError } from '../errors.ts';
import { workspaceFiles } from '../workspace/workspaceFiles.ts';
import type { Answer } from './output.ts';

export interface InitOptions {
  readonly branch?: string | undefined;
}

export async function initCommand(dir: string | undefined, options: InitOptions): Promise<Answer> {
  const root = resolve(dir ?? '.');
  await makeFolder(root);
  const top = await topOf(root, options.branch ?? 'main');
  const branch = await branchOf(top, options.branch);
  await requireIdentity(top);
  const made: string[] = [];
  for (const [path, content] of workspaceFiles(branch, packageFile('templates/task.md'))) if (await writeNew(join(top, path), content)) made.push(path);
  if (await addIgnore(top)) made.push('.gitignore');
  if (made.length > 0) await commit(top, made);
  const text = made.length === 0
    ? `${top} is a cambium workspace already: nothing was changed.`
    : `${top} is a cambium workspace now (${made.length} files, committed on ${branch}).\n\nNext:\n  cambium up                       run the fleet here\n  cambium task add "A first task"  add work; or drop a Markdown file into tasks/\n  cambium join <url>               share it with other machines`;
  return { data: { root: top, branch, created: made }, text };
}

async function topOf(root: string, branch: string): Promise<string> {
  const top = await tryGit(['rev-parse', '--path-format=absolute', '--show-toplevel'], { cwd: root });
  if (top.code === 0) {
    const found = top.stdout.toString('utf8').trim();
    if (found === root || (await gitText(['rev-parse', '--show-prefix'], { cwd: root })) === '') return found;
    throw new CambiumError('usage', `${root} is a folder inside the repository ${found}.`, { hint: `Make the whole repository the workspace: \`cambium init ${found}\`.` });
  }
  await git(['init', '--quiet', `--initial-branch=${branch}`, root]);
  return root;
}

/** A workspace on a branch of its own starts without the code's history; the person's branch is left as it is. */
async function branchOf(top: string, asked: string | undefined): Promise<string> {
  const head = await tryGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], { cwd: top });
  const current = head.code === 0 ? head.stdout.toString('utf8').trim() : null;
  if (asked !== undefined && asked !== current) {
    throw new CambiumError('usage', `HEAD is on ${current ?? 'no branch'}, not on ${asked}.`, { hint: `Switch first: \`git switch ${asked}\` (or \`git switch --orphan ${asked}\` for a workspace beside the code), then init again.` });
  }
  if (current === null) throw new CambiumError('usage', 'HEAD is detached: there is no branch to put the workspace on.', { hint: 'Run `git switch <branch>` first.' });
  await requireNothingStaged(top);
  return current;
}

async function requireNothingStaged(top: string): Promise<void> {
  const staged = await tryGit(['diff', '--cached', '--name-only', '--no-ext-diff'], { cwd: top });
  if (staged.code === 0 && staged.stdout.length > 0) throw new CambiumError('refused', 'Something is staged: init makes a commit of its own.', { hint: 'Commit it, or unstage it with `git restore --staged .`.' });
}

async function requireIdentity(top: string): Promise<void> {
  const ident = await tryGit(['var', 'GIT_AUTHOR_IDENT'], { cwd: top });
  if (ident.code === 0) return;
  throw new CambiumError('no-identity', 'git does not know who you are.', { hint: 'git config --global user.name "Your Name" && git config --global user.email you@example.org' });
}

async function addIgnore(top: string): Promise<boolean> {
  const ignored = await tryGit(['check-ignore', '--quiet', '.cambium/x'], { cwd: top });
  if (ignored.code === 0) return false;
  await appendLine(join(top, '.gitignore'), '.cambium/');
  return true;
}

async function commit(top: string, paths: readonly string[]): Promise<void> {
  await git(['add', '--force', '--', ...paths], { cwd: top });
  await git(['commit', '--quiet', '--no-verify', '-m', 'cambium: init workspace', '--', ...paths], { cwd: top });
}
