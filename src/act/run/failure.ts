/**
 * A spawn that ended badly: whose fault it was, and what comes next. A provider that cannot be asked costs no attempt: it is
 * parked and the next one goes on at once. A task that fails in the same way again and again waits for a person, before it has
 * burned its other attempts.
 */
import { backoffMs } from '../../model/run.ts';
import type { Run } from '../../model/run.ts';
import { before } from '../../observe/chains.ts';
import { brokenProvider, failureText, isProvidersFault } from '../../orient/providers.ts';
import { UNKNOWN_SPAWN } from '../../model/seenSpawn.ts';
import type { SpawnFacts } from '../../model/seenSpawn.ts';
import type { FailureKind } from '../../model/spawn.ts';
import type { SpawnReport } from '../../ports/provider.ts';
import type { Wait } from '../../model/limits.ts';
import type { Task } from '../../model/task.ts';
import { agentBudget, fleetBudget, taskBudget, tokensOf } from '../../orient/budgets.ts';
import { handOver } from './admit.ts';
import { endAtBudget } from './budgetEnd.ts';
import { endAttempt, endRun } from './end.ts';
import type { Workshop } from './workshop.ts';

/** `why` is the failure in one sentence; the spawn is on the run's record already. */
export async function settleFailure(shop: Workshop, run: Run, report: SpawnReport, why: string): Promise<Run> {
  const task = shop.fleet().tasks.get(run.task);
  if (task !== undefined && isProvidersFault(report.failure, report.usage?.output ?? null)) {
    await shop.park(run.provider, { failure: report.failure as FailureKind, reason: why, resetAt: report.resetAt });
    return (await handOver(shop, run, task, why)).run;
  }
  const bound = task === undefined ? null : reached(shop, run, task);
  if (bound !== null) return endAtBudget(shop, run, bound.wait, bound.asks);
  await parkIfBroken(shop, run);
  return endFailedAttempt(shop, run, why, { retryable: report.retryable, backoffMs: backoffMs(run.attempt) });
}

/** A CLI that keeps its budget itself ends badly when it is used up: that is a question of money, and no failure of the work. */
function reached(shop: Workshop, run: Run, task: Task): { readonly wait: Wait; readonly asks: boolean } | null {
  const facts = shop.limits();
  const now = shop.node.clock.now().toISOString();
  // The pass knows of this spawn's cost only when the step is over.
  const live = [...facts.live.filter((spend) => spend.task !== run.task), { agent: run.agent, task: run.task, usd: run.costUsd, tokens: tokensOf(run.usage) }];
  const own = taskBudget({ ...facts, live }, task);
  const wait = own ?? agentBudget({ ...facts, live }, run.agent, now) ?? fleetBudget({ ...facts, live }, now);
  return wait === null ? null : { wait, asks: own !== null };
}

/** Three of a provider's last five spawns, anywhere in the fleet, failed alike: it is left alone for a while. A runbook or a script fails as its author wrote it. */
async function parkIfBroken(shop: Workshop, run: Run): Promise<void> {
  if (shop.providers.get(run.provider)?.conversational !== true) return;
  const own = run.spawns.map((spawn): SpawnFacts => ({ ...UNKNOWN_SPAWN, ...spawn, provider: spawn.provider ?? run.provider, providerVersion: spawn.providerVersion ?? null, model: spawn.model ?? null, task: run.task }));
  const ledger = [...shop.limits().ledger, ...own].filter(({ id }, at, all) => all.findIndex((other) => other.id === id) === at);
  const broken = brokenProvider(ledger, run.provider);
  if (broken !== null) await shop.park(run.provider, { failure: broken.failure, reason: `${broken.times} of its last spawns failed alike (${broken.failure})`, resetAt: null });
}

/** The end of an attempt that counts. The same failure `limits.same_failures` times in a row is for a person, while attempts are left. */
export async function endFailedAttempt(shop: Workshop, run: Run, reason: string, options: { readonly retryable: boolean; readonly backoffMs: number }): Promise<Run> {
  const most = shop.config().limits.sameFailures;
  const max = shop.fleet().tasks.get(run.task)?.maxAttempts ?? shop.config().defaults.maxAttempts;
  if (!options.retryable || run.attempt >= max || (await alike(shop, run, reason, most)) < most) return endAttempt(shop, run, reason, options);
  return endRun(shop, run, { kind: 'input', question: `it failed in the same way ${most} times in a row: ${reason}` });
}

/** This failure and those just before it on the chain that say the same, counted up to `most`. */
async function alike(shop: Workshop, run: Run, reason: string, most: number): Promise<number> {
  const wanted = failureText(reason);
  let count = 1;
  const { store } = shop.node;
  for (let at = await before(store, shop.reader, await shop.reader.chain(run.claim)); at !== undefined && count < most; at = await before(store, shop.reader, at)) {
    const { kind, spent, reason: said } = at.record;
    // A person who gave it back, or took it up anew, wants to see it tried.
    if (kind === 'reopen' || kind === 'input') break;
    if (kind !== 'release' || spent !== true) continue;
    if (failureText(said ?? '') !== wanted) break;
    count += 1;
  }
  return count;
}
