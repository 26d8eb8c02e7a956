/** One pass: observe → orient → decide → act. Events only cause it; a second pass over an unchanged world does nothing. */
import { bringUpToDate, checkoutMembers, lookAtCheckout, rescue } from '../act/checkout.ts';
import type { Ingested } from '../act/checkout.ts';
import { claimTasks, releaseMember } from '../act/claim.ts';
import type { ClaimWon } from '../act/claim.ts';
import { settleOutbox } from '../act/outbox.ts';
import { projectionMember, claimsToProject } from '../act/projectClaims.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { healMembers } from '../act/heal.ts';
import { chooseProvider, openRun } from '../act/run/start.ts';
import { takeOver } from '../act/takeover.ts';
import { CambiumError } from '../errors.ts';
import { decideClaims, misfit } from '../decide/claims.ts';
import { isIdle } from '../decide/idle.ts';
import { decideHealing, decideReleases, decideTakeovers } from '../decide/recovery.ts';
import { chainState } from '../model/claim.ts';
import { claimRef } from '../model/layout.ts';
import type { Chain } from '../model/claim.ts';
import { fenceDeadlineMs, heartbeatEveryMs } from '../model/lease.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { claimProblem, orient } from '../orient/situation.ts';
import type { Situation } from '../orient/situation.ts';
import type { Loop } from './loop.ts';
import { observe, reread, snapshot } from './observe.ts';
import { fenceBroken, fenceLostRuns, keepWip, runMembers, settleRuns, stepRuns } from './runs.ts';
import { renewalKey } from './state.ts';

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
    return (await settleOutbox(shop.node, finished, 2_000)).length;
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

/** Beats when due, and soon after the set of claims has changed (P4.1). */
export async function beatIfDue(loop: Loop): Promise<void> {
  const { shop, state, heart } = loop;
  const { timings } = shop.config();
  const claims = [...state.runs.values()].filter(({ phase, incarnation }) => phase !== 'fenced' && incarnation === shop.node.identity.incarnation).map(({ task, epoch, claim }) => ({ task, epoch, claim }));
  const named = claims.map(({ task, epoch, claim }) => `${task}.${epoch}.${claim}`).toSorted().join('\n');
  if (!heart.pending && named === state.beaten && shop.node.clock.bootMs() < state.nextBeatMs) return;
  const spawns = [...state.runs.values()].filter(({ spawn }) => spawn !== '').map(({ spawn, agent }) => ({ id: spawn, agent }));
  const outcome = await heart.beat({ claims, spawns });
  const now = shop.node.clock.bootMs();
  if (outcome.kind === 'twin') {
    throw new CambiumError('node-taken', `Another daemon beats under the name ${shop.node.identity.node}.`, { hint: 'Stop it, or start this one with another `--node` name.' });
  }
  if (outcome.kind === 'broken') await fenceBroken(loop, outcome.breaks);
  if (outcome.kind !== 'renewed') {
    state.beaten = null;
    state.nextBeatMs = now + timings.ttlMs / 18;
    return;
  }
  const held = await stillHeld(loop, outcome.content.claims);
  state.beaten = outcome.content.claims.map(({ task, epoch, claim }) => `${task}.${epoch}.${claim}`).toSorted().join('\n');
  state.nextBeatMs = now + heartbeatEveryMs(timings.heartbeatMs, timings.ttlMs);
  for (const claim of held) await renew(loop, claim, outcome.startedMs);
}

/**
 * A renewal counts only for claims that were read as still ours after the hub had accepted the heartbeat (M4): of a
 * takeover that was applied by half, the claim may have moved without the break that would have refused the beat.
 */
async function stillHeld<T extends { readonly task: string; readonly claim: string }>({ shop }: Loop, claims: readonly T[]): Promise<readonly T[]> {
  if (claims.length === 0) return [];
  const view = await shop.node.mirror.refresh();
  return claims.filter(({ task, claim }) => view.refs.get(claimRef(task)) === claim);
}

