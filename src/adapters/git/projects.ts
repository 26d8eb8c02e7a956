/** The projects of a clone over git: a bare repository each, or the workspace's own objects and hub for `url: "."`. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { ProjectConfig } from '../../model/config.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Hub } from '../../ports/hub.ts';
import type { Project, Projects } from '../../ports/projects.ts';
import type { Store } from '../../ports/store.ts';
import type { Worktrees } from '../../ports/worktrees.ts';
import { openGitHub } from './hub.ts';
import { openOutfit } from './outfit.ts';
import { probeHub } from './probe.ts';
import { ensureProjectRepository } from './projectRepository.ts';
import { git, tryGit } from './run.ts';
import { openGitStore } from './store.ts';
import { openWorktrees } from './worktrees.ts';

export interface GitProjectsOptions {
  readonly gitDir: string;
  /** The clone's common git directory: also the hub of `url: "."` while the clone has joined none. */
  readonly commonDir: string;
  /** Relative addresses are looked for from here. */
  readonly root: string;
  /** `<common git dir>/cambium`. */
  readonly stateDir: string;
  /** `.cambium/`. */
  readonly workDir: string;
  readonly store: Store;
  readonly hub: Hub;
  /** The remote that is the workspace's hub and its address; null while the hub is the embedded one. */
  readonly joined: { readonly remote: string; readonly url: string } | null;
  readonly worktrees: Worktrees;
  readonly clock: Pick<Clock, 'ulid'>;
}

export function openGitProjects(options: GitProjectsOptions): Projects {
  const open = new Map<string, Promise<Project>>();
  return {
    open(name, config) {
      const key = JSON.stringify([name, config.url]);
      const opening = open.get(key) ?? openProject(options, name, config);
      open.set(key, opening);
      // A host that is away now may be there later.
      opening.catch(() => open.delete(key));
      return opening;
    },
    async close() {
      const opened = await Promise.allSettled(open.values());
      for (const one of opened) if (one.status === 'fulfilled' && !one.value.isOwnHub) await one.value.store.close();
    },
  };
}

function openProject(options: GitProjectsOptions, name: string, { url }: ProjectConfig): Promise<Project> {
  const address = addressOf(options.root, url);
  const isOwn = url === '.' || (options.joined !== null && (url === options.joined.url || address === addressOf(options.root, options.joined.url)));
  return isOwn ? openOwn(options, name) : openOther(options, name, address);
}

/** A path from the workspace's top where it is no address of another kind. */
function addressOf(root: string, url: string): string {
  const isElsewhere = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) || /^[^/:]+:/.test(url);
  return isElsewhere || isAbsolute(url) ? url : resolve(root, url);
}

/**
 * Another branch of the workspace's own hub. While that is the embedded one, which has no code, it is the clone itself: a
 * branch for review then simply appears beside the person's own.
 */
async function openOwn(options: GitProjectsOptions, name: string): Promise<Project> {
  const { gitDir, commonDir, store, joined, worktrees, workDir } = options;
  return {
    name, store, worktrees, isOwnHub: true, takesGuests: async () => true,
    hub: joined === null ? openGitHub({ gitDir, url: commonDir }) : options.hub,
    outfit: openOutfit({ gitDir, source: () => mainWorktree(gitDir), cacheDir: join(workDir, 'cache/projects', name) }),
  };
}

async function openOther(options: GitProjectsOptions, name: string, url: string): Promise<Project> {
  const gitDir = await ensureProjectRepository(options.stateDir, name, url);
  const store = await openGitStore({ gitDir });
  const hub = openGitHub({ gitDir, url });
  let probed: Promise<boolean> | null = null;
  return {
    name, store, hub, isOwnHub: false,
    takesGuests() {
      probed ??= takesGuests(options, name, gitDir, hub, store);
      // A host that is away now may be there later.
      probed.catch(() => { probed = null; });
      return probed;
    },
    // In the same folder as the workspace's: a run's worktree has one path, whatever it works in.
    worktrees: openWorktrees(gitDir, join(options.workDir, 'worktrees')),
    outfit: openOutfit({ gitDir, source: () => folderOf(url), cacheDir: join(options.workDir, 'cache/projects', name) }),
  };
}

const PROBED = 'cambium.guests';

/** Found fit, a host is not probed again; one that refuses is asked by each process, for its rules may change. */
async function takesGuests({ clock, commonDir }: GitProjectsOptions, name: string, gitDir: string, hub: Hub, store: Store): Promise<boolean> {
  if ((await tryGit(['config', '--get', PROBED], { gitDir })).stdout.toString('utf8').trim() === 'true') return true;
  // A name of this clone's own, so that two that probe at once do not meet, and what a killed one left is found again.
  const node = `clone-${createHash('sha256').update(`${hostname()}\0${commonDir}`).digest('hex').slice(0, 12)}`;
  const verdict = await probeHub({ hub, store, node, nonce: clock.ulid() });
  if (verdict.fit) await git(['config', PROBED, 'true'], { gitDir });
  if (verdict.fit || verdict.code === 'hub-policy') return verdict.fit;
  throw new CambiumError(verdict.code, `The host of the project ${name} cannot be used: ${verdict.reason}`, { hint: verdict.hint });
}

/** The first of a repository's work trees is the person's own. */
async function mainWorktree(gitDir: string): Promise<string | null> {
  const listed = (await tryGit(['worktree', 'list', '--porcelain', '-z'], { gitDir })).stdout.toString('utf8').split('\0\0')[0]?.split('\0') ?? [];
  const path = listed.find((line) => line.startsWith('worktree '))?.slice('worktree '.length);
  return path === undefined || listed.includes('bare') ? null : path;
}

/** The work tree at a local address, or null for a bare repository or one that is elsewhere. */
async function folderOf(url: string): Promise<string | null> {
  const path = url.replace(/^file:\/\//, '');
  if (!isAbsolute(path)) return null;
  const found = await tryGit(['rev-parse', '--show-toplevel'], { cwd: path }).catch(() => null);
  return found?.code === 0 ? found.stdout.toString('utf8').trim() : null;
}
