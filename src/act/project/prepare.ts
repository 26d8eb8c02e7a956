/**
 * From a claim in the workspace to a worktree in the project (PROTOCOL P7): the guest ref is swapped first, then is looked
 * for what landed already, and only then is anything made. Setup runs under supervision; the steps are kept in the run's
 * record, so that a restarted daemon goes on where the old one died.
 */
import { CambiumError } from '../../errors.ts';
import type { ProjectRun, Run } from '../../model/run.ts';
import { backoffMs, worktreeName } from '../../model/run.ts';
import type { Task } from '../../model/task.ts';
import type { SpawnStatus } from '../../ports/process.ts';
import { endAttempt, endRun } from '../run/end.ts';
import { saveRun } from '../run/workshop.ts';
import type { Workshop } from '../run/workshop.ts';
import { runScript } from '../run/script.ts';
import { beginTenure, tenureOf } from './begin.ts';
import type { LandedWork } from './landedWork.ts';
import { cacheKey, setupSteps } from './setup.ts';
import { troubleOf } from './site.ts';
import type { ProjectSite } from './site.ts';

export interface Prepared {
  readonly run: Run;
  /** True when the agent may start: the worktree stands, and setup has ended well. */
  readonly ready: boolean;
}

const waiting = (run: Run): Prepared => ({ run, ready: false });
type ProjectOf = Run & { readonly project: ProjectRun };

/** Does the next step, and says whether any is left. Never throws for what the project's host or its content does. */
export async function prepareProject(shop: Workshop, run: Run, task: Task): Promise<Prepared> {
  try {
    const { project } = run;
    const site = project === undefined || project === null ? await shop.projects.open(task.project as string) : await shop.projects.openAs(project.name, project.config);
    const begun = isBegun(run) ? run : await begin(shop, site, run);
    if (!isBegun(begun) || begun.phase !== 'preparing') return waiting(begun);
    return await outfit(shop, site, begun, task);
  } catch (error) {
    const trouble = troubleOf(error);
    if (trouble === null) throw error;
    shop.say('project away', { task: run.task, project: task.project, reason: trouble.reason });
    const reason = `the project ${task.project}: ${trouble.reason}`;
    return waiting(await endRun(shop, run, trouble.state === 'passing' ? { kind: 'release', reason } : { kind: 'input', question: reason }));
  }
}

function isBegun(run: Run): run is ProjectOf {
  return run.project !== undefined && run.project !== null;
}

/** Swaps the guest ref, then looks for what has landed already: that goes straight to the workspace's landing. */
async function begin(shop: Workshop, site: ProjectSite, run: Run): Promise<Run> {
  const started = await beginTenure(shop, site, await tenureOf(shop, run));
  if (started.state === 'waits') return run;
  if (started.state === 'fenced') return endRun(shop, run, { kind: 'release', reason: started.detail });
  const { guest, base, work } = started;
  const project: ProjectRun = { name: site.name, config: site.config, guest, base, landed: null, branch: null, ready: null, setupSpawn: '', commits: null, notes: [] };
  if (work === null) return saveRun(shop, { ...run, project });
  shop.say('landed in the project before', { task: run.task, project: site.name, commit: work.commit });
  return saveRun(shop, { ...resumed(run, work), project: { ...project, landed: work.commit, branch: work.branch, commits: work.record?.commits ?? [], notes: work.record?.notes ?? [] } });
}

/** What the earlier epoch had to say is the result's; where nothing is told, that much is. */
function resumed(run: Run, { commit, record }: LandedWork): Run {
  const report = record?.report ?? `The work had landed in the project as ${commit} before this epoch began; nothing was done again.`;
  return { ...run, phase: 'landing', work: null, report, criteria: record?.criteria ?? [], verify: record?.verify ?? null };
}

/** Makes the worktree, then runs one setup script after the other; each call does one step. */
async function outfit(shop: Workshop, site: ProjectSite, run: ProjectOf, task: Task): Promise<Prepared> {
  const { outfit: tools, worktrees } = site.project;
  const name = worktreeName(run);
  const needs = await tools.needs(run.project.base);
  if (needs.lfs !== null) throw new CambiumError('bad-config', `${needs.lfs} keeps files in Git LFS, and this machine cannot read them.`, { hint: 'Install git-lfs and run `git lfs install`, or give the task to a node that has it.' });
  if (run.project.ready === null || !(await worktrees.exists(name))) {
    await worktrees.create(name, run.project.base);
    const notes = await tools.copy(worktrees.path(name), site.config.copy);
    return outfit(shop, site, await saveProject(shop, run, { ready: 0, setupSpawn: '', notes }), task);
  }
  const { first, scripts } = setupSteps(site.config, needs);
  const steps = [...first, ...scripts];
  const { ready, setupSpawn } = run.project;
  if (ready >= steps.length) return { run, ready: true };
  if (setupSpawn !== '') return watchStep(shop, site, run, task, await shop.node.supervisor.status(shop.scratch(setupSpawn)));
  const key = cacheKey(site, needs);
  if (ready === first.length && (await tools.restore(worktrees.path(name), key))) return { run: await saveProject(shop, run, { ready: steps.length }), ready: true };
  return waiting(await startStep(shop, site, run, task, ready));
}

