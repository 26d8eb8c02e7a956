/** What a node does for a task: claim, validate, work, land, release, take over, beat, crash (PROTOCOL P3 to P5). */
import { NONE } from './commits.ts';
import type { CommitId } from './commits.ts';
import type { Step } from './explore.ts';
import { INVARIANTS, agree, isOpen, isTerminal, mainShowsEnd } from './invariants.ts';
import { nodeName, readArchive, send, step } from './outbox.ts';
import { chainTip, left, nodeAt, refAt, spend, withNode, withOutbox, withStage } from './state.ts';
import type { State } from './state.ts';
import type { Update, World } from './world.ts';

export interface Turn {
  readonly world: World;
  readonly state: State;
  readonly node: number;
  /** False while a state is being run to rest. */
  readonly faults: boolean;
}

export function claims({ world, state, node, faults }: Turn, task: number): readonly Step<State>[] {
  const { stage, outbox } = nodeAt(state, node);
  if (stage[task] !== 0 || outbox[task] !== 0) return [];
  const from = refAt(state, world.claimRef(task));
  const tip = believedTip(world, state, node, task);
  if (faults && world.commits.get(tip).epoch >= world.bounds.epochs) return [];
  if (!believedOpen(world, state, tip, task)) return [];
  const claim = world.commits.intern({ kind: 'claim', parents: [tip], task, epoch: world.commits.get(tip).epoch + 1, node });
  const push = world.push('claim', [{ ref: world.claimRef(task), from, to: claim }]);
  return send(world, state, node, [task], push, `claims${world.taskName(task)} with epoch ${world.commits.get(claim).epoch}`, faults);
}

function believedOpen(world: World, state: State, tip: CommitId, task: number): boolean {
  if (world.design.chainDecidesOpen) return isOpen(world, tip);
  return (isOpen(world, tip) || isTerminal(world, tip)) && !mainShowsEnd(world, refAt(state, world.mainRef), task);
}

/** The chain as this node knows it: with an absent claim ref, it depends on when the archive was read. */
function believedTip(world: World, state: State, node: number, task: number): CommitId {
  const live = refAt(state, world.claimRef(task));
  if (live !== NONE || world.design.absenceReadTwice) return chainTip(world, state, task);
  const seen = nodeAt(state, node).archiveSeen[task] ?? NONE;
  return seen === NONE ? NONE : world.commits.get(seen).parents[1] ?? NONE;
}

export function readsArchive({ world, state, node }: Turn, task: number): readonly Step<State>[] {
  if (world.design.absenceReadTwice) return [];
  if (nodeAt(state, node).archiveSeen[task] === refAt(state, world.archiveRef(task))) return [];
  return [readArchive(world, state, node, task)];
}

/** P3: on a main read after the win. Where main and chain differ it waits: the difference is repaired first. */
export function validates({ world, state, node }: Turn, task: number): readonly Step<State>[] {
  const { stage, held, outbox } = nodeAt(state, node);
  const claim = held[task] ?? NONE;
  if (stage[task] !== 1 || outbox[task] !== 0) return [];
  const main = refAt(state, world.mainRef);
  if (world.design.agreement && !agree(world, main, claim, task)) return [];
  if (mainShowsEnd(world, main, task)) return [];
  return [step(`${nodeName(node)} validates${world.taskName(task)} and starts its agent`, withStage(state, node, task, 2, claim), null)];
}

/** P2.5: a claim of mine that I do not know of (after a crash, or landed late). */
export function adopts({ world, state, node }: Turn, task: number): readonly Step<State>[] {
  const { stage, outbox } = nodeAt(state, node);
  const tip = refAt(state, world.claimRef(task));
  const commit = world.commits.get(tip);
  if (stage[task] !== 0 || outbox[task] !== 0 || tip === NONE || commit.kind !== 'claim' || commit.node !== node) return [];
  return [step(`${nodeName(node)} adopts its claim${world.taskName(task)} of epoch ${commit.epoch}`, withStage(state, node, task, 1, tip), null)];
}

