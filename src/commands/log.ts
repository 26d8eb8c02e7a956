/** `cambium log`: what happened, newest first; with `--decisions`, what was decided and why. */
import { readLog } from '../adapters/git/readLog.ts';
import type { ToldDecision } from '../model/decision.ts';
import { readDecisions } from '../workspace/log.ts';
import { withSession } from '../workspace/session.ts';
import { paint, table } from './output.ts';
import { plain } from '../workspace/plain.ts';
import type { Answer } from './output.ts';

export interface LogOptions {
  readonly limit: number;
  readonly task?: string | undefined;
  readonly decisions?: boolean | undefined;
}

export function logCommand(options: LogOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    if (options.decisions === true) return decisionsAnswer(await readDecisions(session, options), session.stale);
    const { clone, fleet } = session;
    const commits = await readLog(clone.commonDir, fleet.main.commit, options);
    const lines = commits.map(({ oid, at, subject, author }) => `${paint(oid.slice(0, 8), 33)}  ${secondsOf(at)}  ${plain(subject)}  ${paint(plain(author), 2)}`);
    return { data: { commits }, text: lines.length === 0 ? 'Nothing yet.' : lines.join('\n') };
  });
}

const secondsOf = (at: string): string => plain(at.slice(0, 19).replace('T', ' '));

function decisionsAnswer(decisions: readonly ToldDecision[], stale: string | null): Answer {
  return { data: { decisions, stale }, text: decisions.length === 0 ? 'Nothing was decided yet.' : decisionRows(decisions) };
}

/** One line each: when, what, about which task, by whom, why. */
export function decisionRows(decisions: readonly ToldDecision[]): string {
  return table(decisions.map(({ at, kind, task, epoch, agent, node, reason }) => [
    secondsOf(at), plain(kind), plain(task ?? '·'), epoch === null ? '' : `e${epoch}`, plain(`${agent ?? ''}${node === null ? '' : `${agent === null ? '' : '@'}${node}`}`), plain(reason).replace(/\s+/g, ' ').trim(),
  ]));
}
