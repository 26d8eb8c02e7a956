/**
 * Whether main and a chain agree on how a task last ended. Any push that moves both is built only where they do,
 * judged on the very oids that it leases (docs/protocol.md, "What the model taught", M1): without this check a
 * landing that was half-applied and a cancel that followed it gave one task two results.
 */
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import { resultPath } from '../model/layout.ts';
import type { ChainReader } from '../observe/chains.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import type { Store } from '../ports/store.ts';

export type Agreement =
  | { readonly state: 'agrees' }
  /** The chain names a main commit that main does not have: roll it forward. */
  | { readonly state: 'main-behind'; readonly commit: Oid }
  /** Main has an end that no transition names: write the transition. */
  | { readonly state: 'chain-behind' };

export async function agreement(store: Store, reader: ChainReader, main: Oid, path: string, chain: Chain | undefined): Promise<Agreement> {
  const named = await lastNamed(store, reader, chain);
  if (named !== null && !(await store.isAncestor(named.commit, main))) return { state: 'main-behind', commit: named.commit };
  const shown = await resultBlob(store, main, path);
  const expected = named === null || named.reopened ? null : await resultBlob(store, named.commit, path);
  return shown === expected ? { state: 'agrees' } : { state: 'chain-behind' };
}

/** The newest transition that moved main, and the commit it names. */
async function lastNamed(store: Store, reader: ChainReader, chain: Chain | undefined): Promise<{ readonly commit: Oid; readonly reopened: boolean } | null> {
  for (let at = chain; at !== undefined; ) {
    const { result, kind } = at.record;
    if (result !== undefined && ['done', 'failed', 'cancel', 'reopen'].includes(kind)) return { commit: result, reopened: kind === 'reopen' };
    const [parent] = (await store.readCommit(at.tip)).parents;
    at = parent === undefined ? undefined : await reader.chain(parent);
  }
  return null;
}

async function resultBlob(store: Store, commit: Oid, path: string): Promise<Oid | null> {
  return (await entryAt(store, await treeOf(store, commit), resultPath(path)))?.oid ?? null;
}

/** True when two commits differ in nothing but what the fleet itself keeps: `tasks/`, `agents/`, `memory/`. */
export async function sameCode(store: Store, before: Oid, after: Oid): Promise<boolean> {
  if (before === after) return true;
  const [old, now] = await Promise.all([before, after].map(async (commit) => (await store.readTree(await treeOf(store, commit))).filter(({ name }) => !['tasks', 'agents', 'memory'].includes(name))));
  return JSON.stringify(old) === JSON.stringify(now);
}
