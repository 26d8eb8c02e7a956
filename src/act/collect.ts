/**
 * Folding and collecting (PROTOCOL P9). The tips of archived tasks, with whatever else the hub keeps of them, become parents
 * of a commit on the month's archive ref, whose tree says where each is; the refs themselves go in a later push.
 */
import { archiveRef, archivedMonth, chainEntry, monthOf, pinOf, ulidTime } from '../model/archive.ts';
import type { Pin } from '../model/archive.ts';
import { chainState, isTerminal } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { RefUpdate, TreeEdit } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { CLAIMS_PREFIX, RESCUE_PREFIX, REVIEW_BRANCHES, REVIEW_PREFIX, claimRef } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import { archiveMonths, archivedNames, endsIn, entryOf, fetchMonths } from '../observe/archive.ts';
import type { ArchiveMonth, ArchivedNames } from '../observe/archive.ts';
import type { ChainReader } from '../observe/chains.ts';
import { parseResult } from '../observe/resultFile.ts';
import { fileAt, treeOf } from '../observe/tree.ts';
import { CambiumError } from '../errors.ts';
import { agreement } from './agreement.ts';
import { notOnMain } from './archive.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Base, Member } from './publish.ts';

/** A commit with more parents is slow to read for everybody who walks through it. */
export const FOLDED_MAX = 100;

/**
 * A claim ref stays this long after its end: a create that was sent before the ref was there leases its absence, and must
 * not meet the absence that collection makes (PROTOCOL P2.3, P9). No push of ours lives longer than two minutes.
 */
export const REQUEST_LIFE_MS = 10 * 60 * 1_000;

/** A person's rescued bytes are theirs to fetch for so long before they go to the archive. */
const RESCUE_TERM_MS = 30 * 24 * 60 * 60 * 1_000;

export interface Collecting {
  readonly nowMs: number;
  /** REQUEST_LIFE_MS but for tests. */
  readonly lifeMs?: number;
}

/** A ref that is to go, with its place in the archive; chains know their end. */
interface Leaving {
  readonly pin: Pin;
  readonly chain: Chain | null;
  /** The month in which its task ended: its entry is in that month's archive or a later one. */
  readonly since: string;
}

export interface Planned {
  readonly fold: readonly Leaving[];
  readonly collect: readonly Leaving[];
}

/** What of the hub's refs may go next, judged on this base alone. Throws `refused` when the hub moved under a fetch. */
export async function planCollecting(node: Node, reader: ChainReader, base: Pick<Base, 'main' | 'view'>, { nowMs, lifeMs = REQUEST_LIFE_MS }: Collecting): Promise<Planned> {
  const names = await archivedNames(node.store, await treeOf(node.store, base.main));
  const months = archiveMonths(base.view.refs);
  const [fold, collect]: [Leaving[], Leaving[]] = [[], []];
  for (const [ref, oid] of base.view.refs) {
    if (fold.length >= FOLDED_MAX && collect.length >= FOLDED_MAX) break;
    const leaving = await leavingOf(reader, base, names, { ref, oid }, nowMs);
    if (leaving === null) continue;
    if (await isFolded(node, months, leaving)) {
      if (collect.length < FOLDED_MAX && (await isPast(node, leaving, nowMs - lifeMs))) collect.push(leaving);
    } else if (fold.length < FOLDED_MAX && (await mayBeFolded(node, reader, base, names, leaving))) fold.push(leaving);
  }
  const strangers = await notOnMain(node, base.main, fold.flatMap(({ chain }) => chain ?? []));
  return { fold: fold.filter(({ chain }) => chain === null || !strangers.has(chain.record.result ?? '')), collect };
}

async function leavingOf(reader: ChainReader, { view }: Pick<Base, 'view'>, names: ArchivedNames, { ref, oid }: { readonly ref: string; readonly oid: Oid }, nowMs: number): Promise<Leaving | null> {
  if (ref.startsWith(CLAIMS_PREFIX)) {
    const task = ref.slice(CLAIMS_PREFIX.length);
    const since = endMonth(names, task);
    const chain = since === null ? null : await endedChain(reader, oid);
    return since === null || chain === null ? null : { pin: { ref, oid, task, entry: chainEntry(task) }, chain, since };
  }
  const pin = pinOf(ref, oid);
  if (pin === null || (ref.startsWith(REVIEW_BRANCHES) && !isReviewed(view.refs, pin))) return null;
  if (ref.startsWith(RESCUE_PREFIX)) {
    const atMs = ulidTime(ref);
    return atMs === null || nowMs - atMs < RESCUE_TERM_MS ? null : { pin, chain: null, since: monthOf(atMs) };
  }
  const since = pin.task === null ? null : endMonth(names, pin.task);
  return since !== null && (await isQuiet(reader, view.refs.get(claimRef(pin.task as TaskId)))) ? { pin, chain: null, since } : null;
}

/** A branch of ours shows a reviewed commit; another one of that name is somebody's own. */
function isReviewed(refs: ReadonlyMap<string, Oid>, { task, oid }: Pin): boolean {
  return [...refs].some(([ref, at]) => at === oid && ref.startsWith(`${REVIEW_PREFIX}${task}/`));
}

