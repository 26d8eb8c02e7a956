/**
 * Landing: a task's work and its result reach main, and its chain ends, in one atomic push (PROTOCOL P5).
 *
 *   base ── [claim projection] ── R = merge(main, work) + result        (main)
 *   claim tip ─────────────────── d = done, parents: tip and R           (claim ref)
 *
 * A rebuild makes a new R and a new d: reusing d once gave main a second result with exit status 0.
 */
import { chainState } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import { ROSTER_PATH, claimPath, resultPath, reviewBranch, wipRef } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { TaskResult } from '../model/task.ts';
import { before } from '../observe/chains.ts';
import type { ChainReader } from '../observe/chains.ts';
import { renderResult } from '../observe/resultFile.ts';
import { parseResult } from '../observe/resultFile.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import { agreement, sameCode } from './agreement.ts';
import { describeHolder, readChain } from './claim.ts';
import { commitOn } from './commit.ts';
import { agentSignature } from './node.ts';
import type { Node } from './node.ts';
import { commitClaims, rosterWith } from './projections.ts';
import type { RosterFact } from './projections.ts';
import { drop } from './publish.ts';
import type { Base, Built, Member } from './publish.ts';
import { mergeOnto } from './rollForward.ts';
import { writeTransition } from './transition.ts';

export interface Landing {
  readonly task: string;
  readonly title: string;
  /** Path and pinned blob of the instruction file. */
  readonly path: string;
  readonly instruction: Oid;
  readonly tip: Oid;
  readonly agent: string;
  /** What the agent made, or null when only a result lands (failed). `head` is its own last commit, if it made any. */
  readonly work: { readonly base: Oid; readonly tree: Oid; readonly head: Oid | null } | null;
  /** Main commit on whose merge `verify` was green, where that is asked for: main's code must not have moved since. */
  readonly verifiedOn?: Oid | null;
  readonly result: Omit<TaskResult, 'claim'> & { readonly outcome: 'done' | 'failed' };
  readonly report: string;
  /** More files of the engine's: spawn records. */
  readonly files: ReadonlyMap<string, string>;
  readonly roster: RosterFact;
}

export interface Landed {
  readonly task: string;
  /** R and d. */
  readonly result: Oid;
  readonly chain: Chain;
}

export const landKey = (task: string, tip: Oid): string => `land:${task}:${tip}`;

export function landMember(node: Node, reader: ChainReader, landing: Landing): Member<Landed> {
  const candidates: Oid[] = [];
  return {
    key: landKey(landing.task, landing.tip),
    ends: true,
    async build(base) {
      const chain = await readChain(reader, base, landing.task);
      const landed = await findLanded(node, reader, landing, chain);
      if (landed !== null) return finishHalf(node, base, landed);
      if (chain?.tip !== landing.tip || chainState(chain) !== 'held') return drop('fenced', describeHolder(chain));
      // Only main moved: the chain still waits for its end, which names that very R (P5.3).
      for (const candidate of candidates) if (await node.store.isAncestor(candidate, base.main)) return endChain(node, landing, chain, candidate, base.main, node.clock.ulid());
      const problem = (await instructionProblem(node, base, landing)) ?? (await disagreement(node, reader, base, landing, chain));
      if (problem !== null) return problem;
      const built = await buildResult(node, reader, base, landing, chain);
      if ('value' in built) candidates.push(built.value.result);
      return built;
    },
  };
}

/**
 * The end of our claim, if the chain has one: a later transition that names a main commit whose result file tells of our
 * claim tip. It may be ours, or one that a repairer wrote in our name (P5.3), and others may sit on top of it.
 */
export async function findLanded(node: Node, reader: ChainReader, landing: Pick<Landing, 'task' | 'path' | 'tip'>, chain: Chain | undefined): Promise<Landed | null> {
  for (let at = chain; at !== undefined && at.tip !== landing.tip; at = await before(node.store, reader, at)) {
    const { result, kind } = at.record;
    if (result !== undefined && (kind === 'done' || kind === 'failed') && (await claimOfResult(node, result, landing.path)) === landing.tip) return { task: landing.task, result, chain: at };
  }
  return null;
}

async function claimOfResult({ store }: Node, commit: Oid, path: string): Promise<Oid | null> {
  const file = await fileAt(store, await treeOf(store, commit), resultPath(path));
  if (file === null) return null;
  const result = parseResult({ path: resultPath(path), bytes: file.bytes });
  return 'reason' in result ? null : result.claim;
}

/** The chain has our end. With R on main it is done; without, R is merged onto main (P5.3). */
async function finishHalf(node: Node, base: Base, landed: Landed): Promise<Built<Landed> | { readonly already: Landed } | ReturnType<typeof drop>> {
  if (await node.store.isAncestor(landed.result, base.main)) return { already: landed };
  const main = await mergeOnto(node, base.main, landed.result, `${landed.task}: roll forward the landing that was applied by half`);
  return main === null ? drop('not-ready', `${landed.result} conflicts with main: a person must merge it`) : { main, refs: [], value: landed };
}

