/** Claiming, renewing and giving back by hand: an interactive agent session or a foreign script as a worker. */
import { claimTasks, releaseKey, releaseMember, renewKey, renewMember } from '../act/claim.ts';
import type { ClaimWon } from '../act/claim.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { readTexts } from '../act/run/context.ts';
import { feedbackFor } from '../act/run/feedback.ts';
import { CambiumError } from '../errors.ts';
import { spread } from '../decide/claims.ts';
import { misfit } from '../orient/fit.ts';
import type { Chain } from '../model/claim.ts';
import { chainState } from '../model/claim.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import type { Script, Task } from '../model/task.ts';
import { agentNamed } from '../orient/agents.ts';
import { claimProblem, orient } from '../orient/situation.ts';
import type { TaskSituation } from '../orient/situation.ts';
import { clearSession, keepSession, readSession, saveSession } from './claimSessions.ts';
import { beginByHand } from './projectClaim.ts';
import { published, unanswered } from './published.ts';
import { markActive } from './workers.ts';
import { agentOf, unknownTask } from './session.ts';
import type { Session } from './session.ts';

/** What a worker needs to begin (docs/formats.md): also the answer of `cambium task claim --json`. */
export interface ClaimedTask {
  readonly task: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string;
  readonly title: string;
  readonly instruction: string;
  readonly context: readonly { readonly path: string; readonly blob: string; readonly text: string }[];
  /** Absolute path of the folder to work in. */
  readonly worktree: string;
  /** Folder in it that the task speaks of. */
  readonly working_directory: string | null;
  /** Commit that the worktree was made from. */
  readonly base: string;
  /** The claim must be renewed within two thirds of it. */
  readonly ttl_s: number;
  readonly acceptance_criteria: readonly string[];
  readonly verify: Script | null;
  /** Why an earlier attempt was not accepted, or what a person answered. */
  readonly feedback: string | null;
}

/** The task that is named, or the most urgent that fits. Throws `nothing-ready`, `lost-race`, `refused`, `unknown-task`. */
export async function claimTask(session: Session, options: { readonly id?: string | undefined; readonly agent?: string | undefined }): Promise<ClaimedTask> {
  const agent = agentNamed(session.fleet.config, agentOf(session, options.agent));
  return options.id === undefined ? claimAny(session, agent) : claimOne(session, agent, choose(session, agent, options.id));
}

function choose(session: Session, agent: LocalAgent, id: string): TaskSituation {
  const situation = orient(session.fleet, session.clone.clock.now().toISOString()).tasks.get(id);
  if (situation === undefined) throw unknownTask(session, id);
  if (situation.state !== 'ready') throw new CambiumError(situation.state === 'held' ? 'lost-race' : 'refused', `${id} is ${situation.state}${situation.reasons.length === 0 ? '' : `: ${situation.reasons.join('. ')}`}.`, { data: { state: situation.state } });
  const reason = anyProviderMisfit(agent, situation);
  if (reason !== null) throw new CambiumError('refused', `${agent.id} may not take ${id}: ${reason}.`);
  return situation;
}

/** Whoever claims by hand is the provider, so what the task names does not matter. */
function anyProviderMisfit(agent: LocalAgent, situation: TaskSituation): string | null {
  return misfit({ ...agent, provider: situation.task.provider ?? agent.provider }, situation.task, agent.provider);
}

/** Tries ready tasks in this claimant's own order until one is won; losing a race is normal. */
async function claimAny(session: Session, agent: LocalAgent): Promise<ClaimedTask> {
  for (let tries = 0; ; tries++) {
    const fleet = tries === 0 ? session.fleet : await session.clone.fleets.read(await session.clone.mirror.refresh());
    const { ready } = orient(fleet, session.clone.clock.now().toISOString());
    const fitting = ready.filter((task) => anyProviderMisfit(agent, task) === null);
    const claimants = Math.max(2, fleet.nodes.size, tries * 4);
    const [choice] = spread(fitting, `${session.node.identity.node}/${agent.id}`, claimants);
    if (choice === undefined) throw new CambiumError('nothing-ready', 'No task is ready for this agent.', { hint: 'See `cambium task list` for what waits and why.' });
    const won = await tryClaim(session, agent, choice.task);
    if (won.state === 'published') return begin(session, agent, choice.task, won.value);
    if (won.state !== 'dropped') throw unanswered(won);
  }
}

async function claimOne(session: Session, agent: LocalAgent, { task }: TaskSituation): Promise<ClaimedTask> {
  const end = await tryClaim(session, agent, task);
  if (end.state === 'published') return begin(session, agent, task, end.value);
  if (end.state === 'dropped') throw new CambiumError('lost-race', `${task.id} was lost: ${end.drop.detail}.`, { hint: 'Claim another: see `cambium task ready`.' });
  throw unanswered(end);
}

async function tryClaim({ clone, node, fleet }: Session, agent: LocalAgent, task: Task): Promise<Published<ClaimWon>> {
  const ends = await claimTasks(node, clone.reader, [{ task, agent: agent.id, ttlMs: fleet.config.timings.ttlMs, maxAttempts: task.maxAttempts ?? fleet.config.defaults.maxAttempts, reason: 'claimed by hand' }]);
  return ends.get(task.id) as Published<ClaimWon>;
}

