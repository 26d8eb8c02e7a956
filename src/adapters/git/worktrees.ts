/** Worktrees by `git worktree`, under `.cambium/worktrees/` (ignored). They share the clone's objects, not its index. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Captured, Worktrees } from '../../ports/worktrees.ts';
import { git, gitText, tryGit } from './run.ts';

export function openWorktrees(gitDir: string, folder: string): Worktrees {
  const path = (name: string): string => join(folder, name);
  const exists = async (name: string): Promise<boolean> => (await stat(join(path(name), '.git')).catch(() => null)) !== null;

  async function remove(name: string): Promise<void> {
    await tryGit(['worktree', 'unlock', path(name)], { gitDir });
    await tryGit(['worktree', 'remove', '--force', '--force', path(name)], { gitDir });
    // What git left, because it no longer knew the folder as a worktree.
    await rm(path(name), { recursive: true, force: true });
    await rm(join(folder, '.index', name), { force: true });
    await git(['worktree', 'prune'], { gitDir });
  }

  return {
    path,
    exists,
    remove,
    async create(name, commit) {
      await mkdir(folder, { recursive: true });
      if ((await stat(path(name)).catch(() => null)) !== null) await remove(name);
      // Locked, so that nobody's `git worktree prune` takes it away while the agent works.
      await git(['worktree', 'add', '--quiet', '--detach', '--force', '--lock', '--reason', 'a cambium agent works here', path(name), commit], { gitDir });
      return path(name);
    },
    capture: (name) => capture(path(name), join(folder, '.index', name)),
    list: async () => (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.')).toSorted(),
  };
}

/** Through an index of our own, so that the agent's git commands never meet our lock; it also remembers stat data between captures. */
async function capture(cwd: string, index: string): Promise<Captured> {
  const head = await gitText(['rev-parse', '--verify', 'HEAD^{commit}'], { cwd });
  await mkdir(dirname(index), { recursive: true });
  const env = { GIT_INDEX_FILE: index };
  if ((await stat(index).catch(() => null)) === null) await git(['read-tree', head], { cwd, env });
  await git(['add', '--all', '--', '.'], { cwd, env });
  return { tree: await gitText(['write-tree'], { cwd, env }), head };
}
