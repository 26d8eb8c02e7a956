/** Claims within a pass: lapsed ones of silent nodes first, then ready tasks for the agents that are still free. */
import { claimTasks, releaseMember } from '../act/claim.ts';
import type { ClaimRequest, ClaimWon } from '../act/claim.ts';
import { publish } from '../act/publish.ts';
import type { Member } from '../act/publish.ts';
import { troubleOf } from '../act/project/site.ts';
import { openPinnedRun } from '../act/run/pinned.ts';
import { chooseProviderFor } from '../act/run/choose.ts';
import { openRun } from '../act/run/start.ts';
import { takeOver } from '../act/takeover.ts';
import type { TakeoverClaim } from '../act/takeover.ts';
import { decideClaims } from '../decide/claims.ts';
import { misfit } from '../orient/fit.ts';
import { decideTakeovers } from '../decide/recovery.ts';
import type { LapsedClaim } from '../decide/recovery.ts';
import { isPinned } from '../model/claim.ts';
import { isPinnedRun } from '../act/run/pin.ts';
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import type { Decision } from '../model/decision.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { mayStart } from '../orient/limits.ts';
import { claimProblem } from '../orient/situation.ts';
import type { Situation } from '../orient/situation.ts';
import type { Loop } from './loop.ts';
import { ASKED } from '../model/run.ts';
import type { Asked } from '../model/run.ts';
import { observe, situationOf, snapshot } from './observe.ts';
import { renewalKey } from './state.ts';

/** A provider that cannot run, or a hub that refuses a claim, is not asked again before this. */
const HOLD_OFF_MS = 60_000;

/** Takeovers first, then ready tasks for what is still free. */
export async function claimMore(loop: Loop): Promise<boolean> {
  const { shop, state } = loop;
  // Stopped by a person: what was approved waits too, and so do the claims of nodes that fell silent.
  if (!state.claiming || state.fleet === null || state.fleet.stop.fleet !== null) return false;
  const owners = state.focus === null ? [...decideTakeovers(snapshot(loop, state.fleet)).keys()] : [];
  let moved = false;
  for (const owner of owners) moved = (await takeOverFrom(loop, owner)) || moved;
  const requests = await claimable(loop);
  if (requests.length === 0) return moved;
  const ends = await claimTasks(shop.node, shop.reader, requests);
  for (const [task, end] of ends) {
    if (end.state === 'dropped') loop.decisions.note({ kind: 'lost', task, agent: null, epoch: null, reason: `another was first: ${end.drop.detail}` });
    if (end.state !== 'refused-by-policy') continue;
    shop.say('claim refused', { task, detail: end.detail });
    holdOff(loop, task);
  }
  await beginRuns(loop, [...ends.values()].flatMap((end) => (end.state === 'published' ? [end.value] : [])));
  return moved || [...ends.values()].some(({ state: end }) => end === 'published' || end === 'dropped');
}

function holdOff({ shop, state }: Loop, task: string): void {
  state.heldOff.set(task, shop.node.clock.bootMs() + HOLD_OFF_MS);
}

/** What this node claims now: ready, fitting, and by a provider that runs here. */
async function claimable(loop: Loop): Promise<readonly ClaimRequest[]> {
  const { shop, state } = loop;
  const fleet = state.fleet as Fleet;
  const now = shop.node.clock.bootMs();
  for (const [task, untilMs] of state.heldOff) if (untilMs <= now) state.heldOff.delete(task);
  const situation = situationOf(loop, fleet);
  state.asked = await readAsked(loop, situation);
  const { focus } = state;
  const ready = situation.ready.filter(({ task }) => !state.heldOff.has(task.id) && (focus === null || focus.task === task.id));
  const requests: ClaimRequest[] = focus === null ? approvedOnes(loop, fleet, situation) : [];
  for (const { task, agent, reason } of decideClaims(snapshot(loop, fleet), { ...situation, ready })) {
    const provider = await chooseProviderFor(shop, { agent: agent.id, task: task.task });
    const away = 'unavailable' in provider ? null : await projectAway(shop, task.task);
    if ('unavailable' in provider || away !== null) {
      shop.say(away === null ? 'provider away' : 'project away', { task: task.task.id, reason: 'unavailable' in provider ? provider.unavailable : away });
      holdOff(loop, task.task.id);
    } else requests.push({ task: task.task, agent: agent.id, reason, ttlMs: fleet.config.timings.ttlMs, maxAttempts: task.task.maxAttempts ?? fleet.config.defaults.maxAttempts });
  }
  return requests;
}

/** What was asked for and is still open; what has been taken since is forgotten. */
async function readAsked({ shop, state }: Loop, { ready }: Situation): Promise<ReadonlyMap<string, string>> {
  const { local } = shop.node;
  const asked = new Map<string, string>(state.focus === null || state.focus.task === null ? [] : [[state.focus.task, state.focus.agent]]);
  for (const key of await local.list(ASKED)) {
    const task = key.slice(ASKED.length);
    const record = (await local.read(key)) as Partial<Asked> | null | undefined;
    const isOpen = ready.some((candidate) => candidate.task.id === task);
    if (typeof record?.agent === 'string' && isOpen) asked.set(task, record.agent);
    // One that was just claimed is read once more, by its run.
    else if (!state.runs.has(task)) await local.remove(key);
  }
  return asked;
}

/** Why the task's project cannot be reached from here now, or null; what lasts is for the run to tell a person. */
async function projectAway({ projects }: Loop['shop'], { project }: Task): Promise<string | null> {
  try {
    if (project !== undefined) await (await projects.open(project)).mirror.refresh();
    return null;
  } catch (error) {
    const trouble = troubleOf(error);
    if (trouble === null) throw error;
    return trouble.state === 'passing' ? trouble.reason : null;
  }
}