async function instructionProblem(node: Node, base: Base, { path, instruction }: Landing): Promise<ReturnType<typeof drop> | null> {
  const entry = await entryAt(node.store, await treeOf(node.store, base.main), path);
  if (entry === null) return drop('instruction-deleted', `${path} was deleted`);
  return entry.oid === instruction ? null : drop('instruction-changed', `${path} was changed after it was claimed`);
}

/** A chain or a main that is behind is mended first, by a pass's healing; the landing waits for it (M1). */
async function disagreement(node: Node, reader: ChainReader, base: Base, { path, verifiedOn }: Landing, chain: Chain): Promise<ReturnType<typeof drop> | null> {
  const { state } = await agreement(node.store, reader, base.main, path, chain);
  if (state === 'agrees' && verifiedOn !== null && verifiedOn !== undefined && !(await sameCode(node.store, verifiedOn, base.main))) return drop('not-ready', 'main has moved since verify was green on the merge');
  return state === 'agrees' ? null : drop('not-ready', 'main and the claim chain do not agree yet: a push was applied by half');
}

async function buildResult(node: Node, reader: ChainReader, base: Base, landing: Landing, chain: Chain): Promise<Built<Landed> | ReturnType<typeof drop>> {
  // R and d are one operation: a repairer finds the op-id in R's trailer (P5.3).
  const op = node.clock.ulid();
  const shown = await commitClaims(node, reader, base.main, [{ path: landing.path, chain }]);
  const mainTree = await treeOf(node.store, shown);
  const merged = await mergeWork(node, mainTree, landing);
  if ('conflicts' in merged) return drop('conflict', `the work conflicts with main in ${merged.conflicts.join(', ')}`);
  const result = await commitOn(node, shown, await resultFiles(node, mainTree, landing), {
    tree: merged.tree,
    author: agentSignature(node, landing.agent),
    message: landingMessage(node, landing, chain, op),
    ...(landing.work?.head === null || landing.work === null ? {} : { moreParents: [landing.work.head] }),
  });
  const built = await endChain(node, landing, chain, result, result, op);
  // What was kept or shown on the way is in R now; a ref that stays costs every later push.
  const spent = landing.work === null ? [] : [wipRef(landing.task, chain.record.epoch), reviewBranch(landing.task)];
  // Anybody may have pushed a branch of that name: only what shows the commit that was approved is the fleet's.
  const isOurs = (ref: string, oid: Oid): boolean => ref !== reviewBranch(landing.task) || oid === chain.record.commit;
  const drops = spent.flatMap((ref) => {
    const stands = base.view.refs.get(ref);
    return stands !== undefined && isOurs(ref, stands) ? [{ ref, expect: stands, to: null }] : [];
  });
  return { ...built, refs: [...built.refs, ...drops] };
}

async function mergeWork({ store }: Node, mainTree: Oid, { work }: Landing): Promise<{ readonly tree: Oid } | { readonly conflicts: readonly string[] }> {
  if (work === null) return { tree: mainTree };
  const { tree, conflicts } = await store.mergeTrees(await treeOf(store, work.base), mainTree, work.tree);
  return conflicts.length > 0 ? { conflicts } : { tree };
}

async function resultFiles(node: Node, tree: Oid, landing: Landing): Promise<Map<string, string | null>> {
  const result: TaskResult = { ...landing.result, claim: landing.tip };
  return new Map<string, string | null>([
    [resultPath(landing.path), renderResult(result, landing.report)],
    [claimPath(landing.path), null],
    [ROSTER_PATH, await rosterWith(node, tree, landing.roster)],
    ...landing.files,
  ]);
}

async function endChain(node: Node, landing: Landing, chain: Chain, result: Oid, main: Oid, op: string): Promise<Built<Landed>> {
  // Why it was claimed is not why it ended.
  const { schema: _schema, op: _op, reason: _reason, ...held } = chain.record;
  const { outcome } = landing.result;
  const end = await writeTransition(node, {
    tip: chain.tip, landing: result, author: agentSignature(node, landing.agent),
    record: { ...held, op, kind: outcome, outcome, result },
  });
  return { main, refs: [end.update], value: { task: landing.task, result, chain: { tip: end.oid, record: end.record } } };
}

function landingMessage(node: Node, { task, title, agent, result }: Landing, chain: Chain, op: string): string {
  return renderMessage({
    subject: `${task}: ${result.outcome} by ${agent} on ${node.identity.node}`,
    body: title,
    trailers: {
      Kind: result.outcome, Task: task, Agent: agent, Node: node.identity.node, Epoch: result.epoch, Attempt: result.attempts,
      Spawn: result.spawns.at(-1) ?? null, Claim: chain.tip, 'Op-Id': op,
    },
  });
}
