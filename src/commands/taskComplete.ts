/** `cambium task complete|fail`: lands what stands in the claim's worktree. The node judges: scope, criteria, verify. */
import { landKey, landMember } from '../act/land.ts';
import type { Landed, Landing } from '../act/land.ts';
import { isHeldBy } from '../act/claim.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { pushStale } from '../act/run/salvage.ts';
import { runScript } from '../act/run/script.ts';
import { scopeBreaches } from '../act/run/scope.ts';
import type { Chain } from '../model/claim.ts';
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import { staleRef } from '../model/layout.ts';
import type { Criterion, Task, TaskResult } from '../model/task.ts';
import { judgeCriteria, parseResultFile } from '../observe/report.ts';
import { diffTrees, treeOf } from '../observe/tree.ts';
import { agentNamed } from '../orient/agents.ts';
import type { SpawnEnd } from '../ports/provider.ts';
import { clearSession, keepSession, readSession, workingOf } from '../workspace/claimSessions.ts';
import type { ClaimSession } from '../workspace/claimSessions.ts';
import { plain } from './output.ts';
import type { Answer } from './output.ts';
import { agentOf, unknownTask, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { syncAfterward } from './sync.ts';
import { published } from './taskClaim.ts';

export interface CompleteOptions {
  readonly agent?: string | undefined;
  readonly node?: string | undefined;
  readonly epoch: number;
  /** A Markdown file, or - for standard input. */
  readonly result?: string | undefined;
  readonly reason?: string | undefined;
}

export function completeCommand(id: string, options: CompleteOptions): Promise<Answer> {
  return endCommand(id, options, 'done');
}

export function failCommand(id: string, options: CompleteOptions): Promise<Answer> {
  return endCommand(id, options, 'failed');
}

function endCommand(id: string, options: CompleteOptions, outcome: 'done' | 'failed'): Promise<Answer> {
  return withSession({ node: options.node, needsHub: true }, async (session) => {
    const { clone, fleet } = session;
    const task = fleet.tasks.get(id);
    if (task === undefined) throw unknownTask(session, id);
    const agent = agentOf(options.agent);
    const chain = fleet.chains.get(id);
    const saved = await readSession(clone.local, id, options.epoch);
    const { kind, epoch, agent: owner, result } = chain?.record ?? {};
    // Asked again after it had landed: the same answer, nothing moves.
    if (result !== undefined && (kind === 'done' || kind === 'failed') && epoch === options.epoch && owner === agent) {
      return { data: { task: id, outcome: kind, epoch, commit: result }, text: `${id} has landed already: ${result.slice(0, 10)}.` };
    }
    if (!isHeldBy(chain, options.epoch, agent)) throw await fenced(session, id, agent, options.epoch, saved);
    const ended = await landNow(session, task, chain as Chain, saved, agent, options, outcome);
    const verb = outcome === 'done' ? 'is done' : 'has failed';
    return { data: { task: id, outcome, epoch: options.epoch, commit: ended.result }, text: `${id} ${verb}: ${ended.result.slice(0, 10)} on ${clone.branch}.` };
  });
}

async function landNow(session: Session, task: Task, chain: Chain, saved: ClaimSession | null, agent: string, options: CompleteOptions, outcome: 'done' | 'failed'): Promise<Landed> {
  const { clone, node } = session;
  if (saved === null || !(await clone.worktrees.exists(`${task.id}-${options.epoch}`))) {
    throw new CambiumError('refused', `The worktree of ${task.id} is not in this clone.`, { hint: `End it where it was claimed (on ${chain.record.node}), or give it back with \`cambium task release ${task.id} --agent ${agent} --epoch ${options.epoch}\`.` });
  }
  const landing = await prepare(session, task, chain, saved, agent, options, outcome);
  if (outcome === 'failed' && (await keepSession(session, saved)) === false) throw new CambiumError('hub-away', 'The work could not be kept on the hub.', { hint: 'Try again when it is back.' });
  const ends = await publish(node, [landMember(node, clone.reader, landing)]);
  const landed = published(task.id, ends.get(landKey(task.id, landing.tip)) as Published<Landed>);
  await clearSession(session, saved);
  await syncAfterward(session);
  return landed;
}

/** Late work is never lost and never landed: it goes to stale, and whoever asks is told who went on. */
async function fenced(session: Session, id: string, agent: string, epoch: number, saved: ClaimSession | null): Promise<CambiumError> {
  const record = session.fleet.chains.get(id)?.record;
  const now = record === undefined ? 'nobody has claimed it' : `its chain says ${record.kind} by ${record.agent ?? '?'} at epoch ${record.epoch}`;
  if (saved === null || saved.agent !== agent) return new CambiumError('fenced', `${agent} does not hold ${id} at epoch ${epoch}: ${now}.`, { hint: 'Claim it first with `cambium task claim`.' });
  const kept = await pushStale({ node: session.node, worktrees: session.clone.worktrees }, workingOf(saved));
  if (kept) await clearSession(session, saved);
  return new CambiumError('fenced', `${agent} does not hold ${id} at epoch ${epoch} any more: ${now}. Nothing was landed.`, {
    hint: kept ? `Your work is kept on ${staleRef(id, epoch)}.` : 'Your work is still in its worktree; try again to keep it on the hub.',
  });
}

async function prepare(session: Session, task: Task, chain: Chain, saved: ClaimSession, agent: string, options: CompleteOptions, outcome: 'done' | 'failed'): Promise<Landing> {
  const { clone, node, fleet } = session;
  const { report, criteria } = judged(task, options.result === undefined ? '' : await readInput(options.result), outcome);
  const work = await workOf(session, task, options.epoch, saved.base, agent, outcome);
  const verify = outcome === 'done' && work !== null ? await runVerify(session, task, options.epoch) : null;
  const known = agentNamed(fleet.config, agent);
  const result: Landing['result'] = {
    task: task.id, outcome, epoch: options.epoch, attempts: chain.record.attempt, agent, node: chain.record.node ?? node.identity.node, provider: 'manual', model: null,
    started: chain.record.claimed_at, ended: clone.clock.now().toISOString(), usage: null, costUsd: null,
    commits: work?.head === undefined || work.head === null ? [] : [work.head], criteria, verify, spawns: [],
  } satisfies Omit<TaskResult, 'claim'>;
  return {
    task: task.id, title: task.title, path: task.path, instruction: chain.record.instruction?.blob ?? task.blob, tip: chain.tip, agent, work: outcome === 'failed' ? null : work,
    result, report: options.reason === undefined ? report : `# Failed\n\n${options.reason}\n\n${report}`, files: new Map(),
    roster: { id: agent, role: known.role, provider: 'manual', capabilities: known.capabilities },
  };
}

/** Acceptance criteria are judged: one that is unmet, or that the report does not speak of, is not done. */
function judged(task: Task, text: string, outcome: 'done' | 'failed'): { readonly report: string; readonly criteria: readonly Criterion[] } {
  const said = parseResultFile(text);
  const criteria = judgeCriteria(task, said.criteria);
  if (outcome === 'failed') return { report: said.body, criteria };
  const unmet = criteria.filter(({ met }) => !met);
  if (said.failed || unmet.length > 0) {
    throw new CambiumError('refused', said.failed ? `The result file of ${task.id} says that it failed.` : `${task.id} is not done: ${unmet.map(({ text: criterion, evidence }) => `“${criterion}” ${evidence}`).join('; ')}.`, {
      hint: `Meet it and report it in the result file, or end the attempt with \`cambium task fail ${task.id}\`.`,
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

async function runVerify({ clone, node, fleet }: Session, task: Task, epoch: number): Promise<TaskResult['verify']> {
  if (task.verify === undefined) return null;
  const id = `${clone.clock.ulid()}-verify`;
  const scratch = `${clone.workDir}/spawns/${id}`;
  const worktree = clone.worktrees.path(`${task.id}-${epoch}`);
  const timeoutMs = (task.timeoutMinutes ?? fleet.config.defaults.timeoutMinutes) * 60_000;
  const cwd = task.workingDirectory === undefined ? worktree : `${worktree}/${task.workingDirectory}`;
  await node.supervisor.start(id, scratch, runScript(task.verify, { cwd, scratch, env: { CAMBIUM_TASK: task.id, CAMBIUM_NODE: node.identity.node } }), { timeoutMs, silenceMs: timeoutMs, graceMs: fleet.config.timings.graceMs, deadlineBootMs: clone.clock.bootMs() + timeoutMs });
  const end = await ended(clone, node, scratch);
  const command = typeof task.verify === 'string' ? task.verify : task.verify.join(' ');
  const seconds = Math.round((Date.parse(end.endedAt) - Date.parse(end.startedAt)) / 100) / 10;
  if (end.exit === 0) return { command, exit: 0, seconds };
  throw new CambiumError('refused', `${task.id} is not done: verify was red (exit ${end.exit ?? end.signal ?? '?'}).`, {
    hint: `Mend it in the worktree and complete again. Its last words:\n${end.tail.trimEnd().split('\n').slice(-20).map((line) => `    ${plain(line)}`).join('\n')}`, data: { tail: end.tail.slice(-4_000) },
  });
}

async function ended(clone: Session['clone'], node: Session['node'], scratch: string): Promise<SpawnEnd> {
  for (;;) {
    const status = await node.supervisor.status(scratch);
    if (status.state === 'ended') return status.end;
    if (status.state === 'lost') throw new CambiumError('refused', 'verify was killed.', { hint: 'Complete again.' });
    const waiting = new AbortController();
    node.supervisor.onChange(() => waiting.abort());
    await clone.clock.sleep(200, waiting.signal);
  }
}
