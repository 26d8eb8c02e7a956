/**
 * The object database of the model: commits interned by content, as git does, so that equal content is the
 * same commit and a state is a handful of small numbers.
 *
 * Main commits:  base, note, result (R), cancelled (C), reopened (M), merge.
 * Chain commits: claim, release, done, cancel, reopen; `names` is the main commit moved in the same push.
 * Node commits:  heartbeat, break.   Archive commits: fold (parents: previous archive, folded tip).
 */
export type CommitId = number;

/** No commit: an absent ref. */
export const NONE = 0;

export type CommitKind =
  | 'base' | 'note' | 'result' | 'cancelled' | 'reopened' | 'merge'
  | 'claim' | 'release' | 'done' | 'cancel' | 'reopen'
  | 'heartbeat' | 'break' | 'fold';

export interface Draft {
  readonly kind: CommitKind;
  readonly parents: readonly CommitId[];
  readonly task?: number;
  readonly epoch?: number;
  /** Who wrote it; -1 when it makes no difference who did. */
  readonly node?: number;
  /** Chain: the main commit it moved. Main: the chain tip it stands on. Heartbeat, break: the claim it renews or ends. */
  readonly names?: CommitId;
  readonly sequence?: number;
}

export interface Commit {
  readonly id: CommitId;
  readonly kind: CommitKind;
  readonly parents: readonly CommitId[];
  readonly task: number;
  readonly epoch: number;
  readonly node: number;
  readonly names: CommitId;
  readonly sequence: number;
  /** Reachable commits, itself included. */
  readonly reach: ReadonlySet<CommitId>;
  /** Main commits that transitions in this chain name, oldest first. */
  readonly named: readonly CommitId[];
  /** Landings (result, cancelled, reopened) reachable from this main commit, in the order they took effect. */
  readonly landings: readonly CommitId[];
}

export class Commits {
  private readonly byKey = new Map<string, CommitId>();
  private readonly byId: Commit[] = [];

  constructor() {
    this.byId.push(freeze({ kind: 'base', parents: [] }, NONE, []));
  }

  intern(draft: Draft): CommitId {
    const key = [draft.kind, draft.parents.join('.'), draft.task ?? -1, draft.epoch ?? 0, draft.node ?? -1, draft.names ?? NONE, draft.sequence ?? 0].join('|');
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    const id = this.byId.length;
    this.byId.push(freeze(draft, id, draft.parents.filter((parent) => parent !== NONE).map((parent) => this.get(parent))));
    this.byKey.set(key, id);
    return id;
  }

  get(id: CommitId): Commit {
    const commit = this.byId[id];
    if (commit === undefined) throw new Error(`no commit ${id}`);
    return commit;
  }

  reaches(from: CommitId, to: CommitId): boolean {
    return this.get(from).reach.has(to);
  }

  landingsOf(main: CommitId, task: number): readonly CommitId[] {
    return this.get(main).landings.filter((id) => this.get(id).task === task);
  }
}

const LANDINGS: readonly CommitKind[] = ['result', 'cancelled', 'reopened'];
const TRANSITIONS: readonly CommitKind[] = ['claim', 'release', 'done', 'cancel', 'reopen', 'fold'];

function freeze(draft: Draft, id: CommitId, parents: readonly Commit[]): Commit {
  const isChain = TRANSITIONS.includes(draft.kind);
  const named = isChain ? distinct([...parents.flatMap((parent) => parent.named), ...(draft.names ? [draft.names] : [])]) : [];
  const landings = distinct([...parents.flatMap((parent) => parent.landings), ...(LANDINGS.includes(draft.kind) ? [id] : [])]);
  return {
    id, kind: draft.kind, parents: draft.parents, task: draft.task ?? -1, epoch: draft.epoch ?? 0, node: draft.node ?? -1,
    names: draft.names ?? NONE, sequence: draft.sequence ?? 0,
    // A done transition has its R as a parent too, but the chain is what the first parents tell.
    reach: new Set([...parents.flatMap((parent) => [...parent.reach]), ...(id === NONE ? [] : [id])]),
    named, landings: isChain ? [] : landings,
  };
}

function distinct(ids: readonly CommitId[]): readonly CommitId[] {
  return [...new Set(ids)];
}
