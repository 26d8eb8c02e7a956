/** `cambium join <url>` makes a remote the hub, or joins the fleet that is there; `cambium clone <url>` brings a machine in. */
import { basename, resolve } from 'node:path';
import { createHeart } from '../act/heartbeat.ts';
import { checkClone, probeHub } from '../adapters/git/probe.ts';
import { openGitHub } from '../adapters/git/hub.ts';
import { git, gitText } from '../adapters/git/run.ts';
import { variable } from '../adapters/system/environment.ts';
import { withTempFolder } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { chainState } from '../model/claim.ts';
import type { RefUpdate } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { ARCHIVE_PREFIX, CLAIMS_PREFIX, FLEET_REF, HUB_MIRROR, RESCUE_PREFIX, REVIEW_BRANCHES, REVIEW_PREFIX, STALE_PREFIX, WIP_PREFIX, nodeRef } from '../model/layout.ts';
import { parseFleetRecord } from '../observe/fleetRecord.ts';
import { pushMarker } from '../workspace/bootstrap.ts';
import { findPlace, hostName, nodeName, nodeOf, openClone, wire } from '../workspace/compose.ts';
import type { Clone, GitPlace } from '../workspace/clone.ts';
import { openLives } from '../workspace/lives.ts';
import type { Answer } from './output.ts';
import { daemonRuns } from '../workspace/session.ts';

export interface JoinOptions {
  readonly node?: string | undefined;
}

/** Throws `hub-unfit`, `hub-policy`, `hub-denied`, `hub-away`, `hub-shallow`, `refused`. Nothing is pushed before the remote is found fit. */
export async function joinCommand(url: string, options: JoinOptions): Promise<Answer> {
  const place = await findPlace(process.cwd());
  const before = await openClone();
  try {
    if (await daemonRuns(before)) throw new CambiumError('daemon-running', 'A daemon serves this clone.', { hint: 'Stop it first (Ctrl-C where it runs), then join.' });
    if (before.remote !== null) return await alreadyJoined(place, before, url);
    const remote = await ensureRemote(place, url);
    const clone = await wire(place, remote, before.branch);
    await requireFit(clone, nodeName(place, options.node));
    const joined = await joinHub(before, clone);
    await setConfig(place, 'cambium.hub', remote);
    await setConfig(place, 'cambium.branch', clone.branch);
    const node = await registerNode(clone, place, options.node);
    await clone.close();
    return { data: { hub: clone.hub.url, remote, node, joined }, text: `${joined === 'made' ? `${url} is this fleet's hub now` : `Joined the fleet on ${url}`} (remote ${remote}, node ${node}).\nOther machines: cambium clone ${url}` };
  } finally {
    await before.close();
  }
}

async function alreadyJoined(place: GitPlace, clone: Clone, url: string): Promise<Answer> {
  const known = await gitText(['remote', 'get-url', clone.remote as string], { gitDir: place.gitDir });
  if (known !== url && known !== resolve(url)) throw new CambiumError('refused', `This clone has joined ${clone.hub.url} already.`, { hint: 'Clone the other fleet into a folder of its own: `cambium clone <url> <dir>`.' });
  return { data: { hub: clone.hub.url, remote: clone.remote, joined: 'before' }, text: `Joined already: ${url}. Nothing was changed.` };
}

/** The remote with this address; else a new one, called `origin` where that is free, else `hub`. */
async function ensureRemote({ gitDir }: GitPlace, url: string): Promise<string> {
  const names = (await gitText(['remote'], { gitDir })).split('\n').filter((name) => name !== '');
  if (names.includes(url)) return url;
  for (const name of names) if ((await gitText(['remote', 'get-url', name], { gitDir })) === url) return name;
  const name = names.includes('origin') ? 'hub' : 'origin';
  if (names.includes(name)) throw new CambiumError('refused', `The remotes origin and hub both point elsewhere.`, { hint: `Name a remote of this clone, or rename one: \`git remote rename hub old-hub\`.` });
  await git(['remote', 'add', '--', name, /^[\w+.-]+:/.test(url) ? url : resolve(url)], { gitDir });
  return name;
}

async function requireFit(clone: Clone, node: string): Promise<void> {
  const checked = await checkClone({ gitDir: clone.gitDir, url: clone.hub.url, remote: clone.remote as string });
  const verdict = checked.fit ? await probeHub({ hub: clone.hub, store: clone.store, node, nonce: clone.clock.ulid() }) : checked;
  if (!verdict.fit) throw new CambiumError(verdict.code, verdict.reason, { hint: verdict.hint });
}

/** Refs that hold work or history beside the claims. */
const KEPT = [ARCHIVE_PREFIX, WIP_PREFIX, STALE_PREFIX, RESCUE_PREFIX, REVIEW_PREFIX, REVIEW_BRANCHES];

/** An empty remote takes over all that the embedded hub knows, claim chains included (PROTOCOL P10). */
async function joinHub(embedded: Clone, clone: Clone): Promise<'made' | 'joined'> {
  const old = await embedded.mirror.refresh();
  // What is kept, waits for review or is archived stands on the hub alone until somebody looks into it.
  await embedded.hub.fetch(new Map([...old.refs].filter(([ref]) => KEPT.some((prefix) => ref.startsWith(prefix)))));
  await requireNothingHeld(embedded);
  // The mirror's marks are those of the embedded hub; from here on they are the remote's.
  await forgetMirror(clone);
  const fresh = await wireAgain(clone);
  const view = await fresh.mirror.refresh();
  const ours = old.main as Oid;
  if (view.refs.has(FLEET_REF)) {
    const related = view.main !== null && (await clone.store.mergeBase(ours, view.main)) !== null;
    if (related) return 'joined';
    throw new CambiumError('refused', 'The fleet on that remote shares no history with this repository.', { hint: 'Bring this machine in with `cambium clone <url> <dir>`, and move your files over.' });
  }
  if (view.main !== null && (await clone.store.mergeBase(ours, view.main)) === null) {
    throw new CambiumError('refused', `The branch ${clone.branch} of that remote shares no history with this repository.`, { hint: 'Join an empty remote, or start from a clone of that one: `git clone <url>`, then `cambium init` and `cambium join` there.' });
  }
  const taken: RefUpdate[] = view.main === null ? [...old.refs].filter(([ref]) => [CLAIMS_PREFIX, ...KEPT].some((prefix) => ref.startsWith(prefix))).map(([ref, to]) => ({ ref, expect: null, to })) : [];
  await pushMarker(fresh, ours, taken);
  return 'made';
}

/** Claims that somebody works under would have two owners: one here, one on the new hub. */
async function requireNothingHeld(embedded: Clone): Promise<void> {
  const { chains } = await embedded.fleets.read(embedded.mirror.known());
  const held = [...chains].filter(([, chain]) => chainState(chain) === 'held').map(([task, { record }]) => `${task} (${record.agent}, epoch ${record.epoch})`);
  if (held.length > 0) throw new CambiumError('refused', `These tasks are being worked on: ${held.join(', ')}.`, { hint: 'Complete or release them first, then join.' });
}

async function forgetMirror({ store }: Clone): Promise<void> {
  const marks = await store.listRefs(HUB_MIRROR);
  await store.updateRefs([...marks.keys()].map((ref) => ({ ref, to: null })), 'cambium: join');
}

async function wireAgain(clone: Clone): Promise<Clone> {
  const place = await findPlace(clone.root ?? clone.gitDir);
  return wire(place, clone.remote, clone.branch);
}

async function setConfig({ gitDir }: Pick<GitPlace, 'gitDir'>, key: string, value: string): Promise<void> {
  await git(['config', key, value], { gitDir });
}

/** Takes a node name for this clone by its first heartbeat: of two clones that want one name, the swap gives it to one. */
export async function registerNode(clone: Clone, place: GitPlace, asked: string | undefined): Promise<string> {
  const { process: self, machine } = await clone.supervisor.self();
  const lives = await openLives(clone.local, machine, self, clone.clock.ulid());
  const wanted = asked ?? variable('CAMBIUM_NODE') ?? place.settings.get('cambium.node') ?? hostName();
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    const node = await nodeOf(clone, name, lives.incarnation);
    const tip = (await clone.mirror.refresh()).refs.get(nodeRef(name));
    const ours = tip !== undefined && (await clone.reader.node(tip)).heartbeat?.record.incarnation === lives.incarnation;
    const taken = !ours && (tip !== undefined || (await (await createHeart(node, clone.reader, null)).beat({ claims: [], spawns: [] })).kind !== 'renewed');
    if (!taken) {
      await setConfig(place, 'cambium.node', name);
      return name;
    }
    if (asked !== undefined) throw new CambiumError('node-taken', `The node name ${asked} is taken in this fleet.`, { hint: 'Choose another `--node` name, or leave it out.' });
  }
}

