/** Snapshot → Situation: what each task's state is and why. Pure. */
import { attemptsUsed, chainState, isTerminal } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { TaskId } from '../model/ids.ts';
import type { Wait } from '../model/limits.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task, TaskResult } from '../model/task.ts';
import { compareVersions } from '../model/version.ts';
import { orientDependencies } from './dependencies.ts';
import { reviewerOf } from './reviewer.ts';
import type { Reviewer } from './reviewer.ts';
import { fleetWait, taskWait } from './limits.ts';
import { hasSeatLimits, seatsWait } from './seats.ts';

export type TaskState = 'ready' | 'blocked' | 'waiting' | 'held' | 'input' | 'review' | 'done' | 'failed' | 'cancelled';

export interface TaskSituation {
  readonly task: Task;
  readonly state: TaskState;
  /** Why it is not running, and the mend where a person can do something; empty when there is nothing to say. */
  readonly reasons: readonly string[];
  readonly chain: Chain | undefined;
  readonly result: TaskResult | undefined;
  readonly since: number;
  /** When it stops waiting, if it waits for a time. */
  readonly due?: string;
  /** True: it waits for a budget, or for somebody who has stopped it, and not for anything that the fleet does by itself. */
  readonly limited?: boolean;
}

export interface Situation {
  /** The next UTC ISO time at which a task that waits becomes ready; null when none waits. */
  readonly nextDue: string | null;
  readonly tasks: ReadonlyMap<TaskId, TaskSituation>;
  /** By priority, then age, then id. */
  readonly ready: readonly TaskSituation[];
  /** Approved work that any node may land (PROTOCOL P6). */
  readonly approved: readonly TaskSituation[];
  /** Results on main whose chain is still open at that epoch: to be repaired (P5.3). */
  readonly openEnds: ReadonlySet<TaskId>;
}

/** `now` is a UTC ISO time: `not_before` is a person's wish, so the wall clock serves. */
export function orient(fleet: Fleet, now: string): Situation {
  const blocks = orientDependencies(fleet.tasks, endedTasks(fleet));
  const tasks = new Map<TaskId, TaskSituation>();
  const openEnds = new Set<TaskId>();
  const wait = fleetWait({ ...fleet, live: [] }, now);
  for (const task of fleet.tasks.values()) {
    const situation = limitedBy(fleet, orientTask(fleet, task, blocks.get(task.id) ?? 'met', now), wait, now);
    tasks.set(task.id, situation);
    if (!fleet.unreadable.has(task.id) && (fleet.reopened.has(task.id) || isOpenEnd(situation, fleet.unlanded.has(task.id)))) openEnds.add(task.id);
  }
  const ready = [...tasks.values()].filter(({ state }) => state === 'ready').toSorted(byUrgency);
  const dues = [...tasks.values()].flatMap(({ due }) => (due === undefined ? [] : [due])).toSorted();
  const approved = [...tasks.values()].filter(({ chain, result }) => result === undefined && chainState(chain) === 'approved');
  return { tasks, ready, approved, openEnds, nextDue: dues[0] ?? null };
}

function orientTask(fleet: Fleet, task: Task, block: 'met' | { readonly reason: string; readonly mend: string }, now: string): TaskSituation {
  const chain = fleet.chains.get(task.id);
  const result = fleet.results.get(task.id);
  const facts = { task, chain, result, since: fleet.since.get(task.id) ?? 0 };
  if (result !== undefined) return { ...facts, state: result.outcome, reasons: [] };
  if (fleet.unreadable.has(task.id)) return { ...facts, state: 'blocked', reasons: ['its claim chain or its result file cannot be read', 'See what `cambium status` says of it.'] };
  if (fleet.reopened.has(task.id)) return { ...facts, state: 'blocked', reasons: ['it was taken out of the archive and its claim chain is not there yet', 'A running node mends it: start one with `cambium up`.'] };
  const state = chainState(chain);
  if (state !== 'open') return { ...facts, ...heldSituation(state, chain as Chain, reviewerOf(fleet.config, task.review, (chain as Chain).record)) };
  if (block !== 'met') return { ...facts, state: 'blocked', reasons: [block.reason, block.mend] };
  const waits = [task.notBefore, chain?.record.kind === 'release' ? chain.record.not_before : undefined].filter((time): time is string => time !== undefined && time > now);
  const due = waits.toSorted().at(-1);
  if (due !== undefined) return { ...facts, state: 'waiting', due, reasons: [`not before ${due.slice(0, 19)}Z${releaseReason(chain)}`] };
  const max = task.maxAttempts ?? fleet.config.defaults.maxAttempts;
  if (attemptsUsed(chain) >= max) return { ...facts, state: 'blocked', reasons: [`all ${max} attempts are used up`, `Start over with \`cambium task retry ${task.id}\`.`] };
  const broken = unkeepable(fleet, task);
  if (broken !== null) return { ...facts, state: 'blocked', reasons: broken };
  const missing = fleet.missingContext.get(task.id) ?? [];
  if (missing.length > 0) return { ...facts, state: 'blocked', reasons: [`context file ${missing.join(', ')} is not in the tree`, `Add it, or take it out of context_files in ${task.path}.`] };
  return { ...facts, state: 'ready', reasons: [] };
}

