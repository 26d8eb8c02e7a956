/** Moving this node's runs along: each step reads the world, none waits. */
import { closeRun, endRun, endingMember, fenceRun, finishFenced, stopSpawn } from '../act/run/end.ts';
import { landingOf } from '../act/run/landing.ts';
import { releaseKey } from '../act/claim.ts';
import { findLanded, landKey, landMember } from '../act/land.ts';
import type { Member, Published } from '../act/publish.ts';
import { startSpawn } from '../act/run/start.ts';
import { pushWip } from '../act/run/salvage.ts';
import { verifyMerged, watchSpawn, watchVerify } from '../act/run/watch.ts';
import { saveRun } from '../act/run/workshop.ts';
import type { Run } from '../model/run.ts';
import { wipRef } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Loop } from './loop.ts';
import { renewalKey } from './state.ts';

/** Claims that moved away under us (takeover, cancel, reopen): the agent is stopped, its work goes to stale (P6). */
export async function fenceLostRuns({ shop, state }: Loop, fleet: Fleet): Promise<void> {
  for (const run of state.runs.values()) {
    const chain = fleet.chains.get(run.task);
    if (run.phase === 'fenced' || chain?.tip === run.claim) continue;
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
  if (run.phase === 'landing') return verifyMerged(shop, run);
  return run.phase === 'fenced' ? finishFenced(shop, run) : run;
}

/** What runs have to say to the hub, sorted by task: landings stack on each other, and refs are renamed in that order. */
export async function runMembers({ shop, state }: Loop): Promise<Member<unknown>[]> {
  const members: Member<unknown>[] = [];
  for (const run of [...state.runs.values()].toSorted((a, b) => (a.task < b.task ? -1 : 1))) {
    if (run.phase === 'landing' && state.renewed.has(renewalKey(run))) members.push(landMember(shop.node, shop.reader, landingOf(shop, run, 'done')));
    if (run.phase === 'ending') {
      const member = await endingMember(shop, run);
      if (member !== null) members.push(member);
    }
  }
  return members;
}

/** Takes the ends of a publish back into the runs. Returns true when any moved. */
export async function settleRuns(loop: Loop, ends: ReadonlyMap<string, Published<unknown>>): Promise<boolean> {
  let moved = false;
  for (const run of loop.state.runs.values()) {
    const end = ends.get(landKey(run.task, run.claim)) ?? ends.get(releaseKey(run.task, run.claim));
    if (end === undefined) continue;
    const next = await settleRun(loop, run, end);
    moved ||= next?.phase !== run.phase;
    if (next !== null) loop.state.runs.set(run.task, next);
  }
  return moved;
}

async function settleRun(loop: Loop, run: Run, end: Published<unknown>): Promise<Run | null> {
  const { shop, state } = loop;
  if (end.state === 'published') {
    shop.say(run.phase === 'landing' ? 'landed' : 'run ended', { task: run.task, epoch: run.epoch, agent: run.agent });
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
  if (code === 'instruction-changed') return endRun(shop, run, { kind: 'release', reason: detail });
  // The owner deleted the task: the cancel is on its way, or already there; either way nothing of this lands.
  if (code === 'instruction-deleted') return endRun(shop, run, { kind: 'release', reason: detail });
  // Main and chain disagree after a half-applied push: they are mended first, the landing waits.
  if (code === 'not-ready') return run;
  return fenceRun(shop, run, detail);
}

/** Once more on the newest main; a second conflict is for a person, the work kept (DESIGN 6). */
async function settleConflict({ shop }: Loop, run: Run, detail: string): Promise<Run> {
  const kept = await pushWip(shop, run);
  if (kept === null) return run;
  if (run.conflicts > 0) return endRun(shop, kept, { kind: 'input', question: `${detail}. The work is kept on refs/cambium/wip/${run.task}/${run.epoch}.` });
  const feedback = `${detail}. Do it again on the newest main, in which somebody else's change stands now.`;
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
