/** Working by hand on a task of a project (PROTOCOL P7): the same steps as a daemon's run, one after the other. */
import { beginTenure, tenureOf } from '../act/project/begin.ts';
import { landWork } from '../act/project/landWork.ts';
import { cacheKey, setupSteps } from '../act/project/setup.ts';
import type { ProjectSite } from '../act/project/site.ts';
import { projectProblems } from '../act/project/work.ts';
import { releaseMember } from '../act/claim.ts';
import type { ClaimWon } from '../act/claim.ts';
import type { Landing } from '../act/land.ts';
import { publish } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import type { Chain } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import type { ProjectRun } from '../model/run.ts';
import type { Script, Task, TaskResult } from '../model/task.ts';
import { treeOf } from '../observe/tree.ts';
import { agentNamed } from '../orient/agents.ts';
import type { ClaimSession } from './claimSessions.ts';
import { projectDesk } from './projectDesk.ts';
import { lastWords, scriptEnd } from './scriptRun.ts';
import type { Session } from './session.ts';

export interface BegunByHand {
  readonly project: ProjectRun;
  readonly site: ProjectSite;
  /** What the claimant must know: the work is there already, or something of the project's folder was not copied. */
  readonly feedback: readonly string[];
}

/**
 * Swaps the guest ref, looks for what has landed, makes the worktree and runs setup. Where any of it fails, the claim is
 * given back. Throws `refused`, `lost-race`, `outcome-unknown`, and what opening a project throws.
 */
export async function beginByHand(session: Session, task: Task, won: ClaimWon, agent: string): Promise<BegunByHand> {
  try {
    return await begin(session, task, won, agent);
  } catch (error) {
    const { clone, node } = session;
    const reason = `the project ${task.project}: ${(error as Error).message}`;
    await publish(node, [releaseMember(node, clone.reader, { task: task.id, tip: won.chain.tip, reason })]);
    const opened = await projectDesk(session).open(task.project as string).catch(() => null);
    await opened?.project.worktrees.remove(`${task.id}-${won.chain.record.epoch}`);
    throw error;
  }
}

async function begin(session: Session, task: Task, { chain }: ClaimWon, agent: string): Promise<BegunByHand> {
  const { clone, node } = session;
  const site = await projectDesk(session).open(task.project as string);
  const { epoch } = chain.record;
  const tenure = await tenureOf({ node, reader: clone.reader }, { task: task.id, epoch, agent, claim: chain.tip, instruction: task.blob });
  const begun = await beginTenure({ say: (_event, fields = {}) => session.note(`the host of the project ${String(fields['project'])} takes no refs of ours: the work can only go to a branch for review`) }, site, tenure);
  if (begun.state === 'fenced') throw new CambiumError('lost-race', `${task.id} was won and given back: ${begun.detail}.`);
  if (begun.state === 'waits') throw new CambiumError('outcome-unknown', `The project ${site.name} did not answer.`, { hint: 'Try again when its host is back.' });
  const { guest, base, work } = begun;
  const notes = await outfit(session, site, task, epoch, base);
  const project: ProjectRun = {
    name: site.name, config: site.config, guest, base, landed: work?.commit ?? null, branch: work?.branch ?? null, ready: null, setupSpawn: '', commits: work?.record?.commits ?? null, notes: work?.record?.notes ?? notes,
  };
  const told = work === null ? [] : [`The work has landed in the project already, as ${work.commit} on ${work.branch}: change nothing, and report on it with \`cambium task complete\`.`];
  return { project, site, feedback: [...told, ...notes] };
}

async function outfit(session: Session, site: ProjectSite, task: Task, epoch: number, base: Oid): Promise<readonly string[]> {
  const { worktrees, outfit: tools } = site.project;
  const needs = await tools.needs(base);
  if (needs.lfs !== null) throw new CambiumError('refused', `${needs.lfs} of the project ${site.name} keeps files in Git LFS, and this machine cannot read them.`, { hint: 'Install git-lfs and run `git lfs install`.' });
  const worktree = await worktrees.create(`${task.id}-${epoch}`, base);
  const notes = await tools.copy(worktree, site.config.copy);
  const { first, scripts } = setupSteps(site.config, needs);
  for (const script of first) await setUp(session, site, task, worktree, script);
  const key = cacheKey(site, needs);
  if (scripts.length === 0 || (await tools.restore(worktree, key))) return notes;
  for (const script of scripts) await setUp(session, site, task, worktree, script);
  await tools.keep(worktree, key, site.config.copy);
  return notes;
}

