/** Answering an agent that has ended with a question: the task is ready again, and the answer joins its next prompt. */
import { releaseKey, releaseMember } from '../act/claim.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import { chainState } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import { published } from './published.ts';
import { actor, unknownTask } from './session.ts';
import type { Session } from './session.ts';

export interface Answered {
  readonly task: string;
  readonly question: string;
  readonly by: string;
}

const CHARS_MAX = 32_000;

/** The agent goes on with the work that it left, in its session where its CLI can. Throws `unknown-task`, `refused`, `usage`. */
export async function answerTask(session: Session, id: string, text: string): Promise<Answered> {
  const { node, clone, fleet } = session;
  const answer = text.trim();
  if (answer === '') throw new CambiumError('usage', 'The answer is empty.', { hint: `cambium answer ${id} "Use the date column."` });
  if (answer.length > CHARS_MAX) throw new CambiumError('usage', `The answer has ${answer.length} characters; at most ${CHARS_MAX} are taken.`, { hint: 'Put it into a file of the tree and name that.' });
  if (!fleet.tasks.has(id)) throw unknownTask(session, id);
  const chain = fleet.chains.get(id);
  if (chain === undefined || chainState(chain) !== 'waiting') throw new CambiumError('refused', `${id} asks nothing.`, { hint: 'See `cambium task list --state input`.' });
  const question = String(chain.record.question ?? chain.record.reason ?? '');
  const by = await actor(session);
  const member = releaseMember(node, clone.reader, { task: id, tip: chain.tip, reason: `You had asked: ${question}\n\n${by.name} answers: ${answer}`, feedback: true, answeredBy: by });
  published(id, (await publish(node, [member])).get(releaseKey(id, chain.tip)) as Published<Chain>);
  return { task: id, question, by: by.name };
}
