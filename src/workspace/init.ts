/** Making a workspace: in a new folder, in a repository, or on a branch of its own beside protected code. */
import { resolve } from 'node:path';
import { git, gitText, tryGit } from '../adapters/git/run.ts';
import { makeFolder } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { HOOK_FILES, isFramework } from './agentHooks.ts';
import { initBeside } from './initBeside.ts';
import type { Initialized } from './initBeside.ts';
import { workspaceFiles } from './workspaceFiles.ts';
import { writeWorkspace } from './writeWorkspace.ts';

export interface InitOptions {
  /** Another branch than the one that HEAD is on: the workspace gets it for itself, in a work tree of its own. */
  readonly branch?: string | undefined;
}

/** Run twice it changes nothing. Throws `usage`, `refused`, `no-identity`. */
export async function initWorkspace(dir: string | undefined, { branch: asked }: InitOptions): Promise<Initialized> {
  const root = resolve(dir ?? '.');
  await makeFolder(root);
  const top = await topOf(root, asked ?? 'main');
  await requireIdentity(top);
  const current = await currentBranch(top);
  if (asked !== undefined && asked !== current) return initBeside(top, asked, current);
  if (current === null) throw new CambiumError('usage', 'HEAD is detached: there is no branch to put the workspace on.', { hint: 'Run `git switch <branch>` first.' });
  await requireNothingStaged(top);
  const files = new Map(workspaceFiles(current));
  // Who develops the framework with an agent CLI is no agent of the fleet that lives there.
  if (await isFramework(top)) files.delete(HOOK_FILES.claude);
  const created = await writeWorkspace(top, files);
  return { root: top, branch: current, created, beside: null };
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

/** Null when HEAD is detached. */
async function currentBranch(top: string): Promise<string | null> {
  const head = await tryGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], { cwd: top });
  return head.code === 0 ? head.stdout.toString('utf8').trim() : null;
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
