/** `cambium task complete|fail`. */
import { readInput } from '../adapters/system/files.ts';
import { completeTask, failTask } from '../workspace/completeTask.ts';
import type { Completed, Completion } from '../workspace/completeTask.ts';
import { withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export interface CompleteOptions {
  readonly agent?: string | undefined;
  readonly node?: string | undefined;
  readonly epoch: number;
  /** A Markdown file, or - for standard input. */
  readonly result?: string | undefined;
  readonly reason?: string | undefined;
}

export const completeCommand = (id: string, options: CompleteOptions): Promise<Answer> => end(id, options, completeTask);
export const failCommand = (id: string, options: CompleteOptions): Promise<Answer> => end(id, options, failTask);

async function end(task: string, { agent, node, epoch, result, reason }: CompleteOptions, deed: (session: Session, completion: Completion) => Promise<Completed>): Promise<Answer> {
  // Read first: its path is relative to where the caller stands.
  const report = result === undefined ? '' : await readInput(result);
  return withSession({ node, needsHub: true }, async (session) => {
    const { before, ...data } = await deed(session, { task, epoch, agent, report, ...(reason === undefined ? {} : { reason }) });
    return { data, text: told(data, before, session.clone.branch) };
  });
}

function told({ task, outcome, commit }: Omit<Completed, 'before'>, before: boolean, branch: string): string {
  if (outcome === 'review') return `${task} waits for review: ${commit.slice(0, 10)}. Nothing is on ${branch} yet.`;
  return before ? `${task} has landed already: ${commit.slice(0, 10)}.` : `${task} ${outcome === 'done' ? 'is done' : 'has failed'}: ${commit.slice(0, 10)} on ${branch}.`;
}