/** What is ready and kept back on every node: by a person's stop, by a budget, or because nobody's provider may be asked. What holds for one node only is that node's to heed. */
function limitedBy(fleet: Fleet, situation: TaskSituation, forAll: Wait | null, now: string): TaskSituation {
  if (situation.state !== 'ready') return situation;
  const wait = forAll ?? taskWait({ ...fleet, live: [] }, situation.task) ?? (hasSeatLimits(fleet) ? seatsWait(fleet, situation.task, now) : null);
  if (wait === null) return situation;
  const { kind, reason, mend, until } = wait;
  // What a clock ends soon is waited for; a stop, and a budget that comes back at midnight, are not.
  return { ...situation, state: 'waiting', ...(kind === 'parked' && until !== null ? {} : { limited: true }), reasons: [reason, ...(mend === null ? [] : [mend])], ...(until === null ? {} : { due: until }) };
}

/** The first version that knows review and projects: an older node would take such a task over and land it as any other. */
const REVIEW_SINCE = '0.2.0';

/** Why running the task would break what it was promised, and the mend; null when nothing would. */
function unkeepable(fleet: Fleet, { path, review, project }: Task): readonly [string, string] | null {
  if (project !== undefined && !Object.hasOwn(fleet.config.projects, project)) return [`cambium.yaml names no project ${project}`, `Add it there: \`projects: { ${project}: { url: … } }\`, or correct \`project\` in ${path}.`];
  if (project !== undefined && review !== undefined) return ['`review` judges work in the workspace, and this task works in a project', `Take \`review\` out of ${path}, and set \`return: review\` for the project ${project}.`];
  if (review === undefined && project === undefined) return null;
  const old = [...fleet.nodes].find(([, { heartbeat }]) => heartbeat !== null && compareVersions(heartbeat.record.version, REVIEW_SINCE) < 0);
  if (old === undefined) return null;
  const [node, { heartbeat }] = old;
  return [`the node ${node} runs cambium ${heartbeat?.record.version}, which does not know ${review === undefined ? 'projects' : 'review'}`, `Upgrade it; if it is gone for good, delete its ref on the hub: refs/cambium/nodes/${node}.`];
}

function heldSituation(state: ReturnType<typeof chainState>, chain: Chain, reviewer: Reviewer): Pick<TaskSituation, 'state' | 'reasons'> {
  const { agent, node, question, reason, task } = chain.record;
  if (state === 'waiting') return { state: 'input', reasons: [String(question ?? reason ?? 'it waits for a person'), `Answer with \`cambium answer ${task} "…"\`, or give it back as it is with \`cambium task release ${task}\`.`] };
  if (state === 'approved') return { state: 'review', reasons: [`approved${chain.record.by === undefined ? '' : ` by ${chain.record.by}`}: the next node lands it`] };
  if (state === 'review') return { state: 'review', reasons: [`waits for ${'agent' in reviewer ? reviewer.agent : `a person${reviewer.person === 'it waits for a person' ? '' : ` (${reviewer.person})`}`} to review ${chain.record.commit?.slice(0, 10) ?? 'it'}`, `Look at it with \`cambium show ${task}\`, then \`cambium task approve ${task}\` or \`cambium task reject ${task} --why "…"\`.`] };
  if (state === 'held') return { state: 'held', reasons: [`${agent ?? '?'} on ${node ?? '?'}`] };
  // The chain has ended and main does not show it yet: a torn read, or a half-applied push about to be healed.
  return { state: state as 'done' | 'failed' | 'cancelled', reasons: ['its result is not on main yet'] };
}

function releaseReason(chain: Chain | undefined): string {
  return chain?.record.reason === undefined ? '' : `: ${chain.record.reason}`;
}

/** A result on main while the chain goes on: whatever its epoch (M2). A cancel may have lost the chain it was to create. */
function isOpenEnd({ chain, result }: TaskSituation, isUnlanded: boolean): boolean {
  if (isUnlanded) return false;
  // Somebody deleted the result file of an ended task by a commit: that asks for a reopen (P6).
  if (result === undefined) return chain !== undefined && isTerminal(chainState(chain));
  return chain === undefined ? result.outcome === 'cancelled' && result.claim === null : !isTerminal(chainState(chain));
}

export function byUrgency(a: TaskSituation, b: TaskSituation): number {
  return a.task.priority - b.task.priority || a.since - b.since || (a.task.id < b.task.id ? -1 : 1);
}

/** Results by task, those of archived dependencies included. */
export function endedTasks({ results, archived }: Fleet): ReadonlyMap<TaskId, TaskResult> {
  return archived.size === 0 ? results : new Map([...archived, ...results]);
}

/** After a win, on a main fetched after it (PROTOCOL P3): why the claim must be given back, or null. */
export function claimProblem(fleet: Fleet, claimed: Pick<Task, 'id' | 'blob'>): string | null {
  const task = fleet.tasks.get(claimed.id);
  if (task === undefined) return 'the instruction file is gone';
  if (task.blob !== claimed.blob) return 'the instruction changed before the claim was won';
  if (fleet.results.has(task.id)) return 'it has a result already';
  const block = orientDependencies(fleet.tasks, endedTasks(fleet)).get(task.id) ?? 'met';
  if (block !== 'met') return block.reason;
  const missing = fleet.missingContext.get(task.id) ?? [];
  return missing.length > 0 ? `context file ${missing.join(', ')} is not in the tree` : (unkeepable(fleet, task)?.[0] ?? null);
}
