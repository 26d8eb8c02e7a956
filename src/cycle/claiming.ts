/** Claims within a pass: lapsed ones of silent nodes first, then ready tasks for the agents that are still free. */
import { claimTasks, releaseMember } from '../act/claim.ts';
import type { ClaimWon } from '../act/claim.ts';
import { publish } from '../act/publish.ts';
import type { Member } from '../act/publish.ts';
import { chooseProvider, openRun } from '../act/run/start.ts';
import { takeOver } from '../act/takeover.ts';
import { decideClaims, misfit } from '../decide/claims.ts';
import { decideTakeovers } from '../decide/recovery.ts';
import { chainState } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { claimProblem, orient } from '../orient/situation.ts';
import type { Loop } from './loop.ts';
import { observe, snapshot } from './observe.ts';
import { renewalKey } from './state.ts';

/** Takeovers first, then ready tasks for what is still free. */
export async function claimMore(loop: Loop, fleet: Fleet): Promise<boolean> {
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
