/** Moving this node's runs along: each step reads the world, none waits. */
import { closeRun, endRun, endingMember, fenceRun, finishFenced, stopSpawn } from '../act/run/end.ts';
import { landingOf } from '../act/run/landing.ts';
import { pinnedLanding } from '../act/run/pinned.ts';
import { reviewKey, reviewMember } from '../act/review.ts';
import { releaseKey, renewKey, renewMember } from '../act/claim.ts';
import { findLanded, landKey, landMember } from '../act/land.ts';
import type { Member, Published } from '../act/publish.ts';
import { awaitsProject, landInProject } from '../act/project/landRun.ts';
import { startSpawn } from '../act/run/start.ts';
import { pushWip } from '../act/run/salvage.ts';
import { startVerify, verifyMerged, watchSpawn, watchVerify } from '../act/run/watch.ts';
import { saveRun } from '../act/run/workshop.ts';
import { isPinnedRun } from '../act/run/pin.ts';
import type { Run } from '../model/run.ts';
import { wipRef } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Chain } from '../model/claim.ts';
import { before } from '../observe/chains.ts';
import { awaitsRenewal, isAtStart } from './edited.ts';
import { isFrozen } from './limits.ts';
import type { Loop } from './loop.ts';
import { renewalKey } from './state.ts';

/** Claims that moved away under us (takeover, cancel, reopen): the agent is stopped, its work goes to stale (P6). */
export async function fenceLostRuns({ shop, state }: Loop, fleet: Fleet): Promise<void> {
  for (const run of state.runs.values()) {
    const chain = fleet.chains.get(run.task);
    if (run.phase === 'fenced' || chain?.tip === run.claim) continue;
    if (chain !== undefined && isOwnRenewal(chain, run)) {
      // The text that it pins is the run's only where no agent has read another one.
      const instruction = isAtStart(run) ? (chain.record.instruction?.blob ?? run.instruction) : run.instruction;
      state.runs.set(run.task, await saveRun(shop, { ...run, claim: chain.tip, instruction }));
      continue;
    }
    if (await wasHandedIn(shop, run, chain)) {
      shop.say('waits for review', { task: run.task, epoch: run.epoch, agent: run.agent });
      await stopSpawn(shop, run, 'asked');
      await forget(shop, state, run);
      continue;
    }
    // Our own landing, seen late or completed by somebody who repaired it (P5.3), is our success.
    const landed = await findLanded(shop.node, shop.reader, { task: run.task, path: run.path, tip: run.claim }, chain);
    if (landed !== null && (await shop.node.store.isAncestor(landed.result, fleet.main.commit))) {
      shop.say('landed', { task: run.task, epoch: run.epoch, agent: run.agent });
      await stopSpawn(shop, run, 'asked');
      await forget(shop, state, run);
    } else if (landed !== null) continue;
    else state.runs.set(run.task, await fenceRun(shop, run, chain === undefined ? 'the claim is gone' : `the chain says ${chain.record.kind}, epoch ${chain.record.epoch}`));
  }
}

/** A renewal of ours that landed after we had given up waiting for its answer (P2.5). */
function isOwnRenewal({ record }: Chain, { epoch, agent, incarnation }: Run): boolean {
  return record.kind === 'renew' && record.epoch === epoch && record.agent === agent && record.incarnation === incarnation;
}

/** Our work went to its reviewer, though the answer was lost; others may have judged it since. */
async function wasHandedIn({ node, reader }: Loop['shop'], { claim, epoch, incarnation }: Run, chain: Chain | undefined): Promise<boolean> {
  for (let at = chain; at !== undefined && at.tip !== claim && at.record.epoch >= epoch; at = await before(node.store, reader, at)) {
    const { kind, epoch: of, incarnation: by } = at.record;
    if (kind === 'review' && of === epoch && by === incarnation) return true;
  }
  return false;
}

/** Runs whose claims a break names: the same, without waiting for the next look at their chains (P4.2). */
export async function fenceBroken({ shop, state }: Loop, breaks: readonly { readonly task: string; readonly epoch: number }[]): Promise<void> {
  for (const { task, epoch } of breaks) {
    const run = state.runs.get(task);
    if (run?.epoch === epoch) state.runs.set(task, await fenceRun(shop, run, 'its lease was broken by another node'));
  }
}

