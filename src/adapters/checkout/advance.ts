/**
 * Work tree, index and branch from one commit to its descendant, together (PROTOCOL P11). Everything that takes time
 * is prepared before the lock: the new index beside, the new files beside. Then, under our `index.lock`:
 *   check that nothing moved → intent record → exchange the files → index into place → branch by old value → record
 * The index moves before the branch: with a crash between, the index is only ahead, and recovery moves the branch.
 */
import { setImmediate } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import { CambiumError } from '../../errors.ts';
import type { TreeEdit } from '../../model/git.ts';
import { branchRef, isStatePath } from '../../model/layout.ts';
import type { Oid } from '../../model/ids.ts';
import type { Advance, Checkout } from '../../ports/checkout.ts';
import { selfIdentity } from '../system/identity.ts';
import type { DisplacedFiles } from './displaced.ts';
import { syncPath } from './durable.ts';
import { exchange } from './exchange.ts';
import { buildIndex, checkOutIncoming, keepOldIndex, moveBranch, placeNewIndex, refreshIndex, releaseIndexLock, takeIndexLock } from './index.ts';
import { readIntent, writeIntent } from './intent.ts';
import type { Intent, Step } from './intent.ts';
import type { Look } from './look.ts';
import { closePass, incomingFolder, openPass, stopPass } from './pass.ts';
import type { Pass } from './pass.ts';
import { planExchanges, wantedPaths } from './plan.ts';
import type { Exchange, ExchangePlan, Skipped, Wanted } from './plan.ts';
import { endPass, undoPass } from './recover.ts';
import type { ReadSettings } from './settings.ts';
import { operationUnderWay, signatureOf } from './signature.ts';
import { workPath } from './site.ts';
import { sparseJudge } from './sparse.ts';
import type { Site } from './site.ts';
import { codeOf, isGone, rawOidOf, statOf } from './stamp.ts';
import { sameEntry } from './trees.ts';

type Commits = Parameters<Checkout['advance']>[0];
type Moved = Pick<Advance, 'moved' | 'synced' | 'skipped'>;

interface Prepared {
  readonly steps: readonly Step[];
  readonly stamps: ReadonlyMap<number, string | null>;
  readonly skipped: readonly Skipped[];
  /** Paths of the target that stay out of a sparse work tree. */
  readonly leftOut: readonly string[];
}

const EXCHANGES_A_TURN = 20;

export interface Advancer {
  readonly site: Site;
  readonly look: Look;
  readonly readSettings: ReadSettings;
  readonly displaced: DisplacedFiles;
}

export async function advance({ site, look, readSettings, displaced: files }: Advancer, commits: Commits): Promise<Advance> {
  if (!(await site.store.isAncestor(commits.head, commits.target))) {
    throw new CambiumError('internal', `${commits.target} does not descend from ${commits.head}: the branch would lose commits.`, { data: { ...commits } });
  }
  const displaced = await files.collect();
  const unmoved: Advance = { moved: false, synced: commits.synced, skipped: [], displaced };
  const signature = signatureOf(site);
  const seen = await look();
  if (seen.state !== 'ready' || seen.head !== commits.head) return unmoved;
  const moved = await movePass(site, readSettings, commits, signature);
  return moved === null ? unmoved : { ...moved, displaced };
}

/** Null when something changed under the pass: nothing was moved. */
async function movePass(site: Site, readSettings: ReadSettings, commits: Commits, signature: string): Promise<Moved | null> {
  const [head, target] = [(await site.store.readCommit(commits.head)).tree, (await site.store.readCommit(commits.target)).tree];
  const wanted = await wantedPaths(site, { synced: commits.synced, head, target });
  if (wanted.length === 0 && commits.head === commits.target) return { moved: true, synced: target, skipped: [] };
  const pass = openPass(site);
  try {
    return await moveIn(site, pass, { readSettings, commits, head, target, wanted, signature });
  } catch (error) {
    throw asBrokenWorld(error);
  } finally {
    leavePass(site, pass);
  }
}

interface Move {
  readonly readSettings: ReadSettings;
  readonly commits: Commits;
  readonly head: Oid;
  readonly target: Oid;
  readonly wanted: readonly Wanted[];
  readonly signature: string;
}

async function moveIn(site: Site, pass: Pass, move: Move): Promise<Moved | null> {
  const { commits, wanted } = move;
  if (!(await buildIndex(site, pass, move.head, move.target))) return null;
  const settings = await move.readSettings();
  const isLeftOut = await sparseJudge(site, settings, pass);
  const absent = new Set(wanted.map(({ path }) => path).filter((path) => isLeftOut(path) && statOf(workPath(site, path)) === null));
  const plan = await planExchanges(site, settings, wanted.filter(({ path }) => !absent.has(path)));
  const leftOut = wanted.flatMap(({ path, target }) => (target !== null && absent.has(path) ? [path] : []));
  const prepared: Prepared = { ...(await prepare(site, pass, plan)), leftOut };
  if (!takeIndexLock(site, pass)) return null;
  const late = await moveLocked(site, pass, commits, prepared, move.signature);
  if (late === null) return null;
  const skipped = [...prepared.skipped, ...late];
  return { moved: true, skipped, synced: await syncedTree(site, commits.synced, move.target, wanted, skipped) };
}

