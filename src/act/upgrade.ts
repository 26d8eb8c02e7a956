/**
 * Newer framework code into a fleet that is in use (docs/decisions/0013-upgrade.md): a three-way merge of everything but the
 * fleet's state, in memory, that reaches main as one commit with the upstream's commit as its second parent.
 */
import type { Signature, TreeEdit } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { CONFIG_FILE } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import { diffTrees, entryAt, treeOf } from '../observe/tree.ts';
import type { PathChange } from '../observe/tree.ts';
import type { Store } from '../ports/store.ts';
import { commitOn } from './commit.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';

/** What an upgrade never touches, whatever the upstream has there. */
const STATE = ['tasks', 'agents', 'memory', CONFIG_FILE, 'self-model.md'] as const;
/** Shipped to be made one's own: an edited file stays as it is, and is never merged. */
const MADE_OWN = ['hooks/', 'templates/'] as const;

export interface UpgradePlan {
  /** The tree after the upgrade; the one before where something conflicts. */
  readonly tree: Oid;
  readonly changed: readonly string[];
  /** Files with edits of this fleet's own that the upstream's changes were merged into. */
  readonly merged: readonly string[];
  /** Files left as this fleet has them although the upstream has changed them. */
  readonly kept: readonly string[];
  /** Both sides changed them in different ways. */
  readonly conflicts: readonly string[];
}

export interface UpgradeTrees {
  /** What both sides have grown from: the upstream's code as of the last upgrade, or of the clone. */
  readonly base: Oid;
  readonly ours: Oid;
  readonly theirs: Oid;
}

/** `keep`: paths that stay as they are on our side. Nothing is moved. */
export async function planUpgrade(store: Store, { base, ours, theirs }: UpgradeTrees, keep: readonly string[]): Promise<UpgradePlan> {
  const [oldBase, oldTheirs] = await Promise.all([withStateOf(store, base, ours), withStateOf(store, theirs, ours)]);
  const edited = await diffTrees(store, oldBase, ours);
  const arriving = new Map((await diffTrees(store, oldBase, oldTheirs)).map((change) => [change.path, change]));
  const contested = edited.filter((change) => !sameAfter(change, arriving.get(change.path)));
  const kept = contested.filter(({ path }) => keep.includes(path) || MADE_OWN.some((folder) => path.startsWith(folder)));
  const wanted = await store.editTree(oldTheirs, new Map(kept.map(({ path, after }): [string, TreeEdit] => [path, after])));
  const { tree, conflicts } = await store.mergeTrees(oldBase, ours, wanted);
  if (conflicts.length > 0) return { tree: ours, changed: [], merged: [], kept: pathsOf(kept), conflicts };
  const changed = pathsOf(await diffTrees(store, ours, tree));
  return { tree, changed, merged: pathsOf(edited).filter((path) => changed.includes(path)), kept: pathsOf(kept), conflicts: [] };
}

/** The tree with the fleet's state in place of its own, so that no merge sees a difference there. */
async function withStateOf(store: Store, tree: Oid, ours: Oid): Promise<Oid> {
  const entries = await Promise.all(STATE.map(async (name): Promise<[string, TreeEdit]> => [name, await entryAt(store, ours, name)]));
  return store.editTree(tree, new Map(entries));
}

/** True where the upstream did not change the path, or changed it to the same. */
function sameAfter({ after }: PathChange, arriving: PathChange | undefined): boolean {
  return arriving === undefined || (arriving.after?.oid === after?.oid && arriving.after?.mode === after?.mode);
}

const pathsOf = (changes: readonly PathChange[]): readonly string[] => changes.map(({ path }) => path);

export interface UpgradeRequest {
  readonly target: Oid;
  /** Where main and the target share no history; null then refuses. */
  readonly base: Oid | null;
  readonly keep: readonly string[];
  readonly by: Signature;
  readonly subject: string;
}

export interface Upgraded {
  readonly commit: Oid;
  readonly plan: UpgradePlan;
}

export const UPGRADE_KEY = 'upgrade';

export function upgradeMember(node: Node, { target, base: given, keep, by, subject }: UpgradeRequest): Member<Upgraded> {
  const candidates: Upgraded[] = [];
  return {
    key: UPGRADE_KEY,
    async build({ main }) {
      const { store } = node;
      for (const candidate of candidates) if (await store.isAncestor(candidate.commit, main)) return { already: candidate };
      if (await store.isAncestor(target, main)) return drop('nothing', 'main has this code already');
      const base = (await store.mergeBase(main, target)) ?? given;
      if (base === null) return drop('not-ready', 'main shares no history with that code');
      const [baseTree, ours, theirs] = await Promise.all([treeOf(store, base), treeOf(store, main), treeOf(store, target)]);
      const plan = await planUpgrade(store, { base: baseTree, ours, theirs }, keep);
      if (plan.conflicts.length > 0) return drop('conflict', plan.conflicts.join(', '));
      const commit = await commitOn(node, main, new Map(), {
        tree: plan.tree, author: by, moreParents: [target],
        message: renderMessage({ subject, body: describe(plan), trailers: { Kind: 'upgrade', Upgrade: `${base}..${target}` } }),
      });
      const value = { commit, plan };
      candidates.push(value);
      return { main: commit, refs: [], value };
    },
  };
}

function describe({ merged, kept }: UpgradePlan): string {
  return [
    ...(merged.length === 0 ? [] : [`Merged with edits of this fleet: ${merged.join(', ')}`]),
    ...(kept.length === 0 ? [] : [`Left as this fleet has them: ${kept.join(', ')}`]),
  ].join('\n');
}
