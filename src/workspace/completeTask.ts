/** Landing what stands in a claim's worktree. The node judges: scope, criteria, verify. */
import { landKey, landMember } from '../act/land.ts';
import type { Landed, Landing } from '../act/land.ts';
import { isHeldBy } from '../act/claim.ts';
import { reviewKey, reviewMember } from '../act/review.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { workPlace } from '../act/project/work.ts';
import { pushStale } from '../act/run/salvage.ts';
import { scopeBreaches } from '../orient/scope.ts';
import type { Chain } from '../model/claim.ts';
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import type { Criterion, Task, TaskResult } from '../model/task.ts';
import { before } from '../observe/chains.ts';
import { judgeCriteria, parseResultFile } from '../observe/report.ts';
import { diffTrees, treeOf } from '../observe/tree.ts';
import { agentNamed } from '../orient/agents.ts';
import { captureByHand, landByHand } from './projectClaim.ts';
import { clearSession, keepSession, readSession, salvageOf, workingOf } from './claimSessions.ts';
import type { ClaimSession } from './claimSessions.ts';
import { lastWords, scriptEnd } from './scriptRun.ts';
import { agentOf, unknownTask } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';
import { published } from './published.ts';
import { markActive } from './workers.ts';

export interface Completion {
  readonly task: string;
  readonly epoch: number;
  readonly agent?: string | undefined;
  /** Markdown; its front matter may judge the criteria (docs/cli.md). */
  readonly report: string;
  /** Of a failure. */
  readonly reason?: string | undefined;
}

export interface Completed {
  readonly task: string;
  /** `review`: the work waits for approval, nothing is on main yet. */
  readonly outcome: 'done' | 'failed' | 'review';
  readonly epoch: number;
  /** On main; of a review, the commit that is to be judged. */
  readonly commit: string;
  /** It had landed before: this call moved nothing. */
  readonly before: boolean;
}

export function completeTask(session: Session, completion: Completion): Promise<Completed> {
  return endTask(session, completion, 'done');
}

export function failTask(session: Session, completion: Completion): Promise<Completed> {
  return endTask(session, completion, 'failed');
}

/** Throws `fenced`, `refused`, `unknown-task`, `hub-away`. */
async function endTask(session: Session, completion: Completion, outcome: 'done' | 'failed'): Promise<Completed> {
  const { clone, fleet } = session;
  const { task: id, epoch } = completion;
  const task = fleet.tasks.get(id);
  if (task === undefined) throw unknownTask(session, id);
  const agent = agentOf(session, completion.agent);
  const chain = fleet.chains.get(id);
  const saved = await readSession(clone.local, id, epoch);
  const earlier = await endedBefore(session, chain, epoch, agent);
  // Asked again after it had landed: the same answer, nothing moves. The work is on the hub, so what a killed call left goes.
  if (earlier !== null && saved !== null && saved.agent === agent) await clearSession(session, saved);
  if (earlier !== null) return { task: id, ...earlier, epoch, before: true };
  if (!isHeldBy(chain, epoch, agent)) throw await fenced(session, id, agent, epoch, saved);
  return { task: id, ...(await landNow(session, task, chain as Chain, saved, agent, completion, outcome)), epoch, before: false };
}

/** Work that waits for review, or was judged since, was handed in under its own epoch; what landed has ended the chain. */
async function endedBefore({ clone }: Session, chain: Chain | undefined, epoch: number, agent: string): Promise<Pick<Completed, 'outcome' | 'commit'> | null> {
  for (let at = chain; at !== undefined && at.record.epoch >= epoch; at = await before(clone.store, clone.reader, at)) {
    const { kind, result, commit, epoch: of, agent: by } = at.record;
    if (of !== epoch || by !== agent) continue;
    if (at === chain && (kind === 'done' || kind === 'failed') && result !== undefined) return { outcome: kind, commit: result };
    if (kind === 'review' && commit !== undefined) return { outcome: 'review', commit };
  }
  return null;
}

