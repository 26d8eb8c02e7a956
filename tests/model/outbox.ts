/**
 * What a node does with a push: send it, hear or not hear, repeat it, and make up its mind (PROTOCOL P2).
 */
import { NONE } from './commits.ts';
import type { CommitId } from './commits.ts';
import type { Step } from './explore.ts';
import { outcomes } from './hub.ts';
import type { Outcome } from './hub.ts';
import { INVARIANTS, mainShowsEnd } from './invariants.ts';
import { archivedTip, chainTip, nodeAt, put, refAt, withNode, withOutbox, withStage } from './state.ts';
import type { State } from './state.ts';
import type { Push, Update, World } from './world.ts';

export type Names = (node: number) => string;

export const nodeName: Names = (node) => 'ABC'[node] ?? `N${node}`;

/** Every outcome of sending a push that sits, or now gets, in the outbox. */
export function send(world: World, state: State, node: number, slots: readonly number[], push: Push, label: string, faults: boolean): readonly Step<State>[] {
  const queued = withOutbox(state, node, slots, push.id);
  return outcomes(world, queued, push, faults).map((outcome) => {
    const heard = hear(world, outcome, node, slots, push);
    return step(`${nodeName(node)} ${label}: ${outcome.how}`, heard.state, outcome.broken ?? heard.broken);
  });
}

/** Sending again exactly what was sent before, as long as nothing was heard. */
export function repeats(world: World, state: State, node: number, faults: boolean): readonly Step<State>[] {
  const { outbox } = nodeAt(state, node);
  const steps: Step<State>[] = [];
  outbox.forEach((id, slot) => {
    if (id === 0 || outbox.indexOf(id) !== slot) return;
    const push = world.pushById(id);
    const slots = outbox.flatMap((other, at) => other === id ? [at] : []);
    if (world.design.oldCreatesChecked && createsBesideArchive(world, state, push)) {
      // P2.3: the create is older than the archived chain. It is not sent again.
      steps.push(step(`${nodeName(node)} fetches and gives up its old ${push.purpose}`, withOutbox(state, node, slots, 0), null));
      return;
    }
    steps.push(...send(world, state, node, slots, push, `repeats ${push.purpose}`, faults));
  });
  return steps;
}

function createsBesideArchive(world: World, state: State, push: Push): boolean {
  return push.updates.some((update) => {
    const task = world.taskOfClaimRef(update.ref);
    if (task === null || update.from !== NONE || refAt(state, update.ref) !== NONE) return false;
    const archived = archivedTip(world, refAt(state, world.archiveRef(task)));
    return archived !== NONE && world.commits.get(update.to).parents[0] !== archived;
  });
}

interface Heard {
  readonly state: State;
  readonly broken: string | null;
}

function hear(world: World, outcome: Outcome, node: number, slots: readonly number[], push: Push): Heard {
  if (outcome.told === 'nothing' && world.design.unknownIsRepeated) return { state: outcome.state, broken: null };
  const state = withOutbox(outcome.state, node, slots, 0);
  // The wrong design takes silence for failure and goes on from what it believed.
  if (outcome.told === 'nothing') return { state, broken: null };
  if (outcome.told === 'accepted') return happened(world, state, node, push);
  // Without --atomic the claim ref alone counts as success: so it was acknowledged and lost.
  if (outcome.taken?.some((ref) => world.taskOfClaimRef(ref) !== null) === true) return happened(world, state, node, push);
  return refused(world, state, node, push);
}

/** The push is known to have happened. */
function happened(world: World, state: State, node: number, push: Push): Heard {
  switch (push.purpose) {
    case 'claim': case 'takeover': return won(world, state, node, push);
    case 'release': return perTask(world, state, push, (next, task) => withStage(next, node, task, 0, NONE));
    case 'land':
      if (!world.design.landingMovesClaim) return { state, broken: null };
      return acknowledged(world, state, node, push);
    case 'batch': case 'close': case 'cancel': case 'reopen': return acknowledged(world, state, node, push);
    case 'note': return { state: withNode(state, node, { noted: true }), broken: null };
    case 'heartbeat': return renewed(world, state, node, push);
    default: return { state, broken: null };
  }
}

function won(world: World, state: State, node: number, push: Push): Heard {
  const claim = claimUpdate(world, push);
  if (claim === null) return { state, broken: null };
  if (world.design.validates) return { state: withStage(state, node, claim.task, 1, claim.to), broken: null };
  const starts = withStage(state, node, claim.task, 2, claim.to);
  return { state: starts, broken: mainShowsEnd(world, refAt(state, world.mainRef), claim.task) ? INVARIANTS.startsFinished : null };
}

