/** One state of hub, nodes and requests under way, and its key up to a renaming of the nodes. */
import { NONE } from './commits.ts';
import type { CommitId } from './commits.ts';
import { BUDGETS } from './world.ts';
import type { Budget, Push, Update, World } from './world.ts';

/** 0 idle · 1 won, not validated yet · 2 an agent works. */
export type Stage = 0 | 1 | 2;

export interface NodeState {
  /** Per task: the claim it believes to hold. */
  readonly held: readonly CommitId[];
  readonly stage: readonly Stage[];
  /** Outbox: ids of unanswered pushes, a slot a task, then main-only pushes, then heartbeats. 0 is free. */
  readonly outbox: readonly number[];
  readonly noted: boolean;
  /** Last value of its own node ref that it knows. */
  readonly lastBeat: CommitId;
  /** Archive tips as last read; used only by the design that believes a torn read. */
  readonly archiveSeen: readonly CommitId[];
}

export interface State {
  readonly refs: readonly CommitId[];
  readonly nodes: readonly NodeState[];
  /** Requests that left a client and have not reached the hub: push ids, sorted. */
  readonly flights: readonly number[];
  /** Judge's memory: the greatest epoch ever claimed, by task. */
  readonly claimed: readonly number[];
  /** Judge's memory: whether a node's last accepted heartbeat named a claim that was already superseded. */
  readonly lateBeat: readonly boolean[];
  readonly left: readonly number[];
}

export function initialState(world: World): State {
  const { nodes, tasks } = world.bounds;
  const base = world.commits.intern({ kind: 'base', parents: [] });
  return {
    refs: [base, ...zeros(tasks), ...zeros(nodes), ...zeros(tasks)],
    nodes: Array.from({ length: nodes }, () => ({
      held: zeros(tasks), stage: zeros(tasks) as Stage[], outbox: zeros(tasks + 2), noted: false, lastBeat: NONE, archiveSeen: zeros(tasks),
    })),
    flights: [], claimed: zeros(tasks), lateBeat: Array.from({ length: nodes }, () => false),
    left: BUDGETS.map((name) => world.bounds[name]),
  };
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}

export function refAt(state: State, ref: number): CommitId {
  return state.refs[ref] ?? NONE;
}

export function nodeAt(state: State, node: number): NodeState {
  const found = state.nodes[node];
  if (found === undefined) throw new Error(`no node ${node}`);
  return found;
}

export function left(state: State, budget: Budget): number {
  return state.left[BUDGETS.indexOf(budget)] ?? 0;
}

export function spend(state: State, budget: Budget): State {
  const at = BUDGETS.indexOf(budget);
  return { ...state, left: put(state.left, at, (state.left[at] ?? 0) - 1) };
}

export function put<T>(list: readonly T[], at: number, value: T): readonly T[] {
  return list.with(at, value);
}

export function withNode(state: State, node: number, change: Partial<NodeState>): State {
  return { ...state, nodes: put(state.nodes, node, { ...nodeAt(state, node), ...change }) };
}

export function withStage(state: State, node: number, task: number, stage: Stage, held: CommitId): State {
  const was = nodeAt(state, node);
  return withNode(state, node, { stage: put(was.stage, task, stage), held: put(was.held, task, stage === 0 ? NONE : held) });
}

export function withOutbox(state: State, node: number, slots: readonly number[], push: number): State {
  const outbox = [...nodeAt(state, node).outbox];
  for (const slot of slots) outbox[slot] = push;
  return withNode(state, node, { outbox });
}

/** The newest transition of a task: the claim ref or, once collected, what the archive holds. */
export function chainTip(world: World, state: State, task: number): CommitId {
  const live = refAt(state, world.claimRef(task));
  return live === NONE ? archivedTip(world, refAt(state, world.archiveRef(task))) : live;
}

export function archivedTip(world: World, archive: CommitId): CommitId {
  return archive === NONE ? NONE : world.commits.get(archive).parents[1] ?? NONE;
}