async function landNow(session: Session, task: Task, chain: Chain, saved: ClaimSession | null, agent: string, completion: Completion, outcome: 'done' | 'failed'): Promise<Pick<Completed, 'outcome' | 'commit'>> {
  const { clone } = session;
  if (saved === null || !(await clone.worktrees.exists(`${task.id}-${completion.epoch}`))) {
    throw new CambiumError('refused', `The worktree of ${task.id} is not in this clone.`, { hint: `End it where it was claimed (on ${chain.record.node}), or give it back with \`cambium task release ${task.id} --agent ${agent} --epoch ${completion.epoch}\`.` });
  }
  const landing = await prepare(session, task, chain, saved, agent, completion, outcome);
  if (outcome === 'failed' && (await keepSession(session, saved)) === false) throw new CambiumError('hub-away', 'The work could not be kept on the hub.', { hint: 'Try again when it is back.' });
  const landed = outcome === 'done' && task.review !== undefined ? await handIn(session, landing) : await land(session, landing);
  await clearSession(session, saved);
  await markActive(session, agent);
  await syncAfterward(session);
  return landed;
}

async function land({ clone, node }: Session, landing: Landing): Promise<Pick<Completed, 'outcome' | 'commit'>> {
  const ends = await publish(node, [landMember(node, clone.reader, landing)]);
  const end = ends.get(landKey(landing.task, landing.tip)) as Published<Landed>;
  requireSameText(landing, end);
  return { outcome: landing.result.outcome, commit: published(landing.task, end).result };
}

/** The task asks for review: its work waits there, and the claim ends (PROTOCOL P6). */
async function handIn({ clone, node }: Session, landing: Landing): Promise<Pick<Completed, 'outcome' | 'commit'>> {
  const ends = await publish(node, [reviewMember(node, clone.reader, landing)]);
  const end = ends.get(reviewKey(landing.task, landing.tip)) as Published<Chain>;
  requireSameText(landing, end);
  return { outcome: 'review', commit: published(landing.task, end).record.commit as Oid };
}

function requireSameText({ task, agent, result }: Landing, end: Published<unknown>): void {
  if (end.state !== 'dropped' || end.drop.code !== 'instruction-changed') return;
  throw new CambiumError('refused', `${task}: ${end.drop.detail}. Nothing was landed.`, {
    hint: `Read it again (\`cambium task show ${task}\`), mend the work, then take the new text with \`cambium task renew ${task} --agent ${agent} --epoch ${result.epoch} --accept-edit\` and complete again.`,
  });
}

/** Late work is never lost and never landed: it goes to stale, and whoever asks is told who went on. */
async function fenced(session: Session, id: string, agent: string, epoch: number, saved: ClaimSession | null): Promise<CambiumError> {
  const record = session.fleet.chains.get(id)?.record;
  const now = record === undefined ? 'nobody has claimed it' : `its chain says ${record.kind} by ${record.agent ?? '?'} at epoch ${record.epoch}`;
  if (saved === null || saved.agent !== agent) return new CambiumError('fenced', `${agent} does not hold ${id} at epoch ${epoch}: ${now}.`, { hint: 'Claim it first with `cambium task claim`.' });
  const kept = await pushStale(salvageOf(session), workingOf(saved));
  if (kept) await clearSession(session, saved);
  return new CambiumError('fenced', `${agent} does not hold ${id} at epoch ${epoch} any more: ${now}. Nothing was landed.`, {
    hint: kept ? `Your work is kept on ${(await workPlace(salvageOf(session), workingOf(saved))).stale}${saved.project === undefined ? '' : ` of the project ${saved.project.name}`}.` : 'Your work is still in its worktree; try again to keep it on the hub.',
  });
}