const APPROVED = 'its work was approved and is landed as it was reviewed';

/** What was approved needs no agent, only a node that lands it (P6); as many at once as agents, since each may be verified again. */
function approvedOnes({ state }: Loop, fleet: Fleet, { approved }: Situation): ClaimRequest[] {
  const room = Math.max(0, fleet.config.limits.agentsPerNode - [...state.runs.values()].filter(isPinnedRun).length);
  const open = approved.filter(({ task, chain }) => !state.heldOff.has(task.id) && !state.runs.has(task.id) && task.blob === chain?.record.instruction?.blob);
  return open.slice(0, room).map(({ task, chain }) => ({ task, agent: chain?.record.agent ?? '', ttlMs: fleet.config.timings.ttlMs, maxAttempts: Infinity, approved: true, reason: APPROVED }));
}

/** Decided anew on the newest fleet: a takeover before this one has looked at the hub again. */
async function takeOverFrom(loop: Loop, owner: string): Promise<boolean> {
  const { shop, state } = loop;
  const fleet = state.fleet as Fleet;
  const claims = assign(loop, fleet, decideTakeovers(snapshot(loop, fleet)).get(owner) ?? []);
  if (claims.length === 0) return false;
  const end = await takeOver(shop.node, shop.reader, { owner, ownerTip: fleet.nodes.get(owner)?.tip ?? null, claims, ttlMs: fleet.config.timings.ttlMs });
  if (end.state !== 'published') return false;
  shop.say('took over', { owner, tasks: claims.map(({ id }) => id).join(', ') });
  for (const claim of claims) loop.decisions.note(takeoverOf(claim));
  await beginRuns(loop, end.value);
  return true;
}

function takeoverOf({ id, lapsed, agent, reason }: TakeoverClaim): Decision {
  return { kind: 'takeover', task: id, agent, epoch: lapsed.record.epoch + 1, reason: `${reason ?? 'its lease has lapsed'}${agent === null ? '; no agent here has room, so it is made ready again' : ''}` };
}

/** Free agents go on with what they may take; the rest is released in the same push, for whoever has room. */
function assign(loop: Loop, fleet: Fleet, tasks: readonly LapsedClaim[]): TakeoverClaim[] {
  const runs = [...loop.state.runs.values()];
  const busy = new Set(runs.map(({ agent }) => agent));
  const facts = loop.shop.limits();
  const now = loop.shop.node.clock.now().toISOString();
  let room = fleet.config.limits.agentsPerNode - runs.length;
  return tasks.map(({ task: id, reason }) => {
    const lapsed = fleet.chains.get(id) as Chain;
    const task = fleet.tasks.get(id);
    // A landing of approved work needs no agent of ours, and stays its author's.
    if (isPinned(lapsed)) return { id, blob: lapsed.record.instruction?.blob ?? '', lapsed, agent: task === undefined ? null : lapsed.record.agent, reason };
    const agent = task === undefined || room <= 0 ? undefined : loop.agents().find((candidate) => !busy.has(candidate.id) && misfit(candidate, task, fleet.config.defaults.provider) === null && mayStart(facts, candidate, { task, provider: null }, now) === null);
    if (agent !== undefined) {
      busy.add(agent.id);
      room -= 1;
    }
    return { id, blob: task?.blob ?? lapsed.record.instruction?.blob ?? '', lapsed, agent: agent?.id ?? null, reason };
  });
}

/** Validates each win on a main fetched after it (P3), and opens a run for those that hold. */
async function beginRuns(loop: Loop, wins: readonly ClaimWon[]): Promise<void> {
  if (wins.length === 0) return;
  const { shop, state } = loop;
  const fleet = await observe(loop);
  const released: Member<unknown>[] = [];
  for (const won of wins) {
    const { task: id, chain } = won;
    // Cancelled or taken in the meantime: the chain has gone on without us.
    if (fleet.chains.get(id)?.tip !== chain.tip) continue;
    const task = fleet.tasks.get(id);
    if (task !== undefined && isPinned(chain)) {
      state.renewed.set(renewalKey(chain.record), won.startedMs);
      state.runs.set(id, await openPinnedRun(shop, won, task, chain.record.commit as Oid));
      shop.say('claimed', { task: id, agent: chain.record.agent, epoch: chain.record.epoch, reason: chain.record.reason });
      continue;
    }
    const problem = claimProblem(fleet, { id, blob: chain.record.instruction?.blob ?? '' });
    const provider = problem === null && task !== undefined ? await chooseProviderFor(shop, { agent: chain.record.agent ?? '', task }) : { unavailable: problem ?? 'the task is gone' };
    if (task === undefined || 'unavailable' in provider) {
      const reason = 'unavailable' in provider ? provider.unavailable : 'the task is gone';
      released.push(releaseMember(shop.node, shop.reader, { task: id, tip: chain.tip, reason }));
      loop.decisions.note({ kind: 'release', task: id, agent: chain.record.agent, epoch: chain.record.epoch, reason });
      holdOff(loop, id);
      continue;
    }
    state.parked = new Map([...state.parked].filter(([parked]) => parked !== id));
    state.renewed.set(renewalKey(chain.record), won.startedMs);
    state.runs.set(id, await openRun(shop, won, task, provider));
    shop.say('claimed', { task: id, agent: chain.record.agent, epoch: chain.record.epoch, reason: chain.record.reason });
  }
  if (released.length > 0) await publish(shop.node, released, { trustKnown: true });
}