const writes = (one: Exchange): boolean => one.wanted.target !== null && one.wanted.target.mode !== '160000';

/** Writes the new files beside and numbers the steps: what goes away comes first, so that a file may become a folder. */
async function prepare(site: Site, pass: Pass, plan: ExchangePlan): Promise<Omit<Prepared, 'leftOut'>> {
  const troubles = await checkOutIncoming(site, pass, plan.exchanges.filter(writes).map(({ wanted }) => wanted.path));
  const ready = plan.exchanges.filter(({ wanted }) => !troubles.has(wanted.path));
  const ordered = [...ready.filter((one) => !writes(one)), ...ready.filter(writes)];
  const steps = ordered.map((one, slot): Step => ({
    path: one.wanted.path, slot, old: one.old, next: writes(one) ? incomingOid(site, pass, one.wanted.path) : null,
    folder: one.wanted.target?.mode === '160000',
  }));
  return {
    steps, stamps: new Map(ordered.map(({ stamp }, slot) => [slot, stamp])),
    skipped: [...plan.skipped, ...[...troubles].map(([path, reason]) => ({ path, reason }))],
  };
}

/** The raw oid of a file that is about to be put in place; a state file is made durable first. */
function incomingOid(site: Site, pass: Pass, path: string): Oid {
  const file = join(incomingFolder(pass), path);
  const kind = statOf(file)?.kind ?? 'other';
  const oid = rawOidOf(file, kind, site.store.objectFormat);
  if (oid === null) throw new CambiumError('internal', `${file} is not the file that git wrote.`);
  // After a power cut an unsynced file may be empty, and an empty state file would be published as the person's edit.
  if (kind === 'file' && isStatePath(path)) syncPath(file);
  return oid;
}

/** Under the lock. Null when HEAD, branch or index moved meanwhile: then everything is as it was. */
async function moveLocked(site: Site, pass: Pass, commits: Commits, prepared: Prepared, signature: string): Promise<Skipped[] | null> {
  const unchanged = (): boolean => signatureOf(site) === signature && operationUnderWay(site) === null;
  if (!unchanged()) return null;
  keepOldIndex(site, pass);
  const intent: Intent = {
    schema: 'cambium.checkout-intent/1', pass, owner: selfIdentity(), branch: site.branch, head: commits.head, target: commits.target,
    startedBootMs: site.clock.bootMs(), steps: prepared.steps,
  };
  await writeIntent(site, intent);
  let late: Skipped[] | null = null;
  try {
    late = await exchangeAll(site, pass, prepared);
    await refreshIndex(site, pass, prepared.leftOut);
    if (!unchanged() || !(await placeIndexAndBranch(site, pass, commits))) late = null;
  } catch (error) {
    await undoPass(site, intent);
    endPass(site, intent);
    throw error;
  }
  if (late === null) await undoPass(site, intent);
  endPass(site, intent);
  return late;
}

async function exchangeAll(site: Site, pass: Pass, { steps, stamps }: Prepared): Promise<Skipped[]> {
  const late: Skipped[] = [];
  for (const [at, step] of steps.entries()) {
    if (at % EXCHANGES_A_TURN === EXCHANGES_A_TURN - 1) await setImmediate();
    const reason = exchange(site, pass, step, stamps.get(step.slot) ?? null);
    if (reason !== null) late.push({ path: step.path, reason });
  }
  for (const folder of new Set(steps.filter(({ path }) => isStatePath(path)).map(({ path }) => dirname(path)))) syncFolder(workPath(site, folder));
  return late;
}

function syncFolder(path: string): void {
  try {
    syncPath(path);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

async function placeIndexAndBranch(site: Site, pass: Pass, { head, target }: Commits): Promise<boolean> {
  placeNewIndex(site, pass);
  return head === target || moveBranch(site, branchRef(site.branch), target, head);
}

/** The synced tree with every path moved but the skipped ones: those keep their old entry (PROTOCOL P11). */
async function syncedTree(site: Site, synced: Oid, target: Oid, wanted: readonly Wanted[], skipped: readonly Skipped[]): Promise<Oid> {
  if (skipped.length === 0) return target;
  const kept = new Set(skipped.map(({ path }) => path));
  const edits = wanted.filter((one) => !kept.has(one.path) && !sameEntry(one.synced, one.target)).map((one): [string, TreeEdit] => [one.path, one.target]);
  return edits.length === 0 ? synced : site.store.editTree(synced, new Map(edits));
}

/** A pass that wrote its intent and could not end it is left to recovery; any other leaves nothing behind. */
function leavePass(site: Site, pass: Pass): void {
  if (readIntent(site)?.pass.id === pass.id) return stopPass(pass);
  releaseIndexLock(site, pass);
  closePass(pass);
}

function asBrokenWorld(error: unknown): unknown {
  if (!['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '')) return error;
  return new CambiumError('disk-full', 'The checkout cannot be brought up to date: the disk is full.', { hint: 'Free some space; the node goes on by itself.', cause: error });
}
