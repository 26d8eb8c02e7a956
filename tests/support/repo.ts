/** Real repositories in temporary folders: bare hubs, clones, commits by plumbing, and hubs that misbehave on purpose. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openGitHub } from '../../src/adapters/git/hub.ts';
import type { GitHubOptions } from '../../src/adapters/git/hub.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { HubSeat, HubWorld } from '../contracts/hub.ts';

/** A folder of its own below the system's temporary folder, with every symbolic link resolved. */
export function tempDir(name = 'test'): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(realpathSync(tmpdir()), `cambium-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Runs git to its end in a folder and returns its trimmed output; throws when it fails. */
export function gitIn(cwd: string, args: readonly string[], input = ''): string {
  return execFileSync('git', args, { cwd, input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 }).trim();
}

export function makeBareHub(path: string, objectFormat: 'sha1' | 'sha256' = 'sha1'): string {
  gitIn('.', ['init', '--quiet', '--bare', '--initial-branch=main', `--object-format=${objectFormat}`, path]);
  gitIn(path, ['config', 'http.receivepack', 'true']);
  gitIn(path, ['config', 'core.logAllRefUpdates', 'always']);
  return path;
}

/** An empty work tree with an identity and `origin` set, as a clone of an empty hub is. Nothing is fetched. */
export function makeClone(path: string, url: string, objectFormat: 'sha1' | 'sha256' = 'sha1'): string {
  gitIn('.', ['init', '--quiet', '--initial-branch=main', `--object-format=${objectFormat}`, path]);
  gitIn(path, ['remote', 'add', 'origin', url]);
  setIdentity(path);
  return path;
}

/** A real `git clone`, with an identity. */
export function cloneOf(url: string, path: string, extra: readonly string[] = []): string {
  gitIn('.', ['clone', '--quiet', ...extra, '--', url, path]);
  setIdentity(path);
  return path;
}

function setIdentity(path: string): void {
  gitIn(path, ['config', 'user.name', 'Test Person']);
  gitIn(path, ['config', 'user.email', 'person@example.org']);
}

export interface CommitOptions {
  readonly parents?: readonly Oid[];
  /** Top-level files of the commit's tree. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A commit object in the repository; no ref, index or file is touched. */
export function writeCommit(cwd: string, message: string, { parents = [], files = {} }: CommitOptions = {}): Oid {
  const entries = Object.entries(files).map(([name, text]) => `100644 blob ${gitIn(cwd, ['hash-object', '-w', '--stdin'], text)}\t${name}\n`);
  const tree = gitIn(cwd, ['mktree'], entries.join(''));
  return gitIn(cwd, ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-m', message]);
}

/** All refs of a repository by name. */
export function refsOf(cwd: string): Map<string, Oid> {
  const lines = gitIn(cwd, ['for-each-ref', '--format=%(refname) %(objectname)']).split('\n');
  return new Map(lines.filter((line) => line !== '').map((line) => line.split(' ') as [string, Oid]));
}

/** Installs a `sh` hook in a bare repository, or removes it. */
export function setHook(bare: string, name: string, script: string | null): void {
  const path = join(bare, 'hooks', name);
  rmSync(path, { force: true });
  if (script === null) return;
  mkdirSync(join(bare, 'hooks'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** How clones of a test reach a bare hub. */
export interface Transport {
  /** The address of the bare repository at this path. */
  url(bare: string): string;
  /** Sets in the clone what its git needs (ssh command, credentials). */
  prepare?(clone: string): void;
  /** From now on the hub cannot be reached. */
  cut?(): Promise<void>;
  close?(): Promise<void>;
}

/** A world for the hub contract: one bare repository in a folder, reached through the transport by as many clones as wanted. */
export async function gitHubWorld(root: string, transport: Transport, options: Partial<GitHubOptions> = {}): Promise<HubWorld> {
  mkdirSync(root, { recursive: true });
  const bare = makeBareHub(join(root, 'hub.git'));
  let seats = 0;
  return {
    seat: async () => {
      const clone = makeClone(join(root, `clone-${++seats}`), transport.url(bare));
      transport.prepare?.(clone);
      return gitSeat(clone, transport.url(bare), options);
    },
    decline: async (on) => setHook(bare, 'pre-receive', on ? 'echo "no pushes on Sunday" >&2; exit 1' : null),
    dieInPush: async (when) => {
      // The parent of a hook is git receive-pack: before any ref has moved, or when all have and nobody was told.
      setHook(bare, 'pre-receive', when === 'before' ? 'kill -9 $PPID' : null);
      setHook(bare, 'reference-transaction', when === 'after' ? 'test "$1" != committed || kill -9 $PPID' : null);
    },
    gather: async (count) => setHook(bare, 'pre-receive', gatherScript(join(root, 'gate'), count)),
    leave: async () => (transport.cut === undefined ? renameSync(bare, `${bare}.away`) : transport.cut()),
    close: async () => transport.close?.(),
  };
}

export function gitSeat(clone: string, url: string, options: Partial<GitHubOptions> = {}): HubSeat {
  return {
    hub: openGitHub({ gitDir: join(clone, '.git'), url, ...options }),
    commit: async (message, parents = []) => writeCommit(clone, message, { parents, files: { 'note.txt': `${message}\n` } }),
    has: async (oid) => {
      try {
        gitIn(clone, ['rev-list', '--objects', '--quiet', oid]);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Holds every push until `count` have come in, so that all have read the refs before any writes; gives up after 15 s. */
function gatherScript(gate: string, count: number): string {
  if (!existsSync(gate)) mkdirSync(gate);
  return `touch '${gate}'/$$; n=0
while [ "$(ls '${gate}' | wc -l)" -lt ${count} ] && [ $n -lt 300 ]; do sleep 0.05; n=$((n+1)); done`;
}
