/**
 * A task whose work belongs to a second repository (PROTOCOL P7): workspace and project are two hubs, so no push
 * is atomic over both. The workspace's own protocol is the other model's matter and is one step here.
 */
import type { Model, Step } from './explore.ts';

export interface GuestDesign {
  readonly name: string;
  readonly lesson: string;
  /** The project lands before the workspace. */
  readonly projectFirst: boolean;
  /** A new epoch swaps the guest ref before anything else in the project, and landing moves it. */
  readonly guestSwapped: boolean;
  /** A claimant looks for what already landed: on the very base it leases, or not at all. */
  readonly looks: boolean;
  /** Only landings since the last reopen count as already landed. */
  readonly looksSinceReopen: boolean;
}

const RIGHT: GuestDesign = { name: 'a second hub', lesson: '', projectFirst: true, guestSwapped: true, looks: true, looksSinceReopen: true };

export const RIGHT_GUEST = RIGHT;

export const WRONG_GUESTS: readonly GuestDesign[] = [
  { ...RIGHT, name: 'workspace lands first', projectFirst: false, lesson: 'A kill between the two leaves a result whose work is nowhere.' },
  { ...RIGHT, name: 'guest ref not swapped', guestSwapped: false, lesson: 'A late project landing of the old owner passes while the new one works.' },
  { ...RIGHT, name: 'no look for what landed', looks: false, lesson: 'The project is landed twice, once by each epoch.' },
  { ...RIGHT, name: 'an old landing resumed after reopen', looksSinceReopen: false, lesson: 'The work that was reopened is taken for the new work: done, with nothing landed.' },
];

export interface GuestBounds {
  readonly epochs: number;
  readonly reopens: number;
  readonly late: number;
  readonly lost: number;
  readonly half: number;
  readonly crashes: number;
}

export const GUEST_BOUNDS = {
  small: { epochs: 2, reopens: 1, late: 1, lost: 1, half: 1, crashes: 1 },
  usual: { epochs: 3, reopens: 1, late: 1, lost: 1, half: 1, crashes: 1 },
  deep: { epochs: 3, reopens: 2, late: 2, lost: 1, half: 2, crashes: 2 },
} as const;

/** A landing in the project: the epoch that made it and the number of reopens before it. */
interface Landed { readonly epoch: number; readonly since: number }

interface Request {
  readonly kind: 'swap' | 'land' | 'bring';
  readonly epoch: number;
  readonly landed: Landed | null;
  /** Leases: how often the ref had moved when it was read; null where the push does not move it. */
  readonly guest: number | null;
  readonly main: number | null;
}

interface Node {
  /** The epoch it believes to hold, 0 none. */
  readonly epoch: number;
  /** Reopens before that claim. */
  readonly since: number;
  readonly phase: 'claimed' | 'swapped' | 'landed' | 'workspace landed';
  readonly unanswered: Request | null;
}

interface GuestState {
  readonly epoch: number;
  readonly owner: number;
  readonly status: 'open' | 'held' | 'done';
  readonly reopened: number;
  /** The guest ref: how often it moved, the newest epoch on it, landings named in its chain. */
  readonly guest: { readonly moves: number; readonly epoch: number; readonly named: readonly Landed[] };
  readonly main: { readonly moves: number; readonly landed: readonly Landed[] };
  readonly nodes: readonly Node[];
  readonly flights: readonly Request[];
  readonly bounds: GuestBounds;
}

const IDLE: Node = { epoch: 0, since: 0, phase: 'claimed', unanswered: null };

export const GUEST_INVARIANTS = {
  twice: 'the project takes the work of a task once between two reopens',
  nowhere: 'a done in the workspace has its work in the project',
  fencing: 'no work lands in the project for an epoch after a newer one has begun there',
} as const;

export function guestModel(design: GuestDesign, bounds: GuestBounds): Model<GuestState> {
  return {
    name: design.name,
    initial: {
      epoch: 0, owner: 0, status: 'open', reopened: 0, guest: { moves: 0, epoch: 0, named: [] }, main: { moves: 0, landed: [] },
      nodes: [IDLE, IDLE], flights: [], bounds,
    },
    key: (state) => JSON.stringify(state),
    next: (state) => next(design, state),
    broken: (state) => judge(state),
  };
}

function judge(state: GuestState): string | null {
  const generations = state.main.landed.map((landed) => landed.since);
  if (new Set(generations).size !== generations.length) return GUEST_INVARIANTS.twice;
  if (state.status === 'done' && !generations.includes(state.reopened)) return GUEST_INVARIANTS.nowhere;
  return null;
}

