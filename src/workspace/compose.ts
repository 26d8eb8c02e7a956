/** Wires the adapters to the ports for the clone a command runs in. The only place that knows both. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Node, NodeIdentity } from '../act/node.ts';
import { openAdditions } from '../adapters/git/additions.ts';
import { openGitHub } from '../adapters/git/hub.ts';
import { ensureEmbeddedHub } from '../adapters/git/embeddedHub.ts';
import { checkGitVersion, gitText, tryGit } from '../adapters/git/run.ts';
import { openGitStore } from '../adapters/git/store.ts';
import type { GitProjectsOptions } from '../adapters/git/projects.ts';
import { openWorktrees } from '../adapters/git/worktrees.ts';
import { createSystemClock } from '../adapters/system/clock.ts';
import { variable } from '../adapters/system/environment.ts';
import { openLocal } from '../adapters/system/local.ts';
import { builtPrograms } from '../adapters/system/programs.ts';
import { packageVersion } from '../adapters/system/version.ts';
import { createSupervisor } from '../adapters/system/supervisor.ts';
import { CambiumError } from '../errors.ts';
import { isId, proposeId } from '../model/ids.ts';
import { FLEET_REF } from '../model/layout.ts';
import { openAges } from '../observe/ages.ts';
import { createChainReader } from '../observe/chains.ts';
import { createFleetReader } from '../observe/fleet.ts';
import { openHubMirror } from '../observe/hubMirror.ts';
import { createTaskIndex } from '../observe/taskIndex.ts';
import type { Local } from '../ports/local.ts';
import type { Projects } from '../ports/projects.ts';
import type { Store } from '../ports/store.ts';
import { bootstrapEmbedded } from './bootstrap.ts';
import type { Clone, GitPlace } from './clone.ts';

/** Finds the repository around `cwd`. Throws `not-a-workspace`, `git-missing`, `git-too-old`. */
export async function findPlace(cwd: string): Promise<GitPlace> {
  const found = await tryGit(['rev-parse', '--path-format=absolute', '--absolute-git-dir', '--git-common-dir', '--is-bare-repository'], { cwd });
  if (found.code !== 0) {
    await checkGitVersion();
    throw new CambiumError('not-a-workspace', `${cwd} is not inside a git repository.`, { hint: 'Run `cambium init` to make a workspace here, or `cambium clone <url>` to join one.' });
  }
  const [gitDir = '', commonDir = '', bare = ''] = found.stdout.toString('utf8').trim().split('\n');
  // An agent's own worktree is a place inside the clone that it belongs to.
  if (gitDir !== commonDir && cwd.includes('/.cambium/worktrees/')) return findPlace(cwd.slice(0, cwd.indexOf('/.cambium/worktrees/')));
  const [root, config, head] = await Promise.all([
    bare === 'true' ? null : gitText(['rev-parse', '--path-format=absolute', '--show-toplevel'], { cwd }),
    tryGit(['config', '-z', '--get-regexp', '^(cambium\\.|remote\\..*\\.url$)'], { cwd }),
    tryGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], { cwd }),
  ]);
  const settings = config.stdout.toString('utf8').split('\0').filter((line) => line !== '').map((line): [string, string] => {
    const at = line.indexOf('\n');
    return [line.slice(0, at), line.slice(at + 1)];
  });
  const place = { root, gitDir, commonDir, settings: new Map(settings), head: head.code === 0 ? head.stdout.toString('utf8').trim() : null };
  return (await besidePlace(place)) ?? place;
}

/** From the folder of the code to the workspace that stands beside it on a branch of its own (`cambium init --branch`). */
async function besidePlace({ root, gitDir, commonDir, settings }: GitPlace): Promise<GitPlace | null> {
  const home = settings.get('cambium.workspace');
  if (home === undefined || root === null || root === home || gitDir !== commonDir) return null;
  // It may have been moved or removed since: then this is a place like any other.
  return findPlace(home).catch(() => null);
}

export interface OpenOptions {
  readonly cwd?: string;
}

/** Opens the clone around the current folder with its hub: the joined remote, or the embedded one. */
export async function openClone({ cwd = process.cwd() }: OpenOptions = {}): Promise<Clone> {
  const place = await findPlace(cwd);
  const remote = place.settings.get('cambium.hub') ?? null;
  const branch = place.settings.get('cambium.branch') ?? (await workspaceBranch(place));
  const clone = await wire(place, remote, branch);
  if (remote === null) await bootstrapEmbedded(clone, place);
  else if (!clone.mirror.known().refs.has(FLEET_REF)) await requireMarker(clone);
  return clone;
}

