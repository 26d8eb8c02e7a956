/**
 * Where the benchmarks work: a temporary folder with a home of its own (no configuration of the user's has a say),
 * workspaces of any size made by `git fast-import`, a bare hub in a folder, clones that have joined it.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from './processes.mjs';

/** The build that is measured: `CAMBIUM_DIST`, or the repository's own. */
export const dist = resolve(process.env.CAMBIUM_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url)));
export const cli = join(dist, 'cli.js');

export function requireBuild() {
  if (!existsSync(cli)) throw new Error(`${cli} is missing: run \`npm run build\`, or set CAMBIUM_DIST to a build folder.`);
}

/** Names the build: two runs with the same mark measured the same program. Null where a file goes while it is read. */
export function buildMark() {
  try {
    const hash = createHash('sha256');
    for (const name of readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('.js')).toSorted()) hash.update(name).update(readFileSync(join(dist, name)));
    return hash.digest('hex').slice(0, 12);
  } catch {
    return null;
  }
}

/** A module of the engine, by its path below dist: `act/claim.js`. */
export const engine = (path) => import(pathToFileURL(join(dist, path)).href);

export function openLab() {
  const root = mkdtempSync(join(tmpdir(), 'cambium-bench-'));
  const home = join(root, 'home');
  mkdirSync(home);
  writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = Bench\n\temail = bench@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n');
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:GIT_|CAMBIUM_|NODE_OPTIONS)/.test(name));
  const env = { ...Object.fromEntries(kept), HOME: home, XDG_CONFIG_HOME: home, GIT_CONFIG_NOSYSTEM: '1', NO_COLOR: '1' };
  // The engine is measured in this process too, and reads the environment of the process.
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  const close = () => rmSync(root, { recursive: true, force: true, maxRetries: 10 });
  process.once('exit', close);
  return { root, env, close };
}

export const cambium = (lab, cwd, args, options = {}) => run(process.execPath, [cli, ...args], { cwd, env: lab.env, ...options });
export const git = (lab, cwd, args, options = {}) => run('git', args, { cwd, env: lab.env, ...options });

/** Folders of at most this many files, as the workspace itself advises. */
const SHARD = 1_000;

/** Task files of about 800 bytes, every tenth depending on the one before it; `tasks/s000/t0000000.md` and on. */
export function taskFiles(count) {
  return Array.from({ length: count }, (_, at) => [`tasks/s${pad(Math.floor(at / SHARD), 3)}/${taskId(at)}.md`, taskText(at)]);
}

/** Files outside the state folders: the code that the fleet works on. */
export function codeFiles(count) {
  return Array.from({ length: count }, (_, at) => [`src/p${pad(Math.floor(at / SHARD), 3)}/f${pad(at, 7)}.txt`, `file ${at}\n${'x'.repeat(60)}\n`]);
}

export const taskId = (at) => `t${pad(at, 7)}`;
const pad = (value, width) => String(value).padStart(width, '0');

function taskText(at) {
  const depends = at % 10 === 9 ? `depends_on: [${taskId(at - 1)}]\n` : '';
  return `---\ntitle: Task number ${at} of the benchmark\npriority: ${at % 5}\nlabels: [bench, group-${at % 7}]\n${depends}---\n${`Do the part ${at} of the work, then say what was done. `.repeat(12)}\n`;
}

/** A workspace with these files whose hub is a bare repository. Returns `{ hub, seed }`: paths; the seed is a joined clone. */
export async function makeFleet(lab, name, files) {
  const seed = join(lab.root, `${name}-seed`);
  const hub = join(lab.root, `${name}-hub.git`);
  await cambium(lab, lab.root, ['init', seed, '--yes']);
  if (files.length > 0) {
    await git(lab, seed, ['fast-import', '--quiet'], { input: importStream(files) });
    await git(lab, seed, ['reset', '--quiet', '--hard', 'main']);
  }
  await git(lab, lab.root, ['init', '--quiet', '--bare', '--initial-branch=main', hub]);
  await cambium(lab, seed, ['join', hub, '--node', 'seed']);
  return { hub, seed };
}

function importStream(files) {
  const parts = [`commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 6\nfiles\n\nfrom refs/heads/main^0\n`];
  for (const [path, text] of files) parts.push(`M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`);
  return parts.join('');
}

/** A clone that has joined, with its caches warm. */
export async function makeClone(lab, hub, name) {
  const dir = join(lab.root, name);
  await cambium(lab, lab.root, ['clone', hub, dir, '--node', name]);
  await cambium(lab, dir, ['task', 'list', '--json']);
  return dir;
}

/** A clone as a copy of another: caches warm, another node's name. */
export async function copyClone(lab, from, name) {
  const dir = join(lab.root, name);
  cpSync(from, dir, { recursive: true, preserveTimestamps: true });
  await git(lab, dir, ['update-index', '-q', '--refresh'], { ok: [0, 1] });
  await git(lab, dir, ['config', 'cambium.node', name]);
  // Its life is its own: two nodes of one incarnation would take each other's claims for theirs.
  rmSync(join(dir, '.git', 'cambium', 'local', 'incarnation.json'), { force: true });
  return dir;
}

/** The engine opened in this process on a clone: what a daemon has, without its loop. */
export async function openEngine(dir) {
  const { openClone, findPlace, nodeName, nodeOf } = await engine('workspace/compose.js');
  const clone = await openClone({ cwd: dir });
  const place = await findPlace(dir);
  const node = await nodeOf(clone, nodeName(place, undefined), clone.clock.ulid());
  return { clone, node };
}

/** A whole loop in this process, with no agents: it observes, publishes and syncs, and claims nothing. */
export async function openLoop(dir) {
  const { clone, node } = await openEngine(dir);
  const [{ openLives }, { openLoop: open }] = await Promise.all([engine('workspace/lives.js'), engine('workspace/loop.js')]);
  const { process: self, machine } = await clone.supervisor.self();
  const lives = await openLives(clone.local, machine, self, clone.clock.ulid());
  const alive = { ...node, identity: { ...node.identity, incarnation: lives.incarnation } };
  const loop = await open({ clone, node: alive, lives, agents: [], say: () => undefined });
  await loop.checkout.recover();
  return { clone, loop };
}
