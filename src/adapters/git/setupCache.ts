/**
 * What a project's setup left behind, by the hash of what it was made from. Copies, never hard links: an agent that writes
 * into its dependencies must not write into the next one's. Everything here may be deleted at any time.
 */
import { mkdir, mkdtemp, readFile, readdir, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outfit } from '../../ports/projects.ts';
import { copyInside, symlinkOn } from '../system/insideTree.ts';
import { git } from './run.ts';

/** More than so many are not kept of one project: the one that was not used for longest goes. */
const KEPT_MAX = 5;
/** Larger than this is made anew each time. */
const BYTES_MAX = 4 * 1024 ** 3;
/** Larger files are no scripts, and are not searched. */
const SEARCHED_BYTES_MAX = 1024 ** 2;

const MANIFEST = 'entries.json';
const UNFINISHED = 'new-';

export function openSetupCache(folder: string): Pick<Outfit, 'restore' | 'keep'> {
  return {
    async restore(worktree, key) {
      const kept = join(folder, key);
      const entries = await readEntries(kept);
      if (entries === null) return false;
      // Another commit with the same lock files may have a symlink where the folder stood.
      for (const entry of entries) if ((await symlinkOn(worktree, entry)) !== null) return false;
      for (const entry of entries) await copyInside(join(kept, 'files'), worktree, entry);
      const now = new Date(Date.now());
      await utimes(kept, now, now);
      return true;
    },
    async keep(worktree, key, without) {
      const entries = (await ignoredEntries(worktree)).filter((entry) => !without.some((other) => overlaps(entry, other)));
      const why = await unfit(worktree, entries);
      if (why !== null) return why;
      await mkdir(folder, { recursive: true });
      const unfinished = await mkdtemp(join(folder, UNFINISHED));
      try {
        const left = (await Promise.all(entries.map((entry) => copyInside(worktree, join(unfinished, 'files'), entry)))).flat();
        if (left.length > 0) throw new Error(`${left[0]} leads out of the worktree`);
        await writeFile(join(unfinished, MANIFEST), JSON.stringify(entries));
        await rename(unfinished, join(folder, key));
      } catch (cause) {
        await rm(unfinished, { recursive: true, force: true });
        // Another run was faster: what it kept is as good.
        if ((await readEntries(join(folder, key))) === null) return `it could not be copied: ${(cause as Error).message}`;
      }
      await evict(folder);
      return null;
    },
  };
}

async function readEntries(kept: string): Promise<readonly string[] | null> {
  const text = await readFile(join(kept, MANIFEST), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as readonly string[]);
}

/** Files and whole folders that git ignores, as paths without an ending slash. */
async function ignoredEntries(worktree: string): Promise<readonly string[]> {
  const { stdout } = await git(['ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z'], { cwd: worktree });
  return stdout.toString('utf8').split('\0').filter((path) => path !== '').map((path) => path.replace(/\/$/, ''));
}

function overlaps(a: string, b: string): boolean {
  const [one, other] = [`${a}/`, `${b.replace(/^\.\//, '').replace(/\/+$/, '')}/`];
  return one.startsWith(other) || other.startsWith(one);
}

/** Why what stands there cannot serve another worktree: most of all, that it names this one (Python's venv, Cargo's target). */
async function unfit(worktree: string, entries: readonly string[]): Promise<string | null> {
  let bytes = 0;
  for (const entry of entries) {
    const files = (await stat(join(worktree, entry)).catch(() => null))?.isDirectory() === true
      ? (await readdir(join(worktree, entry), { withFileTypes: true, recursive: true })).map((file) => ({ path: join(file.parentPath, file.name), isLink: file.isSymbolicLink(), isFile: file.isFile() }))
      : [{ path: join(worktree, entry), isLink: false, isFile: true }];
    for (const { path, isLink, isFile } of files) {
      if (isLink && (await readlink(path)).includes(worktree)) return `${path} points into its worktree`;
      if (!isFile) continue;
      const { size } = await stat(path);
      bytes += size;
      if (bytes > BYTES_MAX) return `it is larger than ${BYTES_MAX} bytes`;
      if (size <= SEARCHED_BYTES_MAX && (await readFile(path)).includes(worktree)) return `${path} names the folder of its worktree`;
    }
  }
  return null;
}

async function evict(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith(UNFINISHED));
  const used = await Promise.all(names.map(async (name) => ({ name, usedMs: (await stat(join(folder, name)).catch(() => null))?.mtimeMs ?? 0 })));
  for (const { name } of used.toSorted((a, b) => b.usedMs - a.usedMs).slice(KEPT_MAX)) await rm(join(folder, name), { recursive: true, force: true });
}
