/**
 * Questions about history. Nearly all of them are about a few commits (a claim chain, the last landings) and are
 * answered here from the object reader; the others go to one git process, never to one a commit.
 */
import { CambiumError } from '../../errors.ts';
import type { Commit } from '../../model/git.ts';
import type { Oid } from '../../model/ids.ts';
import type { Store } from '../../ports/store.ts';
import { findAncestor, walkLine } from '../ancestry.ts';
import type { ReadCommit } from '../ancestry.ts';
import { isOid, missing } from './objects.ts';
import type { Repository } from './repository.ts';
import { git } from './run.ts';

/** A read costs about 0.1 ms, a process 3: past this many commits the process is the cheaper answer. */
const COMMITS_MAX = 32;

export function openHistory(repository: Repository, read: ReadCommit): Pick<Store, 'isAncestor' | 'mergeBase' | 'log'> {
  const { format, options } = repository;

  function check(...oids: readonly Oid[]): void {
    const wrong = oids.find((oid) => !isOid(oid, format));
    if (wrong !== undefined) throw missing(wrong);
  }

  async function isAncestor(ancestor: Oid, descendant: Oid): Promise<boolean> {
    check(ancestor, descendant);
    await Promise.all([read(ancestor), read(descendant)]);
    const near = await orNull(findAncestor(read, ancestor, descendant, COMMITS_MAX));
    if (near !== null) return near;
    return (await git(['merge-base', '--is-ancestor', ancestor, descendant], { ...options, ok: [0, 1] })).code === 0;
  }

  async function mergeBase(a: Oid, b: Oid): Promise<Oid | null> {
    check(a, b);
    await Promise.all([read(a), read(b)]);
    if (await orNull(findAncestor(read, a, b, COMMITS_MAX))) return a;
    if (await orNull(findAncestor(read, b, a, COMMITS_MAX))) return b;
    const { code, stdout } = await git(['merge-base', a, b], { ...options, ok: [0, 1] });
    return code === 0 ? stdout.toString('latin1').trim() : null;
  }

  async function log(from: Oid, { not = [], limit = Infinity, firstParent = false }: Parameters<Store['log']>[1] = {}): Promise<readonly Commit[]> {
    check(from, ...not);
    await Promise.all([from, ...not].map(read));
    if (limit <= 0) return [];
    const near = not.length > 1 ? null : await orNull(walkLine(read, from, { not: not[0], limit, firstParent }, COMMITS_MAX));
    if (near !== null) return near;
    const listed = await git(
      ['rev-list', ...orderOf(not, limit), ...(firstParent ? ['--first-parent'] : []), ...(limit === Infinity ? [] : [`--max-count=${limit}`]), '--stdin'],
      { ...options, input: [from, ...not.map((oid) => `^${oid}`), ''].join('\n') },
    );
    return Promise.all(listed.stdout.toString('latin1').split('\n').filter((line) => line !== '').map(read));
  }

  return { isAncestor, mergeBase, log };
}

/**
 * Parents never before their children, which clocks that differ would otherwise cause. Git must read all of the
 * range for it, so the newest few of an unbounded history are taken in git's own order, by time.
 */
function orderOf(not: readonly Oid[], limit: number): string[] {
  return limit === Infinity || not.length > 0 ? ['--date-order'] : [];
}

/** A shallow clone ends where a commit still names parents; git knows of that, the walk does not. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CambiumError && error.code === 'object-missing') return null;
    throw error;
  }
}
