/**
 * Whether main and a chain agree on how a task last ended. Any push that moves both is built only where they do,
 * judged on the very oids that it leases (docs/protocol.md, "What the model taught", M1): without this check a
 * landing that was half-applied and a cancel that followed it gave one task two results.
 */
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import { resultPath, taskStem } from '../model/layout.ts';
import type { ChainReader } from '../observe/chains.ts';
import { lastNamed } from '../observe/lastNamed.ts';
import { parseResult } from '../observe/resultFile.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import { resultPaths } from '../observe/usedIds.ts';
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
  const shown = await resultAt(store, main, path);
  const expected = named === null || named.reopened ? null : await resultAt(store, named.commit, (await movedPath(store, named.commit, path)) ?? path);
  return shown === expected ? { state: 'agrees' } : { state: 'chain-behind' };
}

/** Where the task's instruction stood in an older commit, if a person has moved its files to another folder since. */
async function movedPath(store: Store, commit: Oid, path: string): Promise<string | null> {
  const tree = await treeOf(store, commit);
  if ((await entryAt(store, tree, resultPath(path))) !== null) return null;
  const result = (await resultPaths(store, tree)).get(taskStem(path));
  return result === undefined ? null : result.replace(/\.result\.md$/, '.md');
}

/** What a result file says, by which two of them tell of the same end; a person may mend its words. */
async function resultAt(store: Store, commit: Oid, path: string): Promise<string | null> {
  const at = resultPath(path);
  const file = await fileAt(store, await treeOf(store, commit), at);
  if (file === null) return null;
  const result = parseResult({ path: at, bytes: file.bytes });
  return 'reason' in result ? file.oid : `${result.outcome} ${result.epoch} ${result.claim}`;
}

/** True when two commits differ in nothing but what the fleet itself keeps: `tasks/`, `agents/`, `memory/`. */
export async function sameCode(store: Store, before: Oid, after: Oid): Promise<boolean> {
  return before === after || sameCodeTrees(store, await treeOf(store, before), await treeOf(store, after));
}

/** The same of trees. */
export async function sameCodeTrees(store: Store, before: Oid, after: Oid): Promise<boolean> {
  if (before === after) return true;
  const [old, now] = await Promise.all([before, after].map(async (tree) => (await store.readTree(tree)).filter(({ name }) => !['tasks', 'agents', 'memory'].includes(name))));
  return JSON.stringify(old) === JSON.stringify(now);
}
