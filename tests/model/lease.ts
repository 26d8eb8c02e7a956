/**
 * Leases in time (PROTOCOL P4): may two agents run at once? One owner A with a heartbeat, one observer B with a
 * timer, a claim that B may take once. Ticks of a twelfth of a TTL; nothing is bounded but the ages, which
 * saturate. Clock rates up to 10 % apart are in the constants, each at its worse end.
 */
import type { Model, Step } from './explore.ts';

/** A's agent is dead this long after the start of the last counted renewal: 2/3 TTL, TTL/6 to die, a slow clock. */
const FENCED = 11;
/** B's timer, on a fast clock: 1.1 TTL and two fetch periods. */
const PATIENCE = 12;
/** An age beyond which nothing changes. */
const OLD = 13;

export interface LeaseDesign {
  readonly name: string;
  readonly lesson: string;
  /** P4.4: the renewal counts from the first sending of the heartbeat, from the last repeat, or from its answer. */
  readonly countsFrom: 'first sending' | 'last repeat';
  /** P4.4: somebody ends the agent at the deadline, also with the daemon dead. */
  readonly fencedBy: 'supervisor' | 'daemon' | 'nobody';
  /** P4.5: the fence's clock goes on while the machine sleeps. */
  readonly countsSuspend: boolean;
  /** P4.3: the takeover leases the owner's node ref (by breaking it). */
  readonly takeoverLeasesBeat: boolean;
  /** P4.3: what B waits for. `pair`: claim and heartbeat unchanged; `claim`: the claim alone; `wall`: what the heartbeat's time says. */
  readonly observes: 'pair' | 'claim' | 'wall clock';
}

const RIGHT: LeaseDesign = {
  name: 'leases in time', lesson: '', countsFrom: 'first sending', fencedBy: 'supervisor', countsSuspend: true, takeoverLeasesBeat: true, observes: 'pair',
};

export const RIGHT_LEASE = RIGHT;

export const WRONG_LEASES: readonly LeaseDesign[] = [
  { ...RIGHT, name: 'wall-clock expiry', observes: 'wall clock', lesson: 'A clock that is an hour ahead sees every lease expired.' },
  { ...RIGHT, name: 'timer on the claim alone', observes: 'claim', takeoverLeasesBeat: false, lesson: 'Heartbeats do not move the claim: a live owner looks silent.' },
  { ...RIGHT, name: 'deadline from the last repeat', countsFrom: 'last repeat', lesson: '"Up to date" says that the first sending was accepted: the observer has been counting since then.' },
  { ...RIGHT, name: 'takeover without a lease on the heartbeat', takeoverLeasesBeat: false, lesson: 'A late heartbeat slips in between the last look and the takeover, and counts.' },
  { ...RIGHT, name: 'no self-fencing', fencedBy: 'nobody', lesson: 'An owner cut off from the hub does not learn that it lost.' },
  { ...RIGHT, name: 'fence in the daemon', fencedBy: 'daemon', lesson: 'A killed daemon leaves an unfenced agent.' },
  { ...RIGHT, name: 'fence clock stops in suspend', countsSuspend: false, lesson: 'A machine that slept through its lease wakes up and goes on.' },
];

interface LeaseState {
  readonly running: boolean;
  /** Ticks since the start of A's last counted renewal, on A's clock. */
  readonly renewed: number;
  /** Ticks since the unanswered heartbeat was sent first and last, or null. */
  readonly sent: { readonly first: number; readonly last: number } | null;
  /** Copies of it: on the way, or in place at the hub. */
  readonly flying: boolean;
  readonly placed: boolean;
  readonly asleep: boolean;
  readonly daemonAlive: boolean;
  /** Ticks since B saw the pair as it is now, or null when the pair has moved since. */
  readonly timer: number | null;
  /** Ticks since B saw the claim first. */
  readonly claimSeen: number | null;
  readonly taken: 'no' | 'under way' | 'yes';
}

const START: LeaseState = {
  running: true, renewed: 0, sent: null, flying: false, placed: false, asleep: false, daemonAlive: true, timer: null, claimSeen: null, taken: 'no',
};

export const TWO_AGENTS = 'two agents never run for one task at the same time';

export function leaseModel(design: LeaseDesign): Model<LeaseState> {
  return {
    name: design.name,
    initial: START,
    key: (state) => JSON.stringify(state),
    next: (state) => [...ownerSteps(design, state), ...observerSteps(design, state), ...worldSteps(design, state)],
    broken: (state) => state.taken === 'yes' && state.running && !state.asleep ? TWO_AGENTS : null,
  };
}

