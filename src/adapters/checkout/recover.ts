/**
 * After a crash in the middle of a pass (PROTOCOL P11). The intent record says what was going on; how far it got is
 * told from the files, the index and the branch themselves:
 *   branch at the target                → it was complete but for its cleaning up
 *   index ours, branch at the old head  → every file was exchanged: the branch is moved
 *   otherwise                           → undone, file by file
 * `index.lock` is taken away only when it is the link of a pass whose owner is provably dead.
 */
import { branchRef } from '../../model/layout.ts';
import type { Oid } from '../../model/ids.ts';
import { removeEmptyParents } from './paths.ts';
import { undo } from './exchange.ts';
import { hasIntent, readIntent, settleIntent } from './intent.ts';
import type { Intent } from './intent.ts';
import { holdsIndexLock, indexIs, moveBranch, placeOldIndex, releaseIndexLock, takeIndexLock } from './index.ts';
import { closePass, isOursOrDead, isRunning, knownPasses, ownerOf } from './pass.ts';
import type { Pass } from './pass.ts';
import { operationUnderWay } from './signature.ts';
import { fieldsOf, treeGit } from './site.ts';
import type { Site } from './site.ts';
import { differences } from './trees.ts';

/** Finishes or undoes what a dead owner left. Does nothing while its owner may be alive, or git is at work. */
export async function recover(site: Site): Promise<void> {
  const intent = readIntent(site);
  if (intent !== null && isAbandoned(intent.pass, intent)) await recoverIntent(site, intent);
  if (hasIntent(site)) return;
  for (const pass of knownPasses(site)) {
    if (holdsIndexLock(site, pass) && isAbandoned(pass, null)) {
      releaseIndexLock(site, pass);
      closePass(pass);
    }
  }
}

function isAbandoned(pass: Pass, intent: Intent | null): boolean {
  if (isRunning(pass.id)) return false;
  const owner = intent?.owner ?? ownerOf(pass);
  // A pass of this process that is not running failed to undo itself (a full disk): this is the second try.
  return owner !== null && isOursOrDead(owner);
}

async function recoverIntent(site: Site, intent: Intent): Promise<void> {
  const { pass } = intent;
  // Someone may have deleted the stale lock by hand; then it is taken again, or waited for.
  if (!takeIndexLock(site, pass)) return;
  const at = await branchState(site, intent);
  // On another branch, or in the middle of a rebase, the person's files are not ours to touch: it waits.
  if (!at.checkedOut || operationUnderWay(site) !== null) return releaseIndexLock(site, pass);
  if (!(await isComplete(site, intent, at.oid))) await undoPass(site, intent);
  endPass(site, intent);
}

async function isComplete(site: Site, intent: Intent, now: Oid): Promise<boolean> {
  const { head, target, pass } = intent;
  const placed = indexIs(site, pass, 'new');
  if (head === target) return placed;
  if (placed && now === head) return moveBranch(site, branchRef(intent.branch), target, head);
  return site.store.isAncestor(target, now);
}

async function branchState(site: Site, intent: Intent): Promise<{ checkedOut: boolean; oid: Oid }> {
  const said = await treeGit(site, ['for-each-ref', '--format=%(HEAD)%(objectname)', branchRef(intent.branch)]);
  const line = said.stdout.toString('utf8').trimEnd();
  return { checkedOut: line.startsWith('*'), oid: line.slice(1) };
}

/** Puts every file and the index back to where they were before the pass. Holds the index lock. */
export async function undoPass(site: Site, intent: Intent): Promise<void> {
  const { pass } = intent;
  const taken = await takenOver(site, intent);
  for (const step of intent.steps.toReversed()) {
    if (!taken.has(step.path)) undo(site, pass, step);
  }
  if (indexIs(site, pass, 'new')) placeOldIndex(site, pass);
}

/** The paths whose target entry the person has taken into the index by hand since the crash: they are done. */
async function takenOver(site: Site, intent: Intent): Promise<ReadonlySet<string>> {
  const { pass } = intent;
  if (indexIs(site, pass, 'old') || indexIs(site, pass, 'new')) return new Set();
  const staged = new Map(fieldsOf((await treeGit(site, ['ls-files', '-s', '-z'])).stdout).map((line) => {
    const [info = '', path = ''] = line.split('\t');
    return [path, info.split(' ')[1]];
  }));
  const [head, target] = [await site.store.readCommit(intent.head), await site.store.readCommit(intent.target)];
  const moved = await differences(site.store, head.tree, target.tree);
  return new Set([...moved].filter(([path, { to }]) => staged.get(path) === to?.oid).map(([path]) => path));
}

/** The intent becomes a record, then the lock goes: a crash in between leaves a lock that is provably ours. */
export function endPass(site: Site, intent: Intent): void {
  settleIntent(site, intent.pass);
  releaseIndexLock(site, intent.pass);
  for (const { path, next, folder } of intent.steps) if (next === null && !folder) removeEmptyParents(site.root, path);
  closePass(intent.pass);
}