/** The smallest encoding over all renamings of the nodes: states that differ only in names are one. */
export class Canon {
  private readonly world: World;
  private readonly renamings: readonly (readonly number[])[];
  private readonly commitMaps: Map<number, CommitId>[];

  constructor(world: World) {
    this.world = world;
    this.renamings = permutations(world.bounds.nodes);
    this.commitMaps = this.renamings.map(() => new Map());
  }

  key(state: State): string {
    let least = encode(this.world, state);
    for (let at = 1; at < this.renamings.length; at += 1) {
      const other = encode(this.world, this.rename(state, at));
      if (other < least) least = other;
    }
    return least;
  }

  private rename(state: State, at: number): State {
    const renaming = this.renamings[at] ?? [];
    const commit = (id: CommitId): CommitId => this.renameCommit(id, at);
    const push = (id: number): number => id === 0 ? 0 : this.renamePush(this.world.pushById(id), at).id;
    const refs = [...state.refs];
    state.refs.forEach((value, ref) => { refs[this.renameRef(ref, at)] = commit(value); });
    const nodes = [...state.nodes];
    const lateBeat = [...state.lateBeat];
    state.nodes.forEach((node, from) => {
      const to = renaming[from] ?? from;
      lateBeat[to] = state.lateBeat[from] ?? false;
      nodes[to] = {
        held: node.held.map(commit), stage: node.stage, outbox: node.outbox.map(push), noted: node.noted,
        lastBeat: commit(node.lastBeat), archiveSeen: node.archiveSeen.map(commit),
      };
    });
    return { refs, nodes, lateBeat, flights: sorted(state.flights.map(push)), claimed: state.claimed, left: state.left };
  }

  private renameRef(ref: number, at: number): number {
    const node = this.world.nodeOfNodeRef(ref);
    return node === null ? ref : this.world.nodeRef(this.renamings[at]?.[node] ?? node);
  }

  private renamePush(push: Push, at: number): Push {
    const updates: Update[] = push.updates.map((update) => (
      { ref: this.renameRef(update.ref, at), from: this.renameCommit(update.from, at), to: this.renameCommit(update.to, at) }));
    return this.world.push(push.purpose, updates);
  }

  private renameCommit(id: CommitId, at: number): CommitId {
    if (id === NONE) return NONE;
    const map = this.commitMaps[at];
    const known = map?.get(id);
    if (known !== undefined) return known;
    const { commits } = this.world;
    const { kind, parents, task, epoch, node, names, sequence } = commits.get(id);
    const renamed = commits.intern({
      kind, parents: parents.map((parent) => this.renameCommit(parent, at)), task, epoch,
      node: node < 0 ? node : this.renamings[at]?.[node] ?? node, names: this.renameCommit(names, at), sequence,
    });
    map?.set(id, renamed);
    return renamed;
  }
}

export function sorted(ids: readonly number[]): readonly number[] {
  return ids.toSorted((a, b) => a - b);
}

function encode(world: World, state: State): string {
  let text = `${state.refs.join(',')}|${state.flights.join(',')}|${state.claimed.join(',')}|${state.left.join(',')}|`;
  for (let at = 0; at < world.bounds.nodes; at += 1) {
    const node = nodeAt(state, at);
    text += `${node.held.join(',')};${node.stage.join('')};${node.outbox.join(',')};${node.noted ? 1 : 0}${state.lateBeat[at] === true ? 1 : 0};${node.lastBeat};${node.archiveSeen.join(',')}/`;
  }
  return text;
}

function permutations(count: number): readonly (readonly number[])[] {
  if (count === 1) return [[0]];
  return permutations(count - 1).flatMap((shorter) => (
    Array.from({ length: count }, (_, at) => [...shorter.slice(0, count - 1 - at), count - 1, ...shorter.slice(count - 1 - at)])));
}
