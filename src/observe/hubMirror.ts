/**
 * The hub as this node last accepted it. A refresh lists the hub, fetches what changed, compares it with the
 * high-water marks and only then advances (PROTOCOL P8): a hub that went backwards is named and never followed.
 * The mirror refs (`refs/hub/…`) are those marks; they survive a restart.
 */
import { CambiumError } from '../errors.ts';
import type { RefUpdate } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import {
  CLAIMS_PREFIX, FLEET_REF, HUB_MIRROR, LOCKS_PREFIX, NODES_PREFIX, REVIEW_BRANCHES, STOP_REF, branchRef, mirrorRef, unmirrorRef,
} from '../model/layout.ts';
import { WAKES_PREFIX } from '../model/talk.ts';
import { chainEntry } from '../model/archive.ts';
import type { Hub } from '../ports/hub.ts';
import type { Local } from '../ports/local.ts';
import type { Store } from '../ports/store.ts';
import { archiveMonths, entryOf, fetchMonths } from './archive.ts';
import { openArchiveMarks } from './archiveMarks.ts';
import type { ArchiveMarks } from './archiveMarks.ts';
import { listAgain } from './listAgain.ts';

export interface HubView {
  readonly main: Oid | null;
  /** Every ref of the hub that the fleet uses. Objects are local for main, claims, nodes, locks, wakes, fleet and stop only. */
  readonly refs: ReadonlyMap<string, Oid>;
}

export interface HubMirror {
  readonly branch: string;
  /** What was last accepted, without asking the hub. */
  known(): HubView;
  /** Throws `hub-away`, `hub-denied`, or `hub-rewritten` with the ref that went backwards. */
  refresh(): Promise<HubView>;
  /** Takes an accepted push into the view without a round trip; `also` are local refs that move in the same transaction. */
  adopt(updates: readonly RefUpdate[], also?: readonly LocalMove[]): Promise<void>;
}

interface LocalMove {
  readonly ref: string;
  readonly to: Oid | null;
}

export interface MirrorOptions {
  readonly store: Store;
  readonly hub: Hub;
  /** Keeps the high-water marks of archive refs, whose objects are not fetched at every refresh. */
  readonly local: Local;
  readonly branch: string;
  /** Also kept at the hub's main, so that a person's `git status` compares with it: `refs/remotes/origin/main`. */
  readonly trackingRef: string | null;
}

/** Refs whose objects every node needs; the others (wip, stale, rescue, archive) are fetched when looked into. */
const NEEDED = [CLAIMS_PREFIX, NODES_PREFIX, LOCKS_PREFIX, FLEET_REF, WAKES_PREFIX, STOP_REF];

export async function openHubMirror(options: MirrorOptions): Promise<HubMirror> {
  const { store, hub, branch } = options;
  const main = branchRef(branch);
  const marks = await openArchiveMarks(options.local, hub.url);
  let refs = await readMirror(store);
  let missing = new Set<string>();
  const isNeeded = (ref: string): boolean => ref === main || NEEDED.some((prefix) => ref.startsWith(prefix));
  const view = (): HubView => ({ main: refs.get(main) ?? null, refs });

  async function advance(next: ReadonlyMap<string, Oid>, also: readonly LocalMove[] = []): Promise<void> {
    if (also.length === 0 && next.size === refs.size && [...next].every(([ref, oid]) => refs.get(ref) === oid)) return;
    const moves = mirrorMoves(refs, next);
    const tip = next.get(main);
    const tracking = options.trackingRef !== null && tip !== undefined && tip !== refs.get(main) ? [{ ref: options.trackingRef, to: tip }] : [];
    await store.updateRefs([...moves, ...tracking, ...also], 'cambium: observe');
    refs = new Map(next);
  }

  async function refreshOnce(): Promise<HubView> {
    const listed = onlyOurs(await hub.list(), main);
    const changed = new Map([...listed].filter(([ref, oid]) => isNeeded(ref) && refs.get(ref) !== oid));
    const archives = marks.moved(listed);
    await fetchMissing(store, hub, new Map([...changed, ...archives]));
    const gone = [...[...refs.keys()].filter((ref) => isNeeded(ref) && !listed.has(ref)), ...marks.gone(listed)];
    missing = await checkMarks({ store, hub, refs, listed, changed: new Map([...changed, ...archives]), gone, main, missing, marks });
    // A mark that is missing once may be a torn listing: it stays until a second listing agrees.
    const next = new Map(listed);
    for (const ref of missing) next.set(ref, (refs.get(ref) ?? marks.get(ref)) as Oid);
    await marks.note(listed);
    await advance(next);
    return view();
  }

  return {
    branch,
    known: view,
    refresh: () => listAgain(refreshOnce),
    async adopt(updates, also) {
      const next = new Map(refs);
      for (const { ref, to } of updates) {
        if (to === null) next.delete(ref);
        else next.set(ref, to);
      }
      await advance(next, also);
    },
  };
}