async function prepare(session: Session, task: Task, chain: Chain, saved: ClaimSession, agent: string, completion: Completion, outcome: 'done' | 'failed'): Promise<Landing> {
  const { clone, node, fleet } = session;
  const { report, criteria } = judged(task, completion.report, outcome, `${task.id} --agent ${agent} --epoch ${completion.epoch}`);
  const { project } = saved;
  const there = project === undefined ? null : await captureByHand(session, task, { ...saved, project }, agent, outcome);
  const work = there === null ? await workOf(session, task, completion.epoch, saved.base, agent, outcome) : null;
  const verify = outcome === 'done' ? await runVerify(session, task, completion.epoch) : null;
  const known = agentNamed(fleet.config, agent);
  const landed = project === undefined || there === null || outcome === 'failed' ? null : await landByHand(session, task, chain, { ...saved, project }, there, { agent, report, result: { criteria, verify } });
  const result: Landing['result'] = {
    task: task.id, outcome, epoch: completion.epoch, attempts: chain.record.attempt, agent, node: chain.record.node ?? node.identity.node, provider: 'manual', model: null,
    started: chain.record.claimed_at, ended: clone.clock.now().toISOString(), usage: null, costUsd: null,
    commits: landed?.commits ?? (work?.head === undefined || work.head === null ? [] : [work.head]), criteria, verify, spawns: [], ...(landed === null ? {} : { project: landed.project }),
  } satisfies Omit<TaskResult, 'claim'>;
  return {
    task: task.id, title: task.title, path: task.path, instruction: chain.record.instruction?.blob ?? task.blob, tip: chain.tip, agent, work: outcome === 'failed' ? null : work,
    result, report: completion.reason === undefined ? (landed?.report ?? report) : `# Failed\n\n${completion.reason}\n\n${report}`, files: new Map(),
    roster: { id: agent, role: known.role, provider: 'manual', capabilities: known.capabilities },
  };
}

/** Acceptance criteria are judged: one that is unmet, or that the report does not speak of, is not done. */
function judged(task: Task, text: string, outcome: 'done' | 'failed', held: string): { readonly report: string; readonly criteria: readonly Criterion[] } {
  const said = parseResultFile(text);
  const criteria = judgeCriteria(task, said.criteria);
  if (outcome === 'failed') return { report: said.body, criteria };
  const unmet = criteria.filter(({ met }) => !met);
  if (said.failed || unmet.length > 0) {
    throw new CambiumError('refused', said.failed ? `The result file of ${task.id} says that it failed.` : `${task.id} is not done: ${unmet.map(({ text: criterion, evidence }) => `“${criterion}” ${evidence}`).join('; ')}.`, {
      hint: `Meet it and report it in the result file, or end the attempt with \`cambium task fail ${held}\`.`,
    });
  }
  return { report: said.body, criteria };
}

async function workOf({ clone, fleet }: Session, task: Task, epoch: number, base: Oid, agent: string, outcome: 'done' | 'failed'): Promise<Landing['work']> {
  const { tree, head } = await clone.worktrees.capture(`${task.id}-${epoch}`);
  const changes = await diffTrees(clone.store, await treeOf(clone.store, base), tree);
  const breaches = scopeBreaches(changes, agentNamed(fleet.config, agent).role, agent, fleet.config);
  if (outcome === 'done' && breaches.length > 0) throw new CambiumError('refused', `${task.id} is not landed: ${breaches.join('; ')}.`, { hint: 'Undo these changes in the worktree and complete again.' });
  return { base, tree, head: head === base ? null : head };
}

async function runVerify(session: Session, task: Task, epoch: number): Promise<TaskResult['verify']> {
  const { verify: script } = task;
  if (script === undefined) return null;
  const worktree = session.clone.worktrees.path(`${task.id}-${epoch}`);
  const timeoutMs = (task.timeoutMinutes ?? session.fleet.config.defaults.timeoutMinutes) * 60_000;
  const cwd = task.workingDirectory === undefined ? worktree : `${worktree}/${task.workingDirectory}`;
  const end = await scriptEnd(session, { script, purpose: 'verify', cwd, task: task.id, timeoutMs });
  const seconds = Math.round((Date.parse(end.endedAt) - Date.parse(end.startedAt)) / 100) / 10;
  if (end.exit === 0) return { command: typeof script === 'string' ? script : script.join(' '), exit: 0, seconds };
  throw new CambiumError('refused', `${task.id} is not done: verify was red (exit ${end.exit ?? end.signal ?? '?'}).`, {
    hint: `Mend it in the worktree and complete again. Its last words:\n${lastWords(end)}`, data: { tail: end.tail.slice(-4_000) },
  });
}
