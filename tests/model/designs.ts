/** The right design, the worlds it must stand in, and the wrong designs: a switch or a few, with the lesson of each. */
import type { InvariantName } from './invariants.ts';
import type { Bounds, Design } from './world.ts';

export const RIGHT: Design = {
  atomic: true, landingMovesClaim: true, unknownIsRepeated: true, wholeChain: true, rebuildLooks: true, outboxKept: true, oldCreatesChecked: true,
  validates: true, doneNamesResult: true, agreement: true, rollsForward: true, rollsByMerge: true, repairs: true, repairsAnyTip: true, batch: 'siblings',
  reopenKeepsEpoch: true, reopenChecksMain: true, chainDecidesOpen: true, takeoverBreaks: true, renewalConfirmed: true,
  foldsFirst: true, collectionTerm: true, absenceReadTwice: true,
};

const CALM: Bounds = {
  nodes: 2, tasks: 1, epochs: 2, late: 0, lost: 0, half: 0, refusals: 0, crashes: 0, cancels: 0, reopens: 0, releases: 0,
  notes: 0, heartbeats: 0, folds: 0, halfOrder: 'any',
};

export interface RightWorld {
  readonly name: string;
  readonly small: Bounds;
  readonly usual: Bounds;
  readonly deep: Bounds;
}

function world(name: string, small: Partial<Bounds>, usual: Partial<Bounds>, deep: Partial<Bounds>): RightWorld {
  return { name, small: { ...CALM, ...small }, usual: { ...CALM, ...small, ...usual }, deep: { ...CALM, ...small, ...usual, ...deep } };
}

export const RIGHT_WORLDS: readonly RightWorld[] = [
  world('landing and takeover', { late: 1, half: 1, crashes: 1 }, { epochs: 3, late: 2, lost: 1, half: 2, refusals: 1, releases: 1 }, { late: 3, half: 3, crashes: 2 }),
  world('cancel and reopen', { late: 1, half: 1, cancels: 1, reopens: 1 }, { late: 2, half: 2, lost: 1 }, { epochs: 3, half: 3 }),
  world('reopen after reopen', { epochs: 3, half: 1, reopens: 2 }, { late: 1, half: 2, cancels: 1 }, { late: 2, half: 3 }),
  world('pushes of main alone', { epochs: 1, late: 1, lost: 1, refusals: 1, notes: 2 }, { epochs: 2, late: 2, half: 1, crashes: 1 }, { late: 3, half: 2 }),
  world('heartbeats and breaks', { late: 1, half: 1, heartbeats: 2 }, { epochs: 3, late: 2, lost: 1, half: 2, heartbeats: 3 }, { late: 3, crashes: 1 }),
  world('collection', { late: 1, half: 1, folds: 1, reopens: 1 }, { late: 2, lost: 1, half: 1, folds: 2, cancels: 1 }, { epochs: 3, half: 2 }),
  world('two tasks in one push', { tasks: 2, epochs: 1, half: 1, cancels: 1 }, { epochs: 2, late: 1, half: 1 }, { half: 2 }),
  world('three nodes', { nodes: 3, epochs: 3, half: 1 }, { late: 2, half: 2, crashes: 1, cancels: 1, lost: 1 }, { reopens: 1, heartbeats: 1 }),
];

export interface WrongDesign {
  readonly name: string;
  readonly breaks: InvariantName;
  readonly lesson: string;
  readonly change: Partial<Design>;
  readonly bounds: Bounds;
}

function wrong(name: string, breaks: InvariantName, lesson: string, change: Partial<Design>, bounds: Partial<Bounds>): WrongDesign {
  return { name, breaks, lesson, change, bounds: { ...CALM, ...bounds } };
}

