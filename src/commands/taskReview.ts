/** `cambium task approve|reject`. */
import { CambiumError } from '../errors.ts';
import { approveTask, rejectTask } from '../workspace/review.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export interface JudgeOptions {
  readonly commit?: string | undefined;
  readonly why?: string | undefined;
}

export function approveCommand(id: string, options: JudgeOptions): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => {
    const data = await approveTask(session, id, options);
    return { data, text: `${id} is approved at ${data.commit.slice(0, 10)}: the next node lands it.` };
  });
}

export function rejectCommand(id: string, { commit, why }: JudgeOptions): Promise<Answer> {
  if (why === undefined) throw new CambiumError('usage', 'Say why: the next agent reads it.', { hint: `cambium task reject ${id} --why "the empty name is not handled"` });
  return withSession({ needsHub: true }, async (session) => {
    const data = await rejectTask(session, id, { commit, why });
    return { data, text: `${id} is rejected and ready again; the reason goes to whoever claims it next.` };
  });
}
