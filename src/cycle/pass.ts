/** One pass: observe → orient → decide → act. Events only cause it; a second pass over an unchanged world does nothing. */
import { bringUpToDate, checkoutMembers, lookAtCheckout, rescue } from '../act/checkout.ts';
import type { Ingested } from '../act/checkout.ts';
import { releaseMember } from '../act/claim.ts';
import { healMembers } from '../act/heal.ts';
import { settleAll } from '../act/settle.ts';
import { claimsToProject, projectionMember } from '../act/projectClaims.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { isIdle } from '../decide/idle.ts';
import { decideHealing, decideReleases } from '../decide/recovery.ts';
import { CambiumError } from '../errors.ts';
import type { Chain } from '../model/claim.ts';
import type { Fleet } from '../model/snapshot.ts';
import { orient } from '../orient/situation.ts';
import type { Situation } from '../orient/situation.ts';
import { beatIfDue } from './beat.ts';
import { claimMore } from './claiming.ts';
import type { Loop } from './loop.ts';
import { observe, reread, snapshot } from './observe.ts';
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
  doubtAfterJump(loop);
  const unanswered = await settlePast(loop);
  const fleet = await observeOrStayOffline(loop);
  if (fleet === null) return offlinePass(loop);
  await fenceLostRuns(loop, fleet);
  await beatIfDue(loop);
  const stepped = await stepRuns(loop);
  const said = await publishAll(loop, fleet, options);
  const current = said.moved ? await reread(loop) : fleet;
  const claimed = await claimMore(loop, current);
  await beatIfDue(loop);
  const started = await stepRuns(loop);
  await keepWip(loop, current.config.timings.heartbeatMs);
  const synced = await advanceCheckout(loop, said.published);
  return report(loop, { progress: stepped || said.moved || claimed || started || synced, settled: unanswered === 0 && isSettled(loop) });
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
  state.beaten = null;
}

async function settlePast({ shop, state }: Loop): Promise<number> {
  const finished = (task: string): boolean => state.fleet?.results.has(task) === true;
  try {
    return await settleAll(shop.node, shop.reader, finished, 2_000);
  } catch (error) {
    if (error instanceof CambiumError && (error.code === 'hub-away' || error.code === 'hub-denied')) return 1;
    throw error;
  }
}

async function observeOrStayOffline(loop: Loop): Promise<Fleet | null> {
  try {
    return await observe(loop);
  } catch (error) {
    if (!(error instanceof CambiumError) || (error.code !== 'hub-away' && error.code !== 'hub-denied')) throw error;
    if (loop.state.offline === null) loop.shop.say('hub away', { reason: error.message });
    loop.state.offline = error.message;
    return null;
  }
}

/** Without a hub: agents work on within their leases, nothing is claimed, nothing is decided. */
async function offlinePass(loop: Loop): Promise<PassReport> {
  if (loop.state.fleet !== null) {
    await stepRuns(loop);
    await beatIfDue(loop);
  }
  return { progress: false, idle: false, offline: loop.state.offline, situation: null, settled: false };
}

interface Said {
  readonly moved: boolean;
  readonly published: Ingested['published'];
}

/** One group push of all this node has to say: the person's edits, ended runs, repairs, projections. */
async function publishAll(loop: Loop, fleet: Fleet, options: PassOptions): Promise<Said> {
  const { shop, state } = loop;
  state.checkout = await lookAtCheckout(shop.node, loop.checkout, fleet.main.commit, { full: options.fullScan, consent: options.consent ?? false });
  const situation = orient(fleet, shop.node.clock.now().toISOString());
  const healing = decideHealing(snapshot(loop, fleet), situation);
  const releases = decideReleases(snapshot(loop, fleet)).map(({ task, reason }) => releaseMember(shop.node, shop.reader, { task, tip: (fleet.chains.get(task) as Chain).tip, reason }));
  const members = [...(await checkoutMembers(shop.node, shop.reader, loop.checkout, state.checkout, fleet.main.commit)), ...(await healMembers(shop.node, shop.reader, fleet, healing)), ...releases, ...(await runMembers(loop))];
  state.unlandedBefore = fleet.unlanded;
  state.openEndsBefore = situation.openEnds;
  const due = claimsToProject(fleet, shop.node.identity, shop.node.clock.now());
  if (members.length > 0 || due.mine.length > 0) members.push(projectionMember(shop.node, shop.reader, fleet, due.all) as Member<unknown>);
  if (members.length === 0) return { moved: false, published: [] };
  const ends = await publish<unknown>(shop.node, members, { trustKnown: true });
  const moved = await settleRuns(loop, ends);
  return { moved: moved || [...ends.values()].some(({ state: end }) => end === 'published'), published: await settleCheckout(loop, ends) };
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
  return checkout.edits.length === 0 && checkout.unsettled.length === 0 && checkout.cancels.length === 0 && (checkout.head === null || checkout.head === shop.node.mirror.known().main || state.skipped.size > 0 || checkout.blocked !== null);
}

function report(loop: Loop, { progress, settled }: { readonly progress: boolean; readonly settled: boolean }): PassReport {
  const { state, shop } = loop;
  const fleet = state.fleet as Fleet;
  const situation = orient(fleet, shop.node.clock.now().toISOString());
  return { progress, settled, situation, offline: null, idle: isIdle(snapshot(loop, fleet), situation) };
}
