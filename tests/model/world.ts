/** What stays the same during one exploration: the design under trial, its bounds, the commits and pushes met. */
import { Commits, NONE } from './commits.ts';
import type { CommitId } from './commits.ts';

/** The rules under trial. `RIGHT` is docs/protocol.md; each wrong design turns some of them. */
export interface Design {
  /** P1: a push is refused as a whole. */
  readonly atomic: boolean;
  /** P1: landing moves the claim ref, so that its lease is sent. False: R alone, then the claim in a second push. */
  readonly landingMovesClaim: boolean;
  /** P2.3: an unknown push is repeated until answered. False: unknown counts as failed. */
  readonly unknownIsRepeated: boolean;
  /** P2.3: a candidate is looked for anywhere in the chain. False: only at its tip. */
  readonly wholeChain: boolean;
  /** P2.3: candidates are looked for on the very base that a rebuild leases. False: only when the refusal came. */
  readonly rebuildLooks: boolean;
  /** P2.2: candidates survive a crash. */
  readonly outboxKept: boolean;
  /** P2.3: a create is not repeated for an id with an archived chain. */
  readonly oldCreatesChecked: boolean;
  /** P3: the task is looked at again on a main read after the win. */
  readonly validates: boolean;
  /** P5.1: done has R as a parent, so each rebuild makes a new d. */
  readonly doneNamesResult: boolean;
  /** P5.4: a push of main and chain is built only where the two agree. */
  readonly agreement: boolean;
  /** P5.3: a main commit that a chain names and main lacks is merged. */
  readonly rollsForward: boolean;
  /** P5.3: how it is brought: a merge keeps its identity, a replay makes a second one from a torn read. */
  readonly rollsByMerge: boolean;
  /** P5.3: a landing on main that no transition names gets its transition. */
  readonly repairs: boolean;
  /** P5.3: the repair goes on whatever tip the chain has, with that tip's epoch. False: only on the claim that the landing names. */
  readonly repairsAnyTip: boolean;
  /** P5.5: how the results of a batch stand: side by side on base, or one on another in or against the order of the ref names. */
  readonly batch: 'siblings' | 'stacked by name' | 'stacked against names';
  /** P6: what a reopen does to the epoch. */
  readonly reopenKeepsEpoch: boolean;
  /** P6: reopen asks that the previous landing is on main and was not reopened. */
  readonly reopenChecksMain: boolean;
  /** P6: terminal states are left only by reopen. False: main alone tells whether a task is open. */
  readonly chainDecidesOpen: boolean;
  /** P4.3: a takeover moves the owner's node ref too. */
  readonly takeoverBreaks: boolean;
  /** P4.4: a renewal counts only after the claim was read as still mine. */
  readonly renewalConfirmed: boolean;
  /** P9: tips are folded into the archive before their refs go. */
  readonly foldsFirst: boolean;
  /** P9: no request outlives the term between the end of a task and its collection. */
  readonly collectionTerm: boolean;
  /** P9: an absent claim ref is believed absent only with an archive read after it. */
  readonly absenceReadTwice: boolean;
}

/** How far the world goes. A fault with 0 never happens. */
export interface Bounds {
  readonly nodes: number;
  readonly tasks: number;
  readonly epochs: number;
  /** Requests that arrive at any later moment, or never. */
  readonly late: number;
  /** Replies lost after the hub applied the push. */
  readonly lost: number;
  /** Pushes of which the hub applied a proper part and died. */
  readonly half: number;
  /** Refusals that have nothing to do with the leases (a stale lock, a hook). */
  readonly refusals: number;
  readonly crashes: number;
  readonly cancels: number;
  readonly reopens: number;
  readonly releases: number;
  /** Pushes of a node that move main alone, each to happen exactly once. */
  readonly notes: number;
  readonly heartbeats: number;
  readonly folds: number;
  /** `git`: existing refs by name, then those it creates (as receive-pack renames them). `any`: any part. */
  readonly halfOrder: 'git' | 'any';
}

export const BUDGETS = ['late', 'lost', 'half', 'refusals', 'crashes', 'cancels', 'reopens', 'releases', 'notes', 'heartbeats', 'folds'] as const;
export type Budget = (typeof BUDGETS)[number];

export interface Update {
  readonly ref: number;
  readonly from: CommitId;
  readonly to: CommitId;
}

export type Purpose =
  | 'claim' | 'takeover' | 'release' | 'land' | 'batch' | 'close' | 'cancel' | 'reopen'
  | 'note' | 'heartbeat' | 'roll' | 'repair' | 'fold' | 'delete';

export interface Push {
  readonly id: number;
  readonly purpose: Purpose;
  readonly updates: readonly Update[];
}

export class World {
  readonly commits = new Commits();
  readonly design: Design;
  readonly bounds: Bounds;
  private readonly pushes: Push[] = [{ id: 0, purpose: 'note', updates: [] }];
  private readonly pushKeys = new Map<string, number>();

  constructor(design: Design, bounds: Bounds) {
    this.design = design;
    this.bounds = bounds;
  }

  push(purpose: Purpose, updates: readonly Update[]): Push {
    const key = `${purpose}:${updates.map((update) => `${update.ref},${update.from},${update.to}`).join(';')}`;
    const known = this.pushKeys.get(key);
    if (known !== undefined) return this.pushById(known);
    const push = { id: this.pushes.length, purpose, updates };
    this.pushes.push(push);
    this.pushKeys.set(key, push.id);
    return push;
  }

  pushById(id: number): Push {
    const push = this.pushes[id];
    if (push === undefined) throw new Error(`no push ${id}`);
    return push;
  }

  // Refs by number: main, then claims, node refs and archives. Their git order is claims, nodes, main.
  get mainRef(): number { return 0; }
  claimRef(task: number): number { return 1 + task; }
  nodeRef(node: number): number { return 1 + this.bounds.tasks + node; }
  archiveRef(task: number): number { return 1 + this.bounds.tasks + this.bounds.nodes + task; }
  taskOfClaimRef(ref: number): number | null { return ref >= 1 && ref <= this.bounds.tasks ? ref - 1 : null; }
  taskOfArchiveRef(ref: number): number | null {
    const first = this.archiveRef(0);
    return ref >= first ? ref - first : null;
  }
  nodeOfNodeRef(ref: number): number | null {
    const first = this.nodeRef(0);
    return ref >= first && ref < first + this.bounds.nodes ? ref - first : null;
  }

  /** Said only where there is a choice. */
  taskName(task: number): string { return this.bounds.tasks === 1 ? '' : ` ${'xyz'[task]}`; }

  /** The order in which receive-pack renames refs of one push (measured with git 2.39). */
  renameRank(update: Update): number {
    const byName = update.ref === this.mainRef ? 1_000 : update.ref;
    return update.from === NONE ? 10_000 + byName : byName;
  }
}
