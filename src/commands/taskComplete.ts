/** `cambium task complete|fail`: lands what stands in the claim's worktree. The node judges: scope, criteria, verify. */
import { landKey, landMember } from '../act/land.ts';
import type { Landed, Landing } from '../act/land.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { runScript } from '../act/run/script.ts';
import { scopeBreaches } from '../act/run/scope.ts';
import { chainState } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import type { Criterion, Task, TaskResult } from '../model/task.ts';
import { judgeCriteria, parseResultFile } from '../observe/report.ts';
import { diffTrees, treeOf } from '../observe/tree.ts';
import { agentNamed } from '../orient/agents.ts';
import type { SpawnEnd } from '../ports/provider.ts';
import { dropSession, readSession } from './claimSessions.ts';
import type { Answer } from './output.ts';
import { agentOf, withSession } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';
import { published, unknownTask } from './taskClaim.ts';

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
    const { clone, node, fleet } = session;
    const task = fleet.tasks.get(id);
    if (task === undefined) throw unknownTask(session, id);
    const agent = agentOf(options.agent);
    const chain = ownChain(fleet.chains.get(id), task, agent, options.epoch);
    if ('tip' in chain) {
      const landing = await prepare(session, task, chain, agent, options, outcome);
      const ends = await publish(node, [landMember(node, clone.reader, landing)]);
      const landed = published(id, ends.get(landKey(id, landing.tip)) as Published<Landed>);
      await clone.worktrees.remove(`${id}-${options.epoch}`);
      await dropSession(clone.local, id, options.epoch);
      await syncAfterward(session);
      return { data: { task: id, outcome, epoch: options.epoch, commit: landed.result }, text: `${id} is ${outcome}: ${landed.result.slice(0, 10)} on ${clone.branch}.` };
    }
    // Asked again after it had landed: the same answer, nothing moves.
    return { data: { task: id, outcome, epoch: options.epoch, commit: chain.landed }, text: `${id} is ${outcome} already: ${chain.landed.slice(0, 10)}.` };
  });
}

function ownChain(chain: Chain | undefined, task: Task, agent: string, epoch: number): Chain | { readonly landed: Oid } {
  if (chain !== undefined && chain.record.epoch === epoch && chain.record.agent === agent) {
    if (chainState(chain) === 'held') return chain;
    if (chain.record.kind === 'done' && chain.record.result !== undefined) return { landed: chain.record.result };
  }
  const now = chain === undefined ? 'nobody has claimed it' : `its chain says ${chain.record.kind} by ${chain.record.agent ?? '?'} at epoch ${chain.record.epoch}`;
  throw new CambiumError('fenced', `${agent} does not hold ${task.id} at epoch ${epoch}: ${now}.`, {
    hint: 'Somebody else went on with it. Your work is still in its worktree; nothing of it was landed.',
  });
}

async function prepare(session: Session, task: Task, chain: Chain, agent: string, options: CompleteOptions, outcome: 'done' | 'failed'): Promise<Landing> {
  const { clone, node, fleet } = session;
  const saved = await readSession(clone.local, task.id, options.epoch);
  const { report, criteria } = judged(task, options.result === undefined ? '' : await readInput(options.result), outcome);
  const work = saved === null ? null : await workOf(session, task, options.epoch, saved.base, agent, outcome);
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
    roster: { id: agent, role: known.role, provider: known.provider, capabilities: known.capabilities },
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
  throw new CambiumError('refused', `${task.id} is not done: verify was red (exit ${end.exit ?? end.signal ?? '?'}).`, { hint: 'Mend it in the worktree and complete again.', data: { tail: end.tail.slice(-4_000) } });
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