function ownerSteps(design: LeaseDesign, state: LeaseState): readonly Step<LeaseState>[] {
  if (state.asleep || !state.daemonAlive) return [];
  const steps: Step<LeaseState>[] = [];
  if (state.sent === null) {
    const sent = { ...state, sent: { first: 0, last: 0 } };
    if (state.taken !== 'yes') {
      steps.push({ label: 'A heartbeat: accepted', state: count(accept({ ...sent, placed: true }), 0) });
      steps.push({ label: 'A heartbeat: accepted, reply lost', state: accept({ ...sent, placed: true }) });
    }
    steps.push({ label: 'A heartbeat: still under way', state: { ...sent, flying: true } });
    return steps;
  }
  const { first } = state.sent;
  const again = { ...state, sent: { first, last: 0 } };
  const from = design.countsFrom === 'first sending' ? first : 0;
  if (state.taken === 'yes') {
    // The break sits on the node ref, or the claim is read as lost: A learns it and stops.
    steps.push({ label: 'A repeats its heartbeat: refused, and stops', state: { ...again, sent: null, flying: false, placed: false, running: false } });
    if (!design.takeoverLeasesBeat && state.placed) steps.push({ label: 'A repeats its heartbeat: up to date', state: count(again, from) });
    return steps;
  }
  if (state.placed) steps.push({ label: 'A repeats its heartbeat: up to date', state: count(again, from) });
  else steps.push({ label: 'A repeats its heartbeat: accepted', state: count(accept({ ...again, placed: true }), from) });
  return steps;
}

/** The hub's pair changes: B's timer no longer counts. */
function accept(state: LeaseState): LeaseState {
  return { ...state, timer: null, flying: false };
}

/** A counts the renewal; within its deadline it may start an agent again, so in the worst case it does. */
function count(state: LeaseState, from: number): LeaseState {
  const renewed = Math.min(state.renewed, from);
  return { ...state, sent: null, flying: false, placed: false, renewed, running: state.running || renewed < FENCED };
}

function observerSteps(design: LeaseDesign, state: LeaseState): readonly Step<LeaseState>[] {
  if (state.taken === 'yes') return [];
  if (state.taken === 'under way') return [{ label: 'the takeover arrives', state: take(design, state) }];
  const steps: Step<LeaseState>[] = [];
  if (state.timer === null) steps.push({ label: 'B fetches and starts its timer', state: { ...state, timer: 0, claimSeen: state.claimSeen ?? 0 } });
  const age = { 'pair': state.timer, 'claim': state.claimSeen, 'wall clock': OLD }[design.observes];
  if (age !== null && age >= PATIENCE) {
    steps.push({ label: 'B takes over', state: take(design, { ...state, taken: 'under way' }) });
    steps.push({ label: 'B takes over: still under way', state: { ...state, taken: 'under way' } });
  }
  return steps;
}

/** The hub judges the takeover: its lease on the node ref holds only where the pair did not move since. */
function take(design: LeaseDesign, state: LeaseState): LeaseState {
  const moved = design.observes === 'pair' && design.takeoverLeasesBeat && state.timer === null;
  return { ...state, taken: moved ? 'no' : 'yes', flying: state.flying && !design.takeoverLeasesBeat };
}

function worldSteps(design: LeaseDesign, state: LeaseState): readonly Step<LeaseState>[] {
  const steps: Step<LeaseState>[] = [{ label: 'a tick', state: tick(design, state) }];
  if (state.flying) steps.push({ label: 'the heartbeat arrives', state: accept({ ...state, placed: true }) });
  if (!state.asleep) steps.push({ label: 'A falls asleep', state: { ...state, asleep: true } });
  else steps.push({ label: 'A wakes up', state: fence(design, { ...state, asleep: false }) });
  if (state.daemonAlive && !state.asleep) steps.push({ label: "A's daemon is killed", state: { ...state, daemonAlive: false } });
  return steps;
}

function tick(design: LeaseDesign, state: LeaseState): LeaseState {
  const older = (age: number): number => Math.min(age + 1, OLD);
  const own = (age: number): number => state.asleep && !design.countsSuspend ? age : older(age);
  return fence(design, {
    ...state,
    renewed: own(state.renewed),
    sent: state.sent === null ? null : { first: own(state.sent.first), last: own(state.sent.last) },
    timer: state.timer === null ? null : older(state.timer),
    claimSeen: state.claimSeen === null ? null : older(state.claimSeen),
  });
}

/** On waking the supervisor looks at its clock before the agent gets a turn: an assumption, see docs/protocol.md. */
function fence(design: LeaseDesign, state: LeaseState): LeaseState {
  const able = design.fencedBy === 'supervisor' || (design.fencedBy === 'daemon' && state.daemonAlive);
  return able && !state.asleep && state.renewed >= FENCED ? { ...state, running: false } : state;
}
