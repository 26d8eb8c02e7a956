/**
 * Review (PROTOCOL P6): finished work waits, without a lease, until the named reviewer has judged the very commit that
 * any node lands afterwards.
 *
 *   held ── review ─▶ review ── approve ─▶ approved ── claim (epoch+1, no spawn) ─▶ held ── done ─▶ done
 *                       └────── release (rejected: the reason goes to the next attempt) ─▶ open
 *
 * The reviewed commit W stands on the main that the work was made on; its tree is the work with its result file. The
 * transition has W as its second parent, so that W lives as long as the chain and every node has it.
 */
import type { Chain } from '../model/claim.ts';
import { chainState, isPinned, mayFollow } from '../model/claim.ts';
import type { RefUpdate, Signature } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { REVIEW_PREFIX, branchRef, resultPath, reviewBranch, reviewRef, wipRef } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { ChainReader } from '../observe/chains.ts';
import { renderResult } from '../observe/resultFile.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import { describeHolder, heldRecord, readChain } from './claim.ts';
import { commitOn } from './commit.ts';
import type { Landing } from './land.ts';
import { agentSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Base, Member } from './publish.ts';
import { writeTransition } from './transition.ts';

export const reviewKey = (task: TaskId, tip: Oid): string => `review:${task}:${tip}`;

/** Hands finished work to its reviewer: the lease ends, nothing reaches main. */
export function reviewMember(node: Node, reader: ChainReader, landing: Landing): Member<Chain> {
  const written = new Set<Oid>();
  return {
    key: reviewKey(landing.task, landing.tip),
    async build(base) {
      const chain = await readChain(reader, base, landing.task);
      if (chain !== undefined && written.has(chain.tip)) return { already: chain };
      if (chain?.tip !== landing.tip || !mayFollow(chain, 'review')) return drop('fenced', describeHolder(chain));
      const instruction = await entryAt(node.store, await treeOf(node.store, base.main), landing.path);
      if (instruction === null) return drop('instruction-deleted', `${landing.path} was deleted`);
      if (instruction.oid !== landing.instruction) return drop('instruction-changed', `${landing.path} was changed after it was claimed`);
      const reviewed = await writeReviewed(node, base, landing);
      const transition = await writeTransition(node, {
        tip: chain.tip, landing: reviewed, author: agentSignature(node, landing.agent),
        record: { ...heldRecord(chain, false), kind: 'review', branch: reviewBranch(landing.task), commit: reviewed, ...(landing.result.provider === null ? {} : { provider: landing.result.provider }) },
      });
      written.add(transition.oid);
      const shown = written.size <= SHOWN_TRIES_MAX && isFree(node, base, landing.task) ? [move(base, reviewBranch(landing.task), reviewed)] : [];
      const pinned = move(base, reviewRef(landing.task, chain.record.epoch), reviewed);
      // Of a push that was applied by half, what is built again in the same second may stand there already.
      const moves = [pinned, ...shown].filter(({ expect, to }) => expect !== to);
      return { main: base.main, refs: [transition.update, ...moves, ...dropped(base, wipRef(landing.task, chain.record.epoch))], value: { tip: transition.oid, record: transition.record } };
    },
  };
}

/** A refusal tells nothing (P2.4). One that repeats may mean the branch, which only shows what the other ref holds: then it is left out. */
const SHOWN_TRIES_MAX = 5;

/** Whether the branch may show the review: a branch of that name, above or below it, that is not of the fleet's making is somebody's work. */
function isFree({ mirror }: Node, { view: { refs } }: Base, task: TaskId): boolean {
  const branch = reviewBranch(task);
  const above = branchRef('review');
  if (branchRef(mirror.branch) === above || refs.has(above) || [...refs.keys()].some((ref) => ref.startsWith(`${branch}/`))) return false;
  const shown = refs.get(branch);
  return shown === undefined || [...refs].some(([ref, oid]) => oid === shown && ref.startsWith(`${REVIEW_PREFIX}${task}/`));
}

function move({ view }: Base, ref: string, to: Oid | null): RefUpdate {
  return { ref, expect: view.refs.get(ref) ?? null, to };
}

/** Deletes the ref where it is, and where it is `only` that: a person or a forge may have deleted or moved it already. */
function dropped(base: Base, ref: string, only?: Oid): readonly RefUpdate[] {
  const stands = base.view.refs.get(ref);
  return stands === undefined || (only !== undefined && stands !== only) ? [] : [move(base, ref, null)];
}

/** W stands on a main that is published, and differs from the work in nothing but what is the work's own: another change of the same file would be a conflict. */
async function writeReviewed(node: Node, { view }: Base, { task, title, path, tip, agent, work, result, report, files }: Landing): Promise<Oid> {
  const parent = work?.base ?? (view.main as Oid);
  return commitOn(node, parent, new Map<string, string | null>([[resultPath(path), renderResult({ ...result, claim: tip }, report)], ...files]), {
    ...(work === null ? {} : { tree: work.tree }),
    author: agentSignature(node, agent),
    message: renderMessage({ subject: `${task}: for review, by ${agent} on ${node.identity.node}`, body: title, trailers: { Kind: 'review', Task: task, Agent: agent, Node: node.identity.node, Epoch: result.epoch, Claim: tip } }),
    ...(work?.head === null || work === null ? {} : { moreParents: [work.head] }),
  });
}

export interface Judgement {
  readonly task: TaskId;
  /** The commit that was looked at: an approval of anything else is refused. */
  readonly commit: Oid;
  readonly by: Signature;
  readonly why: string;
}

/** A review is approved or rejected; an approval can be taken back until it has landed, also while a node is landing it. */
export function mayJudge(chain: Chain | undefined, kind: 'approve' | 'release'): boolean {
  const state = chainState(chain);
  return state === 'review' || (kind === 'release' && (state === 'approved' || isPinned(chain)));
}

export const judgeKey = (task: TaskId): string => `judge:${task}`;

export function approveMember(node: Node, reader: ChainReader, judgement: Judgement): Member<Chain> {
  return judgeMember(node, reader, judgement, 'approve');
}

/** The task is ready again; the reason is told to whoever claims it next. */
export function rejectMember(node: Node, reader: ChainReader, judgement: Judgement): Member<Chain> {
  return judgeMember(node, reader, judgement, 'release');
}

function judgeMember(node: Node, reader: ChainReader, { task, commit, by, why }: Judgement, kind: 'approve' | 'release'): Member<Chain> {
  const written = new Set<Oid>();
  return {
    key: judgeKey(task),
    async build(base) {
      const chain = await readChain(reader, base, task);
      if (chain !== undefined && written.has(chain.tip)) return { already: chain };
      if (chain === undefined || !mayJudge(chain, kind)) return drop('nothing', `it does not wait for review: ${describeHolder(chain)}`);
      if (chain.record.commit !== commit) return drop('not-ready', `another commit is under review now: ${chain.record.commit}`);
      const isApproval = kind === 'approve';
      const transition = await writeTransition(node, {
        tip: chain.tip, author: by,
        record: { ...heldRecord(chain, isApproval), kind, by: by.name, ...(why === '' ? {} : { reason: why }), ...(isApproval ? {} : { feedback: true, rejected: commit }) },
      });
      written.add(transition.oid);
      return { main: base.main, refs: [transition.update, ...(isApproval ? [] : dropped(base, reviewBranch(task), commit))], value: { tip: transition.oid, record: transition.record } };
    },
  };
}
