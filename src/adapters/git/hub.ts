/**
 * The hub through the git CLI: ls-remote, fetch and push, over whatever transport git speaks. What the words of
 * git mean stands in pushReport.ts; this file says what is asked, and ends what does not answer.
 */
import { createHash } from 'node:crypto';
import { CambiumError } from '../../errors.ts';
import type { RefUpdate } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Hub, PushOutcome } from '../../ports/hub.ts';
import { hubFailure, pushOutcome, redact, saysGone } from './pushReport.ts';
import type { Said } from './pushReport.ts';
import { git, startGit } from './run.ts';
import { endTree, spawnTree } from '../system/descendants.ts';
import { readProcess } from '../system/processTable.ts';

/**
 * Most updates of one push. Leases have no other way in than the command line: an update takes about 250 bytes of
 * it (340 with sha256), and the smallest limit in use, macOS's, is 1 MiB with the environment.
 */
export const PUSH_UPDATES_MAX = 2_000;

/** Where fetched objects stay reachable until the caller has stored refs of its own. Ours, never pushed. */
export const STAGING_PREFIX = 'refs/cambium/local/staging/';

export interface GitHubOptions {
  /** The clone's git directory (of a work tree, a linked work tree or a bare clone). */
  readonly gitDir: string;
  /** A path, a file://, ssh or http(s) address, or the name of a configured remote. */
  readonly url: string;
  /** The remote to go through, so that its configuration applies; `url` is then only shown. */
  readonly remote?: string;
  /** After this a push is ended and its outcome unknown. Default 60 s. */
  readonly pushTimeoutMs?: number;
  /** Default 60 s. */
  readonly listTimeoutMs?: number;
  /** Default 10 min: a first fetch may bring the whole history. */
  readonly fetchTimeoutMs?: number;
}

/**
 * Opens nothing: the hub is first asked by `list`. `url` of the result is for people and holds no credentials.
 * `fetch` always asks the hub, so the caller leaves out refs whose commits it has (`Store.has`). A push through a
 * named remote moves that remote's tracking refs to what the hub accepted, as every git push does.
 */
export function openGitHub(options: GitHubOptions): Hub {
  const target = options.remote ?? options.url;
  const ask = (args: readonly string[], timeoutMs: number, input = ''): Promise<Said> =>
    runToEnd([...settingsFor(target), ...args], { gitDir: options.gitDir, input, timeoutMs });
  /** What the hub had when it was last listed: a staged ref that is not among it any more is dropped. */
  let listed: ReadonlyMap<string, Oid> | null = null;

  async function list(): Promise<ReadonlyMap<string, Oid>> {
    const said = await ask(['ls-remote', '--refs', '--', target, 'refs/heads/*', 'refs/cambium/*'], options.listTimeoutMs ?? 60_000);
    if (said.code !== 0 || said.timedOut) throw hubFailure(said, options.url);
    listed = parseListing(said.stdout);
    return listed;
  }

  async function fetch(refs: ReadonlyMap<string, Oid>): Promise<void> {
    if (refs.size === 0) return;
    const refspecs = Array.from(refs.keys(), (ref) => `+${checkedRef(ref)}:${stagingRef(ref)}\n`).join('');
    const said = await ask([...FETCH, '--', target], options.fetchTimeoutMs ?? 600_000, refspecs);
    if (saysGone(said.stderr)) throw moved([], options.url, said.stderr);
    const staged = await readStaging(options.gitDir);
    const missing = [...refs].filter(([ref, oid]) => staged.get(stagingRef(ref)) !== oid).map(([ref]) => ref);
    // Another process of this clone may have held the lock of a staging ref: what counts is what is there.
    if (missing.length > 0 && (said.code !== 0 || said.timedOut)) throw hubFailure(said, options.url);
    if (missing.length > 0) throw moved(missing, options.url, '');
    await dropStaging(options.gitDir, staged, [...refs.keys()], listed);
  }

  async function push(updates: readonly RefUpdate[]): Promise<PushOutcome> {
    if (updates.length === 0) return { kind: 'accepted' };
    checkUpdates(updates);
    const leases = updates.map((update) => `--force-with-lease=${update.ref}:${update.expect ?? ''}`);
    const refspecs = updates.map((update) => `${update.to ?? ''}:${update.ref}`);
    const said = await ask([...PUSH, ...leases, '--', target, ...refspecs], options.pushTimeoutMs ?? 60_000);
    const outcome = pushOutcome(said, updates, options.url);
    return outcome.kind === 'refused' && updates.some((update) => update.to === null) ? settleDeletes(outcome, updates) : outcome;
  }

  /**
   * git calls the lease of a deletion stale when the ref is gone already, so a repeated deletion is refused where
   * any other repeated update is up to date. Whether all stands as asked can only be read.
   */
  async function settleDeletes(refusal: PushOutcome, updates: readonly RefUpdate[]): Promise<PushOutcome> {
    try {
      const now = await list();
      return updates.every((update) => (now.get(update.ref) ?? null) === update.to) ? { kind: 'accepted' } : refusal;
    } catch (error) {
      return { kind: 'unknown', detail: `refused, and the hub could not be read to see why: ${(error as Error).message}` };
    }
  }

  return { url: redact(options.url, options.url), list, fetch, push };
}

/** No ref of the person moves, whatever the clone's configuration says: no tags, no FETCH_HEAD, no tracking refs, no pruning. */
const FETCH = [
  'fetch', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules', '--no-prune',
  '--no-show-forced-updates', '--refmap=', '--stdin',
];

