/**
 * The boot probe (PROTOCOL P1, P8): before a node trusts a hub with claims, it tries there what all else rests on.
 * A verdict is a value; only a hub that is away throws.
 */
import { CambiumError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { RefUpdate, Signature } from '../../model/git.ts';
import type { NodeName, Oid } from '../../model/ids.ts';
import { probeRef } from '../../model/layout.ts';
import type { Hub, PushOutcome } from '../../ports/hub.ts';
import type { Store } from '../../ports/store.ts';
import { redact } from './pushReport.ts';
import { gitText, tryGit } from './run.ts';

export type Verdict =
  | { readonly fit: true }
  /** `code` is the error to raise where a person asked: `hub-unfit`, `hub-policy`, `hub-denied` or `hub-shallow`. */
  | { readonly fit: false; readonly code: ErrorCode; readonly reason: string; readonly hint: string };

const FIT: Verdict = { fit: true };
const unfit = (code: ErrorCode, reason: string, hint: string): Verdict => ({ fit: false, code, reason, hint });

export interface ProbeOptions {
  readonly hub: Hub;
  readonly store: Pick<Store, 'objectFormat' | 'writeTree' | 'writeCommit'>;
  readonly node: NodeName;
  /** Makes the probe's commits new at each run, so that every ref really moves. */
  readonly nonce: string;
}

/**
 * Tries on two throw-away refs below `refs/cambium/probe/<node>/` that the hub keeps refs of ours, refuses a whole
 * push for one stale lease and for one ref it cannot write itself, swaps without fast-forward, and deletes. Removes
 * them afterwards, also what an earlier probe left that was cut short. Throws `hub-away` or `hub-denied` when the
 * hub cannot be listed and `outcome-unknown` when a push stays without an answer.
 */
export async function probeHub(options: ProbeOptions): Promise<Verdict> {
  const { hub, store, node } = options;
  const foreign = [...(await hub.list()).values()].find((oid) => oid.length !== (store.objectFormat === 'sha1' ? 40 : 64));
  if (foreign !== undefined) return formatVerdict(store.objectFormat);
  await clear(hub, node);
  const [first, second] = [await probeCommit(options, 1), await probeCommit(options, 2)];
  try {
    return await tryOut(hub, node, first, second);
  } finally {
    await clear(hub, node).catch(() => undefined);
  }
}

async function tryOut(hub: Hub, node: NodeName, first: Oid, second: Oid): Promise<Verdict> {
  const [a, b] = [`${probeRef(node)}/a`, `${probeRef(node)}/b`];
  const made = await pushOnce(hub, [{ ref: a, expect: null, to: first }]);
  if (made.kind === 'refused') return refusedVerdict(made);
  if ((await hub.list()).get(a) !== first) {
    return unfit('hub-unfit', 'The hub accepts refs below refs/cambium/ but does not show them.', 'Unhide them there: no transfer.hideRefs, uploadpack.hideRefs for refs/cambium.');
  }
  // git itself finds this lease stale, and the hub learns nothing of it.
  const stale = await pushOnce(hub, [{ ref: a, expect: first, to: second }, { ref: b, expect: first, to: second }]);
  // Only the hub can find that `a` stands in the way of `a/x`: a hub that is not atomic moves `b` all the same.
  const blocked = await pushOnce(hub, [{ ref: b, expect: null, to: second }, { ref: `${a}/x`, expect: null, to: second }]);
  const after = await hub.list();
  const halved = stale.kind === 'accepted' || after.get(a) !== first || (blocked.kind === 'refused' && after.has(b));
  if (halved) return unfit('hub-unfit', 'The hub moved a part of a push that it had to refuse as a whole: its pushes are not atomic.', 'Use a hub that supports git push --atomic.');
  const swapped = await pushOnce(hub, [{ ref: a, expect: first, to: second }]);
  if (swapped.kind !== 'accepted') return forbidden('to replace a ref without fast-forward', 'non-fast-forward updates', swapped);
  const deleted = await pushOnce(hub, [{ ref: a, expect: second, to: null }]);
  return deleted.kind === 'accepted' ? FIT : forbidden('to delete a ref', 'deletions', deleted);
}

function forbidden(what: string, rule: string, outcome: PushOutcome): Verdict {
  const detail = outcome.kind === 'accepted' ? '' : ` (${outcome.detail})`;
  return unfit('hub-policy', `The hub refuses ${what} below refs/cambium/${detail}.`, `Allow ${rule} of refs/cambium/* there; branches may stay protected.`);
}

function refusedVerdict(refused: Extract<PushOutcome, { kind: 'refused' }>): Verdict {
  if (/atomic/.test(refused.detail) && /does not support/.test(refused.detail)) {
    return unfit('hub-unfit', `The hub cannot push atomically: ${refused.detail}.`, 'Use a hub with receive.advertiseAtomic on (git has it by default).');
  }
  if (/hash algorithm|mismatched algorithms/.test(refused.detail)) {
    return unfit('hub-unfit', `The hub has another object format than this clone: ${refused.detail}.`, 'Clone again from the hub, or make the hub with the same git init --object-format.');
  }
  return unfit('hub-policy', `The hub refuses refs below refs/cambium/: ${refused.detail}.`, 'Allow this user to create, move and delete refs/cambium/* there.');
}

function formatVerdict(ours: string): Verdict {
  return unfit('hub-unfit', `The hub has another object format than this clone (${ours}).`, 'Clone again from the hub.');
}

/** An unanswered push is repeated as it is (PROTOCOL P2.3), but a boot does not wait for ever. */
async function pushOnce(hub: Hub, updates: readonly RefUpdate[]): Promise<PushOutcome> {
  let outcome = await hub.push(updates);
  for (let again = 0; again < 2 && outcome.kind === 'unknown'; again++) outcome = await hub.push(updates);
  if (outcome.kind !== 'unknown') return outcome;
  if (/denied|authentication|returned error: 40[13]|could not read/i.test(outcome.detail)) {
    throw new CambiumError('hub-denied', `The hub ${hub.url} can be read but not pushed to: ${outcome.detail}`, { hint: 'Give this node credentials that may write.' });
  }
  throw new CambiumError('outcome-unknown', `The hub ${hub.url} did not answer the probe: ${outcome.detail}`, { hint: 'Try again when the hub answers.' });
}

/** Deletes what stands below the node's probe ref: this probe's, or that of one that was cut short. */
async function clear(hub: Hub, node: NodeName): Promise<void> {
  const left = [...(await hub.list())].filter(([ref]) => ref.startsWith(`${probeRef(node)}/`) || ref === probeRef(node));
  await hub.push(left.map(([ref, oid]) => ({ ref, expect: oid, to: null })));
}

async function probeCommit({ store, node, nonce }: ProbeOptions, number: number): Promise<Oid> {
  // A date of now: git walks history by date, and a probe of 1970 would cost it all of it.
  const who: Signature = { name: node, email: `${node}@cambium`, seconds: Math.floor(Date.now() / 1000), zone: '+0000' };
  return store.writeCommit({ tree: await store.writeTree([]), parents: [], author: who, committer: who, message: `probe ${number} ${nonce}\n` });
}

export interface CloneOptions {
  readonly gitDir: string;
  readonly url: string;
  readonly remote?: string;
}

/**
 * Refuses clones that a daemon must not run in (PROTOCOL P8): a shallow or partial one shows false rewinds, and
 * one that pushes elsewhere than it fetches would never see what it claimed. Asks nothing of the hub.
 */
export async function checkClone(options: CloneOptions): Promise<Verdict> {
  const { gitDir } = options;
  const config = parseConfig((await tryGit(['config', '-z', '--list'], { gitDir })).stdout.toString('utf8'));
  if ((await gitText(['rev-parse', '--is-shallow-repository'], { gitDir })) === 'true') {
    return unfit('hub-shallow', 'This is a shallow clone: its history ends early and looks like a rewind.', 'git fetch --unshallow');
  }
  const partial = config.some(([key, value]) => key === 'extensions.partialclone' || (/^remote\..*\.promisor$/.test(key) && isTrue(value)));
  if (partial) return unfit('hub-shallow', 'This is a partial clone: objects are missing until the hub is asked for them.', 'Clone again without --filter.');
  return pushesElsewhere(options, config);
}

async function pushesElsewhere({ gitDir, url, remote }: CloneOptions, config: readonly Setting[]): Promise<Verdict> {
  const name = remote ?? (config.some(([key]) => key === `remote.${url}.url`) ? url : null);
  if (name === null) {
    const rewritten = config.find(([key, value]) => /^url\..*\.pushinsteadof$/.test(key.toLowerCase()) && url.startsWith(value));
    return rewritten === undefined ? FIT : differing(url, `${rewritten[0].slice('url.'.length, -'.pushinsteadof'.length)}${url.slice(rewritten[1].length)}`, rewritten[0]);
  }
  const [from = ''] = (await gitText(['remote', 'get-url', '--all', name], { gitDir })).split('\n');
  const to = (await gitText(['remote', 'get-url', '--push', '--all', name], { gitDir })).split('\n');
  const other = to.find((address) => address !== from);
  return other === undefined ? FIT : differing(from, other, `remote.${name}.pushurl`);
}

function differing(from: string, to: string, setting: string): Verdict {
  return unfit('hub-unfit', `git fetches from ${redact(from, from)} but pushes to ${redact(to, to)}: a node must see what it pushes.`,
    `Remove the setting ${redact(setting, to)}, or join the address that is pushed to.`);
}

type Setting = readonly [key: string, value: string];

/** `git config -z --list`: key, line feed, value, NUL; a key without a value means true. */
function parseConfig(text: string): Setting[] {
  return text.split('\0').filter((entry) => entry !== '').map((entry) => {
    const at = entry.indexOf('\n');
    return at < 0 ? [entry, 'true'] : [entry.slice(0, at), entry.slice(at + 1)];
  });
}

const isTrue = (value: string): boolean => /^(?:true|yes|on|1)$/i.test(value);
