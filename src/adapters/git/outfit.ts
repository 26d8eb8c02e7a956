/** What a project's worktree needs beside the files of its commit: ignored files of the person's own folder, dependencies. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Oid } from '../../model/ids.ts';
import type { Outfit, TreeNeeds } from '../../ports/projects.ts';
import { findProgram } from '../system/findProgram.ts';
import { copyInside, symlinkOn } from '../system/insideTree.ts';
import { git, gitText, tryGit } from './run.ts';
import { openSetupCache } from './setupCache.ts';

export interface OutfitOptions {
  readonly gitDir: string;
  /** The project's folder on this machine; null where it has none here. */
  readonly source: () => Promise<string | null>;
  /** Folder for what setups leave behind. */
  readonly cacheDir: string;
}

export function openOutfit({ gitDir, source, cacheDir }: OutfitOptions): Outfit {
  const known = new Map<Oid, Promise<TreeNeeds>>();
  const cache = openSetupCache(cacheDir);
  return {
    needs(commit) {
      const reading = known.get(commit) ?? readNeeds(gitDir, commit);
      known.set(commit, reading);
      reading.catch(() => known.delete(commit));
      return reading;
    },
    async copy(worktree, entries) {
      if (entries.length === 0) return [];
      const from = await source();
      if (from === null) return [`${entries.join(', ')}: the project has no folder on this machine to copy from.`];
      const notes: string[] = [];
      for (const entry of entries) {
        const why = await copyEntry(from, worktree, entry);
        if (why !== null) notes.push(`${entry} was not copied: ${why}.`);
      }
      return notes;
    },
    restore: cache.restore,
    keep: cache.keep,
  };
}

/** Lock files that pin what a setup brings. */
const LOCKFILES = new Set([
  'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb', 'deno.lock', 'requirements.txt', 'poetry.lock', 'uv.lock', 'Pipfile.lock', 'pdm.lock',
  'Cargo.lock', 'go.sum', 'go.work.sum', 'Gemfile.lock', 'composer.lock', 'mix.lock', 'pubspec.lock', 'Package.resolved', 'gradle.lockfile', 'packages.lock.json', 'flake.lock',
]);

async function readNeeds(gitDir: string, commit: Oid): Promise<TreeNeeds> {
  const files = parseTree((await git(['ls-tree', '-r', '-z', commit], { gitDir })).stdout.toString('utf8'));
  const named = (name: string): readonly TreeFile[] => files.filter(({ path }) => path === name || path.endsWith(`/${name}`));
  const submodules = files.some(({ mode }) => mode === '160000') && files.some(({ path }) => path === '.gitmodules') ? '.gitmodules' : null;
  return {
    submodules, lfs: await unreadableLfs(gitDir, named('.gitattributes')),
    lockfiles: files.filter(({ path, mode }) => mode !== '160000' && LOCKFILES.has(path.slice(path.lastIndexOf('/') + 1))).map(({ path, oid }) => ({ path, oid })),
  };
}

interface TreeFile {
  readonly mode: string;
  readonly oid: Oid;
  readonly path: string;
}

/** `<mode> <type> <oid>\t<path>`, NUL between. */
function parseTree(text: string): readonly TreeFile[] {
  return text.split('\0').filter((line) => line !== '').map((line) => {
    const tab = line.indexOf('\t');
    const [mode = '', , oid = ''] = line.slice(0, tab).split(' ');
    return { mode, oid, path: line.slice(tab + 1) };
  });
}

/** Without git-lfs, or without its filter in git's configuration, an agent would see pointers where files should be. */
async function unreadableLfs(gitDir: string, attributes: readonly TreeFile[]): Promise<string | null> {
  for (const { oid, path } of attributes) {
    const text = (await git(['cat-file', 'blob', oid], { gitDir })).stdout.toString('utf8');
    if (/^[^#\n]*[ \t]filter=lfs(?:[ \t]|$)/m.test(text)) return (await canReadLfs(gitDir)) ? null : path;
  }
  return null;
}

async function canReadLfs(gitDir: string): Promise<boolean> {
  if (!(await findProgram('git-lfs'))) return false;
  return (await tryGit(['config', '--get-regexp', '^filter\\.lfs\\.(process|smudge)$'], { gitDir })).code === 0;
}

/** Null when it was copied, else why not. */
async function copyEntry(from: string, worktree: string, entry: string): Promise<string | null> {
  const there = await lstat(join(from, entry)).catch(() => null);
  if (there === null) return `it is not in ${from}`;
  for (const [root, name] of [[from, 'there'], [worktree, 'in the worktree']] as const) {
    const link = await symlinkOn(root, entry);
    if (link !== null) return `${link} is a symlink ${name}`;
  }
  // What git does not ignore would be committed with the agent's work, secrets included.
  if ((await gitText(['--literal-pathspecs', 'ls-files', '--', entry], { cwd: worktree })) !== '') return 'git tracks it';
  const asked = there.isDirectory() ? `${entry}/` : entry;
  if ((await tryGit(['check-ignore', '--quiet', '--', asked], { cwd: worktree })).code !== 0) return 'the project does not ignore it, so it would be committed';
  const left = await copyInside(from, worktree, entry);
  return left.length === 0 ? null : `${left.slice(0, 3).join(', ')}${left.length > 3 ? ` and ${left.length - 3} more` : ''} would lead out of the project; the rest was`;
}
