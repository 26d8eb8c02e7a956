/** What any node may do for all: roll forward, repair, collect (P5.3, P9). And what the network still holds. */
import { NONE } from './commits.ts';
import type { CommitId, CommitKind } from './commits.ts';
import type { Step } from './explore.ts';
import { arrivals, outcomes } from './hub.ts';
import { agree, isTerminal, missingFromChain, missingFromMain } from './invariants.ts';
import { step } from './outbox.ts';
import { archivedTip, chainTip, left, refAt, spend } from './state.ts';
import type { State } from './state.ts';
import type { Push, World } from './world.ts';

/**
 * A chain names a main commit that main lacks: merge it. The lease on the very main that lacks it makes one
 * fetch enough, torn or not. (An unknown outcome needs no outbox: the same decision gives the same commit.)
 */
export function rollsForward(world: World, state: State, task: number, faults: boolean): readonly Step<State>[] {
  if (!world.design.rollsForward) return [];
  const main = refAt(state, world.mainRef);
  const missing = missingFromMain(world, main, chainTip(world, state, task)).at(0);
  if (missing === undefined) return [];
  const to = world.design.rollsByMerge
    ? world.commits.intern({ kind: 'merge', parents: [main, missing] })
    : replay(world, missing, main);
  return anyone(world, state, world.push('roll', [{ ref: world.mainRef, from: main, to }]), `roll forward${world.taskName(task)}`, faults);
}

/**
 * The wrong way to roll forward: the change made again on a fresh main. Its torn read is as old as the
 * replayed commit's own base, so the first half it misses may long be there.
 */
export function replaysTorn(world: World, state: State, task: number, faults: boolean): readonly Step<State>[] {
  if (world.design.rollsByMerge) return [];
  const tip = chainTip(world, state, task);
  const { names, kind } = world.commits.get(tip);
  const main = refAt(state, world.mainRef);
  if (kind !== 'done' || names === NONE || main !== names) return [];
  return anyone(world, state, world.push('roll', [{ ref: world.mainRef, from: main, to: replay(world, names, main) }]), 'replay what a torn read missed', faults);
}

function replay(world: World, missing: CommitId, main: CommitId): CommitId {
  const { kind, task, epoch, node, names } = world.commits.get(missing);
  return world.commits.intern({ kind, parents: [main], task, epoch, node, names });
}

const TRANSITION: Partial<Record<CommitKind, CommitKind>> = { result: 'done', cancelled: 'cancel', reopened: 'reopen' };

/** Main has a landing that no transition names: write that transition on the tip as it is, with its epoch. */
export function repairs(world: World, state: State, task: number, faults: boolean): readonly Step<State>[] {
  if (!world.design.repairs) return [];
  const tip = chainTip(world, state, task);
  const missing = missingFromChain(world, refAt(state, world.mainRef), tip, task).at(0);
  if (missing === undefined) return [];
  if (!world.design.repairsAnyTip && world.commits.get(missing).names !== tip) return [];
  const kind = TRANSITION[world.commits.get(missing).kind] ?? 'done';
  const to = world.commits.intern({ kind, parents: [tip], task, epoch: tip === NONE ? 0 : world.commits.get(tip).epoch, names: missing });
  const push = world.push('repair', [{ ref: world.claimRef(task), from: refAt(state, world.claimRef(task)), to }]);
  return anyone(world, state, push, `repair${world.taskName(task)}: ${kind} at epoch ${world.commits.get(to).epoch} for what main shows`, faults);
}

/** P9, first push: the tip becomes a parent of the archive. */
export function folds(world: World, state: State, task: number, faults: boolean): readonly Step<State>[] {
  const live = refAt(state, world.claimRef(task));
  if (live === NONE || !isTerminal(world, live)) return [];
  if (!agree(world, refAt(state, world.mainRef), live, task)) return [];
  const archive = refAt(state, world.archiveRef(task));
  if (archivedTip(world, archive) === live) return deletes(world, state, task, live, faults);
  if (left(state, 'folds') === 0) return [];
  if (!world.design.foldsFirst) return deletes(world, spend(state, 'folds'), task, live, faults);
  const to = world.commits.intern({ kind: 'fold', parents: [archive, live], task });
  return anyone(world, spend(state, 'folds'), world.push('fold', [{ ref: world.archiveRef(task), from: archive, to }]), 'the janitor folds the chain', faults);
}

/** P9, second push: the ref goes, by lease. */
function deletes(world: World, state: State, task: number, live: CommitId, faults: boolean): readonly Step<State>[] {
  const push = world.push('delete', [{ ref: world.claimRef(task), from: live, to: NONE }]);
  // The term: whatever was sent before the task ended has arrived or died long before its ref goes.
  const settled = world.design.collectionTerm
    ? { ...state, flights: state.flights.filter((id) => !creates(world, world.pushById(id), task)) }
    : state;
  return anyone(world, settled, push, 'the janitor deletes the claim ref', faults);
}

function creates(world: World, push: Push, task: number): boolean {
  return push.updates.some((update) => update.ref === world.claimRef(task) && update.from === NONE);
}

/** A push by whoever comes first; nobody waits for its answer. */
function anyone(world: World, state: State, push: Push, label: string, faults: boolean): readonly Step<State>[] {
  return outcomes(world, state, push, faults)
    // Lost replies and refusals change nothing here but budgets.
    .filter((outcome) => outcome.how !== 'accepted, reply lost' && outcome.told !== 'refused')
    .map((outcome) => step(`${label}: ${outcome.how}`, outcome.state, outcome.broken));
}

export function arrives(world: World, state: State): readonly Step<State>[] {
  return arrivals(world, state).map((outcome) => step(`a ${outcome.push.purpose} ${outcome.how}`, outcome.state, outcome.broken));
}