/** What is here already (our own pushes, a repeated listing) costs the hub nothing. */
async function fetchMissing(store: Store, hub: Hub, refs: ReadonlyMap<string, Oid>): Promise<void> {
  const have = await Promise.all([...refs.values()].map((oid) => store.has(oid)));
  const missing = [...refs].filter((_, at) => have[at] !== true);
  if (missing.length > 0) await hub.fetch(new Map(missing));
}

async function readMirror(store: Store): Promise<Map<string, Oid>> {
  const mirrored = await store.listRefs(HUB_MIRROR);
  return new Map([...mirrored].map(([ref, oid]) => [unmirrorRef(ref), oid]));
}

function onlyOurs(listed: ReadonlyMap<string, Oid>, main: string): Map<string, Oid> {
  return new Map([...listed].filter(([ref]) => ref === main || isReviewBranch(ref) || (ref.startsWith('refs/cambium/') && !ref.startsWith('refs/cambium/probe/') && !ref.startsWith('refs/cambium/local/'))));
}

/** `refs/heads/review` too: while it stands, no branch below it can be made. */
const isReviewBranch = (ref: string): boolean => `${ref}/`.startsWith(REVIEW_BRANCHES);

function mirrorMoves(before: ReadonlyMap<string, Oid>, after: ReadonlyMap<string, Oid>): { ref: string; to: Oid | null }[] {
  const set = [...after].filter(([ref, oid]) => before.get(ref) !== oid).map(([ref, oid]) => ({ ref: mirrorRef(ref), to: oid as Oid | null }));
  const removed = [...before.keys()].filter((ref) => !after.has(ref)).map((ref) => ({ ref: mirrorRef(ref), to: null }));
  // Objects of refs that nobody fetched are not here, so git could not store a ref to them.
  return [...set.filter(({ ref }) => !isRemoteOnly(unmirrorRef(ref))), ...removed.filter(({ ref }) => !isRemoteOnly(unmirrorRef(ref)))];
}

function isRemoteOnly(ref: string): boolean {
  return isReviewBranch(ref) || (ref.startsWith('refs/cambium/') && !NEEDED.some((prefix) => ref.startsWith(prefix)));
}

interface MarkCheck {
  readonly store: Store;
  readonly hub: Hub;
  readonly refs: ReadonlyMap<string, Oid>;
  readonly listed: ReadonlyMap<string, Oid>;
  readonly changed: ReadonlyMap<string, Oid>;
  readonly gone: readonly string[];
  readonly main: string;
  readonly missing: ReadonlySet<string>;
  readonly marks: ArchiveMarks;
}

/** Returns the refs missing for the first time; throws `hub-rewritten` for a proven rewind. */
async function checkMarks(check: MarkCheck): Promise<Set<string>> {
  const { store, refs, marks } = check;
  for (const [ref, oid] of check.changed) {
    const mark = marks.get(ref) ?? (ref === check.main || ref.startsWith(CLAIMS_PREFIX) ? refs.get(ref) : undefined);
    if (mark !== undefined && !(await contains(store, oid, mark))) throw rewound(ref, mark, oid);
  }
  const lost = [...check.gone.filter((ref) => ref === check.main || ref === FLEET_REF || marks.get(ref) !== undefined), ...(await notArchived(check))];
  for (const ref of lost) if (check.missing.has(ref)) throw rewound(ref, (refs.get(ref) ?? marks.get(ref)) as Oid, null);
  return new Set(lost);
}

/** A mark may stand for commits that were never fetched: if it is a part of what has just come, it is here now. */
async function contains(store: Store, tip: Oid, mark: Oid): Promise<boolean> {
  return (await store.has(mark)) && store.isAncestor(mark, tip);
}

/** A claim ref may go only into an archive (P9): its entry there is the mark, or was written on top of it. */
async function notArchived({ store, hub, refs, listed, gone }: MarkCheck): Promise<readonly string[]> {
  let lost = gone.filter((ref) => ref.startsWith(CLAIMS_PREFIX));
  for (const month of lost.length === 0 ? [] : archiveMonths(listed)) {
    if (lost.length === 0) break;
    await fetchMonths(store, hub, [month]);
    const kept = await Promise.all(lost.map(async (ref) => {
      const mark = refs.get(ref) as Oid;
      const entry = await entryOf(store, month.tip, chainEntry(ref.slice(CLAIMS_PREFIX.length)));
      return entry !== null && (entry === mark || (await contains(store, entry, mark)));
    }));
    lost = lost.filter((_, at) => kept[at] !== true);
  }
  return lost;
}

function rewound(ref: string, mark: Oid, now: Oid | null): CambiumError {
  const what = now === null ? 'is gone' : `went from ${mark.slice(0, 10)} to ${now.slice(0, 10)}, which does not contain it`;
  return new CambiumError('hub-rewritten', `The hub went backwards: ${ref} ${what}. This node has halted; it follows, resets and pushes nothing.`, {
    hint: 'Find out who rewrote or restored the hub. Every clone still has what was there: do not reset any of them.',
    data: { ref, mark, now },
  });
}