async function setUp(session: Session, site: ProjectSite, task: Task, cwd: string, script: Script): Promise<void> {
  const timeoutMs = (task.timeoutMinutes ?? session.fleet.config.defaults.timeoutMinutes) * 60_000;
  const end = await scriptEnd(session, { script, purpose: 'setup', cwd, task: task.id, timeoutMs });
  if (end.exit === 0) return;
  const said = typeof script === 'string' ? script : script.join(' ');
  throw new CambiumError('refused', `setup \`${said}\` of the project ${site.name} ended with ${end.exit ?? end.signal ?? '?'}.`, { hint: `Its last words:\n${lastWords(end)}` });
}

/** A claim's work in its project. */
export interface WorkByHand {
  readonly tree: Oid;
  readonly head: Oid | null;
  /** True when the worktree is as it was made. */
  readonly unchanged: boolean;
}

/** Reads the worktree. Throws `refused` for changes that may not land. */
export async function captureByHand(session: Session, task: Task, saved: ClaimSession & { readonly project: ProjectRun }, agent: string, outcome: 'done' | 'failed'): Promise<WorkByHand> {
  const { project } = saved;
  const projects = projectDesk(session);
  const site = await projects.openAs(project.name, project.config);
  const { tree, head } = await site.project.worktrees.capture(`${task.id}-${saved.epoch}`);
  const unchanged = head === project.base && tree === (await treeOf(site.node.store, project.base));
  if (outcome === 'failed') return { tree, head: head === project.base ? null : head, unchanged };
  const { config } = session.fleet;
  const problems = await projectProblems({ projects, node: session.node, worktrees: session.clone.worktrees }, { ...saved, role: agentNamed(config, agent).role, config }, tree);
  if (problems.length > 0) throw new CambiumError('refused', `${task.id} is not landed: ${problems.join('; ')}.`, { hint: 'Undo these changes in the worktree and complete again.' });
  if (project.landed !== null && !unchanged) throw new CambiumError('refused', `The work of ${task.id} has landed in the project already, as ${project.landed}; what you have changed since cannot land with it.`, { hint: 'Undo your changes and complete again, or have them done as a task of their own.' });
  return { tree, head: head === project.base ? null : head, unchanged };
}

/** Lands it there, before the workspace is told. Throws `fenced`, `refused`, `outcome-unknown`, `hub-policy`. */
export async function landByHand(session: Session, task: Task, chain: Chain, saved: ClaimSession & { readonly project: ProjectRun }, work: WorkByHand, landing: Pick<Landing, 'agent' | 'report'> & { readonly result: Pick<TaskResult, 'criteria' | 'verify'> }): Promise<Pick<Landing, 'report'> & { readonly project: NonNullable<TaskResult['project']>; readonly commits: readonly Oid[] }> {
  const { clone, node } = session;
  const { project } = saved;
  const site = await projectDesk(session).openAs(project.name, project.config);
  site.mirror.follow(task.id);
  const commits = project.commits ?? (work.head === null ? [] : [work.head]);
  const place = (commit: Oid, branch: string, notes: readonly string[]) => ({ commits, project: { name: project.name, branch, commit }, report: withNotes(landing.report, project.name, notes) });
  if (project.landed !== null) return place(project.landed, project.branch ?? project.config.branch, project.notes);
  if (work.unchanged) return place(project.base, project.config.branch, project.notes);
  const tenure = await tenureOf({ node, reader: clone.reader }, { task: task.id, epoch: saved.epoch, agent: landing.agent, claim: chain.tip, instruction: chain.record.instruction?.blob ?? task.blob });
  const { criteria, verify } = landing.result;
  const { end, notes } = await landWork(site, {
    tenure, title: task.title, base: project.base, work, target: project.guest === null ? 'review' : project.config.return, fenced: project.guest !== null, verifiedOn: null,
    told: { report: landing.report, criteria, verify, notes: project.notes },
  }, 15_000);
  if (end.state === 'published') return place(end.value.commit, end.value.branch, notes);
  if (end.state === 'unknown') throw new CambiumError('outcome-unknown', `The project ${project.name} did not answer: ${end.detail}`, { hint: 'Complete again: what has landed is found there.' });
  if (end.state === 'refused-by-policy') throw new CambiumError('hub-policy', `The project ${project.name} refuses the landing: ${end.detail}`, { hint: 'Ask whoever runs its host to let this user push there.' });
  const { code, detail } = end.drop;
  throw new CambiumError(code === 'fenced' ? 'fenced' : 'refused', `${task.id}: ${detail}.`, { hint: code === 'conflict' ? `Merge the newest ${project.config.branch} into your worktree's branch by hand, or release the task and claim it again.` : 'Look at the project, and try again.' });
}

function withNotes(report: string, name: string, notes: readonly string[]): string {
  return notes.length === 0 ? report : `${report.trimEnd()}\n\n## Project ${name}\n${notes.map((note) => `- ${note}\n`).join('')}`;
}
