/**
 * Where codex's own sandbox lets an agent write: the worktree, this spawn's folder, its tools' caches, and as much of the
 * clone as a commit on a detached HEAD needs. All else is read-only, the person's checkout and the clone's refs included.
 */
import { lstatSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { SpawnRequest } from '../../ports/provider.ts';

/** `workspace`: as above, with network; `offline`: without, so that no server can be started either; `none`: no sandbox. */
export const SANDBOXES = ['workspace', 'offline', 'none'] as const;
export type Sandbox = (typeof SANDBOXES)[number];

/** What is misspelt confines. */
export const sandboxNamed = (text: string | undefined): Sandbox => SANDBOXES.find((name) => name === text) ?? 'workspace';

/** Flags for `codex exec` and for `codex exec resume`, which knows no `-s`: settings by `-c` alone. */
export function sandboxFlags({ worktree, directory, scratch, mayWrite }: SpawnRequest, sandbox: Sandbox, caches: string): readonly string[] {
  if (sandbox === 'none') return ['-c', 'sandbox_mode="danger-full-access"'];
  const network = String(sandbox === 'workspace');
  if (!mayWrite) {
    // The narrower one holds: a worktree below the temporary folder is read-only all the same.
    const folders = { ':root': 'read', ':tmpdir': 'write', ':slash_tmp': 'write', [worktree]: 'read', [scratch]: 'write', [caches]: 'write' };
    return ['-c', 'default_permissions="cambium"', '-c', `permissions.cambium.filesystem=${toml(folders)}`, '-c', `permissions.cambium.network={enabled=${network}}`];
  }
  const roots = [...(directory === worktree ? [] : [worktree]), scratch, caches, ...commitFolders(worktree)];
  return ['-c', 'sandbox_mode="workspace-write"', '-c', `sandbox_workspace_write.writable_roots=${toml(roots)}`, '-c', `sandbox_workspace_write.network_access=${network}`];
}

/**
 * The git folder of the worktree itself and the clone's objects. codex protects what a worktree's `.git` file points to,
 * below a root as well: only a root of its own makes it writable. Empty for what is no linked worktree.
 */
function commitFolders(worktree: string): readonly string[] {
  try {
    const gitDir = /^gitdir: (\/.+)$/m.exec(readFileSync(join(worktree, '.git'), 'utf8'))?.[1];
    if (gitDir === undefined || basename(dirname(gitDir)) !== 'worktrees') return [];
    // The file is the agent's too: an earlier turn could have pointed it anywhere. The clone must point back.
    if (readFileSync(join(gitDir, 'gitdir'), 'utf8').trim() !== join(worktree, '.git')) return [];
    return [gitDir, join(dirname(dirname(gitDir)), 'objects')].filter((path) => lstatSync(path).isDirectory());
  } catch {
    return [];
  }
}

/** Strings, lists and tables of strings as TOML says them, on one line: JSON strings are TOML strings. */
export function toml(value: string | readonly string[] | Readonly<Record<string, string>>): string {
  if (typeof value === 'string') return quoted(value);
  if (isList(value)) return `[${value.map(quoted).join(',')}]`;
  return `{${Object.entries(value).map(([key, text]) => `${quoted(key)}=${quoted(text)}`).join(',')}}`;
}

const isList = (value: readonly string[] | Readonly<Record<string, string>>): value is readonly string[] => Array.isArray(value);

/** DEL is the one character that JSON leaves as it is and TOML forbids. */
const quoted = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');
