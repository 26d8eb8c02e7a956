/** What a reviewer does: look at the very commit that will land, then approve or reject it (PROTOCOL P6). */
import { approveMember, judgeKey, mayJudge, rejectMember } from '../act/review.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import type { Task } from '../model/task.ts';
import { reviewerOf } from '../orient/reviewer.ts';
import { published } from './published.ts';
import { actor, unknownTask } from './session.ts';
import type { Session } from './session.ts';

export interface Judged {
  readonly task: string;
  readonly judgement: 'approved' | 'rejected';
  /** The reviewed commit. */
  readonly commit: Oid;
  readonly epoch: number;
  readonly by: string;
}

export interface JudgeOptions {
  /** The commit that was looked at (at least its first 7 characters); the one that is under review when unsaid. */
  readonly commit?: string | undefined;
  readonly why?: string | undefined;
}

/** Any node lands it from here. Throws `unknown-task`, `refused` (not under review, another commit, not the reviewer). */
export function approveTask(session: Session, id: string, options: JudgeOptions = {}): Promise<Judged> {
  return judge(session, id, options, 'approved');
}

/** The task is ready again, and `why` joins the next prompt. */
export function rejectTask(session: Session, id: string, options: JudgeOptions & { readonly why: string }): Promise<Judged> {
  if (options.why.trim() === '') throw new CambiumError('usage', 'Say why: the next agent reads it.', { hint: `cambium task reject ${id} --why "the empty name is not handled"` });
  return judge(session, id, options, 'rejected');
}

async function judge(session: Session, id: string, { commit: asked, why }: JudgeOptions, judgement: Judged['judgement']): Promise<Judged> {
  const { node, clone, fleet } = session;
  const task = fleet.tasks.get(id);
  if (task === undefined) throw unknownTask(session, id);
  const chain = fleet.chains.get(id);
  const commit = chain?.record.commit;
  if (chain === undefined || commit === undefined || !mayJudge(chain, judgement === 'approved' ? 'approve' : 'release')) throw new CambiumError('refused', `${id} does not wait for review.`, { hint: 'See `cambium task list --state review`.' });
  requireReviewer(session, task, chain);
  if (asked !== undefined && (asked.length < 7 || !commit.startsWith(asked))) throw new CambiumError('refused', `Another commit is under review: ${commit}. Nothing was judged.`, { hint: `Look at it with \`cambium show ${id}\`, then judge again.`, data: { commit } });
  const by = await actor(session);
  const member = (judgement === 'approved' ? approveMember : rejectMember)(node, clone.reader, { task: id, commit, by, why: why ?? '' });
  const ends = await publish(node, [member]);
  const judged = published(id, ends.get(judgeKey(id)) as Published<Chain>);
  return { task: id, judgement, commit, epoch: judged.record.epoch, by: by.name };
}

/** A person may always judge; of the agents only the one that the task names, and never the one that did the work. */
function requireReviewer({ agent, fleet }: Session, { id, review }: Task, { record }: Chain): void {
  if (agent === undefined) return;
  const reviewer = reviewerOf(fleet.config, review, record);
  const waits = 'agent' in reviewer ? reviewer.agent : `a person: ${reviewer.person}`;
  if (agent === record.agent) throw new CambiumError('refused', `${agent} did the work of ${id} and may not judge it.`, { hint: `It waits for ${waits}.` });
  if (!('agent' in reviewer) || reviewer.agent !== agent) throw new CambiumError('refused', `${agent} is not the reviewer of ${id}.`, { hint: `It waits for ${waits}.` });
}
