/** History for people, read in process by isomorphic-git: it never writes, so its missing locks cannot hurt (DESIGN 11). */
import fs from 'node:fs';
import git from 'isomorphic-git';
import type { Oid } from '../../model/ids.ts';

export interface LoggedCommit {
  readonly oid: Oid;
  readonly at: string;
  readonly author: string;
  readonly subject: string;
  readonly trailers: Readonly<Record<string, string>>;
}

/** First-parent history from a commit, newest first. With `task`, only commits whose Task trailer names it. */
export async function readLog(gitDir: string, from: Oid, options: { readonly limit: number; readonly task?: string | undefined }): Promise<readonly LoggedCommit[]> {
  const found: LoggedCommit[] = [];
  const cache = {};
  for (let oid: string | undefined = from; oid !== undefined && found.length < options.limit; ) {
    const { commit } = await git.readCommit({ fs, gitdir: gitDir, oid, cache });
    const trailers = trailersOf(commit.message);
    const [subject = ''] = commit.message.split('\n');
    const concerns = options.task === undefined || trailers['Task'] === options.task || subject.startsWith(`${options.task}: `);
    if (concerns) found.push({ oid, at: new Date(commit.committer.timestamp * 1000).toISOString(), author: commit.author.name, subject, trailers });
    oid = commit.parent[0];
  }
  return found;
}

function trailersOf(message: string): Record<string, string> {
  const last = message.trimEnd().split('\n\n').at(-1) ?? '';
  return Object.fromEntries([...last.matchAll(/^([A-Za-z-]+): (.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
}
