/** `cambium log`: what happened, newest first. */
import { readLog } from '../adapters/git/readLog.ts';
import { paint, plain } from './output.ts';
import type { Answer } from './output.ts';
import { withSession } from '../workspace/session.ts';

export interface LogOptions {
  readonly limit: number;
  readonly task?: string | undefined;
}

export function logCommand(options: LogOptions): Promise<Answer> {
  return withSession({ needsHub: false }, async ({ clone, fleet }) => {
    const commits = await readLog(clone.commonDir, fleet.main.commit, options);
    const lines = commits.map(({ oid, at, subject, author }) => `${paint(oid.slice(0, 8), 33)}  ${at.slice(0, 19).replace('T', ' ')}  ${plain(subject)}  ${paint(plain(author), 2)}`);
    return { data: { commits }, text: lines.length === 0 ? 'Nothing yet.' : lines.join('\n') };
  });
}