/** Validates the win on a main fetched after it (PROTOCOL P3), makes the worktree and tells what to do. */
async function begin(session: Session, agent: LocalAgent, task: Task, won: ClaimWon): Promise<ClaimedTask> {
  const { clone, node } = session;
  const { epoch, attempt, ttl_s } = won.chain.record;
  const fleet = await clone.fleets.read(await clone.mirror.refresh());
  const problem = claimProblem(fleet, task);
  if (problem !== null) {
    await publish(node, [releaseMember(node, clone.reader, { task: task.id, tip: won.chain.tip, reason: problem })]);
    throw new CambiumError('lost-race', `${task.id} was won and given back: ${problem}.`);
  }
  const main = fleet.main.commit;
  const saved = { task: task.id, epoch, attempt, agent: agent.id, claim: won.chain.tip, base: main };
  await saveSession(clone.local, saved);
  const name = `${task.id}-${epoch}`;
  const begun = task.project === undefined ? null : await beginByHand(session, task, won, agent.id).catch(async (error: unknown) => { await clearSession(session, saved); throw error; });
  if (begun === null) await clone.worktrees.create(name, main);
  else await saveSession(clone.local, { ...saved, project: begun.project });
  const base = begun?.project.base ?? main;
  const worktree = clone.worktrees.path(name);
  const texts = await readTexts(clone.store, task, main, begun === null ? null : { store: begun.site.node.store, commit: base });
  const feedback = [await feedbackFor(clone.store, clone.reader, won.chain), ...(begun?.feedback ?? []), ...texts.missing.map((path) => `The context file ${path} is not there.`)].filter((line) => line !== null);
  await markActive(session, agent.id);
  return {
    task: task.id, epoch, attempt, agent: agent.id, title: task.title, instruction: texts.instruction, context: texts.context, worktree, working_directory: task.workingDirectory ?? null, base, ttl_s,
    acceptance_criteria: task.acceptanceCriteria, verify: task.verify ?? null, feedback: feedback.length === 0 ? null : feedback.join('\n\n'),
  };
}

export interface Hold {
  readonly task: string;
  readonly epoch: number;
  readonly agent?: string | undefined;
  /** The instruction was edited under the claim, and the agent works by the new text now. */
  readonly acceptEdit?: boolean | undefined;
}

/** Keeps a claim alive. Throws `fenced` when it is no longer the agent's. */
export async function renewTask(session: Session, { task, epoch, agent, acceptEdit }: Hold): Promise<{ readonly task: string; readonly epoch: number; readonly ttl_s: number }> {
  const { clone, node, fleet } = session;
  const blob = acceptEdit === true ? fleet.tasks.get(task)?.blob : undefined;
  const instruction = blob === undefined ? undefined : { blob, commit: fleet.main.commit };
  const ends = await publish(node, [renewMember(node, clone.reader, task, epoch, agentOf(session, agent), instruction)], { trustKnown: true });
  const { record } = published(task, ends.get(renewKey(task)) as Published<Chain>);
  return { task, epoch: record.epoch, ttl_s: record.ttl_s };
}

export interface Release {
  readonly task: string;
  /** Of one's own claim; a task that waits for a person has none. */
  readonly epoch?: number | undefined;
  readonly agent?: string | undefined;
  readonly reason?: string | undefined;
}

/** Gives a task back: an agent its own claim (with --epoch), a person one that waits for an answer. */
export async function releaseTask(session: Session, { task: id, epoch, agent, reason }: Release): Promise<{ readonly task: string }> {
  const { clone, node, fleet } = session;
  const chain = fleet.chains.get(id);
  const state = chainState(chain);
  if (state === 'review' || state === 'approved') throw new CambiumError('refused', `${id} waits for review.`, { hint: `Reject it: \`cambium task reject ${id} --why "…"\`.` });
  if (chain === undefined || (state !== 'held' && state !== 'waiting')) throw new CambiumError('refused', `${id} is not held by anybody.`);
  if (state === 'held' && (epoch !== chain.record.epoch || agentOf(session, agent) !== chain.record.agent)) {
    throw new CambiumError('fenced', `${id} is held by ${chain.record.agent} at epoch ${chain.record.epoch}.`, { hint: `Its owner releases it with --agent ${chain.record.agent} --epoch ${chain.record.epoch}; a person ends it with \`cambium task cancel ${id}\`.` });
  }
  const saved = await readSession(clone.local, id, chain.record.epoch);
  if (saved !== null && !(await keepSession(session, saved))) throw new CambiumError('hub-away', 'The work could not be kept on the hub, so the claim is not given back.', { hint: 'Try again when it is back.' });
  const ends = await publish(node, [releaseMember(node, clone.reader, { task: id, tip: chain.tip, reason: reason ?? 'released by hand', feedback: state === 'waiting' && reason !== undefined })]);
  published(id, ends.get(releaseKey(id, chain.tip)) as Published<Chain>);
  if (saved !== null) await clearSession(session, saved);
  return { task: id };
}