/** A second machine in one command. Throws `hub-not-joined` when the remote has no marker: nothing is made then. */
export async function cloneCommand(url: string, dir: string | undefined, options: JoinOptions): Promise<Answer> {
  const address = /^[\w+.-]+:/.test(url) ? url : resolve(url);
  const branch = await fleetBranch(address);
  const folder = resolve(dir ?? basename(url.replace(/\/+$/, '')).replace(/\.git$/, '').replace(/^.*:/, ''));
  const { cloneRepository } = await import('../adapters/git/cloneRepository.ts');
  await cloneRepository(address, branch, folder);
  await git(['config', 'cambium.hub', 'origin'], { cwd: folder });
  await git(['config', 'cambium.branch', branch], { cwd: folder });
  const clone = await openClone({ cwd: folder });
  try {
    const node = await registerNode(clone, await findPlace(folder), options.node);
    return { data: { root: folder, hub: clone.hub.url, branch, node }, text: `${folder} has joined the fleet as node ${node}.\nNext:  cd ${folder} && cambium up` };
  } finally {
    await clone.close();
  }
}

/** Reads the marker before anything is cloned. */
async function fleetBranch(address: string): Promise<string> {
  const hub = openGitHub({ gitDir: '.', url: address });
  const heads = await hub.list();
  if (!heads.has(FLEET_REF)) throw new CambiumError('hub-not-joined', `${hub.url} is not a fleet's hub: it has no ${FLEET_REF}.`, { hint: `On the machine where the work is: \`cambium init\`, then \`cambium join ${hub.url}\`.` });
  return readBranch(address);
}

/** The marker's own word on which branch the fleet lives. */
function readBranch(address: string): Promise<string> {
  return withTempFolder(async (folder) => {
    await git(['init', '--quiet', '--bare', folder]);
    await git(['fetch', '--quiet', '--depth=1', '--', address, FLEET_REF], { gitDir: folder });
    return parseFleetRecord((await git(['cat-file', 'blob', 'FETCH_HEAD:fleet.json'], { gitDir: folder })).stdout).branch;
  });
}
