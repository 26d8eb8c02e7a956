/** From a won claim to a running provider. */
import type { Run } from '../../model/run.ts';
import { worktreeName } from '../../model/run.ts';
import type { Task } from '../../model/task.ts';
import type { Provider } from '../../ports/provider.ts';
import type { ClaimWon } from '../claim.ts';
import { admit } from './admit.ts';
import { causeOf } from './cause.ts';
import type { Chosen } from './choose.ts';
import { prepareProject } from '../project/prepare.ts';
import { toldTo } from '../prompt/told.ts';
import { contextSource, inProject } from '../project/work.ts';
import { readTexts } from './context.ts';
import { feedbackFor } from './feedback.ts';
import { endRun } from './end.ts';
import { spawnRequest } from './request.ts';
import { resumptionOf } from './resumption.ts';
import { saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

/** The first record of a run, written before anything is started for it. */
export async function openRun(shop: Workshop, won: ClaimWon, task: Task, provider: Chosen): Promise<Run> {
  const { record, tip } = won.chain;
  const feedback = await feedbackFor(shop.node.store, shop.reader, won.chain);
  const { resume, kept } = await resumptionOf(shop, won, provider);
  return saveRun(shop, {
    task: task.id, path: task.path, epoch: record.epoch, attempt: record.attempt, agent: record.agent ?? '', incarnation: shop.node.identity.incarnation, claim: tip, instruction: task.blob,
    ttlMs: record.ttl_s * 1000, base: shop.fleet().main.commit, phase: 'preparing', provider: provider.name, providerVersion: provider.version,
    model: provider.model, resume, kept, spawn: '', spawns: [], startedAt: record.claimed_at, turns: 0, conflicts: 0,
    feedback, report: '', criteria: [], usage: null, costUsd: null, verify: null, verifySpawn: '', verifiedOn: null, ending: null, work: null, wip: null, wipAtMs: won.startedMs,
    cause: await causeOf(shop.node, shop.fleet(), task),
  });
}

/** preparing → working. A second turn keeps the worktree; a first one, and one after a conflict, starts from the base. */
export async function startSpawn(shop: Workshop, claimed: Run): Promise<Run> {
  const task = shop.fleet().tasks.get(claimed.task);
  if (task === undefined) return endRun(shop, claimed, { kind: 'release', reason: 'the instruction file is gone' });
  // The claim must pin what the agent is told: the next pass renews it with the new text, or gives it back (P5.4).
  if (task.blob !== claimed.instruction) return claimed;
  const { run: allowed, admitted } = await admit(shop, claimed, task);
  if (!admitted) return allowed;
  const provider = shop.providers.get(allowed.provider);
  if (provider === undefined) return endRun(shop, allowed, { kind: 'failed', reason: `there is no provider ${allowed.provider}` });
  const { run, ready } = task.project === undefined ? { run: allowed, ready: true } : await prepareProject(shop, allowed, task);
  if (!ready) return run;
  const texts = await readTexts(shop.node.store, task, run.base, await contextSource(shop, run));
  // What is missing in the workspace is seen before a claim; in a project only here, so a person is asked.
  const missing = `context file ${texts.missing.join(', ')} is not in the tree`;
  if (texts.missing.length > 0) return endRun(shop, run, inProject(run) ? { kind: 'input', question: `${missing} of the project ${run.project?.name}` } : { kind: 'release', reason: missing });
  const name = worktreeName(run);
  if (!inProject(run) && !(isGoingOn(run) && (await shop.worktrees.exists(name)))) await shop.worktrees.create(name, run.conflicts > 0 ? run.base : (run.kept ?? run.base));
  // Gathered before anything is on record: what cannot be read starts nothing.
  const told = await toldTo(shop, { agent: run.agent, role: shop.agent(run.agent)?.role ?? 'worker', task, commit: run.base });
  const spawn = shop.node.clock.ulid();
  const working = await saveRun(shop, { ...run, phase: 'working', spawn });
  const request = spawnRequest(shop, working, task, { ...texts, ...told });
  await shop.node.supervisor.start(spawn, request.scratch, provider.prepare(request), {
    timeoutMs: request.timeoutMs, silenceMs: silenceMs(shop, provider, request.timeoutMs), graceMs: shop.config().timings.graceMs, deadlineBootMs: shop.fenceAtMs(run),
  });
  shop.say('spawn started', { task: run.task, agent: run.agent, epoch: run.epoch, attempt: run.attempt, spawn, provider: run.provider });
  return working;
}

/** What stands in the worktree is work to go on with: of the turn before, or of another provider. */
const isGoingOn = ({ turns, handed }: Run): boolean => turns > 0 || (handed ?? []).length > 0;

/** A runbook's `sleep 600` says nothing and is well; an agent CLI that is silent for minutes hangs. */
function silenceMs(shop: Workshop, provider: Provider, timeoutMs: number): number {
  return provider.conversational ? shop.config().timings.silenceMs : timeoutMs;
}