export const WRONG_DESIGNS: readonly WrongDesign[] = [
  wrong('no --atomic', 'ackLost', 'Refs judged one by one let a claim be done whose result the hub refused, and acknowledge it.',
    { atomic: false }, { late: 1, notes: 2 }),
  wrong('same-oid lease', 'fencing', 'A lease on a ref that does not move is not sent: a late landing passes a claim that has moved on.',
    { landingMovesClaim: false }, { late: 1 }),
  wrong('failed push taken as failed', 'notedOnce', 'Silence is not refusal: what was taken as failed and made again takes effect twice.',
    { unknownIsRepeated: false }, { lost: 1, notes: 1 }),
  wrong('failed landing taken as failed', 'lostButHappened', 'An owner that reads silence as failure reports as lost what is done.',
    { unknownIsRepeated: false }, { lost: 1 }),
  wrong('d reused across rebuilds', 'twoResults', 'A done that does not have R as a parent is the same commit for every R: up to date, it is not sent, and main takes a second result.',
    { doneNamesResult: false, agreement: false, unknownIsRepeated: false, rollsForward: false, repairs: false }, { lost: 1 }),
  wrong('no look at main after the win', 'startsFinished', 'The chain alone may be half the story: an agent starts on a task that main shows as ended.',
    { validates: false }, { half: 1 }),
  wrong('landing beside what main shows', 'twoResults', 'Without the agreement of main and chain on the leased pair, an owner lands beside a cancel (or a result) of which only main has heard.',
    { agreement: false }, { half: 1, cancels: 1 }),
  wrong('no repair of an open chain', 'unsettled', 'A result that reached main alone leaves its task claimed for ever.',
    { repairs: false }, { half: 1 }),
  wrong('no roll-forward', 'unsettled', 'A done whose result never reached main stays a promise.',
    { rollsForward: false }, { half: 1, notes: 1 }),
  wrong('repair only on the result\'s own claim', 'unsettled', 'A takeover may come between a half-applied landing and its repair: the chain has moved on and nobody may answer for the result.',
    { repairsAnyTip: false }, { half: 1 }),
  wrong('roll forward by replay', 'twoResults', 'One torn read makes a second result, unless what is brought forward keeps its identity (a merge).',
    { rollsByMerge: false }, {}),
  wrong('takeover without a break', 'lateRenewal', 'A late heartbeat is accepted after the claim was taken: both nodes count themselves as owners.',
    { takeoverBreaks: false, renewalConfirmed: false }, { late: 1, heartbeats: 1 }),
  wrong('a renewal counted unread', 'lateRenewal', 'A takeover half-applied (claim moved, break not) lets the old owner renew for ever, unless it reads its claim after each heartbeat.',
    { renewalConfirmed: false }, { half: 1, heartbeats: 1, halfOrder: 'git' }),
  wrong('only the tip resolves', 'lostButHappened', 'A later transition may sit on top of mine: what happened is reported as lost.',
    { wholeChain: false }, { lost: 1, cancels: 1, reopens: 1 }),
  wrong('candidates looked for only at the refusal', 'notedOnce', 'A refusal for another reason leaves a copy under way: it lands between the look and the rebuild.',
    { rebuildLooks: false }, { late: 1, refusals: 1, notes: 1 }),
  wrong('lost outbox', 'notedOnce', 'A restart that forgot its candidates makes them again.',
    { outboxKept: false }, { late: 1, crashes: 1, notes: 1 }),
  wrong('main decides what is open', 'terminal', 'A chain that is done is claimed again while main has not caught up.',
    { chainDecidesOpen: false }, { half: 1 }),
  wrong('epoch restarts at reopen', 'oldEpoch', 'A fence that starts over lets an old owner pass as the new one.',
    { reopenKeepsEpoch: false }, { reopens: 1 }),
  wrong('reopen before the result arrived', 'unsettled', 'A reopen of a result that is not on main is overtaken by the result.',
    { reopenChecksMain: false }, { half: 1, reopens: 1 }),
  wrong('claim ref deleted without archive', 'oldEpoch', 'The next claim starts at epoch 1 again.',
    { foldsFirst: false }, { folds: 1 }),
  wrong('an old create repeated', 'epoch', 'A create is leased on absence, and absence comes back: after collection it is accepted.',
    { oldCreatesChecked: false }, { late: 1, folds: 1 }),
  wrong('collection without a term', 'epoch', 'A request still under way may create the ref that the janitor has just deleted.',
    { collectionTerm: false }, { late: 1, folds: 1 }),
  wrong('absence believed after one torn fetch', 'epoch', 'The archive read before, the claim ref after its deletion: the task looks never claimed.',
    { absenceReadTwice: false }, { folds: 1 }),
  wrong('batch stacked on one another', 'fencing', 'Rolling one member forward drags in another whose claim has moved on.',
    { batch: 'stacked against names' }, { tasks: 2, half: 1, halfOrder: 'git' }),
  wrong('batch stacked in ref order', 'fencing', 'That order saves a stack only on hubs that rename in the order of names; side by side needs no such promise.',
    { batch: 'stacked by name' }, { tasks: 2, half: 1 }),
];
