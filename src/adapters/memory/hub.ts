/**
 * A hub in memory, shared by the nodes of one process: the same promises and the same failures as a real one
 * (PROTOCOL P1), without time or chance of its own. Nothing moves but by the calls it gets.
 */
import { CambiumError } from '../../errors.ts';
import type { RefUpdate } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Hub, PushOutcome } from '../../ports/hub.ts';
import type { Store } from '../../ports/store.ts';

/**
 * What becomes of one push.
 * - `ok`: it is judged by its leases.
 * - `refuse`: a definite no that tells nothing (a stale lock); `decline`: no by a rule of the hub.
 * - `lose-request`: it never arrives. `lose-reply`: it is judged, the answer is lost.
 * - `half`: all of its refs but the last move, then the hub dies. `late`: as lost, but it arrives at `deliverLate`.
 */
export type PushFault = 'ok' | 'refuse' | 'decline' | 'lose-request' | 'lose-reply' | 'half' | 'late';

/** A store whose objects can be carried over as they are; their shape is the store's own affair. */
export type ObjectStore<T> = Pick<Store, 'readCommit' | 'readTree'> & { readonly objects: Map<Oid, T> };

/** One ref that moved, in order: the reflog that an audit reads. `push` counts pushes that moved something. */
export interface Move {
  readonly push: number;
  readonly ref: string;
  readonly from: Oid | null;
  readonly to: Oid | null;
}

export interface MemoryHub {
  readonly refs: ReadonlyMap<string, Oid>;
  readonly moves: readonly Move[];
  /** Asked once for each push that reaches the network. */
  onPush: ((updates: readonly RefUpdate[]) => PushFault) | undefined;
  /** True: list and fetch throw `hub-away`, pushes are unknown and change nothing. */
  away: boolean;
  /** Lets the `late` pushes arrive, in order, each judged by its leases as they are now. Returns how many moved refs. */
  deliverLate(): number;
  /** Moves a ref past every lease, as a restored backup or an administrator would. The commit must have been pushed once. */
  force(ref: string, to: Oid | null): void;
  /** The hub as one node sees it. */
  connect<T>(store: ObjectStore<T>): Hub;
}

interface Parcel {
  readonly value: unknown;
  readonly links: readonly Oid[];
}

/** What the hub has: whole closures only, so what it knows needs no second look. */
interface State {
  readonly refs: Map<string, Oid>;
  readonly objects: Map<Oid, Parcel>;
  readonly moves: Move[];
  readonly late: { readonly updates: readonly RefUpdate[]; readonly parcels: ReadonlyMap<Oid, Parcel> }[];
  pushes: number;
}

export function createMemoryHub(faults: Partial<Pick<MemoryHub, 'onPush' | 'away'>> = {}): MemoryHub {
  const state: State = { refs: new Map(), objects: new Map(), moves: [], late: [], pushes: 0 };
  const hub: MemoryHub = {
    refs: state.refs,
    moves: state.moves,
    onPush: faults.onPush,
    away: faults.away ?? false,
    deliverLate: () => state.late.splice(0).filter(({ updates, parcels }) => {
      const before = state.moves.length;
      judge(state, updates, parcels);
      return state.moves.length > before;
    }).length,
    force: (ref, to) => {
      if (to !== null && !state.objects.has(to)) throw new CambiumError('object-missing', `The hub has no ${to}.`);
      move(state, [{ ref, expect: null, to }]);
    },
    connect: (store) => connect(hub, state, store),
  };
  return hub;
}

const URL = 'memory:';
const LOST: PushOutcome = { kind: 'unknown', detail: 'the connection was lost' };

