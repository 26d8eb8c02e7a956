/**
 * The files of a work tree as git would commit them: what is tracked, and what is new and not ignored. No link is
 * followed, in no part of a path, and nothing is read that is no regular file or is larger than asked for.
 */
import { constants } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileMode } from '../../model/git.ts';
import type { WorkFile } from '../../observe/check.ts';
import { checkGitVersion, git, tryGit } from './run.ts';

/** Top of the work tree around `cwd`; null outside of one. An agent's worktree is one of its own. Throws `git-missing`, `git-too-old`. */
export async function workTop(cwd: string): Promise<string | null> {
  const top = await tryGit(['rev-parse', '--path-format=absolute', '--show-toplevel'], { cwd });
  if (top.code === 0) return top.stdout.toString('utf8').replace(/\n$/, '');
  await checkGitVersion();
  return null;
}

/** Paths below the given ones that are tracked, or new and not ignored; some may be gone from the disk. */
export async function listWorkPaths(top: string, below: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await git(['--literal-pathspecs', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...below], { cwd: top });
  // A repository inside the work tree ends in a slash; a path with a conflict is named once for each side.
  return [...new Set(stdout.toString('utf8').split('\0').filter((path) => path !== '').map((path) => path.replace(/\/$/, '')))];
}

/** Those of the paths that exist, untracked, and that git is told to ignore: no fleet will ever see them. */
export async function ignoredPaths(top: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set();
  // Exit 1: none is ignored.
  const { stdout } = await git(['check-ignore', '-z', '--stdin'], { cwd: top, input: paths.map((path) => `${path}\0`).join(''), ok: [0, 1] });
  return new Set(stdout.toString('utf8').split('\0'));
}

export interface WorkFiles {
  /** Null where nothing stands, or only behind a link. `bytes` are read where the file has at most `bytesMax`. */
  read(path: string, bytesMax: number): Promise<WorkFile | null>;
  /** What stands there, without reading it. */
  kind(path: string): Promise<'file' | 'folder' | 'link' | 'other' | null>;
}

export function openWorkFiles(top: string): WorkFiles {
  const folders = new Map<string, Promise<boolean>>();

  /** True for a folder that is where its path says, no part of it being a link. Each is asked once. */
  function isReal(folder: string): Promise<boolean> {
    const known = folders.get(folder) ?? realpath(join(top, folder)).then(async (real) => real === join(await realpath(top), folder), () => false);
    folders.set(folder, known);
    return known;
  }

  async function kind(path: string): Promise<'file' | 'folder' | 'link' | 'other' | null> {
    if (!(await isReal(dirname(path)))) return null;
    const stat = await lstat(join(top, path)).catch(() => null);
    if (stat === null) return null;
    return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'other';
  }

  return {
    kind,
    async read(path, bytesMax) {
      const found = await kind(path);
      if (found === null || found === 'other') return null;
      if (found !== 'file') return { mode: found === 'link' ? '120000' : '160000', size: 0, bytes: null };
      return readRegular(join(top, path), bytesMax);
    },
  };
}

/** Between the look and the opening it may have become a link or a pipe: neither is followed or waited for. */
async function readRegular(path: string, bytesMax: number): Promise<WorkFile | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return null;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return null;
    const mode: FileMode = (stat.mode & 0o111) === 0 ? '100644' : '100755';
    return { mode, size: stat.size, bytes: stat.size > bytesMax ? null : await file.readFile() };
  } finally {
    await file.close();
  }
}
