/** What a person does through some node: cancel and reopen, each moving main and the chain in one push (P6). */
import { NONE } from './commits.ts';
import type { CommitId } from './commits.ts';
import type { Step } from './explore.ts';
import { agree, isTerminal, mainShowsEnd } from './invariants.ts';
import type { Turn } from './moves.ts';
import { send } from './outbox.ts';
import { chainTip, left, nodeAt, refAt, spend } from './state.ts';
import type { State } from './state.ts';
import type { World } from './world.ts';

export function cancels(turn: Turn, task: number): readonly Step<State>[] {
  const { world, state, node } = turn;
  const tip = chainTip(world, state, task);
  if (left(state, 'cancels') === 0 || nodeAt(state, node).outbox[task] !== 0 || isTerminal(world, tip)) return [];
  const main = refAt(state, world.mainRef);
  if (world.design.agreement && (!agree(world, main, tip, task) || mainShowsEnd(world, main, task))) return [];
  return both(turn, task, tip, 'cancel');
}

export function reopens(turn: Turn, task: number): readonly Step<State>[] {
  const { world, state, node } = turn;
  const tip = chainTip(world, state, task);
  if (left(state, 'reopens') === 0 || nodeAt(state, node).outbox[task] !== 0 || !isTerminal(world, tip)) return [];
  if (world.design.reopenChecksMain && !agree(world, refAt(state, world.mainRef), tip, task)) return [];
  return both(turn, task, tip, 'reopen');
}

function both({ world, state, node, faults }: Turn, task: number, tip: CommitId, kind: 'cancel' | 'reopen'): readonly Step<State>[] {
  const base = refAt(state, world.mainRef);
  const landing = world.commits.intern({ kind: kind === 'cancel' ? 'cancelled' : 'reopened', parents: [base], task, epoch: epochOf(world, tip, kind), node, names: tip });
  const transition = world.commits.intern({ kind, parents: [tip], task, epoch: epochOf(world, tip, kind), node, names: landing });
  const push = world.push(kind, [
    { ref: world.claimRef(task), from: refAt(state, world.claimRef(task)), to: transition },
    { ref: world.mainRef, from: base, to: landing },
  ]);
  return send(world, spend(state, kind === 'cancel' ? 'cancels' : 'reopens'), node, [task], push, `${kind === 'cancel' ? 'cancels' : 'reopens'}${world.taskName(task)}`, faults);
}

function epochOf(world: World, tip: CommitId, kind: 'cancel' | 'reopen'): number {
  if (kind === 'reopen' && !world.design.reopenKeepsEpoch) return 0;
  return tip === NONE ? 0 : world.commits.get(tip).epoch;
}