const PUSH = ['push', '--porcelain', '--atomic', '--no-verify', '--no-follow-tags', '--recurse-submodules=no', '--no-force-if-includes', '--no-progress'];

/** A mirror remote refuses refspecs; what we push is always explicit. */
function settingsFor(target: string): string[] {
  return /^[A-Za-z0-9_-]+$/.test(target) ? ['-c', `remote.${target}.mirror=false`] : [];
}

function parseListing(stdout: string): Map<string, Oid> {
  const refs = new Map<string, Oid>();
  for (const line of stdout.split('\n')) {
    const [oid = '', ref = ''] = line.split('\t');
    // The patterns of ls-remote match the end of a name: refs/x/refs/heads/y would come along.
    if (ref.startsWith('refs/heads/') || ref.startsWith('refs/cambium/')) refs.set(ref, oid);
  }
  return refs;
}

/** Flat and hashed: hub refs `a` and later `a/b`, or `A` and `a` on a case-blind disk, must not collide here. */
function stagingRef(ref: string): string {
  const hash = createHash('sha1').update(ref).digest('hex');
  return `${STAGING_PREFIX}${hash.slice(0, 2)}/${hash.slice(2)}`;
}

async function readStaging(gitDir: string): Promise<Map<string, Oid>> {
  const { stdout } = await git(['for-each-ref', '--format=%(refname) %(objectname)', STAGING_PREFIX], { gitDir });
  const lines = stdout.toString('utf8').split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => line.split(' ') as [string, Oid]));
}

/** Forgets staged refs that the hub no longer has. Best effort: a locked one is dropped by a later fetch. */
async function dropStaging(gitDir: string, staged: ReadonlyMap<string, Oid>, fetched: readonly string[], listed: ReadonlyMap<string, Oid> | null): Promise<void> {
  if (listed === null) return;
  const keep = new Set([...fetched, ...listed.keys()].map(stagingRef));
  const gone = [...staged].filter(([ref]) => !keep.has(ref));
  if (gone.length === 0) return;
  await git(['update-ref', '--stdin'], { gitDir, input: gone.map(([ref, oid]) => `delete ${ref} ${oid}\n`).join(''), ok: [0, 1, 128] });
}

function moved(refs: readonly string[], url: string, stderr: string): CambiumError {
  const shown = redact(url, url);
  const which = refs.length === 0 ? (/remote ref (\S+)/.exec(stderr)?.[1] ?? 'A ref') : refs.slice(0, 3).join(', ');
  return new CambiumError('refused', `${which} has moved or gone on the hub ${shown} since it was listed.`, { hint: 'List the hub again.', data: { url: shown, refs } });
}

/** An update that moves nothing is never sent, so its lease would check nothing (PROTOCOL P1): a mistake of the caller. */
function checkUpdates(updates: readonly RefUpdate[]): void {
  const refs = new Set(updates.map((update) => checkedRef(update.ref)));
  const still = updates.find((update) => update.expect === update.to);
  const fault = refs.size < updates.length ? 'names a ref twice'
    : still !== undefined ? `would not move ${still.ref}`
      : updates.length > PUSH_UPDATES_MAX ? `has ${updates.length} updates, more than ${PUSH_UPDATES_MAX}` : null;
  if (fault !== null) throw new CambiumError('internal', `A push ${fault}.`, { data: { updates: updates.length } });
}

/** Names reach git inside refspecs, where a colon, a glob or a line break would say something else. */
function checkedRef(ref: string): string {
  if (/^refs\/[^\s:*?[\\^~]+$/.test(ref) && !ref.includes('..')) return ref;
  throw new CambiumError('internal', `Not a full ref name: ${JSON.stringify(ref)}`);
}

/** What ends on TERM does so at once; git takes its lock files away with it. */
const TERM_GRACE_MS = 2_000;

/**
 * Runs git, and at the end of its time ends the whole tree below it: ssh, or a hub in the same machine, would
 * otherwise live on, hold our pipes open and perhaps land the push later than anybody expects.
 */
function runToEnd(args: readonly string[], options: { readonly gitDir: string; readonly input: string; readonly timeoutMs: number }): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = startGit(args, { gitDir: options.gitDir });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    let patience: NodeJS.Timeout | undefined;
    const finish = (code: number | null): void => {
      clearTimeout(timer);
      clearTimeout(patience);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code: code ?? -1, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), timedOut });
    };
    const timer = setTimeout(() => {
      timedOut = true;
      endTreeOf(child.pid);
      // A process in the kernel's hands (a dead network disk) takes no signal: we go on without it.
      patience = setTimeout(() => finish(null), 2 * TERM_GRACE_MS);
    }, options.timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // git may end before it has read its input: that is its answer, not an error of ours.
    child.stdin.on('error', () => undefined);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new CambiumError('git-missing', `git could not be started: ${cause.message}`, { hint: 'Install git 2.38 or newer.', cause }));
    });
    child.on('exit', (code) => {
      // A connection-sharing ssh or a credential daemon may keep the pipes open after git has ended.
      if (!timedOut) patience = setTimeout(() => finish(code), TERM_GRACE_MS);
    });
    child.on('close', finish);
    child.stdin.end(options.input);
  });
}

/** TERM before KILL: a lock file that a killed git leaves on the hub blocks everyone. */
function endTreeOf(pid: number | undefined): void {
  const root = pid === undefined ? null : readProcess(pid);
  if (root === null) return;
  const tree = spawnTree(`git.${root.pid}.${root.start}`, root.start);
  tree.adopt(root);
  void endTree(tree, TERM_GRACE_MS);
}
