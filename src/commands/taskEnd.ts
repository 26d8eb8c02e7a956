/** `cambium task cancel|retry|reopen`. */
import { cancelTask, reopenTask, retryTask } from '../workspace/endTask.ts';
import type { EndedTask } from '../workspace/endTask.ts';
import { withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export interface ReasonOption {
  readonly reason?: string | undefined;
}

export const cancelCommand = (id: string, { reason }: ReasonOption): Promise<Answer> => answer(`${id} is cancelled.`, (session) => cancelTask(session, id, reason));
export const retryCommand = (id: string, { reason }: ReasonOption): Promise<Answer> => answer(`${id} is ready again.`, (session) => retryTask(session, id, reason));
export const reopenCommand = (id: string, { reason }: ReasonOption): Promise<Answer> => answer(`${id} is ready again.`, (session) => reopenTask(session, id, reason));

function answer(text: string, deed: (session: Session) => Promise<EndedTask>): Promise<Answer> {
  return withSession({ needsHub: true }, async (session) => ({ data: await deed(session), text }));
}
