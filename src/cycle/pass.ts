/** One pass: observe → orient → decide → act. Events only cause it; a second pass over an unchanged world does nothing. */
import { bringUpToDate, checkoutMembers, lookAtCheckout, rescue } from '../act/checkout.ts';
import type { CheckoutView, Ingested } from '../act/checkout.ts';
import { releaseMember } from '../act/claim.ts';
import { healMembers } from '../act/heal.ts';
import { settleAll } from '../act/settle.ts';
import { ledgerMember } from '../act/run/ledger.ts';
import { claimsToProject, projectionMember, strayMember } from '../act/projectClaims.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { isIdle } from '../decide/idle.ts';
import { OUTDATED_REVIEW, decideHealing, decideReleases, deletedTasks, outdatedReviews } from '../decide/recovery.ts';
import { isHubAway } from '../errors.ts';
import type { Chain } from '../model/claim.ts';
import { taskStem } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Situation } from '../orient/situation.ts';
import { answerMembers, fenceLostAnswers, hear, settleAnswers, stepAnswers, wakeMore, wakesOf } from './answers.ts';
import { beatIfDue } from './beat.ts';
import { heedEdits } from './edited.ts';
import { claimMore } from './claiming.ts';
import { tidyUp } from './janitor.ts';
import type { Loop } from './loop.ts';
import { providersMember } from '../act/providers.ts';
import { heedBudgets, heedFreeze, lookAtLimits, untoldParks } from './limits.ts';
import { pledgesOf } from './decisions.ts';
import { requestMembers } from './requests.ts';
import { mayStart } from '../orient/limits.ts';
import { reviewRequestMembers } from './reviews.ts';
import { observe, reread, situationOf, snapshot } from './observe.ts';
import { fenceLostRuns, keepWip, runMembers, settleRuns, stepRuns } from './runs.ts';

export interface PassOptions {
  readonly fullScan: boolean;
  readonly consent?: boolean;
}

export interface PassReport {
  /** Something moved: look again at once. */
  readonly progress: boolean;
  readonly idle: boolean;
  readonly offline: string | null;
  readonly situation: Situation | null;
  /** The outbox is empty and the checkout agrees with the hub. */
  readonly settled: boolean;
}

export async function pass(loop: Loop, options: PassOptions): Promise<PassReport> {
  loop.decisions.begin();
  doubtAfterJump(loop);
  const unanswered = await settlePast(loop);
  const fleet = await observeOrStayOffline(loop);
  if (fleet === null) return offlinePass(loop);
  await hear(loop, fleet);
  await fenceLostRuns(loop, fleet);
  await fenceLostAnswers(loop);
  await heedEdits(loop, fleet);
  await lookAtLimits(loop, fleet);
  await heedFreeze(loop);
  await beatIfDue(loop);
  const bounded = await heedBudgets(loop);
  const stepped = either(either(await stepRuns(loop), await stepAnswers(loop)), bounded);
  // Nothing is built anew while an earlier push may still land (P2.3).
  if (unanswered > 0) return report(loop, { progress: stepped, settled: false });
  const said = await publishAll(loop, fleet, options);
  if (said.moved) await reread(loop);
  // What has just ended counts before anything is begun.
  await lookAtLimits(loop, fleet);
  const woken = await wakeMore(loop);
  const claimed = either(await claimMore(loop), woken);
  await beatIfDue(loop);
  const started = either(await stepRuns(loop), await stepAnswers(loop));
  await keepWip(loop, fleet.config.timings.heartbeatMs);
  const busy = stepped || said.moved || claimed || started;
  const tidied = !busy && (await tidyUp(loop));
  const synced = await advanceCheckout(loop, said.published);
  return report(loop, { progress: busy || tidied || synced, settled: isSettled(loop) });
}

/** A jump between wall and boot clock (a restored snapshot, a moved machine) makes every lease doubtful until reconfirmed (P4.5). */
function doubtAfterJump({ shop, state }: Loop): void {
  const { clock } = shop.node;
  const offsetMs = clock.now().getTime() - clock.bootMs();
  const jumped = state.clockOffsetMs !== null && Math.abs(offsetMs - state.clockOffsetMs) > shop.config().timings.ttlMs / 10;
  state.clockOffsetMs = offsetMs;
  if (!jumped) return;
  shop.say('clock jumped');
  state.renewed.clear();
  state.wakeRenewed.clear();
  state.beaten = null;
}

async function settlePast({ shop }: Loop): Promise<number> {
  try {
    return await settleAll(shop.node, shop.reader, 2_000);
  } catch (error) {
    if (isHubAway(error)) return 1;
    throw error;
  }
}

