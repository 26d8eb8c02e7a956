/** From a won claim to a running provider. */
import { CambiumError } from '../../errors.ts';
import type { Run } from '../../model/run.ts';
import { worktreeName } from '../../model/run.ts';
import type { Task } from '../../model/task.ts';
import type { Provider, SpawnRequest } from '../../ports/provider.ts';
import type { ClaimWon } from '../claim.ts';
import { prepareProject } from '../project/prepare.ts';
import { contextSource, inProject } from '../project/work.ts';
import { readTexts } from './context.ts';
import { feedbackFor } from './feedback.ts';
import { endRun } from './end.ts';
import { saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

/** The first record of a run, written before anything is started for it. */
export async function openRun(shop: Workshop, won: ClaimWon, task: Task, provider: { readonly name: string; readonly version: string }): Promise<Run> {
  const { record, tip } = won.chain;
  const feedback = await feedbackFor(shop.node.store, shop.reader, won.chain);
  return saveRun(shop, {
    task: task.id, path: task.path, epoch: record.epoch, attempt: record.attempt, agent: record.agent ?? '', incarnation: shop.node.identity.incarnation, claim: tip, instruction: task.blob,
    ttlMs: record.ttl_s * 1000, base: shop.fleet().main.commit, phase: 'preparing', provider: provider.name, providerVersion: provider.version,
    model: task.model ?? shop.agent(record.agent ?? '')?.model ?? null, spawn: '', spawns: [], startedAt: record.claimed_at, turns: 0, conflicts: 0,
    feedback, report: '', criteria: [], usage: null, costUsd: null, verify: null, verifySpawn: '', verifiedOn: null, ending: null, work: null, wip: null, wipAtMs: won.startedMs,
  });
}

/** preparing → working. A second turn keeps the worktree; a first one, and one after a conflict, starts from the base. */
export async function startSpawn(shop: Workshop, claimed: Run): Promise<Run> {
  const task = shop.fleet().tasks.get(claimed.task);
  const provider = shop.providers.get(claimed.provider);
  if (task === undefined) return endRun(shop, claimed, { kind: 'release', reason: 'the instruction file is gone' });
  // The claim must pin what the agent is told: the next pass renews it with the new text, or gives it back (P5.4).
  if (task.blob !== claimed.instruction) return claimed;
  if (provider === undefined) return endRun(shop, claimed, { kind: 'failed', reason: `there is no provider ${claimed.provider}` });
  const { run, ready } = task.project === undefined ? { run: claimed, ready: true } : await prepareProject(shop, claimed, task);
  if (!ready) return run;
  const texts = await readTexts(shop.node.store, task, run.base, await contextSource(shop, run));
  // What is missing in the workspace is seen before a claim; in a project only here, so a person is asked.
  const missing = `context file ${texts.missing.join(', ')} is not in the tree`;
  if (texts.missing.length > 0) return endRun(shop, run, inProject(run) ? { kind: 'input', question: `${missing} of the project ${run.project?.name}` } : { kind: 'release', reason: missing });
  const name = worktreeName(run);
  if (!inProject(run) && !(run.turns > 0 && (await shop.worktrees.exists(name)))) await shop.worktrees.create(name, run.base);
  const spawn = shop.node.clock.ulid();
  const working = await saveRun(shop, { ...run, phase: 'working', spawn });
  const request = spawnRequest(shop, working, task, texts);
  await shop.node.supervisor.start(spawn, request.scratch, provider.prepare(request), {
    timeoutMs: request.timeoutMs, silenceMs: silenceMs(shop, provider, request.timeoutMs), graceMs: shop.config().timings.graceMs, deadlineBootMs: shop.fenceAtMs(run),
  });
  shop.say('spawn started', { task: run.task, agent: run.agent, epoch: run.epoch, attempt: run.attempt, spawn, provider: run.provider });
  return working;
}

/** A runbook's `sleep 600` says nothing and is well; an agent CLI that is silent for minutes hangs. */
function silenceMs(shop: Workshop, provider: Provider, timeoutMs: number): number {
  return provider.conversational ? shop.config().timings.silenceMs : timeoutMs;
}

export function spawnRequest(shop: Workshop, run: Run, task: Task, texts: { readonly instruction: string; readonly context: SpawnRequest['context'] }): SpawnRequest {
  const worktree = shop.worktrees.path(worktreeName(run));
  return {
    spawn: run.spawn, task, epoch: run.epoch, attempt: run.attempt, agent: run.agent, node: shop.node.identity.node,
    instruction: texts.instruction, context: texts.context, worktree,
    directory: task.workingDirectory === undefined ? worktree : `${worktree}/${task.workingDirectory}`,
    scratch: shop.scratch(run.spawn), timeoutMs: timeoutMs(shop, task),
    ...(run.model === null ? {} : { model: run.model }), ...(run.feedback === null ? {} : { feedback: run.feedback, keptWork: run.turns > 0 }),
  };
}

function timeoutMs(shop: Workshop, task: Task): number {
  return (task.timeoutMinutes ?? shop.config().defaults.timeoutMinutes) * 60_000;
}

/** Which provider runs the task, probed; throws `bad-config` when the fleet names one that nobody defined. */
export async function chooseProvider(shop: Workshop, task: Task, agent: string): Promise<{ readonly name: string; readonly version: string } | { readonly unavailable: string }> {
  const name = task.provider ?? shop.agent(agent)?.provider ?? shop.config().defaults.provider;
  const provider = shop.providers.get(name);
  if (provider === undefined) throw new CambiumError('bad-config', `There is no provider ${name}.`, { hint: 'Define it under `providers:` in cambium.yaml, or name one that exists.' });
  const probed = await provider.probe();
  return 'version' in probed ? { name, version: probed.version } : { unavailable: `${probed.unavailable} ${probed.hint}` };
}
