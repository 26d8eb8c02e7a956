/** Answers about reachability by walking commits, in as many steps as the caller allows. Pure but for the reads. */
import type { Commit } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';

export type ReadCommit = (oid: Oid) => Promise<Commit>;

/** True, false, or null when `commitsMax` commits were read without an answer. */
export async function findAncestor(read: ReadCommit, ancestor: Oid, descendant: Oid, commitsMax: number): Promise<boolean | null> {
  if (ancestor === descendant) return true;
  const seen = new Set([descendant]);
  const queue = [descendant];
  for (let at = 0; at < queue.length; at++) {
    if (at === commitsMax) return null;
    for (const parent of (await read(queue[at] as Oid)).parents) {
      if (parent === ancestor) return true;
      if (!seen.has(parent)) queue.push(parent);
      seen.add(parent);
    }
  }
  return false;
}

export interface LineQuery {
  /** At most one commit to stop before. */
  readonly not: Oid | undefined;
  readonly limit: number;
  readonly firstParent: boolean;
}

/**
 * The log of a line of commits, newest first, or null when the line does not answer it within `commitsMax` commits.
 * Once the walk meets `not`, the answer is exact: nothing on the way to it can be one of its ancestors.
 */
export async function walkLine(read: ReadCommit, from: Oid, query: LineQuery, commitsMax: number): Promise<Commit[] | null> {
  const line: Commit[] = [];
  for (let oid: Oid | undefined = from; oid !== query.not; ) {
    // The beginning was reached without meeting `not`: some of these commits may still be reachable from it.
    if (oid === undefined) return query.not === undefined ? line : null;
    if (query.not === undefined && line.length >= query.limit) return line;
    if (line.length === commitsMax) return null;
    const commit = await read(oid);
    if (!query.firstParent && commit.parents.length > 1) return null;
    line.push(commit);
    oid = commit.parents[0];
  }
  return line.slice(0, query.limit);
}