async function workspaceBranch({ root, gitDir, head }: GitPlace): Promise<string> {
  const config = await tryGit(['cat-file', '-e', 'HEAD:cambium.yaml'], { gitDir });
  if (config.code === 0) return head ?? 'main';
  throw new CambiumError('not-a-workspace', `${root ?? gitDir} is not a cambium workspace: its HEAD has no cambium.yaml.`, { hint: 'Run `cambium init` here to make it one.' });
}

/** Connects ports and adapters; asks no hub. */
export async function wire(place: GitPlace, remote: string | null, branch: string): Promise<Clone> {
  const { root, gitDir, commonDir } = place;
  const stateDir = join(commonDir, 'cambium');
  const workDir = root === null ? join(stateDir, 'work') : join(root, '.cambium');
  const store = await openGitStore({ gitDir });
  const local = openLocal(join(stateDir, 'local'));
  const clock = createSystemClock();
  const url = remote === null ? await ensureEmbeddedHub(commonDir, branch) : (place.settings.get(`remote.${remote}.url`) ?? remote);
  const hub = openGitHub({ gitDir, url, ...(remote === null ? {} : { remote }) });
  const mirror = await openHubMirror({ store, hub, local, branch, trackingRef: remote === null ? null : `refs/remotes/${remote}/${branch}` });
  const reader = createChainReader(store);
  const index = await openIndex(store, local);
  const ages = await openAges(local, store, openAdditions(gitDir));
  const worktrees = openWorktrees(gitDir, join(workDir, 'worktrees'));
  const projects = lazyProjects({ gitDir, commonDir, root: root ?? commonDir, stateDir, workDir, store, hub, worktrees, clock, joined: remote === null ? null : { remote, url } });
  const fleets = createFleetReader({ store, chains: reader, index: index.index, ages, local, version: packageVersion() });
  return {
    place, root, gitDir, commonDir, stateDir, workDir, branch, remote, store, hub, mirror, clock, local, reader, fleets,
    config: fleets.config,
    supervisor: createSupervisor({ programs: builtPrograms() }),
    worktrees, projects,
    version: packageVersion(),
    async checkout() {
      const { openCheckout } = await import('../adapters/checkout/checkout.ts');
      return openCheckout({ root, gitDir, commonDir, branch, store, halfSavedMs: 2_000, settleMs: 100, clock });
    },
    async close() {
      await index.save();
      await projects.close();
      await store.close();
    },
  };
}

/** Loaded for the first task that works in another repository. */
function lazyProjects(options: GitProjectsOptions): Projects {
  let opened: Promise<Projects> | null = null;
  return {
    async open(name, config) {
      opened ??= import('../adapters/git/projects.ts').then(({ openGitProjects }) => openGitProjects(options));
      return (await opened).open(name, config);
    },
    close: async () => (await opened)?.close(),
  };
}

/** The parsed tasks of the last command, so that the next one reads only what changed. */
async function openIndex(store: Store, local: Local): Promise<{ readonly index: ReturnType<typeof createTaskIndex>; save(): Promise<void> }> {
  const before = await local.read('task-index');
  const index = createTaskIndex(store, typeof before === 'string' ? before : null);
  return {
    index,
    async save() {
      if (index.changed) await local.write('task-index', index.export());
    },
  };
}

async function requireMarker(clone: Clone): Promise<void> {
  const view = await clone.mirror.refresh();
  if (view.refs.has(FLEET_REF)) return;
  throw new CambiumError('hub-not-joined', `The remote ${clone.remote} is not a hub: it has no ${FLEET_REF}.`, { hint: `Run \`cambium join ${clone.hub.url}\` to make it one. Nothing was pushed.` });
}

/** The node name a person gave, or the one this clone goes by. */
export function nodeName(place: Pick<GitPlace, 'settings'>, asked: string | undefined): string {
  const name = asked ?? variable('CAMBIUM_NODE') ?? place.settings.get('cambium.node') ?? hostName();
  if (isId(name)) return name;
  throw new CambiumError('usage', `${name} is no good node name.`, { hint: `Use lower-case letters, digits, - and _: ${proposeId(name)}` });
}

export function hostName(): string {
  return proposeId(hostname().split('.')[0] ?? 'node');
}

export async function nodeOf(clone: Clone, node: string, incarnation: string): Promise<Node> {
  const { process: self, machine } = await clone.supervisor.self();
  const identity: NodeIdentity = { node, incarnation, machine, bootId: self.boot_id, process: self };
  const { store, hub, mirror, clock, local, supervisor, version, config } = clone;
  return { identity, store, hub, mirror, clock, local, supervisor, version, config };
}