/** P5.2: acknowledged means that both halves are there. */
function acknowledged(world: World, state: State, node: number, push: Push): Heard {
  return perTask(world, state, push, (next, task) => withStage(next, node, task, 0, NONE), (task, update) => {
    const { names } = world.commits.get(update.to);
    const inChain = world.commits.reaches(chainTip(world, state, task), update.to);
    return inChain && (names === NONE || world.commits.reaches(refAt(state, world.mainRef), names)) ? null : INVARIANTS.ackLost;
  });
}

/** P4.4 as mended: a heartbeat counts only where the claim, read after it was accepted, still is mine. */
function renewed(world: World, state: State, node: number, push: Push): Heard {
  const beat = push.updates[0]?.to ?? NONE;
  const noted = withNode(state, node, { lastBeat: beat });
  if (world.design.renewalConfirmed && refAt(state, world.claimRef(0)) !== world.commits.get(beat).names) {
    return { state: withStage(noted, node, 0, 0, NONE), broken: null };
  }
  return { state: noted, broken: state.lateBeat[node] === true ? INVARIANTS.lateRenewal : null };
}

/** A definite refusal: only the chain tells what it means (P2.3, P2.4). */
function refused(world: World, state: State, node: number, push: Push): Heard {
  if (push.purpose === 'heartbeat') return beatRefused(world, state, node, push);
  if (push.purpose === 'note' || (push.purpose === 'land' && !world.design.landingMovesClaim)) {
    const commit = push.updates.find((update) => update.ref === world.mainRef)?.to ?? NONE;
    return world.commits.reaches(refAt(state, world.mainRef), commit) ? happened(world, state, node, push) : { state, broken: null };
  }
  let next = state;
  for (const update of push.updates) {
    const task = world.taskOfClaimRef(update.ref);
    if (task === null) continue;
    const judged = refusedFor(world, next, node, push, task, update);
    if (judged.broken !== null) return judged;
    next = judged.state;
  }
  return { state: next, broken: null };
}

function refusedFor(world: World, state: State, node: number, push: Push, task: number, update: Update): Heard {
  const tip = chainTip(world, state, task);
  const { names } = world.commits.get(update.to);
  const happenedHere = world.commits.reaches(tip, update.to) || (names !== NONE && world.commits.get(tip).named.includes(names));
  const seen = world.design.wholeChain ? happenedHere : tip === update.to;
  if (seen) {
    if (push.purpose === 'claim' || push.purpose === 'takeover') {
      return tip === update.to ? won(world, state, node, push) : { state, broken: null };
    }
    // One half is missing: not acknowledged yet; rolling forward is anyone's (P5.3).
    return { state: withStage(state, node, task, 0, NONE), broken: null };
  }
  if (tip === update.from) return { state, broken: null };
  return { state: withStage(state, node, task, 0, NONE), broken: happenedHere ? INVARIANTS.lostButHappened : null };
}

/** P4.2: only breaks may sit on my heartbeat; what they name is lost, the rest goes on. */
function beatRefused(world: World, state: State, node: number, push: Push): Heard {
  const tip = refAt(state, world.nodeRef(node));
  const held = nodeAt(state, node).held[0] ?? NONE;
  const broken = [...world.commits.get(tip).reach].some((id) => world.commits.get(id).kind === 'break' && world.commits.get(id).names === held);
  const known = withNode(state, node, { lastBeat: tip });
  if (broken) return { state: withStage(known, node, 0, 0, NONE), broken: null };
  const accepted = push.updates.some((update) => world.commits.reaches(tip, update.to));
  return accepted && tip === push.updates[0]?.to ? renewed(world, known, node, push) : { state: known, broken: null };
}

function claimUpdate(world: World, push: Push): (Update & { readonly task: number }) | null {
  for (const update of push.updates) {
    const task = world.taskOfClaimRef(update.ref);
    if (task !== null) return { ...update, task };
  }
  return null;
}

function perTask(
  world: World, state: State, push: Push,
  change: (state: State, task: number, update: Update) => State,
  judge: (task: number, update: Update) => string | null = () => null,
): Heard {
  let next = state;
  for (const update of push.updates) {
    const task = world.taskOfClaimRef(update.ref);
    if (task === null) continue;
    const broken = judge(task, update);
    if (broken !== null) return { state: next, broken };
    next = change(next, task, update);
  }
  return { state: next, broken: null };
}

/** Reading the archive as its own request, for the design that believes one torn fetch. */
export function readArchive(world: World, state: State, node: number, task: number): Step<State> {
  const archiveSeen: readonly CommitId[] = put(nodeAt(state, node).archiveSeen, task, refAt(state, world.archiveRef(task)));
  return step(`${nodeName(node)} reads the archive`, withNode(state, node, { archiveSeen }), null);
}

export function step(label: string, state: State, broken: string | null): Step<State> {
  return broken === null ? { label, state } : { label, state, broken };
}
