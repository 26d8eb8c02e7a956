/** Reachability over commits in memory. */
import { CambiumError } from '../../errors.ts';
import type { Commit } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';

type Read = (oid: Oid) => Commit;

/** Longest path to a root. An ancestor's is always smaller, which ends most searches early. */
const depths = new WeakMap<Commit, number>();

export function memoryHistory(read: Read): Pick<Store, 'isAncestor' | 'mergeBase' | 'log'> {
  return {
    isAncestor: async (ancestor, descendant) => isAncestor(read, ancestor, descendant),
    async mergeBase(a, b) {
      const [ofA, ofB] = [reachable(read, [a]), reachable(read, [b])];
      const common = [...ofA].filter((oid) => ofB.has(oid));
      const best = common.filter((oid) => !common.some((other) => other !== oid && isAncestor(read, oid, other)));
      return newestFirst(best.map(read))[0]?.oid ?? null;
    },
    async log(from, { not = [], limit = Infinity, firstParent = false } = {}) {
      const hidden = reachable(read, not);
      const shown = (firstParent ? firstParents(read, from) : [...reachable(read, [from])]).filter((oid) => !hidden.has(oid));
      return (firstParent ? shown.map(read) : newestFirst(shown.map(read))).slice(0, Math.max(0, limit));
    },
  };
}

function isAncestor(read: Read, ancestor: Oid, descendant: Oid): boolean {
  if (ancestor === descendant) return read(ancestor).oid === descendant;
  const depth = depthOf(read, ancestor);
  const seen = new Set([descendant]);
  const stack = [descendant];
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    for (const parent of depthOf(read, oid) <= depth ? [] : read(oid).parents) {
      if (parent === ancestor) return true;
      if (!seen.has(parent)) stack.push(parent);
      seen.add(parent);
    }
  }
  return false;
}

/** Without recursion: a history is longer than a call stack. */
function depthOf(read: Read, oid: Oid): number {
  const stack = [oid];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const commit = read(top);
    const unknown = commit.parents.filter((parent) => !depths.has(read(parent)));
    if (unknown.length > 0) {
      stack.push(...unknown);
      continue;
    }
    depths.set(commit, Math.max(-1, ...commit.parents.map((parent) => depths.get(read(parent)) as number)) + 1);
    stack.pop();
  }
  return depths.get(read(oid)) as number;
}

function reachable(read: Read, from: readonly Oid[]): Set<Oid> {
  const seen = new Set(from);
  const stack = [...from];
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    for (const parent of read(oid).parents) {
      if (!seen.has(parent)) stack.push(parent);
      seen.add(parent);
    }
  }
  return seen;
}

function firstParents(read: Read, from: Oid): Oid[] {
  const line: Oid[] = [];
  for (let oid: Oid | undefined = from; oid !== undefined; oid = read(oid).parents[0]) line.push(oid);
  return line;
}

/** By time, but no commit before one of its children; equal times in the order of discovery. */
function newestFirst(commits: readonly Commit[]): Commit[] {
  const byOid = new Map(commits.map((commit) => [commit.oid, commit]));
  const children = new Map(commits.map(({ oid }) => [oid, 0]));
  const parentsOf = (commit: Commit): string[] => commit.parents.filter((parent) => byOid.has(parent));
  for (const parent of commits.flatMap(parentsOf)) children.set(parent, (children.get(parent) as number) + 1);
  const ready = commits.filter(({ oid }) => children.get(oid) === 0);
  const ordered: Commit[] = [];
  while (ready.length > 0) {
    const newest = ready.reduce((best, commit, index) => (seconds(commit) > seconds(ready[best] as Commit) ? index : best), 0);
    const [commit] = ready.splice(newest, 1) as [Commit];
    ordered.push(commit);
    for (const parent of parentsOf(commit)) {
      children.set(parent, (children.get(parent) as number) - 1);
      if (children.get(parent) === 0) ready.push(byOid.get(parent) as Commit);
    }
  }
  if (ordered.length !== commits.length) throw new CambiumError('internal', 'A history contains itself.');
  return ordered;
}

function seconds(commit: Commit): number {
  return commit.committer.seconds;
}
