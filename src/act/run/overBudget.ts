/** An agent that has reached its bound: stopped where it stands, its work kept, and its run ended with the reason. No attempt is spent. */
import type { Wait } from '../../model/limits.ts';
import type { Run } from '../../model/run.ts';
import type { Usage } from '../../model/task.ts';
import { endAtBudget } from './budgetEnd.ts';
import { recordEnd } from './watch.ts';
import type { Workshop } from './workshop.ts';

/** What a spawn had said of its cost before it was stopped: a CLI that is ended says nothing more. */
export interface Spent {
  readonly usage: Usage | null;
  readonly usd: number | null;
}

/** `asks`: only a person can go on with it. */
export async function stopAtBudget(shop: Workshop, run: Run, wait: Wait, { asks, spent }: { readonly asks: boolean; readonly spent: Spent | null }): Promise<Run> {
  await shop.node.supervisor.stop(shop.scratch(run.spawn), 'asked');
  return endAtBudget(shop, await recordEnd(shop, run, spent), wait, asks);
}