/** P6: an owner that reads a foreign tip stops. */
export function stops({ world, state, node }: Turn, task: number): readonly Step<State>[] {
  const { stage, held, outbox } = nodeAt(state, node);
  const claim = held[task] ?? NONE;
  const tip = chainTip(world, state, task);
  if (stage[task] === 0 || outbox[task] !== 0 || tip === claim) return [];
  const mine = world.commits.get(tip).named.some((id) => world.commits.get(id).kind === 'result' && world.commits.get(id).names === claim);
  const stopped = withStage(state, node, task, 0, NONE);
  // P5.3: a done that names my R is my success, whoever wrote it. The wrong designs report a loss.
  const reported = mine && !(world.design.unknownIsRepeated && world.design.agreement);
  return [step(`${nodeName(node)} reads a foreign tip${world.taskName(task)} and stops${mine ? ' (its own R is done)' : ''}`, stopped, reported ? INVARIANTS.lostButHappened : null)];
}

export function releases({ world, state, node, faults }: Turn, task: number): readonly Step<State>[] {
  const { stage, held, outbox } = nodeAt(state, node);
  const claim = held[task] ?? NONE;
  if (stage[task] === 0 || outbox[task] !== 0 || left(state, 'releases') === 0) return [];
  if (refAt(state, world.claimRef(task)) !== claim) return [];
  const release = world.commits.intern({ kind: 'release', parents: [claim], task, epoch: world.commits.get(claim).epoch, node });
  const push = world.push('release', [{ ref: world.claimRef(task), from: claim, to: release }]);
  return send(world, spend(state, 'releases'), node, [task], push, `releases${world.taskName(task)}`, faults);
}

export interface Landing {
  readonly result: CommitId;
  readonly update: Update;
}

/** R on `base` and the done that names it. */
export function landing(world: World, task: number, claim: CommitId, base: CommitId, node: number): Landing {
  const { epoch } = world.commits.get(claim);
  const result = world.commits.intern({ kind: 'result', parents: [base], task, epoch, node, names: claim });
  const done = world.commits.intern({ kind: 'done', parents: [claim], task, epoch, node, names: world.design.doneNamesResult ? result : NONE });
  return { result, update: { ref: world.claimRef(task), from: claim, to: done } };
}

function mayLand({ world, state, node }: Turn, task: number): boolean {
  const { stage, held, outbox } = nodeAt(state, node);
  const claim = held[task] ?? NONE;
  if (stage[task] !== 2 || outbox[task] !== 0) return false;
  const main = refAt(state, world.mainRef);
  if (!world.design.landingMovesClaim && world.commits.landingsOf(main, task).some((id) => world.commits.get(id).names === claim)) return false;
  // The wrong design that takes silence for failure does not read the tip again either: the hub refuses for it.
  if (refAt(state, world.claimRef(task)) !== claim && world.design.doneNamesResult) return false;
  return !world.design.agreement || agree(world, main, claim, task);
}

export function lands(turn: Turn, task: number): readonly Step<State>[] {
  const { world, state, node, faults } = turn;
  if (!mayLand(turn, task)) return [];
  const base = refAt(state, world.mainRef);
  const { result, update } = landing(world, task, nodeAt(state, node).held[task] ?? NONE, base, node);
  const main: Update = { ref: world.mainRef, from: base, to: result };
  const push = world.push('land', world.design.landingMovesClaim ? [update, main] : [main]);
  return send(world, state, node, [task], push, `lands${world.taskName(task)} of epoch ${world.commits.get(result).epoch}`, faults);
}

/** The second half of the design whose landing leaves the claim where it is. */
export function closes({ world, state, node, faults }: Turn, task: number): readonly Step<State>[] {
  const { stage, held, outbox } = nodeAt(state, node);
  const claim = held[task] ?? NONE;
  if (world.design.landingMovesClaim || stage[task] !== 2 || outbox[task] !== 0) return [];
  const result = world.commits.landingsOf(refAt(state, world.mainRef), task).find((id) => world.commits.get(id).names === claim);
  if (result === undefined || refAt(state, world.claimRef(task)) !== claim) return [];
  const done = world.commits.intern({ kind: 'done', parents: [claim], task, epoch: world.commits.get(claim).epoch, node, names: result });
  return send(world, state, node, [task], world.push('close', [{ ref: world.claimRef(task), from: claim, to: done }]), 'closes its claim', faults);
}