/** Only what stands in the archive on main, with its result. */
function endMonth(names: ArchivedNames, task: TaskId): string | null {
  const result = names.get(task)?.result ?? null;
  return result === null ? null : archivedMonth(result);
}

async function endedChain(reader: ChainReader, tip: Oid): Promise<Chain | null> {
  try {
    const chain = await reader.chain(tip);
    return isTerminal(chainState(chain)) ? chain : null;
  } catch (error) {
    // What is no chain at all is shown as a problem, and stays for a person to look at.
    if (error instanceof CambiumError && (error.code === 'bad-file' || error.code === 'schema-too-new')) return null;
    throw error;
  }
}

async function isQuiet(reader: ChainReader, tip: Oid | undefined): Promise<boolean> {
  return tip === undefined || (await endedChain(reader, tip)) !== null;
}

async function isFolded({ store, hub }: Node, months: readonly ArchiveMonth[], { pin, since }: Leaving): Promise<boolean> {
  for (const month of months) {
    if (month.month < since) continue;
    await fetchMonths(store, hub, [month]);
    if ((await entryOf(store, month.tip, pin.entry)) === pin.oid) return true;
  }
  return false;
}

async function isPast({ store }: Node, { chain }: Leaving, beforeMs: number): Promise<boolean> {
  return chain === null || (await store.readCommit(chain.tip)).committer.seconds * 1_000 <= beforeMs;
}

/** A chain whose end the archived result tells of (P5.1); of the kept refs all that name a commit. */
async function mayBeFolded(node: Node, reader: ChainReader, { main }: Pick<Base, 'main'>, names: ArchivedNames, { pin, chain }: Leaving): Promise<boolean> {
  if (chain === null) return isCommit(node, pin);
  const path = names.get(chain.record.task)?.result as string;
  const file = await fileAt(node.store, await treeOf(node.store, main), path);
  const result = file === null ? null : parseResult({ path, bytes: file.bytes });
  if (result === null || 'reason' in result) return false;
  return (await endsIn(node.store, chain, result)) || (await agreement(node.store, reader, main, path.replace(/\.result\.md$/, '.md'), chain)).state === 'agrees';
}

/** Anybody who may push may point such a ref at anything; only commits can be parents. */
async function isCommit({ store, hub }: Node, { ref, oid }: Pin): Promise<boolean> {
  if (!(await store.has(oid))) await hub.fetch(new Map([[ref, oid]]));
  try {
    return (await store.readCommit(oid)).oid === oid;
  } catch (error) {
    if (error instanceof CambiumError) return false;
    throw error;
  }
}

export const FOLD_KEY = 'fold';
export const COLLECT_KEY = 'collect';

/** One commit on the month's archive ref; the value is how many refs it took in. */
export function foldMember(node: Node, reader: ChainReader, collecting: Collecting): Member<number> {
  return {
    key: FOLD_KEY,
    async build(base) {
      const { fold } = await planCollecting(node, reader, base, collecting);
      if (fold.length === 0) return drop('nothing', 'nothing is to be folded');
      const ref = archiveRef(monthOf(collecting.nowMs));
      const tip = base.view.refs.get(ref) ?? null;
      const to = await writeFold(node, base, ref, tip, fold);
      return { main: base.main, refs: [{ ref, expect: tip, to }], value: fold.length };
    },
  };
}

async function writeFold(node: Node, { view }: Base, ref: string, tip: Oid | null, fold: readonly Leaving[]): Promise<Oid> {
  const { store, hub } = node;
  const pins = fold.map(({ pin }) => pin);
  if (tip !== null) await fetchMonths(store, hub, archiveMonths(view.refs).filter((month) => month.ref === ref));
  const entries = new Map(pins.map(({ entry, oid }): [string, TreeEdit] => [entry, { mode: '160000', oid }]));
  const tree = await store.editTree(tip === null ? await store.writeTree([]) : await treeOf(store, tip), entries);
  const parents = [...new Set([...(tip === null ? [] : [tip]), ...pins.map(({ oid }) => oid)])];
  const signature = nodeSignature(node);
  const chains = fold.flatMap(({ chain }) => (chain === null ? [] : [chain.record.task]));
  const subject = `archive: fold ${chains.length} chain${chains.length === 1 ? '' : 's'}${pins.length === chains.length ? '' : ` and ${pins.length - chains.length} kept ref${pins.length - chains.length === 1 ? '' : 's'}`}`;
  return store.writeCommit({ tree, parents, author: signature, committer: signature, message: renderMessage({ subject, body: chains.join('\n'), trailers: { Kind: 'fold' } }) });
}

/** Deletes what the archive holds by now, each ref at the very oid that was folded; the value is how many went. */
export function collectMember(node: Node, reader: ChainReader, collecting: Collecting): Member<number> {
  return {
    key: COLLECT_KEY,
    async build(base) {
      const { collect } = await planCollecting(node, reader, base, collecting);
      if (collect.length === 0) return drop('nothing', 'nothing is to be collected');
      const refs = collect.map(({ pin }): RefUpdate => ({ ref: pin.ref, expect: pin.oid, to: null }));
      return { main: base.main, refs, value: collect.length };
    },
  };
}