async function observeOrStayOffline(loop: Loop): Promise<Fleet | null> {
  try {
    return await observe(loop);
  } catch (error) {
    if (!isHubAway(error)) throw error;
    if (loop.state.offline === null) loop.shop.say('hub away', { reason: error.message });
    loop.state.offline = error.message;
    return null;
  }
}

/** Without a hub: agents work on within their leases, nothing is claimed, nothing is decided. */
async function offlinePass(loop: Loop): Promise<PassReport> {
  if (loop.state.fleet !== null) {
    await stepRuns(loop);
    await stepAnswers(loop);
    await beatIfDue(loop);
  }
  return { progress: false, idle: false, offline: loop.state.offline, situation: null, settled: false };
}

/** Both are done, whichever moved. */
function either(first: boolean, second: boolean): boolean {
  return first || second;
}

interface Said {
  readonly moved: boolean;
  readonly published: Ingested['published'];
}

/** Main is not pushed to for this long after the hub has refused it by policy: its answer will not change soon (P5.7). */
const MAIN_REFUSED_MS = 60_000;

/** All this node has to say, in as few pushes as may be: the person's edits, ended runs, repairs, projections. */
async function publishAll(loop: Loop, fleet: Fleet, options: PassOptions): Promise<Said> {
  const { shop, state } = loop;
  await lookAgain(loop, fleet, options);
  const members = await membersOf(loop, fleet);
  if (members.length === 0) return { moved: false, published: [] };
  const before = shop.node.mirror.known();
  const patienceMs = Math.min(15_000, fleet.config.timings.ttlMs / 12);
  const ends = await publish<unknown>(shop.node, members, { trustKnown: true, patienceMs });
  if ([...ends.values()].some(({ state: end }) => end === 'refused-by-policy')) state.mainRefusedUntilMs = shop.node.clock.bootMs() + MAIN_REFUSED_MS;
  loop.decisions.settle(ends, [...state.differing.keys()]);
  const settled = either(await settleRuns(loop, ends), await settleAnswers(loop, ends));
  const now = shop.node.mirror.known();
  return { moved: settled || now.main !== before.main || now.refs !== before.refs, published: await settleCheckout(loop, ends) };
}

/** Reads the checkout again, unless nothing was touched since the last look and that found nothing to say. */
async function lookAgain({ shop, state, checkout }: Loop, fleet: Fleet, options: PassOptions): Promise<void> {
  const { edits, unsettled, held, cancels, blocked, notes, head } = state.checkout;
  const calm = !state.touched && !options.fullScan && blocked === null && edits.length + unsettled.length + held.length + cancels.length + notes.length === 0;
  if (calm) {
    const look = await checkout.look();
    if (look.state === 'ready' ? look.head === head : look.state === 'absent') return;
  }
  // Cleared before the look, so that what happens during it is looked at again.
  state.touched = !state.watched;
  state.checkout = await lookAtCheckout(shop.node, checkout, fleet.main.commit, { full: options.fullScan, consent: options.consent ?? false });
}

async function membersOf(loop: Loop, fleet: Fleet): Promise<Member<unknown>[]> {
  const { shop, state } = loop;
  const { node, reader } = shop;
  const situation = situationOf(loop, fleet);
  const seen = snapshot(loop, fleet);
  const healing = decideHealing(seen, situation);
  state.unlandedBefore = fleet.unlanded;
  state.openEndsBefore = situation.openEnds;
  state.deletedBefore = deletedTasks(fleet);
  const given = [...decideReleases(seen), ...outdatedReviews(fleet).map((task) => ({ task, reason: OUTDATED_REVIEW, feedback: true }))];
  const releases = new Map(given.map((release): [string, Member<unknown>] => [release.task, releaseMember(node, reader, { ...release, tip: (fleet.chains.get(release.task) as Chain).tip })]));
  loop.decisions.pledge(pledgesOf(fleet, given, healing));
  const runs = await runMembers(loop);
  if (node.clock.bootMs() < state.mainRefusedUntilMs) return [...releases.values(), ...runs.values()];
  const checkout = await checkoutMembers(node, reader, loop.checkout, unrescued(loop), fleet.main.commit);
  const cancelled = new Set(state.checkout.cancels.map((path) => taskStem(path)));
  const heals = await healMembers(node, reader, fleet, { ...healing, cancel: healing.cancel.filter((task) => !cancelled.has(task)) });
  const strays = fleet.strays.length === 0 ? [] : [strayMember(node, fleet.strays) as Member<unknown>];
  // A push moves a claim once: where it is ended or mended, what its owner has to say waits for what comes of that.
  const ended = new Set([...checkout, ...heals].map(({ key }) => /^(?:cancel|reopen|repair):(.+)$/.exec(key)?.[1]));
  const others = [...releases, ...runs].filter(([task]) => !ended.has(task)).map(([, member]) => member);
  const members = [...checkout, ...heals, ...others, ...answerMembers(loop, fleet), ...reviewRequestMembers(loop, fleet), ...(await requestMembers(loop, fleet, situation)), ...strays];
  const { all, due, seen: differing } = claimsToProject(fleet, node.identity, state.differing, node.clock.bootMs());
  state.differing = differing;
  const parks = untoldParks(fleet, state, node.identity.node);
  if (parks !== null) members.push(providersMember(node, parks) as Member<unknown>);
  // Records of spawns that did not land go along with what is said anyway.
  const records = members.length === 0 ? null : await ledgerMember(node);
  const told = records === null ? members : [...members, records];
  // A node that ends tells at once what it has given back.
  return all.length > 0 && (members.length > 0 || due || !state.claiming) ? [...told, projectionMember(node, reader, fleet, all) as Member<unknown>] : told;
}

