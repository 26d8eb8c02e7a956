/** `cambium task claim|renew|release`. */
import { claimBrief } from '../workspace/claimBrief.ts';
import { claimTask, releaseTask, renewTask } from '../workspace/claimTask.ts';
import { withSession } from '../workspace/session.ts';
import type { Answer } from './output.ts';

export interface ClaimOptions {
  readonly agent?: string | undefined;
  readonly node?: string | undefined;
}

/** Exit 0 won, 1 lost or refused, 3 nothing ready. */
export function claimCommand(id: string | undefined, { agent, node }: ClaimOptions): Promise<Answer> {
  return withSession({ node, needsHub: true }, async (session) => {
    const won = await claimTask(session, { id, agent });
    return { data: won, text: claimBrief(won) };
  });
}

export interface HoldOptions extends ClaimOptions {
  readonly epoch: number;
  readonly acceptEdit?: boolean | undefined;
}

export function renewCommand(task: string, { agent, node, epoch, acceptEdit }: HoldOptions): Promise<Answer> {
  return withSession({ node, needsHub: true }, async (session) => {
    const data = await renewTask(session, { task, epoch, agent, acceptEdit });
    return { data, text: `${task} is renewed for ${data.ttl_s} s.` };
  });
}

/** Gives a task back: an agent its own claim (with --epoch), a person one that waits for an answer. */
export function releaseCommand(task: string, { agent, node, epoch, reason }: ClaimOptions & { readonly epoch?: number | undefined; readonly reason?: string | undefined }): Promise<Answer> {
  return withSession({ node, needsHub: true }, async (session) => ({ data: await releaseTask(session, { task, epoch, agent, reason }), text: `${task} is ready again.` }));
}
