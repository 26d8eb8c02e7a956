/** What must hold, judged where a ref moves (`judgeUpdate`) and in each state (`judgeState`). Silence is null. */
import { NONE } from './commits.ts';
import type { CommitId } from './commits.ts';
import { archivedTip, chainTip, nodeAt, refAt } from './state.ts';
import type { State } from './state.ts';
import type { Update, World } from './world.ts';

export const INVARIANTS = {
  epoch: 'epochs never restart, repeat or skip (so a task has one owner in an epoch)',
  oldEpoch: 'a transition carries the epoch of the newest claim',
  terminal: 'a terminal state is left only by reopen',
  forward: 'a ref moves only to a descendant',
  realClaim: 'a done names a result that stands on a claim of the same chain',
  fencing: 'no result lands with an epoch below one claimed before it',
  twoResults: 'a task has at most one result on main between two reopens',
  notedOnce: 'a push that moves main alone takes effect once',
  ackLost: 'an acknowledged transition is in the chain and its main commit is reachable from main',
  lostButHappened: 'an operation reported as lost never took effect',
  startsFinished: 'no agent starts on a task that main shows as ended',
  lateRenewal: 'a renewal that an owner counts was accepted while its claim stood',
  phantomOwner: 'a node works only under a claim that is in the chain',
  twoWorkers: 'two nodes never work under one claim epoch',
  shortAgreement: 'main and chain agree exactly when the last landing on main is the one that the chain named last',
  unsettled: 'without faults every state comes to rest with main and chains in agreement',
  unfinishable: 'without faults every task can be brought to done',
} as const;

export type InvariantName = keyof typeof INVARIANTS;

/** The invariant that moving these refs breaks. `before` is the state in which the leases held. */
export function judgeUpdate(world: World, before: State, updates: readonly Update[]): string | null {
  for (const update of updates) {
    const broken = update.ref === world.mainRef ? judgeMain(world, before, updates, update) : judgeOther(world, before, update);
    if (broken !== null) return broken;
  }
  return null;
}

function judgeOther(world: World, before: State, update: Update): string | null {
  const task = world.taskOfClaimRef(update.ref);
  return task === null || update.to === NONE ? null : judgeTransition(world, before, task, update);
}

function judgeTransition(world: World, before: State, task: number, update: Update): string | null {
  const { commits } = world;
  const next = commits.get(update.to);
  const claimed = before.claimed[task] ?? 0;
  if (next.kind === 'claim' && next.epoch !== claimed + 1) return INVARIANTS.epoch;
  if (next.kind !== 'claim' && next.epoch !== claimed) return INVARIANTS.oldEpoch;
  const previous = update.from === NONE ? archivedTip(world, refAt(before, world.archiveRef(task))) : update.from;
  if (previous === NONE) return null;
  if (isTerminal(world, previous) && next.kind !== 'reopen') return INVARIANTS.terminal;
  if (!commits.reaches(update.to, previous)) return INVARIANTS.forward;
  if (next.kind === 'done' && next.names !== NONE && !commits.reaches(update.to, commits.get(next.names).names)) return INVARIANTS.realClaim;
  return null;
}

function judgeMain(world: World, before: State, updates: readonly Update[], update: Update): string | null {
  const { commits } = world;
  const next = commits.get(update.to);
  if (!commits.reaches(update.to, update.from)) return INVARIANTS.forward;
  const known = commits.get(update.from).reach;
  for (const id of next.landings) {
    const landing = commits.get(id);
    if (known.has(id) || landing.kind !== 'result') continue;
    // A claim in the same push would be a transition beyond the landing; only claims accepted before count.
    if (landing.epoch < (before.claimed[landing.task] ?? 0)) return INVARIANTS.fencing;
  }
  for (let task = 0; task < world.bounds.tasks; task += 1) {
    if (hasTwoResults(world, update.to, task)) return INVARIANTS.twoResults;
  }
  if (updates.length > 0 && notesTwice(world, update.to)) return INVARIANTS.notedOnce;
  return null;
}

function hasTwoResults(world: World, main: CommitId, task: number): boolean {
  let ended = false;
  for (const id of world.commits.landingsOf(main, task)) {
    const reopened = world.commits.get(id).kind === 'reopened';
    if (ended && !reopened) return true;
    ended = !reopened;
  }
  return false;
}

function notesTwice(world: World, main: CommitId): boolean {
  const writers = [...world.commits.get(main).reach].map((id) => world.commits.get(id)).filter((commit) => commit.kind === 'note').map((commit) => commit.node);
  return new Set(writers).size !== writers.length;
}

export function judgeState(world: World, state: State): string | null {
  const tasksAgreed = world.design.agreement && world.design.reopenChecksMain ? world.bounds.tasks : 0;
  for (let task = 0; task < tasksAgreed; task += 1) {
    const main = refAt(state, world.mainRef);
    const tip = chainTip(world, state, task);
    if (agree(world, main, tip, task) !== agreeInShort(world, main, tip, task)) return INVARIANTS.shortAgreement;
  }
  const epochs = new Set<string>();
  for (let at = 0; at < world.bounds.nodes; at += 1) {
    const node = nodeAt(state, at);
    for (let task = 0; task < world.bounds.tasks; task += 1) {
      if (node.stage[task] !== 2) continue;
      const held = node.held[task] ?? NONE;
      if (!world.commits.reaches(chainTip(world, state, task), held)) return INVARIANTS.phantomOwner;
      const epoch = `${task}.${world.commits.get(held).epoch}`;
      if (epochs.has(epoch)) return INVARIANTS.twoWorkers;
      epochs.add(epoch);
    }
  }
  return null;
}

export function isTerminal(world: World, tip: CommitId): boolean {
  const { kind } = world.commits.get(tip);
  return tip !== NONE && (kind === 'done' || kind === 'cancel');
}

export function isOpen(world: World, tip: CommitId): boolean {
  const { kind } = world.commits.get(tip);
  return tip === NONE || kind === 'release' || kind === 'reopen';
}

/** True when main shows the task as ended: its last landing is a result or a cancel. */
export function mainShowsEnd(world: World, main: CommitId, task: number): boolean {
  const last = world.commits.landingsOf(main, task).at(-1);
  return last !== undefined && world.commits.get(last).kind !== 'reopened';
}

/** Main commits that the chain names and main lacks, oldest first. */
export function missingFromMain(world: World, main: CommitId, tip: CommitId): readonly CommitId[] {
  return tip === NONE ? [] : world.commits.get(tip).named.filter((id) => !world.commits.reaches(main, id));
}

/** Landings of the task on main that no transition of the chain names, oldest first. */
export function missingFromChain(world: World, main: CommitId, tip: CommitId, task: number): readonly CommitId[] {
  const named = tip === NONE ? [] : world.commits.get(tip).named;
  return world.commits.landingsOf(main, task).filter((id) => !named.includes(id));
}

/** The two halves of a task tell the same story. */
export function agree(world: World, main: CommitId, tip: CommitId, task: number): boolean {
  return missingFromMain(world, main, tip).length === 0 && missingFromChain(world, main, tip, task).length === 0;
}

/** The test that a node can afford: one commit named by the chain, one result file on main. */
function agreeInShort(world: World, main: CommitId, tip: CommitId, task: number): boolean {
  const named = tip === NONE ? undefined : world.commits.get(tip).named.at(-1);
  return world.commits.landingsOf(main, task).at(-1) === named;
}