/** An edit that conflicts with main was kept on the hub already; saying it again would change nothing. */
function unrescued({ state }: Loop): CheckoutView {
  return { ...state.checkout, edits: state.checkout.edits.filter(({ path, oid }) => !state.rescued.has(`${path} ${oid}`)) };
}

/** What could not be merged is kept on the hub once, and shown. */
async function settleCheckout({ shop, state }: Loop, ends: ReadonlyMap<string, Published<unknown>>): Promise<Ingested['published']> {
  const notes: string[] = [];
  const commits = ends.get('checkout:commits');
  if (commits?.state === 'dropped' && commits.drop.code === 'conflict') notes.push(`${commits.drop.detail}: merge main into your branch`);
  const edits = ends.get('checkout:edits');
  const value = edits?.state === 'published' ? (edits.value as Ingested) : { conflicts: [], published: [] };
  for (const path of value.conflicts) {
    const edit = state.checkout.edits.find((candidate) => candidate.path === path);
    if (edit?.oid === null || edit === undefined || state.rescued.has(`${path} ${edit.oid}`)) continue;
    const ref = await rescue(shop.node, new Map([[path, edit.oid]]), [state.checkout.head as string]);
    if (ref !== null) state.rescued.add(`${path} ${edit.oid}`);
    notes.push(`${path} was changed on main too; yours stays as it is and is kept on ${ref ?? 'this clone'}`);
  }
  state.checkout = { ...state.checkout, notes: [...state.checkout.notes, ...notes] };
  return value.published;
}

async function advanceCheckout({ shop, state, checkout }: Loop, published: Ingested['published']): Promise<boolean> {
  const target = shop.node.mirror.known().main;
  if (target === null || state.checkout.head === null) return false;
  const moved = await bringUpToDate(shop.node, checkout, state.checkout, published, target);
  state.skipped = new Map(moved.skipped.map(({ path, reason }) => [path, reason]));
  return moved.moved;
}

function isSettled({ shop, state }: Loop): boolean {
  const { checkout } = state;
  return checkout.edits.every(({ path, oid }) => state.rescued.has(`${path} ${oid}`)) && checkout.unsettled.length === 0 && checkout.cancels.length === 0 && (checkout.head === null || checkout.head === shop.node.mirror.known().main || state.skipped.size > 0 || checkout.blocked !== null);
}

function report(loop: Loop, { progress, settled }: { readonly progress: boolean; readonly settled: boolean }): PassReport {
  const fleet = loop.state.fleet as Fleet;
  const situation = situationOf(loop, fleet);
  return { progress, settled, situation, offline: null, idle: isIdle(snapshot(loop, fleet), situation) && isQuiet(loop, fleet) };
}

/** Nobody answers here, and nothing that was said calls for an agent of this node that may be started, or may be by itself later. */
function isQuiet(loop: Loop, fleet: Fleet): boolean {
  const now = loop.shop.node.clock.now().toISOString();
  const waits = new Map(loop.agents().map((agent) => [agent.id, mayStart(loop.shop.limits(), agent, { task: null, provider: null }, now)]));
  // A stop or a pause lasts until somebody ends it: that is not waited for.
  const isOpen = (agent: string): boolean => waits.has(agent) && waits.get(agent)?.until !== null;
  return loop.state.answers.size === 0 && !wakesOf(loop, fleet).due.some(({ agent }) => isOpen(agent));
}