/** The spawn of a step is the run's spawn while it lasts: it is fenced, renewed and stopped as an agent is (P4.4). */
async function startStep(shop: Workshop, site: ProjectSite, run: ProjectOf, task: Task, at: number): Promise<Run> {
  const { first, scripts } = setupSteps(site.config, await site.project.outfit.needs(run.project.base));
  const script = [...first, ...scripts][at] as string;
  const id = `${shop.node.clock.ulid()}-setup`;
  const scratch = shop.scratch(id);
  const timeoutMs = (task.timeoutMinutes ?? shop.config().defaults.timeoutMinutes) * 60_000;
  const spec = runScript(script, { cwd: site.project.worktrees.path(worktreeName(run)), scratch, env: { CAMBIUM_TASK: run.task, CAMBIUM_AGENT: run.agent, CAMBIUM_NODE: shop.node.identity.node } });
  const started = await saveRun(shop, { ...run, spawn: id, project: { ...run.project, setupSpawn: id } });
  await shop.node.supervisor.start(id, scratch, spec, { timeoutMs, silenceMs: timeoutMs, graceMs: shop.config().timings.graceMs, deadlineBootMs: shop.fenceAtMs(run) });
  shop.say('setup started', { task: run.task, project: site.name, step: at + 1 });
  return started;
}

async function watchStep(shop: Workshop, site: ProjectSite, run: ProjectOf, task: Task, status: SpawnStatus): Promise<Prepared> {
  if (status.state === 'lost') {
    await shop.node.supervisor.stop(shop.scratch(run.project.setupSpawn), 'asked');
    return waiting(await endAttempt(shop, run, `the setup of the project ${site.name} was killed`, { retryable: true, backoffMs: 0 }));
  }
  if (status.state !== 'ended') return waiting(run);
  const { end } = status;
  if (end.stopped === 'fenced') return waiting(await endRun(shop, run, { kind: 'release', reason: 'the lease could not be renewed in time' }));
  const needs = await site.project.outfit.needs(run.project.base);
  const { first, scripts } = setupSteps(site.config, needs);
  const steps = [...first, ...scripts];
  const at = run.project.ready ?? 0;
  shop.say('setup ended', { task: run.task, project: site.name, step: at + 1, exit: end.exit });
  if (end.exit !== 0) {
    const said = typeof steps[at] === 'string' ? (steps[at] as string) : (steps[at] ?? []).slice(0, 1).join('');
    const how = end.stopped === 'timeout' ? 'ran out of time' : `ended with exit ${end.exit ?? end.signal ?? '?'}`;
    const report = `The setup of the project ${site.name}, \`${said}\`, ${how}:\n\n${fenced(end.tail)}`;
    return waiting(await endAttempt(shop, { ...run, report }, `setup \`${said.split('\n')[0]}\` of the project ${site.name} ${how}: ${lastLine(end.tail)}`, { retryable: true, backoffMs: backoffMs(run.attempt) }));
  }
  const next = await saveProject(shop, run, { ready: at + 1, setupSpawn: '' });
  if (at + 1 === steps.length && scripts.length > 0) {
    const why = await site.project.outfit.keep(site.project.worktrees.path(worktreeName(run)), cacheKey(site, needs), site.config.copy);
    if (why !== null) shop.say('setup not kept', { task: run.task, project: site.name, reason: why });
  }
  return outfit(shop, site, next, task);
}

async function saveProject(shop: Workshop, run: ProjectOf, more: Partial<ProjectRun>): Promise<ProjectOf> {
  return (await saveRun(shop, { ...run, project: { ...run.project, ...more } })) as ProjectOf;
}

/** Output in a block of its own, whatever backticks it holds. */
function fenced(tail: string): string {
  const fence = '`'.repeat(Math.max(3, ...[...tail.matchAll(/`+/g)].map(([run]) => run.length + 1)));
  return `${fence}\n${tail.slice(-8_000).trimEnd()}\n${fence}`;
}

const lastLine = (tail: string): string => tail.trimEnd().split('\n').at(-1)?.slice(0, 200) ?? '';