/** P5.5: two tasks of one node in one push. */
export function landsBatch(turn: Turn): readonly Step<State>[] {
  const { world, state, node, faults } = turn;
  if (world.bounds.tasks < 2 || !mayLand(turn, 0) || !mayLand(turn, 1)) return [];
  const base = refAt(state, world.mainRef);
  const held = nodeAt(state, node).held;
  const { batch } = world.design;
  const alone = (task: number, on: CommitId): Landing => landing(world, task, held[task] ?? NONE, on, node);
  const second = alone(1, batch === 'stacked by name' ? alone(0, base).result : base);
  const first = alone(0, batch === 'stacked against names' ? second.result : base);
  const tips = { 'siblings': world.commits.intern({ kind: 'merge', parents: [first.result, second.result] }), 'stacked by name': second.result, 'stacked against names': first.result };
  const tip = tips[batch];
  const push = world.push('batch', [first.update, second.update, { ref: world.mainRef, from: base, to: tip }]);
  return send(world, state, node, [0, 1], push, 'lands both tasks', faults);
}

/** P4.3. The timer may have run out at any moment: safety must not depend on it. */
export function takesOver({ world, state, node, faults }: Turn, task: number): readonly Step<State>[] {
  const { stage, outbox } = nodeAt(state, node);
  const tip = refAt(state, world.claimRef(task));
  const commit = world.commits.get(tip);
  if (stage[task] !== 0 || outbox[task] !== 0 || tip === NONE || commit.kind !== 'claim' || commit.node === node) return [];
  if (faults && commit.epoch >= world.bounds.epochs) return [];
  const claim = world.commits.intern({ kind: 'claim', parents: [tip], task, epoch: commit.epoch + 1, node });
  const swap: Update = { ref: world.claimRef(task), from: tip, to: claim };
  const owner = refAt(state, world.nodeRef(commit.node));
  const broken = world.commits.intern({ kind: 'break', parents: [owner], node: commit.node, names: tip });
  // Without heartbeats in the bounds a break has nothing to arbitrate and is left out.
  const withBreak = world.design.takeoverBreaks && world.bounds.heartbeats > 0;
  const push = world.push('takeover', withBreak ? [swap, { ref: world.nodeRef(commit.node), from: owner, to: broken }] : [swap]);
  return send(world, state, node, [task], push, `takes over${world.taskName(task)} with epoch ${commit.epoch + 1}`, faults);
}

/** P4.1. One task: the beat names the one claim that is held. */
export function beats({ world, state, node, faults }: Turn): readonly Step<State>[] {
  const { stage, held, outbox, lastBeat } = nodeAt(state, node);
  const slot = world.bounds.tasks + 1;
  if (stage[0] === 0 || outbox[slot] !== 0 || left(state, 'heartbeats') === 0) return [];
  const beat = world.commits.intern({ kind: 'heartbeat', parents: [], node, names: held[0] ?? NONE, sequence: left(state, 'heartbeats') });
  const push = world.push('heartbeat', [{ ref: world.nodeRef(node), from: lastBeat, to: beat }]);
  return send(world, spend(state, 'heartbeats'), node, [slot], push, 'heartbeat', faults);
}

/** A push that moves main alone, to happen exactly once (a message, a person's edit). */
export function notes({ world, state, node, faults }: Turn): readonly Step<State>[] {
  const slot = world.bounds.tasks;
  if (nodeAt(state, node).noted || nodeAt(state, node).outbox[slot] !== 0 || left(state, 'notes') === 0) return [];
  const from = refAt(state, world.mainRef);
  // P2.3: looked for on the very base that the rebuild leases. An earlier candidate may have landed since its refusal.
  const landed = [...world.commits.get(from).reach].some((id) => world.commits.get(id).kind === 'note' && world.commits.get(id).node === node);
  if (landed && world.design.outboxKept && world.design.unknownIsRepeated && world.design.rebuildLooks) {
    return [step(`${nodeName(node)} finds its note on main`, withNode(state, node, { noted: true }), null)];
  }
  const note = world.commits.intern({ kind: 'note', parents: [from], node });
  return send(world, state, node, [slot], world.push('note', [{ ref: world.mainRef, from, to: note }]), 'publishes a note', faults);
}

/** Volatile memory goes; the outbox stays, unless the design forgets it. */
export function crashes({ world, state, node, faults }: Turn): readonly Step<State>[] {
  if (!faults || left(state, 'crashes') === 0) return [];
  const { stage, outbox } = nodeAt(state, node);
  if (stage.every((at) => at === 0) && outbox.every((id) => id === 0)) return [];
  let next = spend(state, 'crashes');
  for (let task = 0; task < world.bounds.tasks; task += 1) next = withStage(next, node, task, 0, NONE);
  if (!world.design.outboxKept) next = withOutbox(next, node, outbox.map((_, slot) => slot), 0);
  return [step(`${nodeName(node)} crashes and restarts`, withNode(next, node, {}), null)];
}
