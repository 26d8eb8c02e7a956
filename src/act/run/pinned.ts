/**
 * Landing what was approved (PROTOCOL P6): nothing is spawned. The reviewed commit W holds the work, and beside it the
 * result file as its agent left it; what lands is that result under the epoch of the claim that lands it.
 */
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import type { Run } from '../../model/run.ts';
import type { Task } from '../../model/task.ts';
import { bodyText } from '../../observe/frontMatter.ts';
import { parseResult } from '../../observe/resultFile.ts';
import { fileAt } from '../../observe/tree.ts';
import { livePaths } from '../../observe/usedIds.ts';
import type { ClaimWon } from '../claim.ts';
import type { Landing } from '../land.ts';
import { endRun } from './end.ts';
import { landingOf } from './landing.ts';
import { saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

/** The run that lands the commit that the claim carries. One that is not what a reviewer can have seen here is given back, to be done again. */
export async function openPinnedRun(shop: Workshop, won: ClaimWon, task: Task, pin: Oid): Promise<Run> {
  const { record, tip } = won.chain;
  const { store } = shop.node;
  const reviewed = await readReviewed(shop, task.id, pin);
  const work = 'problem' in reviewed ? null : { tree: await store.editTree(reviewed.tree, new Map([[reviewed.path, null]])), head: reviewed.head, commit: pin };
  const run = await saveRun(shop, {
    task: task.id, path: task.path, epoch: record.epoch, attempt: record.attempt, agent: record.agent ?? '', incarnation: shop.node.identity.incarnation, claim: tip, instruction: record.instruction?.blob ?? task.blob,
    ttlMs: record.ttl_s * 1000, base: 'problem' in reviewed ? shop.fleet().main.commit : reviewed.base, phase: 'landing', provider: '', providerVersion: '', model: null, spawn: '', spawns: [], startedAt: record.claimed_at, turns: 0, conflicts: 0,
    feedback: null, report: '', criteria: [], usage: null, costUsd: null, verify: null, verifySpawn: '', verifiedOn: null, ending: null,
    // The result is written anew where the instruction stands by then, so the work is without it.
    pin: { commit: pin }, work, wip: pin, wipAtMs: won.startedMs,
  });
  return 'problem' in reviewed ? endRun(shop, run, { kind: 'release', reason: `What was approved cannot be landed: the commit ${pin} ${reviewed.problem}.`, feedback: true }) : run;
}

/** Throws `bad-file` when W is no reviewed work: openPinnedRun has looked before. */
export async function pinnedLanding(shop: Workshop, run: Run, pin: Oid): Promise<Landing> {
  const reviewed = await readReviewed(shop, run.task, pin);
  if ('problem' in reviewed) throw new CambiumError('bad-file', `The reviewed commit ${pin} of ${run.task} ${reviewed.problem}.`, { hint: `Reject it: \`cambium task reject ${run.task} --why "no result"\`.` });
  const { draft, report } = reviewed;
  const { outcome: _outcome, claim: _claim, ...kept } = draft;
  const landing = landingOf(shop, run, 'done');
  return {
    ...landing, report, files: new Map(),
    roster: { ...landing.roster, provider: draft.provider ?? landing.roster.provider },
    // What its agent reported stays; only the claim is another, and verify where it was run again.
    result: { ...kept, outcome: 'done', epoch: run.epoch, verify: run.verify ?? draft.verify },
    // Of a landing that was verified somewhere else, main's code may not have moved since either.
    verifiedOn: shop.fleet().tasks.get(run.task)?.verify === undefined ? null : (run.verifiedOn ?? run.base),
  };
}

interface Reviewed {
  /** The main that the work was made on. */
  readonly base: Oid;
  /** The agent's own last commit, or null when it made none. */
  readonly head: Oid | null;
  readonly tree: Oid;
  /** Where the result stands in that tree. */
  readonly path: string;
  readonly draft: Exclude<ReturnType<typeof parseResult>, { reason: string }>;
  readonly report: string;
}

/** What W says; anybody who may push can have written it. The problem ends a sentence that begins with the commit. */
async function readReviewed({ node: { store }, fleet }: Workshop, task: string, pin: Oid): Promise<Reviewed | { readonly problem: string }> {
  if (!(await store.has(pin))) return { problem: 'is not in the claim chain' };
  const { tree, parents: [base, head = null] } = await store.readCommit(pin);
  if (base === undefined || !(await store.isAncestor(base, fleet().main.commit))) return { problem: 'does not stand on main' };
  const path = (await livePaths(store, tree, /\.result\.md$/)).get(task);
  const file = path === undefined ? null : await fileAt(store, tree, path);
  if (path === undefined || file === null) return { problem: 'holds no result file' };
  const draft = parseResult({ path, bytes: file.bytes });
  return 'reason' in draft ? { problem: `holds no result file that can be read: ${draft.reason}` } : { base, head, tree, path, draft, report: bodyText(file.bytes) };
}
