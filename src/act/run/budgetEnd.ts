/** The end of a run whose money, tokens or turns are used up: its work is kept, and no attempt is spent. */
import type { Wait } from '../../model/limits.ts';
import type { Run } from '../../model/run.ts';
import { waitText } from '../../orient/limits.ts';
import { endRun } from './end.ts';
import type { Workshop } from './workshop.ts';

/** `asks`: only a person can go on with it. Else the claim is given back, and the task waits for the day to end. */
export function endAtBudget(shop: Workshop, run: Run, wait: Wait, asks: boolean): Promise<Run> {
  const kept = `The work is kept on refs/cambium/wip/${run.task}/${run.epoch}.`;
  if (asks) return endRun(shop, run, { kind: 'input', question: `${wait.reason}. ${wait.mend ?? ''} ${kept}` });
  return endRun(shop, run, { kind: 'release', reason: `${waitText(wait)}. ${kept}`, feedback: true });
}