function next(design: GuestDesign, state: GuestState): readonly Step<GuestState>[] {
  const steps: Step<GuestState>[] = [];
  for (const request of state.flights) {
    const rest = { ...state, flights: state.flights.filter((other) => other !== request) };
    if (holds(state, request)) steps.push(judged(`a ${request.kind} of epoch ${request.epoch} arrives late`, rest, apply(rest, request), request));
  }
  if (state.status === 'done' && state.bounds.reopens > 0) {
    steps.push({ label: 'a person reopens the task', state: { ...state, status: 'open', reopened: state.reopened + 1, bounds: less(state, 'reopens') } });
  }
  state.nodes.forEach((_, at) => { steps.push(...nodeSteps(design, state, at)); });
  return steps;
}

function nodeSteps(design: GuestDesign, state: GuestState, at: number): readonly Step<GuestState>[] {
  const node = state.nodes[at] ?? IDLE;
  const who = 'AB'[at] ?? '?';
  if (node.unanswered !== null) return [...sends(state, at, node.unanswered, `${who} repeats ${node.unanswered.kind}`), ...crash(state, at, who)];
  const steps: Step<GuestState>[] = [...crash(state, at, who)];
  if (node.epoch === 0 || node.epoch !== state.epoch || state.status !== 'held') {
    if (node.epoch !== 0) steps.push({ label: `${who} reads a foreign tip and stops`, state: withNode(state, at, IDLE) });
    if (node.epoch === 0 && state.status === 'held' && state.owner === at) steps.push({ label: `${who} adopts its claim`, state: withNode(state, at, { ...IDLE, epoch: state.epoch, since: state.reopened }) });
    const mayClaim = state.status !== 'done' && state.epoch < state.bounds.epochs && !(state.status === 'held' && state.owner === at);
    if (mayClaim && node.epoch === 0) {
      const epoch = state.epoch + 1;
      steps.push({ label: `${who} claims epoch ${epoch} in the workspace`, state: withNode({ ...state, epoch, owner: at, status: 'held' }, at, { ...IDLE, epoch, since: state.reopened }) });
    }
    // It may also not have looked: then it goes on, and only the hubs can stop it.
  }
  if (node.epoch !== 0) steps.push(...works(design, state, at, who));
  return steps;
}

function works(design: GuestDesign, state: GuestState, at: number, who: string): readonly Step<GuestState>[] {
  const node = state.nodes[at] ?? IDLE;
  if (node.phase === 'claimed') {
    if (!design.guestSwapped) return [{ label: `${who} begins in the project`, state: withNode({ ...state, guest: { ...state.guest, epoch: Math.max(state.guest.epoch, node.epoch) } }, at, { ...node, phase: 'swapped' }) }];
    // The guest ref of a newer epoch stops the old one here; and having read it, so does the claim.
    if (state.guest.epoch >= node.epoch) return state.guest.epoch === node.epoch ? [{ label: `${who} finds its guest ref`, state: withNode(state, at, { ...node, phase: 'swapped' }) }] : [];
    return sends(state, at, { kind: 'swap', epoch: node.epoch, landed: null, guest: state.guest.moves, main: null }, `${who} swaps the guest ref`);
  }
  if (node.phase === 'swapped' && design.projectFirst) return inProject(design, state, at, who);
  if (node.phase === 'landed' || (node.phase === 'swapped' && !design.projectFirst)) return inWorkspace(state, at, who);
  if (node.phase === 'workspace landed' && !design.projectFirst) return inProject(design, state, at, who);
  return [];
}

function inProject(design: GuestDesign, state: GuestState, at: number, who: string): readonly Step<GuestState>[] {
  const node = state.nodes[at] ?? IDLE;
  const counts = (landed: Landed): boolean => !design.looksSinceReopen || landed.since === node.since;
  if (design.looks && state.main.landed.some(counts)) {
    return [{ label: `${who} finds the work landed and resumes there`, state: withNode(state, at, { ...node, phase: 'landed' }) }];
  }
  const named = state.guest.named.find((landed) => counts(landed) && !state.main.landed.some((other) => same(other, landed)));
  if (design.looks && named !== undefined) {
    return sends(state, at, { kind: 'bring', epoch: named.epoch, landed: named, guest: null, main: state.main.moves }, `${who} rolls forward what the guest chain names`);
  }
  if (design.guestSwapped && state.guest.epoch !== node.epoch) return [];
  const landed = { epoch: node.epoch, since: node.since };
  return sends(state, at, { kind: 'land', epoch: node.epoch, landed, guest: design.guestSwapped ? state.guest.moves : null, main: state.main.moves }, `${who} lands in the project`);
}