function connect<T>(hub: MemoryHub, state: State, store: ObjectStore<T>): Hub {
  const reach = (): void => {
    if (hub.away) throw new CambiumError('hub-away', `The hub ${URL} cannot be reached.`, { hint: 'The node goes on by itself when the hub is back.' });
  };
  return {
    url: URL,
    async list() {
      reach();
      return new Map([...state.refs].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    },
    async fetch(refs) {
      if (refs.size === 0) return;
      reach();
      const gone = [...refs].find(([ref, oid]) => state.refs.get(ref) !== oid);
      if (gone !== undefined) throw new CambiumError('refused', `${gone[0]} has moved or gone on the hub ${URL} since it was listed.`, { hint: 'List the hub again.' });
      unload(state.objects, refs.values(), store.objects);
    },
    async push(updates) {
      if (updates.length === 0) return { kind: 'accepted' };
      checkUpdates(updates);
      if (hub.away) return LOST;
      const parcels = await load(store, updates, state.objects);
      // From here to the end nothing awaits: the swap of all refs is one step.
      return hub.away ? LOST : receive(state, updates, parcels, hub.onPush?.(updates) ?? 'ok');
    },
  };
}

function receive(state: State, updates: readonly RefUpdate[], parcels: ReadonlyMap<Oid, Parcel>, fault: PushFault): PushOutcome {
  switch (fault) {
    case 'ok': return judge(state, updates, parcels);
    case 'refuse': return { kind: 'refused', detail: 'cannot lock ref', policy: false };
    case 'decline': return { kind: 'refused', detail: 'pre-receive hook declined', policy: true };
    case 'lose-request': return LOST;
    case 'lose-reply': judge(state, updates, parcels); return LOST;
    case 'half': judge(state, updates, parcels, updates.length - 1); return LOST;
    case 'late': state.late.push({ updates, parcels }); return LOST;
  }
}

/** All or none by the leases; `count` cuts the moving short, as a hub that dies between two renames does. */
function judge(state: State, updates: readonly RefUpdate[], parcels: ReadonlyMap<Oid, Parcel>, count = updates.length): PushOutcome {
  const at = (ref: string): Oid | null => state.refs.get(ref) ?? null;
  const moving = updates.filter((update) => at(update.ref) !== update.to);
  if (moving.length === 0) return { kind: 'accepted' };
  // A deletion of what is gone is stale for git as soon as another ref of the push has still to move.
  const stale = updates.find((update) => at(update.ref) !== update.expect && (update.to === null || at(update.ref) !== update.to));
  if (stale !== undefined) return { kind: 'refused', detail: `stale info: ${stale.ref}`, policy: false };
  const conflict = nameConflict(state.refs, moving);
  if (conflict !== null) return { kind: 'refused', detail: `cannot lock ref '${conflict}'`, policy: false };
  for (const [oid, parcel] of parcels) state.objects.set(oid, parcel);
  const first = new Set(updates.slice(0, count));
  move(state, moving.filter((update) => first.has(update)));
  return { kind: 'accepted' };
}

function move(state: State, updates: readonly RefUpdate[]): void {
  if (updates.length === 0) return;
  state.pushes += 1;
  for (const { ref, to } of updates) {
    state.moves.push({ push: state.pushes, ref, from: state.refs.get(ref) ?? null, to });
    if (to === null) state.refs.delete(ref);
    else state.refs.set(ref, to);
  }
}

/** As in git, a ref cannot be a file and a folder at once, not even for one push that deletes the other name. */
function nameConflict(refs: ReadonlyMap<string, Oid>, updates: readonly RefUpdate[]): string | null {
  const created = updates.filter((update) => update.to !== null && !refs.has(update.ref)).map((update) => update.ref);
  if (created.length === 0) return null;
  const names = new Set([...refs.keys(), ...created]);
  const folders = new Set([...names].flatMap(foldersOf));
  return created.find((ref) => folders.has(ref) || foldersOf(ref).some((folder) => names.has(folder))) ?? null;
}

/** `refs/cambium/a/b` → `refs/cambium/a`, `refs/cambium`, `refs`. */
function foldersOf(ref: string): string[] {
  const parts = ref.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** What the hub lacks of the closure of the new values. Throws `object-missing` as git would fail to pack it. */
async function load<T>(store: ObjectStore<T>, updates: readonly RefUpdate[], known: ReadonlyMap<Oid, Parcel>): Promise<Map<Oid, Parcel>> {
  const parcels = new Map<Oid, Parcel>();
  const queue = updates.flatMap(({ to }) => (to === null ? [] : [{ oid: to, kind: 'commit' as Kind }]));
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { oid, kind } = next;
    if (known.has(oid) || parcels.has(oid)) continue;
    const value = store.objects.get(oid);
    // Every store knows the empty tree without keeping it.
    if (value === undefined && kind === 'tree' && (await store.readTree(oid)).length === 0) continue;
    if (value === undefined) throw new CambiumError('object-missing', `The object ${oid} to be pushed is missing.`);
    const links = await linksOf(store, oid, kind);
    parcels.set(oid, { value, links: links.map((link) => link.oid) });
    queue.push(...links);
  }
  return parcels;
}

type Kind = 'commit' | 'tree' | 'blob';

async function linksOf(store: Pick<Store, 'readCommit' | 'readTree'>, oid: Oid, kind: Kind): Promise<{ oid: Oid; kind: Kind }[]> {
  if (kind === 'blob') return [];
  if (kind === 'tree') {
    // A submodule's commit stands in another repository.
    const entries = (await store.readTree(oid)).filter((entry) => entry.mode !== '160000');
    return entries.map((entry) => ({ oid: entry.oid, kind: entry.mode === '40000' ? 'tree' : 'blob' }));
  }
  const commit = await store.readCommit(oid);
  return [{ oid: commit.tree, kind: 'tree' }, ...commit.parents.map((parent) => ({ oid: parent, kind: 'commit' as Kind }))];
}

function unload<T>(from: ReadonlyMap<Oid, Parcel>, tips: Iterable<Oid>, to: Map<Oid, T>): void {
  const queue = [...tips];
  for (let oid = queue.pop(); oid !== undefined; oid = queue.pop()) {
    const parcel = from.get(oid);
    if (parcel === undefined || to.has(oid)) continue;
    to.set(oid, parcel.value as T);
    queue.push(...parcel.links);
  }
}

/** The same mistakes of a caller that the hub over git does not let pass. */
function checkUpdates(updates: readonly RefUpdate[]): void {
  if (new Set(updates.map((update) => update.ref)).size < updates.length) throw new CambiumError('internal', 'A push names a ref twice.');
  const still = updates.find((update) => update.expect === update.to);
  if (still !== undefined) throw new CambiumError('internal', `A push would not move ${still.ref}.`);
}