async function renew({ shop, state }: Loop, claim: { readonly task: string; readonly epoch: number }, startedMs: number): Promise<void> {
  state.renewed.set(renewalKey(claim), startedMs);
  const run = state.runs.get(claim.task);
  if (run === undefined || run.spawn === '') return;
  const deadline = fenceDeadlineMs(startedMs, run.ttlMs);
  await shop.node.supervisor.setDeadline(shop.scratch(run.spawn), deadline);
  if (run.phase === 'verifying') await shop.node.supervisor.setDeadline(shop.scratch(`${run.spawn}-verify`), deadline);
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

/** Takeovers first, then ready tasks for what is still free. */
async function claimMore(loop: Loop, fleet: Fleet): Promise<boolean> {
  const { shop, state } = loop;
  if (!state.claiming) return false;
  let won = false;
  for (const [owner, tasks] of decideTakeovers(snapshot(loop, fleet))) won = (await takeOverFrom(loop, fleet, owner, tasks)) || won;
  const situation = orient(fleet, shop.node.clock.now().toISOString());
  const decisions = decideClaims(snapshot(loop, fleet), situation);
  if (decisions.length === 0) return won;
  const requests = decisions.map(({ task, agent }) => ({ task: task.task, agent: agent.id, ttlMs: fleet.config.timings.ttlMs, maxAttempts: task.task.maxAttempts ?? fleet.config.defaults.maxAttempts }));
  const ends = await claimTasks(shop.node, shop.reader, requests);
  const wins = [...ends.values()].flatMap((end) => (end.state === 'published' ? [end.value] : []));
  await beginRuns(loop, wins);
  return won || ends.size > 0;
}

async function takeOverFrom(loop: Loop, fleet: Fleet, owner: string, tasks: readonly string[]): Promise<boolean> {
  const { shop, state } = loop;
  const busy = new Set([...state.runs.values()].map(({ agent }) => agent));
  const claims = tasks.map((id) => {
    const task = fleet.tasks.get(id) ?? goneTask(id, fleet.chains.get(id) as Chain);
    const agent = loop.agents().find((candidate) => !busy.has(candidate.id) && misfit(candidate, { task } as never, fleet.config.defaults.provider) === null);
    if (agent !== undefined) busy.add(agent.id);
    return { task, lapsed: fleet.chains.get(id) as Chain, agent: agent?.id ?? null };
  });
  const end = await takeOver(shop.node, shop.reader, { owner, claims, ttlMs: fleet.config.timings.ttlMs });
  if (end.state !== 'published') return false;
  shop.say('took over', { owner, tasks: tasks.join(', ') });
  await beginRuns(loop, end.value);
  return true;
}

/** A held task whose instruction file is gone is still taken over, to be released: nobody else can end its claim. */
function goneTask(id: string, chain: Chain): Task {
  return { id, path: `tasks/${id}.md`, blob: chain.record.instruction?.blob ?? '', title: id, priority: 2, requires: [], dependsOn: [], contextFiles: [], acceptanceCriteria: [], labels: [], extra: {}, assignedTo: '' };
}

/** Validates each win on a main fetched after it (P3), and opens a run for those that hold. */
async function beginRuns(loop: Loop, wins: readonly ClaimWon[]): Promise<void> {
  if (wins.length === 0) return;
  const { shop, state } = loop;
  const fleet = await observe(loop);
  const released: Member<unknown>[] = [];
  for (const won of wins) {
    const { task: id, chain } = won;
    const problem = chainState(fleet.chains.get(id)) === 'held' ? claimProblem(fleet, { id, blob: chain.record.instruction?.blob ?? '' }) : null;
    const task = fleet.tasks.get(id);
    const provider = problem === null && task !== undefined ? await chooseProvider(shop, task, chain.record.agent ?? '') : { unavailable: problem ?? 'the task is gone' };
    if (task === undefined || 'unavailable' in provider) {
      released.push(releaseMember(shop.node, shop.reader, { task: id, tip: chain.tip, reason: 'unavailable' in provider ? provider.unavailable : 'the task is gone', notBefore: new Date(shop.node.clock.now().getTime() + 30_000).toISOString() }));
      continue;
    }
    state.renewed.set(renewalKey(chain.record), won.startedMs);
    state.runs.set(id, await openRun(shop, won, task, provider));
    shop.say('claimed', { task: id, agent: chain.record.agent, epoch: chain.record.epoch });
  }
  if (released.length > 0) await publish(shop.node, released, { trustKnown: true });
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
