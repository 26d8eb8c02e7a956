/** The node's heartbeat within a pass: when it is due, what it renews, what its refusal means (PROTOCOL P4). */
import { CambiumError } from '../errors.ts';
import type { Answer } from '../model/answer.ts';
import { ulidTime } from '../model/archive.ts';
import { claimRef } from '../model/layout.ts';
import { fenceDeadlineMs, heartbeatEveryMs } from '../model/lease.ts';
import { renewAnswers } from './answers.ts';
import type { Run } from '../model/run.ts';
import type { ToldSpawn } from '../model/seenSpawn.ts';
import type { Loop } from './loop.ts';
import { fenceBroken } from './runs.ts';
import { renewalKey } from './state.ts';

/** Beats when due, and soon after the set of claims has changed (P4.1). */
export async function beatIfDue(loop: Loop): Promise<void> {
  const { shop, state, heart } = loop;
  const { timings } = shop.config();
  const claims = [...state.runs.values()].filter(({ phase, incarnation }) => phase !== 'fenced' && incarnation === shop.node.identity.incarnation).map(({ task, epoch, claim }) => ({ task, epoch, claim }));
  const named = claims.map(({ task, epoch, claim }) => `${task}.${epoch}.${claim}`).toSorted().join('\n');
  if (!heart.pending && named === state.beaten && shop.node.clock.bootMs() < state.nextBeatMs) return;
  const spawns = [...state.runs.values(), ...state.answers.values()].filter(({ spawn }) => spawn !== '').map(toldSpawn);
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
  state.nextBeatMs = outcome.startedMs + heartbeatEveryMs(timings.heartbeatMs, timings.ttlMs);
  for (const claim of held) await renew(loop, claim, outcome.startedMs);
  await renewAnswers(loop, outcome.startedMs);
}

/** For people who look on from other nodes: logs stay here, but what runs, for what and for whom is told. */
function toldSpawn(work: Run | Answer): ToldSpawn {
  const ms = ulidTime(work.spawn);
  const cause = work.cause ?? null;
  const about = 'task' in work ? { task: work.task } : 'channel' in work.place ? { channel: work.place.channel } : {};
  return {
    id: work.spawn, agent: work.agent, ...about, provider: work.provider, ...(work.model === null ? {} : { model: work.model }),
    ...(cause === null || cause.parent === null ? {} : { parent: cause.parent, depth: cause.depth }), ...(ms === null ? {} : { since: new Date(ms).toISOString() }),
  };
}

/**
 * A renewal counts only for claims that were read as still ours after the hub had accepted the heartbeat (M4): of a
 * takeover that was applied by half, the claim may have moved without the break that would have refused the beat.
 */
async function stillHeld<T extends { readonly task: string; readonly claim: string }>({ shop, state }: Loop, claims: readonly T[]): Promise<readonly T[]> {
  if (claims.length + state.answers.size === 0) return [];
  const view = await shop.node.mirror.refresh();
  return claims.filter(({ task, claim }) => view.refs.get(claimRef(task)) === claim);
}

async function renew({ shop, state }: Loop, claim: { readonly task: string; readonly epoch: number }, startedMs: number): Promise<void> {
  state.renewed.set(renewalKey(claim), startedMs);
  const run = state.runs.get(claim.task);
  if (run === undefined || run.spawn === '') return;
  const deadline = fenceDeadlineMs(startedMs, run.ttlMs);
  await shop.node.supervisor.setDeadline(shop.scratch(run.spawn), deadline);
  if (run.phase === 'verifying') await shop.node.supervisor.setDeadline(shop.scratch(run.verifySpawn), deadline);
}
