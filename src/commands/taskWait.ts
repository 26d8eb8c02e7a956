/** `cambium task wait`. */
import { awaitTasks } from '../workspace/awaitTasks.ts';
import type { AwaitedTask } from '../workspace/awaitTasks.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export interface WaitOptions {
  /** Milliseconds; half an hour when unsaid. */
  readonly timeout?: number | undefined;
  readonly reports?: boolean | undefined;
  readonly json: boolean;
}

const WAIT_MS = 1_800_000;

/** Exit 0: all are done; 1: one has failed, was cancelled or needs a person; 75: time is up. */
export async function waitCommand(ids: readonly string[], { timeout = WAIT_MS, reports = false, json }: WaitOptions): Promise<Answer> {
  const tasks = await awaitTasks(ids, { forMs: timeout, reports, onSettled: (task) => void (json || process.stdout.write(`${awaitedText(task)}\n`)) });
  const late = tasks.filter(({ settled }) => !settled);
  const exit = late.length > 0 ? 75 : tasks.every(({ state }) => state === 'done') ? 0 : 1;
  return { data: { tasks, waiting: late.map(({ id }) => id) }, text: late.length === 0 ? '' : `Time is up; still going on:\n${late.map((task) => `  ${awaitedText(task)}`).join('\n')}`, exit };
}

function awaitedText({ id, state, settled, agent, node, reason, report }: AwaitedTask): string {
  const who = agent === null ? '' : ` by ${agent}${node === null ? '' : ` on ${node}`}`;
  const needs = settled && !['done', 'failed', 'cancelled'].includes(state) ? ', and needs somebody' : '';
  const head = `${id}: ${state}${who}${needs}${reason === null ? '' : `: ${reason}`}`;
  return plain(report === null || report === '' ? head : `${head}\n    ${report.replaceAll('\n', '\n    ')}`);
}
