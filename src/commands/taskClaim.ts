/** `cambium task claim|renew|release`: an interactive agent session or a foreign script as a worker. */
import { claimTasks, releaseKey, releaseMember, renewKey, renewMember } from '../act/claim.ts';
import type { ClaimWon } from '../act/claim.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { readTexts } from '../act/run/context.ts';
import { CambiumError } from '../errors.ts';
import { misfit, spread } from '../decide/claims.ts';
import type { Chain } from '../model/claim.ts';
import { chainState } from '../model/claim.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { agentNamed } from '../orient/agents.ts';
import { claimProblem, orient } from '../orient/situation.ts';
import type { TaskSituation } from '../orient/situation.ts';
import { clearSession, keepSession, readSession, saveSession } from '../workspace/claimSessions.ts';
import type { Answer } from './output.ts';
import { agentOf, unknownTask, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';

export interface ClaimOptions {
  readonly agent?: string | undefined;
  readonly node?: string | undefined;
}

/** Exit 0 won, 1 lost or refused, 3 nothing ready. */
export function claimCommand(id: string | undefined, options: ClaimOptions): Promise<Answer> {
  return withSession({ node: options.node, needsHub: true }, async (session) => {
    const agent = agentNamed(session.fleet.config, agentOf(options.agent));
    return id === undefined ? claimAny(session, agent) : claimOne(session, agent, choose(session, agent, id));
  });
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
async function claimAny(session: Session, agent: LocalAgent): Promise<Answer> {
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

async function claimOne(session: Session, agent: LocalAgent, { task }: TaskSituation): Promise<Answer> {
  const end = await tryClaim(session, agent, task);
  if (end.state === 'published') return begin(session, agent, task, end.value);
  if (end.state === 'dropped') throw new CambiumError('lost-race', `${task.id} was lost: ${end.drop.detail}.`, { hint: 'Claim another: see `cambium task ready`.' });
  throw unanswered(end);
}

async function tryClaim({ clone, node, fleet }: Session, agent: LocalAgent, task: Task): Promise<Published<ClaimWon>> {
  const ends = await claimTasks(node, clone.reader, [{ task, agent: agent.id, ttlMs: fleet.config.timings.ttlMs, maxAttempts: task.maxAttempts ?? fleet.config.defaults.maxAttempts }]);
  return ends.get(task.id) as Published<ClaimWon>;
}

/** Validates the win on a main fetched after it (PROTOCOL P3), makes the worktree and tells what to do. */
async function begin(session: Session, agent: LocalAgent, task: Task, won: ClaimWon): Promise<Answer> {
  const { clone, node } = session;
  const { epoch, attempt, ttl_s } = won.chain.record;
  const fleet = await clone.fleets.read(await clone.mirror.refresh());
  const problem = claimProblem(fleet, task);
  if (problem !== null) {
    await publish(node, [releaseMember(node, clone.reader, { task: task.id, tip: won.chain.tip, reason: problem })]);
    throw new CambiumError('lost-race', `${task.id} was won and given back: ${problem}.`);
  }
  const base = fleet.main.commit;
  await saveSession(clone.local, { task: task.id, epoch, attempt, agent: agent.id, claim: won.chain.tip, base });
  const worktree = await clone.worktrees.create(`${task.id}-${epoch}`, base);
  const texts = await readTexts(clone.store, task, base);
  const data = { task: task.id, epoch, attempt, agent: agent.id, title: task.title, instruction: texts.instruction, context: texts.context, worktree, base, ttl_s, acceptance_criteria: task.acceptanceCriteria, verify: task.verify ?? null };
  const text = [
    `${task.id} is yours: epoch ${epoch}, attempt ${attempt}. Work in ${worktree}`,
    `Renew within ${Math.floor((ttl_s * 2) / 3)} s:  cambium task renew ${task.id} --agent ${agent.id} --epoch ${epoch}`,
    `When done:            cambium task complete ${task.id} --agent ${agent.id} --epoch ${epoch} --result FILE`,
    '', texts.instruction.trim(), ...texts.context.map(({ path, text: content }) => `\n--- ${path} ---\n${content.trim()}`),
  ].join('\n');
  return { data, text };
}

export interface HoldOptions extends ClaimOptions {
  readonly epoch: number;
  readonly reason?: string | undefined;
}

export function renewCommand(id: string, options: HoldOptions): Promise<Answer> {
  return withSession({ node: options.node, needsHub: true }, async ({ clone, node }) => {
    const ends = await publish(node, [renewMember(node, clone.reader, id, options.epoch, agentOf(options.agent))], { trustKnown: true });
    const chain = published(id, ends.get(renewKey(id)) as Published<Chain>);
    return { data: { task: id, epoch: chain.record.epoch, ttl_s: chain.record.ttl_s }, text: `${id} is renewed for ${chain.record.ttl_s} s.` };
  });
}

/** Gives a task back: an agent its own claim (with --epoch), a person one that waits for an answer. */
export function releaseCommand(id: string, options: Omit<HoldOptions, 'epoch'> & { readonly epoch?: number | undefined }): Promise<Answer> {
  return withSession({ node: options.node, needsHub: true }, async (session) => {
    const { clone, node, fleet } = session;
    const chain = fleet.chains.get(id);
    const state = chainState(chain);
    if (chain === undefined || (state !== 'held' && state !== 'waiting' && state !== 'review')) throw new CambiumError('refused', `${id} is not held by anybody.`);
    if (state === 'held' && (options.epoch !== chain.record.epoch || agentOf(options.agent) !== chain.record.agent)) {
      throw new CambiumError('fenced', `${id} is held by ${chain.record.agent} at epoch ${chain.record.epoch}.`, { hint: `Its owner releases it with --agent ${chain.record.agent} --epoch ${chain.record.epoch}; a person ends it with \`cambium task cancel ${id}\`.` });
    }
    const saved = await readSession(clone.local, id, chain.record.epoch);
    if (saved !== null && !(await keepSession(session, saved))) throw new CambiumError('hub-away', 'The work could not be kept on the hub, so the claim is not given back.', { hint: 'Try again when it is back.' });
    const ends = await publish(node, [releaseMember(node, clone.reader, { task: id, tip: chain.tip, reason: options.reason ?? 'released by hand' })]);
    published(id, ends.get(releaseKey(id, chain.tip)) as Published<Chain>);
    if (saved !== null) await clearSession(session, saved);
    return { data: { task: id }, text: `${id} is ready again.` };
  });
}

export function published<T>(task: string, end: Published<T>): T {
  if (end.state === 'published') return end.value;
  if (end.state === 'dropped') throw new CambiumError(end.drop.code === 'fenced' ? 'fenced' : end.drop.code === 'used' ? 'id-used' : 'refused', `${task}: ${end.drop.detail}.`, { data: { code: end.drop.code } });
  throw unanswered(end);
}

function unanswered(end: Published<unknown>): CambiumError {
  const detail = 'detail' in end ? end.detail : '';
  return end.state === 'refused-by-policy'
    ? new CambiumError('hub-policy', `The hub refuses the push: ${detail}`, { hint: 'Ask whoever runs the hub to allow this user to write to the branch and to refs/cambium/*.' })
    : new CambiumError('outcome-unknown', `The hub did not answer: ${detail}`, { hint: 'The push may still have happened: it is settled at the next command. Look with `cambium task show`.' });
}
