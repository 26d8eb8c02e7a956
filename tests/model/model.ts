/** The protocol as a model: all moves of all nodes, people, the janitor and the network; and the way to rest. */
import type { Model, Step } from './explore.ts';
import { INVARIANTS, agree, isTerminal, judgeState, mainShowsEnd } from './invariants.ts';
import * as node from './moves.ts';
import type { Turn } from './moves.ts';
import { repeats } from './outbox.ts';
import { cancels, reopens } from './people.ts';
import { arrives, folds, repairs, replaysTorn, rollsForward } from './repair.ts';
import { Canon, chainTip, initialState, nodeAt, refAt } from './state.ts';
import type { State } from './state.ts';
import { World } from './world.ts';
import type { Bounds, Design } from './world.ts';

export function protocolModel(name: string, design: Design, bounds: Bounds): Model<State> {
  const world = new World(design, bounds);
  const canon = new Canon(world);
  return {
    name,
    initial: initialState(world),
    key: (state) => canon.key(state),
    next: (state) => next(world, state),
    broken: (state) => judgeState(world, state),
    settles: (state) => settles(world, state),
  };
}

function next(world: World, state: State): readonly Step<State>[] {
  const steps: Step<State>[] = [...arrives(world, state)];
  for (let task = 0; task < world.bounds.tasks; task += 1) {
    steps.push(...rollsForward(world, state, task, true), ...replaysTorn(world, state, task, true), ...repairs(world, state, task, true), ...folds(world, state, task, true));
  }
  for (let at = 0; at < world.bounds.nodes; at += 1) steps.push(...nodeSteps({ world, state, node: at, faults: true }));
  return steps;
}

function nodeSteps(turn: Turn): readonly Step<State>[] {
  const steps: Step<State>[] = [
    ...repeats(turn.world, turn.state, turn.node, true), ...node.beats(turn), ...node.notes(turn), ...node.crashes(turn), ...node.landsBatch(turn),
  ];
  for (let task = 0; task < turn.world.bounds.tasks; task += 1) {
    steps.push(
      ...node.readsArchive(turn, task), ...node.claims(turn, task), ...node.validates(turn, task), ...node.adopts(turn, task), ...node.stops(turn, task),
      ...node.releases(turn, task), ...node.lands(turn, task), ...node.closes(turn, task), ...node.takesOver(turn, task),
      ...cancels(turn, task), ...reopens(turn, task),
    );
  }
  return steps;
}

/** Longer than any way to rest within the bounds in use. */
const REST_STEPS = 80;

/** Weak liveness: with the faults off, some run ends with agreement, and from there with every task done. */
function settles(world: World, from: State): { readonly invariant: string; readonly labels: readonly string[] } | null {
  let state: State = { ...from, flights: [] };
  const labels: string[] = [];
  for (let count = 0; count < REST_STEPS; count += 1) {
    const step = duty(world, state) ?? work(world, state);
    const invariant = step === null ? judgeRest(world, state) : step.broken ?? null;
    if (step !== null) labels.push(step.label);
    if (invariant !== null) return { invariant, labels };
    if (step === null) return null;
    state = step.state;
  }
  return { invariant: INVARIANTS.unsettled, labels };
}

/** The next thing that a fault-free fleet owes: answers, agreement, knowledge of its own claims. */
function duty(world: World, state: State): Step<State> | null {
  const nodes = Array.from({ length: world.bounds.nodes }, (_, at) => ({ world, state, node: at, faults: false }));
  const tasks = Array.from({ length: world.bounds.tasks }, (_, at) => at);
  const ways: (() => readonly Step<State>[])[] = [
    ...nodes.map((turn) => () => repeats(world, state, turn.node, false)),
    ...tasks.map((task) => () => rollsForward(world, state, task, false)),
    ...tasks.map((task) => () => repairs(world, state, task, false)),
    ...nodes.flatMap((turn) => tasks.map((task) => () => [...node.readsArchive(turn, task), ...node.stops(turn, task), ...node.adopts(turn, task), ...node.validates(turn, task)])),
  ];
  return first(ways);
}

/** Brings an open or held task to done. */
function work(world: World, state: State): Step<State> | null {
  const nodes = Array.from({ length: world.bounds.nodes }, (_, at) => ({ world, state, node: at, faults: false }));
  const tasks = Array.from({ length: world.bounds.tasks }, (_, at) => at);
  return first([
    ...nodes.flatMap((turn) => tasks.map((task) => () => [...node.closes(turn, task), ...node.lands(turn, task)])),
    ...tasks.map((task) => () => isTerminal(world, chainTip(world, state, task)) ? [] : nodes.flatMap((turn) => node.claims(turn, task))),
  ]);
}

function first(ways: readonly (() => readonly Step<State>[])[]): Step<State> | null {
  for (const way of ways) {
    const step = way().at(0);
    if (step !== undefined) return step;
  }
  return null;
}

function judgeRest(world: World, state: State): string | null {
  for (let task = 0; task < world.bounds.tasks; task += 1) {
    const tip = chainTip(world, state, task);
    const main = refAt(state, world.mainRef);
    if (!agree(world, main, tip, task)) return INVARIANTS.unsettled;
    if (isTerminal(world, tip) !== mainShowsEnd(world, main, task)) return INVARIANTS.unsettled;
    if (!isTerminal(world, tip)) return INVARIANTS.unfinishable;
  }
  for (let at = 0; at < world.bounds.nodes; at += 1) {
    if (nodeAt(state, at).outbox.some((id) => id !== 0)) return INVARIANTS.unsettled;
  }
  return null;
}
