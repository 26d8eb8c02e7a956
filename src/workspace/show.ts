/** All there is to one task: its instruction, how its claim went from hand to hand, its attempts, its result, its commits and what they changed. */
import { diffText } from '../adapters/git/diffText.ts';
import type { DiffText } from '../adapters/git/diffText.ts';
import type { Oid } from '../model/ids.ts';
import type { Session } from './session.ts';
import { taskDetail } from './queue.ts';
import type { TaskDetail, TransitionSummary } from './queue.ts';

export interface AttemptSummary {
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string | null;
  readonly node: string | null;
  readonly from: string;
  readonly to: string | null;
  /** How the hold ended: the kind of the transition after it, with its reason. */
  readonly end: string | null;
  readonly reason: string | null;
}

export interface WholeTask extends TaskDetail {
  /** Oldest first. */
  readonly attempts: readonly AttemptSummary[];
  /** The commit that landed it, or that waits for review, and the agent's own. */
  readonly commits: readonly { readonly oid: Oid; readonly what: 'landed' | 'for review' | 'by the agent' }[];
  /** What that commit changed, without the files that the fleet writes itself; null where there is no such commit here. */
  readonly diff: DiffText | null;
}

/** What the fleet writes itself is told by the rest. A task or a memory that an agent wrote is its work, and lands with it. */
const ENGINE_FILES = ['tasks/**/*.result.md', 'tasks/**/*.claim.json', 'agents/roster.json', 'agents/spawns/**'];
const DIFF_BYTES_MAX = 256 * 1024;

/** Throws `unknown-task`. */
export async function wholeTask(session: Session, id: string): Promise<WholeTask> {
  const detail = await taskDetail(session, id);
  const landed = detail.result?.outcome === 'done' ? (detail.chain.find(({ kind }) => kind === 'done')?.result ?? null) : null;
  const reviewed = detail.state === 'review' ? (session.fleet.chains.get(id)?.record.commit ?? null) : null;
  const commit = landed ?? reviewed;
  return {
    ...detail, attempts: attemptsOf(detail.chain), diff: commit === null ? null : await diffOf(session, commit),
    commits: [
      ...(landed === null ? [] : [{ oid: landed, what: 'landed' as const }]), ...(reviewed === null ? [] : [{ oid: reviewed, what: 'for review' as const }]),
      ...(detail.result?.commits ?? []).map((oid) => ({ oid, what: 'by the agent' as const })),
    ],
  };
}

async function diffOf({ clone }: Session, commit: Oid): Promise<DiffText | null> {
  // A claim that somebody else wrote may name what nobody has.
  if (!(await clone.store.has(commit))) return null;
  const [parent] = (await clone.store.readCommit(commit)).parents;
  return parent === undefined ? null : diffText(clone.gitDir, parent, commit, { exclude: ENGINE_FILES, bytesMax: DIFF_BYTES_MAX });
}

function attemptsOf(newestFirst: readonly TransitionSummary[]): readonly AttemptSummary[] {
  const chain = newestFirst.toReversed().filter(({ kind }) => kind !== 'renew');
  return chain.flatMap(({ kind, epoch, attempt, agent, node, at }, index) => {
    if (kind !== 'claim') return [];
    const next = chain[index + 1];
    return [{ epoch, attempt, agent, node, from: at, to: next?.at ?? null, end: next?.kind ?? null, reason: next?.reason ?? null }];
  });
}
