/** Files that `cambium init` lays down, brought to this package's versions where nobody has made them their own. */
import { commitOn } from '../act/commit.ts';
import { publish, drop } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { UPGRADE_KEY } from '../act/upgrade.ts';
import { lastChange } from '../adapters/git/upstream.ts';
import { packageFile } from '../adapters/system/version.ts';
import type { Oid } from '../model/ids.ts';
import type { Signature } from '../model/git.ts';
import { renderMessage } from '../model/message.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import { published } from './published.ts';
import { actor, daemonRuns } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';
import type { UpgradeReport } from './upgradeReport.ts';
import { workspaceFiles } from './workspaceFiles.ts';

/** One that differs from the package's: `before` is what stands on main. */
interface Difference {
  readonly path: string;
  readonly before: Oid | null;
  readonly content: string;
  /** Why it is left alone; null: it is brought up to date. */
  readonly kept: string | null;
}

export async function upgradeFiles(session: Session, check: boolean): Promise<UpgradeReport> {
  const { clone, fleet } = session;
  const differences = await differencesOf(session);
  const stale = differences.filter(({ kept }) => kept === null);
  const facts: UpgradeReport = {
    mode: 'files', from: fleet.main.commit.slice(0, 10), to: clone.version, commit: null, changed: stale.map(({ path }) => path), merged: [], conflicts: [], uncommitted: [], daemon: await daemonRuns(clone),
    kept: differences.flatMap(({ path, kept }) => (kept === null ? [] : [{ path, reason: kept }])),
  };
  if (check || stale.length === 0) return facts;
  const ends = await publish(session.node, [filesMember(session, stale, await actor(session))]);
  const commit = published('The upgrade', ends.get(UPGRADE_KEY) as Published<Oid>);
  await syncAfterward(session);
  return { ...facts, commit };
}

/** What is made to be read by people and agents; the rest of what init writes is the fleet's own from the first day. */
function shippedFiles(branch: string): readonly (readonly [path: string, content: string])[] {
  return [...workspaceFiles(branch, packageFile('templates/task.md'))].filter(([path]) => /^(?:templates|schemas)\/|^(?:AGENTS|CLAUDE)\.md$/.test(path));
}

async function differencesOf({ clone, fleet }: Session): Promise<readonly Difference[]> {
  const found = await Promise.all(shippedFiles(clone.branch).map(async ([path, content]): Promise<Difference | null> => {
    const before = (await entryAt(clone.store, fleet.main.tree, path))?.oid ?? null;
    if (before === clone.store.hashBlob(Buffer.from(content))) return null;
    const message = await lastChange(clone.gitDir, fleet.main.commit, path);
    const kept = message === null || isOwn(message) ? null : before === null ? 'it was removed here' : 'it was edited here';
    return { path, before, content, kept };
  }));
  return found.filter((difference) => difference !== null);
}

/** True for a commit by which cambium itself laid a file down. */
function isOwn(message: string): boolean {
  return message.startsWith('cambium: init workspace') || /^Kind: upgrade$/m.test(message);
}

function filesMember({ node, clone }: Session, stale: readonly Difference[], by: Signature): Member<Oid> {
  const candidates: Oid[] = [];
  return {
    key: UPGRADE_KEY,
    async build({ main }) {
      for (const candidate of candidates) if (await node.store.isAncestor(candidate, main)) return { already: candidate };
      const tree = await treeOf(node.store, main);
      const entries = await Promise.all(stale.map(({ path }) => entryAt(node.store, tree, path)));
      const same = stale.filter(({ before }, at) => (entries[at]?.oid ?? null) === before);
      if (same.length === 0) return drop('nothing', 'somebody else has changed these files meanwhile');
      const commit = await commitOn(node, main, new Map(same.map(({ path, content }) => [path, content])), {
        author: by, message: renderMessage({ subject: `cambium: upgrade the shipped files to ${clone.version}`, body: same.map(({ path }) => path).join('\n'), trailers: { Kind: 'upgrade' } }),
      });
      candidates.push(commit);
      return { main: commit, refs: [], value: commit };
    },
  };
}
