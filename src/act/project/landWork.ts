/**
 * Landing work in a project (PROTOCOL P7), before the workspace is told: one commit P on the project's newest branch, and
 * the guest ref that names it, in one atomic push.
 *
 *   branch ── P = merge(branch, work)            (the branch, `cambium/<task>` or `review/<task>`)
 *   guest tip ── landed, parents: guest tip and P   (guest ref)
 */
import type { RefUpdate } from '../../model/git.ts';
import type { Oid, TaskId } from '../../model/ids.ts';
import { branchRef, reviewBranch } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import { workBranch } from '../../observe/projectMirror.ts';
import type { GuestRecord } from '../../observe/guestRecord.ts';
import { treeOf } from '../../observe/tree.ts';
import { agentSignature, nodeSignature } from '../node.ts';
import { drop, publish } from '../publish.ts';
import type { Base, Built, Member, Published } from '../publish.ts';
import { mergeOnto } from '../rollForward.ts';
import { guestAt, writeGuest } from './guest.ts';
import type { Guest, Tenure } from './guest.ts';
import { findWork, taskTrailer, trailersOf } from './landedWork.ts';
import type { LandedWork } from './landedWork.ts';
import { keptRefs } from './site.ts';
import type { ProjectSite } from './site.ts';

export type Target = 'merge' | 'push' | 'review';

export interface WorkLanding {
  readonly tenure: Tenure;
  readonly title: string;
  /** Commit of the project that the worktree was made from. */
  readonly base: Oid;
  readonly work: { readonly tree: Oid; readonly head: Oid | null };
  readonly target: Target;
  /** False where the project's host refuses guest refs: then only a branch for review may be pushed. */
  readonly fenced: boolean;
  /** Commit of the branch on whose merge `verify` was green, where that is asked for; else null. */
  readonly verifiedOn: Oid | null;
  readonly told: Pick<GuestRecord, 'report' | 'criteria' | 'verify' | 'notes'>;
}

export interface WorkEnd {
  readonly end: Published<LandedWork>;
  /** What the result must tell: those given, and where the work went instead of where it was to go. */
  readonly notes: readonly string[];
}

/**
 * Pushes the work where the project wants it. Where its host refuses that by a rule, the work goes to branch
 * `review/<task>` only, and a note says so. Throws `hub-away`, `lost-race`, `bad-file`.
 */
export async function landWork(site: ProjectSite, landing: WorkLanding, patienceMs: number): Promise<WorkEnd> {
  const { tenure, target, fenced } = landing;
  const told = (more: readonly string[]): WorkLanding['told'] => ({ ...landing.told, notes: [...new Set([...(landing.told.notes ?? []), ...more])] });
  const push = async (wanted: WorkLanding): Promise<WorkEnd> => ({
    end: (await publish(site.node, [landWorkMember(site, wanted)], { patienceMs })).get(workKey(tenure)) as Published<LandedWork>, notes: wanted.told.notes ?? [],
  });
  // Where nothing can be fenced, only a branch for review is pushed.
  if (!fenced) return push({ ...landing, target: 'review', told: told(target === 'review' ? [] : [refusal(site, tenure.task, 'refs below refs/cambium/')]) });
  const first = await push(landing);
  if (first.end.state !== 'refused-by-policy' || target === 'review') return first;
  // A protected branch is for its people to move: what can be pushed is a branch that they look at.
  const what = `pushes to ${branchOf(site, landing)} (${first.end.detail})`;
  return push({ ...landing, target: 'review', told: told([refusal(site, tenure.task, what)]) });
}

function refusal({ name }: ProjectSite, task: TaskId, what: string): string {
  return `The host of the project ${name} refuses ${what}: the work waits on branch review/${task} there for somebody to merge it.`;
}

export const workKey = ({ task, claim }: Tenure): string => `project:${task}:${claim}`;

/**
 * Dropped as `fenced` when a newer epoch has begun there, `conflict` when the work does not merge, `forbidden` when only a
 * person can go on, `not-ready` when the branch has moved since verify was green on it.
 */
export function landWorkMember(site: ProjectSite, landing: WorkLanding): Member<LandedWork> {
  const { tenure } = landing;
  return {
    key: workKey(tenure),
    async build(base) {
      const guest = landing.fenced ? await guestAt(site, base, tenure.task) : undefined;
      if (landing.fenced && guest?.record.epoch !== tenure.epoch) return drop('fenced', `the project ${site.name} is at epoch ${guest?.record.epoch ?? 0} of this task`);
      const found = await findWork(site, base, tenure);
      if (found.state === 'landed') return { already: found.work };
      if (found.state === 'half') return rollForward(site, base, found.work);
      if (found.state === 'rewound') return drop('forbidden', `branch ${found.work.branch} of the project ${site.name} was taken back behind ${found.work.commit.slice(0, 10)}, with which this task had landed`);
      return build(site, base, landing, guest);
    },
  };
}