async function forget(shop: Loop['shop'], state: Loop['state'], run: Run): Promise<void> {
  await closeRun(shop, run);
  state.runs.delete(run.task);
  state.renewed.delete(renewalKey(run));
}

/** One step for every run. Returns true when any of them moved. */
export async function stepRuns(loop: Loop): Promise<boolean> {
  const moved = await Promise.all([...loop.state.runs.values()].map((run) => stepRun(loop, run)));
  return moved.includes(true);
}

async function stepRun(loop: Loop, run: Run): Promise<boolean> {
  if (isFrozen(loop.state) && run.phase !== 'fenced') return false;
  const next = await nextOf(loop, run);
  if (next === null) {
    loop.state.runs.delete(run.task);
    loop.state.renewed.delete(renewalKey(run));
    return true;
  }
  loop.state.runs.set(run.task, next);
  return next.phase !== run.phase;
}

async function nextOf({ shop, state }: Loop, run: Run): Promise<Run | null> {
  // A restarted daemon starts nothing before its first heartbeat has shown that the claim is still its own (P4.4).
  if (run.phase === 'preparing') return state.renewed.has(renewalKey(run)) ? startSpawn(shop, run) : run;
  if (run.phase === 'working') return watchSpawn(shop, run);
  if (run.phase === 'verifying') return watchVerify(shop, run);
  if (run.phase === 'landing') return awaitsProject(run) ? landInProject(shop, run, startVerify) : verifyMerged(shop, run);
  return run.phase === 'fenced' ? finishFenced(shop, run) : run;
}

/** What runs have to say to the hub, by task and sorted by it: landings stack on each other, and refs are renamed in that order. */
export async function runMembers({ shop, state }: Loop): Promise<ReadonlyMap<string, Member<unknown>>> {
  const members = new Map<string, Member<unknown>>();
  for (const run of [...state.runs.values()].toSorted((a, b) => (a.task < b.task ? -1 : 1))) {
    const task = shop.fleet().tasks.get(run.task);
    if (isAtStart(run) && task !== undefined && awaitsRenewal(run, task)) members.set(run.task, renewMember(shop.node, shop.reader, run.task, run.epoch, run.agent, { blob: task.blob, commit: shop.fleet().main.commit }));
    if (run.phase === 'landing' && !isFrozen(state) && !awaitsProject(run) && state.renewed.has(renewalKey(run))) members.set(run.task, await landingMember(shop, run));
    if (run.phase === 'ending') {
      const member = await endingMember(shop, run);
      if (member !== null) members.set(run.task, member);
    }
  }
  return members;
}

/** Finished work lands, waits for its reviewer, or lands as it was approved. */
async function landingMember(shop: Loop['shop'], run: Run): Promise<Member<unknown>> {
  const { node, reader } = shop;
  if (isPinnedRun(run)) return landMember(node, reader, await pinnedLanding(shop, run, run.pin.commit));
  const landing = landingOf(shop, run, 'done');
  return shop.fleet().tasks.get(run.task)?.review === undefined ? landMember(node, reader, landing) : reviewMember(node, reader, landing);
}

/** Takes the ends of a publish back into the runs. Returns true when any moved. */
export async function settleRuns(loop: Loop, ends: ReadonlyMap<string, Published<unknown>>): Promise<boolean> {
  let moved = false;
  for (const run of loop.state.runs.values()) {
    const end = ends.get(landKey(run.task, run.claim)) ?? ends.get(reviewKey(run.task, run.claim)) ?? ends.get(releaseKey(run.task, run.claim));
    const renewal = isAtStart(run) ? ends.get(renewKey(run.task)) : undefined;
    if (end === undefined && renewal === undefined) continue;
    const next = end === undefined ? await settleRenewal(loop, run, renewal as Published<Chain>) : await settleRun(loop, run, end);
    moved ||= next?.phase !== run.phase;
    if (next !== null) loop.state.runs.set(run.task, next);
  }
  return moved;
}