/** The workspace is fenced by the claim itself. */
function inWorkspace(state: GuestState, at: number, who: string): readonly Step<GuestState>[] {
  const node = state.nodes[at] ?? IDLE;
  if (state.epoch !== node.epoch || state.status !== 'held') return [];
  const done = withNode({ ...state, status: 'done' }, at, node.phase === 'landed' ? IDLE : { ...node, phase: 'workspace landed' });
  return [{ label: `${who} lands in the workspace`, state: done }];
}

function sends(state: GuestState, at: number, wanted: Request, label: string): readonly Step<GuestState>[] {
  const request = unsaid(state, wanted);
  const queued = withNode(state, at, { ...(state.nodes[at] ?? IDLE), unanswered: wanted });
  if (request.guest === null && request.main === null) return [{ label: `${label}: up to date`, state: answered(queued, at, true) }];
  if (!holds(state, request)) return [{ label: `${label}: refused`, state: answered(queued, at, false) }];
  const steps = [judged(`${label}: accepted`, state, answered(apply(queued, request), at, true), request)];
  if (state.bounds.lost > 0) steps.push(judged(`${label}: accepted, reply lost`, state, { ...apply(queued, request), bounds: less(state, 'lost') }, request));
  if (state.bounds.late > 0) steps.push({ label: `${label}: still under way`, state: { ...queued, flights: [...queued.flights, request], bounds: less(state, 'late') } });
  if (state.bounds.half > 0 && request.guest !== null && request.main !== null) {
    for (const part of [{ ...request, main: null }, { ...request, guest: null }]) {
      steps.push(judged(`${label}: half-applied, only ${part.main === null ? 'guest ref' : 'main'}`, state, { ...apply(queued, part), bounds: less(state, 'half') }, part));
    }
  }
  return steps;
}

/** A ref that already stands at the new value is not sent. */
function unsaid(state: GuestState, request: Request): Request {
  const { landed } = request;
  if (landed === null) return state.guest.epoch === request.epoch && state.guest.moves === (request.guest ?? 0) + 1 ? { ...request, guest: null } : request;
  const guestThere = request.guest !== null && state.guest.moves === request.guest + 1 && state.guest.named.some((other) => same(other, landed));
  const mainThere = request.main !== null && state.main.moves === request.main + 1 && state.main.landed.some((other) => same(other, landed));
  return { ...request, guest: guestThere ? null : request.guest, main: mainThere ? null : request.main };
}

function holds(state: GuestState, request: Request): boolean {
  return (request.guest === null || request.guest === state.guest.moves) && (request.main === null || request.main === state.main.moves);
}

function apply(state: GuestState, request: Request): GuestState {
  const { landed } = request;
  const guest = request.guest === null ? state.guest : {
    moves: state.guest.moves + 1, epoch: Math.max(state.guest.epoch, request.epoch), named: landed === null ? state.guest.named : [...state.guest.named, landed],
  };
  const main = request.main === null || landed === null ? state.main : { moves: state.main.moves + 1, landed: [...state.main.landed, landed] };
  return { ...state, guest, main };
}

/** What was named by the guest chain before it was fenced may still be brought to main; nothing else may. */
function judged(label: string, before: GuestState, after: GuestState, request: Request): Step<GuestState> {
  const { landed } = request;
  const promised = landed !== null && before.guest.named.some((other) => same(other, landed));
  const late = request.main !== null && landed !== null && landed.epoch < before.guest.epoch && !promised;
  return late ? { label, state: after, broken: GUEST_INVARIANTS.fencing } : { label, state: after };
}

function answered(state: GuestState, at: number, accepted: boolean): GuestState {
  const node = state.nodes[at] ?? IDLE;
  const was = node.unanswered;
  const rest = { ...node, unanswered: null };
  if (!accepted || was === null || was.kind === 'bring') return withNode(state, at, rest);
  return withNode(state, at, { ...rest, phase: was.kind === 'swap' ? 'swapped' : 'landed' });
}

function crash(state: GuestState, at: number, who: string): readonly Step<GuestState>[] {
  const node = state.nodes[at] ?? IDLE;
  if (state.bounds.crashes === 0 || node.epoch === 0) return [];
  return [{ label: `${who} crashes and restarts`, state: { ...withNode(state, at, { ...IDLE, unanswered: node.unanswered }), bounds: less(state, 'crashes') } }];
}

function same(a: Landed, b: Landed): boolean {
  return a.epoch === b.epoch && a.since === b.since;
}

function withNode(state: GuestState, at: number, node: Node): GuestState {
  return { ...state, nodes: state.nodes.with(at, node) };
}

function less(state: GuestState, fault: keyof GuestBounds): GuestBounds {
  return { ...state.bounds, [fault]: state.bounds[fault] - 1 };
}
