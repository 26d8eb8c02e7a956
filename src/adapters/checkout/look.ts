/**
 * May the checkout be touched now (PROTOCOL P11)? HEAD is symbolic to the fleet branch, no git operation is under
 * way, nothing is staged, nobody holds index.lock. An unchanged checkout is answered without a git process.
 */
import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { branchRef } from '../../model/layout.ts';
import type { Oid } from '../../model/ids.ts';
import type { CheckoutLook } from '../../ports/checkout.ts';
import { operationUnderWay, signatureOf } from './signature.ts';
import { filesHome } from './pass.ts';
import { fieldsOf, treeGit, tryTreeGit } from './site.ts';
import type { Site } from './site.ts';
import { statOf } from './stamp.ts';

export type Look = () => Promise<CheckoutLook>;

const busy = (reason: string): CheckoutLook => ({ state: 'busy', reason });
const TRIES_MAX = 3;

/** A look with its memory: the last answer is given again while nothing that it was made of has changed. */
export function looker(site: Site): Look {
  let last: { readonly signature: string; readonly answer: CheckoutLook } | null = null;
  let linkTrouble: string | null | undefined;
  return async () => {
    if (statOf(site.root)?.kind !== 'folder') return { state: 'absent' };
    linkTrouble ??= hardLinkTrouble(site);
    const trouble = linkTrouble ?? lockHeld(site) ?? operationUnderWay(site);
    if (trouble !== null) return busy(trouble);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const signature = signatureOf(site);
      if (last?.signature === signature) return last.answer;
      const answer = await lookWithGit(site);
      // A git command that ran while we asked may have been seen half before and half after.
      if (signatureOf(site) !== signature) continue;
      last = { signature, answer };
      return answer;
    }
    return busy('git commands are changing the checkout right now');
  };
}

function lockHeld(site: Site): string | null {
  const path = join(site.gitDir, 'index.lock');
  return existsSync(path) ? `another git command holds the index (if none is running, delete ${path})` : null;
}

// Our exchange never overwrites because link(2) refuses an existing name; without hard links nothing may be touched.
function hardLinkTrouble(site: Site): string | null {
  const folder = filesHome(site);
  const [file, link] = [join(folder, `.probe-${process.pid}`), join(folder, `.probe-${process.pid}.link`)];
  try {
    writeFileSync(file, '');
    rmSync(link, { force: true });
    linkSync(file, link);
    return null;
  } catch (error) {
    return `files cannot be linked in ${folder} (${(error as Error).message}), so they cannot be exchanged without risk`;
  } finally {
    rmSync(link, { force: true });
    rmSync(file, { force: true });
  }
}

async function lookWithGit(site: Site): Promise<CheckoutLook> {
  // One process answers both: is HEAD symbolic to the branch, and where does it stand.
  const said = await treeGit(site, ['for-each-ref', '--format=%(HEAD)%(objectname)', branchRef(site.branch)]);
  const line = said.stdout.toString('utf8').trimEnd();
  if (!line.startsWith('*')) return busy(await whyElsewhere(site, line === ''));
  const head = line.slice(1);
  const under = await pseudoRefUnderWay(site);
  if (under !== null) return busy(under);
  const staged = await stagedCount(site, head);
  if (staged > 0) return busy(`${staged} ${staged === 1 ? 'file is' : 'files are'} staged: commit or unstage ${staged === 1 ? 'it' : 'them'}`);
  return { state: 'ready', head };
}

async function whyElsewhere(site: Site, unborn: boolean): Promise<string> {
  const symbolic = await tryTreeGit(site, ['symbolic-ref', '-q', 'HEAD']);
  const at = symbolic.stdout.toString('utf8').trim();
  if (at === '') return `HEAD is detached: switch to ${site.branch} to work with the fleet`;
  if (at === branchRef(site.branch) && unborn) return `the branch ${site.branch} has no commit yet`;
  return `${at.replace(/^refs\/heads\//, '')} is checked out, not ${site.branch}`;
}

// With the reftable backend these stand in the ref store and not as files.
async function pseudoRefUnderWay(site: Site): Promise<string | null> {
  if (!existsSync(join(site.commonDir, 'reftable'))) return null;
  const words = { MERGE_HEAD: 'a merge', CHERRY_PICK_HEAD: 'a cherry-pick', REVERT_HEAD: 'a revert' };
  for (const [name, what] of Object.entries(words)) {
    if ((await tryTreeGit(site, ['rev-parse', '-q', '--verify', name])).code === 0) return `${what} is under way`;
  }
  return null;
}

/** Paths of the index that differ from HEAD, intent-to-add and conflict stages among them. */
async function stagedCount(site: Site, head: Oid): Promise<number> {
  const said = await treeGit(site, [
    'diff-index', '--cached', '--name-only', '--no-renames', '-z', '--ita-visible-in-index', '--ignore-submodules=none', head,
  ]);
  return new Set(fieldsOf(said.stdout)).size;
}
