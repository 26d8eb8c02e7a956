/**
 * Runs the git CLI. The user's HOME, ssh and credentials are used as a git user expects; hooks, fsmonitor and
 * prompts are not (DESIGN 11): a pulled tree must not run code, and a daemon cannot answer a question.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import { CambiumError } from '../../errors.ts';

const HARDENED = [
  'core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.fsync=all', 'core.quotePath=false', 'core.pager=cat',
  'protocol.ext.allow=never', 'transfer.fsckObjects=true', 'submodule.recurse=false', 'gc.auto=0', 'maintenance.auto=false',
  'advice.detachedHead=false', 'commit.gpgSign=false', 'push.followTags=false', 'fetch.writeCommitGraph=false', 'merge.renames=true',
].flatMap((setting) => ['-c', setting]);

/** Set by git for hooks and by some editors; they would point our commands at another repository. */
const FOREIGN = [
  'GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES', 'GIT_COMMON_DIR',
  'GIT_NAMESPACE', 'GIT_PREFIX', 'GIT_QUARANTINE_PATH', 'GIT_EXTERNAL_DIFF', 'GIT_AUTHOR_DATE', 'GIT_COMMITTER_DATE',
];

export interface GitResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface GitOptions {
  /** Folder to run in; a bare repository or a work tree. */
  readonly cwd?: string;
  readonly gitDir?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The process is ended after this time and the result has code -1. */
  readonly timeoutMs?: number;
}

function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' };
  for (const name of FOREIGN) delete env[name];
  return { ...env, ...extra };
}

function argumentsFor(args: readonly string[], options: GitOptions): string[] {
  return [...HARDENED, ...(options.gitDir === undefined ? [] : ['--git-dir', options.gitDir]), ...args];
}

/** Starts git with pipes, for the long-lived helpers. */
export function startGit(args: readonly string[], options: GitOptions = {}): ChildProcessWithoutNullStreams {
  return spawn('git', argumentsFor(args, options), {
    cwd: options.cwd, env: environment(options.env ?? {}), stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Runs git to its end. Throws only when git cannot be started (`git-missing`); a non-zero code is a value. */
export function tryGit(args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = startGit(args, options);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const end = (): void => void child.kill('SIGTERM');
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(end, options.timeoutMs);
    options.signal?.addEventListener('abort', end, { once: true });
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // git may end before it has read its input: that is its answer, not an error of ours.
    child.stdin.on('error', () => undefined);
    child.on('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(startFailure(cause, options.cwd));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
      resolve({ code: code ?? -1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') });
    });
    child.stdin.end(options.input ?? '');
  });
}

function startFailure(cause: NodeJS.ErrnoException, cwd: string | undefined): CambiumError {
  // The same code tells of a missing folder; there git itself is there.
  if (cause.code === 'ENOENT' && (cwd === undefined || existsSync(cwd))) {
    return new CambiumError('git-missing', 'git is not installed or not on PATH.', { hint: 'Install git 2.38 or newer.', cause });
  }
  return new CambiumError('git-failed', `git could not be started${cwd === undefined ? '' : ` in ${cwd}`}: ${cause.message}`, { cause });
}

/** Runs git and throws `git-failed` (or `disk-full`) unless it exits with one of `ok`. */
export async function git(args: readonly string[], options: GitOptions & { readonly ok?: readonly number[] } = {}): Promise<GitResult> {
  const result = await tryGit(args, options);
  if ((options.ok ?? [0]).includes(result.code)) return result;
  const said = result.stderr.trim();
  if (/No space left on device|Disk quota exceeded/.test(said)) {
    throw new CambiumError('disk-full', `git ${args[0]}: the disk is full.`, { hint: 'Free some space; the node goes on by itself.', data: { stderr: said } });
  }
  throw new CambiumError('git-failed', `git ${args[0]} failed (exit ${result.code}): ${said.split('\n').slice(-3).join(' ')}`, {
    data: { args: [...args], stderr: said },
  });
}

/** The trimmed standard output of a git command that must succeed. */
export async function gitText(args: readonly string[], options: GitOptions = {}): Promise<string> {
  return (await git(args, options)).stdout.toString('utf8').trim();
}

/** Throws `git-missing` or `git-too-old` (below 2.38, which lacks merge-tree --write-tree). */
export async function checkGitVersion(): Promise<string> {
  const said = await gitText(['version']);
  const found = /(\d+)\.(\d+)/.exec(said);
  const [major, minor] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  if (major > 2 || (major === 2 && minor >= 38)) return said.replace('git version ', '');
  throw new CambiumError('git-too-old', `${said} is too old: cambium needs git 2.38 or newer.`, { hint: 'Upgrade git (Debian 12 and Ubuntu 24.04 ship a newer one).' });
}