/** The claim pins the new text: the run begins, on the newest main where nothing of its work stands yet. */
async function settleRenewal({ shop }: Loop, run: Run, end: Published<Chain>): Promise<Run> {
  if (end.state === 'dropped') return fenceRun(shop, run, end.drop.detail);
  if (end.state !== 'published') return run;
  shop.say('re-briefed', { task: run.task, agent: run.agent, epoch: run.epoch, reason: 'its instruction was edited' });
  const { tip, record } = end.value;
  return saveRun(shop, { ...run, claim: tip, instruction: record.instruction?.blob ?? run.instruction, base: run.turns > 0 ? run.base : shop.fleet().main.commit });
}

async function settleRun(loop: Loop, run: Run, end: Published<unknown>): Promise<Run | null> {
  const { shop, state } = loop;
  if (end.state === 'published') {
    shop.say(run.phase !== 'landing' ? 'run ended' : end.value !== null && typeof end.value === 'object' && 'record' in end.value ? 'waits for review' : 'landed', { task: run.task, epoch: run.epoch, agent: run.agent });
    await forget(shop, state, run);
    return null;
  }
  if (end.state === 'unknown') return run;
  if (end.state === 'refused-by-policy') return parkRun(loop, run, end.detail);
  return settleDrop(loop, run, end.drop.code, end.drop.detail);
}

async function settleDrop(loop: Loop, run: Run, code: string, detail: string): Promise<Run> {
  const { shop } = loop;
  if (code === 'conflict') return settleConflict(loop, run, detail);
  // The next pass sees the new text and decides whether the agent goes on with it.
  if (code === 'instruction-changed' && run.phase === 'landing') return run;
  if (code === 'instruction-changed') return endRun(shop, run, { kind: 'release', reason: detail });
  // The owner deleted the task: the cancel is on its way, or already there; either way nothing of this lands.
  if (code === 'instruction-deleted') return endRun(shop, run, { kind: 'release', reason: detail });
  // Main and chain disagree after a half-applied push: they are mended first, the landing waits.
  if (code === 'not-ready') return run;
  return fenceRun(shop, run, detail);
}

/** Once more on the newest main; a second conflict is for a person, the work kept (DESIGN 6). */
async function settleConflict({ shop }: Loop, run: Run, detail: string): Promise<Run> {
  if (isPinnedRun(run)) return endRun(shop, run, { kind: 'release', reason: `${detail}. It was approved on an older main: do it again on the newest.`, feedback: true });
  const kept = await pushWip(shop, run);
  if (kept === null) return run;
  if (run.conflicts > 0) return endRun(shop, kept, { kind: 'input', question: `${detail}. The work is kept on refs/cambium/wip/${run.task}/${run.epoch}.` });
  const feedback = `${detail}. Do it again on the newest main, in which somebody else's change stands now.`;
  shop.say('another turn', { task: run.task, agent: run.agent, epoch: run.epoch, reason: detail });
  return saveRun(shop, { ...kept, phase: 'preparing', base: shop.fleet().main.commit, conflicts: 1, turns: 0, feedback, work: null, verifiedOn: null });
}

/** A hook or a protected main refuses: parked with the reason, the work on wip, no loop (P5.7). */
async function parkRun({ shop, state }: Loop, run: Run, detail: string): Promise<Run> {
  shop.say('landing refused by the hub', { task: run.task, detail });
  state.parked = new Map([...state.parked, [run.task, detail]]);
  return endRun(shop, run, { kind: 'input', question: `the hub refuses the landing: ${detail}` });
}

/** Work in progress goes to the hub at intervals, so that a lost machine loses at most one interval. */
export async function keepWip({ shop, state }: Loop, everyMs: number): Promise<void> {
  for (const run of state.runs.values()) {
    if (run.phase !== 'working' || shop.node.clock.bootMs() - run.wipAtMs < everyMs) continue;
    const kept = await pushWip(shop, run);
    if (kept !== null) state.runs.set(run.task, await saveRun(shop, kept));
  }
}

/** Drain: every run ends now, its claim given back and its work kept. */
export async function releaseRuns({ shop, state }: Loop, reason: string, graceMs: number): Promise<void> {
  for (const run of state.runs.values()) {
    if (run.phase === 'ending' || run.phase === 'fenced') continue;
    await stopSpawn(shop, run, 'asked', graceMs);
    state.givenBack.set(run.task, wipRef(run.task, run.epoch));
    state.runs.set(run.task, await endRun(shop, run, { kind: 'release', reason }));
  }
}
