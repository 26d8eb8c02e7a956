/**
 * The last look before a provider is started for a run: what people have stopped meanwhile, budgets that are used up, a
 * provider that another run has found shut. A run that may not begin gives its claim back, or asks, or goes to another
 * provider; no attempt is spent.
 */
import type { Run } from '../../model/run.ts';
import type { Task } from '../../model/task.ts';
import { taskBudget } from '../../orient/budgets.ts';
import { agentWait, fleetWait, providerWait, taskWait, waitText } from '../../orient/limits.ts';
import { endAtBudget } from './budgetEnd.ts';
import { chooseProviderFor } from './choose.ts';
import { endRun } from './end.ts';
import { saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

/** The run as it may be started; `admitted` false: it was ended, or stands still. */
export async function admit(shop: Workshop, run: Run, task: Task): Promise<{ readonly run: Run; readonly admitted: boolean }> {
  const facts = shop.limits();
  const now = shop.node.clock.now().toISOString();
  if (facts.stop.fleet?.mode === 'freeze') return { run, admitted: false };
  const purse = taskBudget(facts, task);
  if (purse !== null) return { run: await endAtBudget(shop, run, purse, true), admitted: false };
  const agent = shop.agent(run.agent);
  const wait = fleetWait(facts, now) ?? taskWait(facts, task) ?? (agent === undefined ? null : agentWait(facts, agent, now));
  if (wait !== null) return { run: await endRun(shop, run, { kind: 'release', reason: waitText(wait) }), admitted: false };
  if (providerWait(facts, run.provider, now) === null) return { run, admitted: true };
  return handOver(shop, run, task, null);
}

/** To the next provider that may be asked: the same claim, the same attempt, the worktree as it stands. `why`: what befell the one before. */
export async function handOver(shop: Workshop, run: Run, task: Task, why: string | null): Promise<{ readonly run: Run; readonly admitted: boolean }> {
  const next = await chooseProviderFor(shop, { agent: run.agent, task });
  if ('unavailable' in next) return { run: await endRun(shop, run, { kind: 'release', reason: next.until === null || next.unavailable.includes(next.until.slice(0, 19)) ? next.unavailable : `${next.unavailable} (until ${next.until.slice(0, 19)}Z)` }), admitted: false };
  if (next.name === run.provider && why === null) return { run, admitted: true };
  shop.say('provider changed', { task: run.task, agent: run.agent, epoch: run.epoch, from: run.provider, to: next.name, reason: why ?? `${run.provider} may not be asked now` });
  const began = why !== null;
  const handed = {
    ...run, phase: 'preparing' as const, provider: next.name, providerVersion: next.version, model: next.model, resume: null,
    ...(began ? { handed: [...(run.handed ?? []), run.provider], feedback: handedText(run, why) } : {}),
  };
  return { run: await saveRun(shop, handed), admitted: true };
}

function handedText({ provider, feedback }: Run, why: string): string {
  const told = `Another provider (${provider}) had begun this task and could not go on: ${why}. What stands in the worktree is its work: look at it first, keep what is good, and go on from there.`;
  return feedback === null ? told : `${feedback}\n\n${told}`;
}