async function build(site: ProjectSite, base: Base, landing: WorkLanding, guest: Guest | undefined): Promise<Built<LandedWork> | ReturnType<typeof drop>> {
  const { store } = site.node;
  const [from, ours] = await Promise.all([landing.base, base.main].map((commit) => treeOf(store, commit)));
  const { tree, conflicts } = await store.mergeTrees(from as Oid, ours as Oid, landing.work.tree);
  if (conflicts.length > 0) return drop('conflict', `the work conflicts with ${site.config.branch} of the project ${site.name} in ${conflicts.join(', ')}`);
  // A conflict is told first: nothing can be verified on a merge that is none.
  if (landing.verifiedOn !== null && landing.verifiedOn !== base.main) return drop('not-ready', 'the project has moved since verify was green on the merge');
  const branch = branchOf(site, landing);
  const move = await branchMove(site, base, landing, branch);
  if (move === null) return drop('forbidden', `the project ${site.name} has a branch ${branch} that is not this task's`);
  const op = site.node.clock.ulid();
  const commit = await writeWork(site, base.main, tree, landing, op);
  const { epoch, task } = landing.tenure;
  const told = guest === undefined ? null : await writeGuest(site, landing.tenure, {
    kind: 'landed', tip: guest.tip, base: guest.record.base, op, result: commit, branch, ...landing.told, commits: landing.work.head === null ? [] : [landing.work.head],
  });
  const { wip } = keptRefs(site, task, epoch, landing.fenced);
  const kept = base.view.refs.get(wip);
  const refs: RefUpdate[] = [
    ...(landing.target === 'merge' ? [] : [{ ...move, to: commit }]), ...(told === null ? [] : [told.update]),
    // What was kept on the way is in P now.
    ...(kept === undefined ? [] : [{ ref: wip, expect: kept, to: null }]),
  ];
  return { main: landing.target === 'merge' ? commit : base.main, refs, value: { commit, branch, record: told?.record ?? null } };
}

function branchOf({ config }: ProjectSite, { target, tenure: { task } }: WorkLanding): string {
  if (target === 'merge') return config.branch;
  return (target === 'push' ? workBranch(task) : reviewBranch(task)).slice('refs/heads/'.length);
}

/** Where the branch stands now. Null for one that somebody else made, or has built on. */
async function branchMove({ node, fleet }: ProjectSite, { view }: Base, { target, tenure }: WorkLanding, branch: string): Promise<{ readonly ref: string; readonly expect: Oid | null } | null> {
  const ref = branchRef(branch);
  const tip = view.refs.get(ref) ?? null;
  if (target === 'merge' || tip === null) return { ref, expect: tip };
  const { message } = await node.store.readCommit(tip);
  return trailersOf(message).get('Task') === taskTrailer(fleet, tenure.task) ? { ref, expect: tip } : null;
}

function writeWork({ node, fleet }: ProjectSite, main: Oid, tree: Oid, { title, tenure, work }: WorkLanding, op: string): Promise<Oid> {
  const { task, agent, epoch, instruction } = tenure;
  return node.store.writeCommit({
    tree, parents: [main, ...(work.head === null ? [] : [work.head])], author: agentSignature(node, agent), committer: nodeSignature(node),
    message: renderMessage({
      subject: `${task}: ${title}`,
      trailers: { Kind: 'landed', Task: taskTrailer(fleet, task), Agent: agent, Node: node.identity.node, Epoch: epoch, Instruction: instruction, 'Op-Id': op },
    }),
  });
}

/** The guest chain names P and its branch lost it: brought there as it is, never made anew (P5.3). */
async function rollForward({ node, config }: ProjectSite, base: Base, work: LandedWork): Promise<Built<LandedWork> | ReturnType<typeof drop>> {
  if (work.branch === config.branch) {
    const main = await mergeOnto(node, base.main, work.commit, `${work.record?.task ?? 'task'}: roll forward a landing that was applied by half`);
    return main === null ? drop('forbidden', `${work.commit.slice(0, 10)} has landed by half and conflicts with ${config.branch}: a person must merge it`) : { main, refs: [], value: work };
  }
  const ref = branchRef(work.branch);
  return { main: base.main, refs: [{ ref, expect: base.view.refs.get(ref) ?? null, to: work.commit }], value: work };
}
