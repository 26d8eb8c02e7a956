/**
 * The hub and the network in front of it. `outcomes` is everything that can become of one run of `git push`:
 * a client compares the advertised refs with its leases, sends commands only for refs that differ from their
 * new value, and hears something or nothing.
 */
import { NONE } from './commits.ts';
import { judgeUpdate } from './invariants.ts';
import { left, refAt, sorted, spend } from './state.ts';
import type { State } from './state.ts';
import type { Push, Update, World } from './world.ts';

export interface Outcome {
  readonly told: 'accepted' | 'refused' | 'nothing';
  /** Added to the label of the step. */
  readonly how: string;
  readonly state: State;
  readonly broken: string | null;
  /** Without --atomic: the refs that the hub did take. */
  readonly taken?: readonly number[];
}

export function outcomes(world: World, state: State, push: Push, faults: boolean): readonly Outcome[] {
  const commands = push.updates.filter((update) => refAt(state, update.ref) !== update.to);
  if (commands.length === 0) return [{ told: 'accepted', how: 'everything up to date', state, broken: null }];
  const held = commands.filter((update) => refAt(state, update.ref) === update.from);
  if (!world.design.atomic) return looseOutcomes(world, state, push, held, faults);
  if (held.length < commands.length) return [{ told: 'refused', how: 'refused, a lease fails', state, broken: null }];

  const all = apply(world, state, commands);
  const result: Outcome[] = [{ told: 'accepted', how: 'accepted', ...all }];
  if (!faults) return result;
  if (left(state, 'lost') > 0) result.push({ told: 'nothing', how: 'accepted, reply lost', ...apply(world, spend(state, 'lost'), commands) });
  if (left(state, 'refusals') > 0) result.push({ told: 'refused', how: 'refused for another reason', state: spend(state, 'refusals'), broken: null });
  if (left(state, 'half') > 0) {
    for (const part of parts(world, commands)) {
      result.push({ told: 'nothing', how: `half-applied: only ${names(world, part)}`, ...apply(world, spend(state, 'half'), part) });
    }
  }
  if (left(state, 'late') > 0) {
    const request = world.push(push.purpose, commands);
    if (!state.flights.includes(request.id)) {
      result.push({ told: 'nothing', how: 'still under way', state: { ...spend(state, 'late'), flights: sorted([...state.flights, request.id]) }, broken: null });
    }
  }
  return result;
}

/** Without --atomic the hub judges each ref by itself and tells so. */
function looseOutcomes(world: World, state: State, push: Push, held: readonly Update[], faults: boolean): readonly Outcome[] {
  const whole = held.length === push.updates.length;
  const taken = held.map((update) => update.ref);
  const done = apply(world, state, held);
  const result: Outcome[] = [{ told: whole ? 'accepted' : 'refused', how: whole ? 'accepted' : `only ${names(world, held) || 'nothing'} accepted`, ...done, taken }];
  if (faults && left(state, 'late') > 0 && held.length > 0) {
    const request = world.push(push.purpose, held);
    if (!state.flights.includes(request.id)) {
      result.push({ told: 'nothing', how: 'still under way', state: { ...spend(state, 'late'), flights: sorted([...state.flights, request.id]) }, broken: null });
    }
  }
  return result;
}

/** A request that was under way reaches the hub now; what it answers, nobody hears. */
export function arrivals(world: World, state: State): readonly (Outcome & { readonly push: Push })[] {
  return state.flights.flatMap((id) => {
    const push = world.pushById(id);
    const rest = { ...state, flights: state.flights.filter((other) => other !== id) };
    const held = push.updates.filter((update) => refAt(state, update.ref) === update.from);
    if (!world.design.atomic) return [{ push, told: 'nothing' as const, how: 'arrives late', ...apply(world, rest, held) }];
    if (held.length < push.updates.length) return [];
    const whole = [{ push, told: 'nothing' as const, how: 'arrives late and is accepted', ...apply(world, rest, push.updates) }];
    if (left(state, 'half') === 0) return whole;
    return [...whole, ...parts(world, push.updates).map((part) => (
      { push, told: 'nothing' as const, how: `arrives late, half-applied: only ${names(world, part)}`, ...apply(world, spend(rest, 'half'), part) }))];
  });
}

/** What a hub that dies in the middle may have renamed. */
function parts(world: World, commands: readonly Update[]): readonly (readonly Update[])[] {
  if (world.bounds.halfOrder === 'git') {
    const order = commands.toSorted((a, b) => world.renameRank(a) - world.renameRank(b));
    return order.slice(1).map((_, at) => order.slice(0, at + 1));
  }
  const count = 2 ** commands.length;
  return Array.from({ length: count - 2 }, (_, bits) => commands.filter((_, at) => ((bits + 1) >> at) % 2 === 1));
}

function apply(world: World, state: State, updates: readonly Update[]): { readonly state: State; readonly broken: string | null } {
  const broken = judgeUpdate(world, state, updates);
  const refs = [...state.refs];
  const claimed = [...state.claimed];
  const lateBeat = [...state.lateBeat];
  for (const { ref, to } of updates) {
    refs[ref] = to;
    const task = world.taskOfClaimRef(ref);
    const commit = world.commits.get(to);
    if (task !== null && commit.kind === 'claim') claimed[task] = Math.max(claimed[task] ?? 0, commit.epoch);
    const node = world.nodeOfNodeRef(ref);
    if (node !== null && commit.kind === 'heartbeat') lateBeat[node] = refs[world.claimRef(0)] !== commit.names;
  }
  const moved = { ...state, refs, claimed, lateBeat };
  return { state: { ...moved, flights: state.flights.filter((id) => !isDead(world, moved, id)) }, broken };
}

/** A lease on a value that no ref ever takes again can never hold: such a request changes nothing any more. */
function isDead(world: World, state: State, id: number): boolean {
  if (!world.design.atomic) return false;
  return world.pushById(id).updates.some((update) => (
    refAt(state, update.ref) !== update.from && (update.from !== NONE || world.bounds.folds === 0)));
}

export function names(world: World, updates: readonly Update[]): string {
  return updates.map((update) => refName(world, update.ref)).join(' + ');
}

export function refName(world: World, ref: number): string {
  if (ref === world.mainRef) return 'main';
  const task = world.taskOfClaimRef(ref);
  if (task !== null) return `claim${world.taskName(task)}`;
  const node = world.nodeOfNodeRef(ref);
  return node === null ? 'archive' : `node ${'ABC'[node]}`;
}
