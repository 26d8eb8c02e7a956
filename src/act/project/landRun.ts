/**
 * A run that is to land: in its project first, then in the workspace (PROTOCOL P7). A push without an answer stays in the
 * project's outbox and is settled before anything is built anew; whoever resumes finds what landed.
 */
import { mergedName } from '../../model/run.ts';
import type { ProjectRun, Run } from '../../model/run.ts';
import type { Script } from '../../model/task.ts';
import { treeOf } from '../../observe/tree.ts';
import type { Published } from '../publish.ts';
import { endRun, fenceRun } from '../run/end.ts';
import { pushWip } from '../run/salvage.ts';
import { saveRun } from '../run/workshop.ts';
import type { Workshop } from '../run/workshop.ts';
import { tenureOf } from './begin.ts';
import { landWork } from './landWork.ts';
import type { WorkEnd } from './landWork.ts';
import type { LandedWork } from './landedWork.ts';
import { keptRefs, settleProject, troubleOf } from './site.ts';
import { afresh } from './work.ts';
import type { ProjectSite } from './site.ts';

type ProjectOf = Run & { readonly project: ProjectRun };

/** Runs `verify` in a worktree: act/run/watch.ts has it, which knows of this file already. */
export type StartVerify = (shop: Workshop, run: Run, script: Script, worktree: string) => Promise<Run>;

/** True while the project does not have the run's work: the workspace must not be told of an end yet. */
export function awaitsProject({ project }: Run): boolean {
  return project !== undefined && project !== null && project.landed === null;
}

/** One try at the project's side; the run is unchanged where it must be tried again. Throws for a full disk and for bugs only. */
export async function landInProject(shop: Workshop, run: Run, startVerify: StartVerify): Promise<Run> {
  if (!awaitsProject(run)) return run;
  try {
    return await landNow(shop, run as ProjectOf, startVerify);
  } catch (error) {
    const trouble = troubleOf(error);
    if (trouble === null) throw error;
    shop.say('project away', { task: run.task, project: run.project?.name, reason: trouble.reason });
    return trouble.state === 'passing' ? run : endRun(shop, run, { kind: 'input', question: `the project ${run.project?.name}: ${trouble.reason}` });
  }
}

async function landNow(shop: Workshop, run: ProjectOf, startVerify: StartVerify): Promise<Run> {
  const task = shop.fleet().tasks.get(run.task);
  // Told of before anything of it reaches the project: what lands there cannot be called back.
  if (task === undefined || task.blob !== run.instruction) return endRun(shop, run, { kind: 'release', reason: `${run.path} was ${task === undefined ? 'deleted' : 'changed'} after it was claimed` });
  if (shop.fenceAtMs(run) <= shop.node.clock.bootMs()) return run;
  const site = await shop.projects.openAs(run.project.name, run.project.config);
  site.mirror.follow(run.task);
  const patienceMs = Math.min(15_000, run.ttlMs / 12);
  if ((await settleProject(site, run.task, patienceMs)) > 0) return run;
  if (run.work === null) return landed(shop, run, { commit: run.project.base, branch: site.config.branch, record: null });
  const again = await verifiedAgain(shop, site, run, task.verify, startVerify);
  if (again !== null) return again;
  const { end, notes } = await pushWork(shop, site, run, patienceMs);
  return settle(shop, site, { ...run, project: { ...run.project, notes } }, end);
}

/** With `landing.verify: merged`, on the very tree that would land, where the project has moved since it was green. */
async function verifiedAgain(shop: Workshop, site: ProjectSite, run: ProjectOf, script: Script | undefined, startVerify: StartVerify): Promise<Run | null> {
  if (shop.config().landing.verify !== 'merged' || script === undefined || run.work === null) return null;
  const { main } = await site.mirror.refresh();
  const { store } = site.node;
  if (main === null || main === (run.verifiedOn ?? run.project.base)) return null;
  const { tree, conflicts } = await store.mergeTrees(await treeOf(store, run.project.base), await treeOf(store, main), run.work.tree);
  // The landing itself finds the conflict, and has it mended.
  if (conflicts.length > 0) return null;
  const { author, committer } = await store.readCommit(run.work.commit);
  const merged = await store.writeCommit({ tree, parents: [main, run.work.commit], author, committer, message: `${run.task}: merged for verify\n` });
  return startVerify(shop, { ...run, verifiedOn: main }, script, await site.project.worktrees.create(mergedName(run), merged));
}

async function pushWork(shop: Workshop, site: ProjectSite, run: ProjectOf, patienceMs: number): Promise<WorkEnd> {
  const merged = shop.config().landing.verify === 'merged' && run.verify !== null;
  const { report, criteria, verify, project: { notes, guest, base } } = run;
  return landWork(site, {
    tenure: await tenureOf(shop, run), title: shop.fleet().tasks.get(run.task)?.title ?? run.task, base, work: { tree: run.work?.tree as string, head: run.work?.head ?? null },
    target: site.config.return, fenced: guest !== null, verifiedOn: merged ? (run.verifiedOn ?? base) : null,
    told: { report: report.slice(0, REPORT_MAX), criteria: criteria.slice(0, CRITERIA_MAX), verify, notes },
  }, patienceMs);
}

/** The guest chain tells enough for the same result; a report of any length belongs to the workspace. */
const REPORT_MAX = 100_000;
const CRITERIA_MAX = 200;

async function settle(shop: Workshop, site: ProjectSite, run: ProjectOf, end: Published<LandedWork>): Promise<Run> {
  if (end.state === 'published') return landed(shop, run, end.value);
  if (end.state === 'unknown') return run;
  if (end.state === 'refused-by-policy') return endRun(shop, run, { kind: 'input', question: `the project ${site.name} refuses the landing: ${end.detail}` });
  const { code, detail } = end.drop;
  if (code === 'conflict') return conflict(shop, site, run, detail);
  if (code === 'fenced') return fenceRun(shop, run, detail);
  return code === 'not-ready' ? run : endRun(shop, run, { kind: 'input', question: detail });
}

async function landed(shop: Workshop, run: ProjectOf, work: LandedWork): Promise<Run> {
  shop.say('landed in the project', { task: run.task, epoch: run.epoch, project: run.project.name, branch: work.branch, commit: work.commit });
  return saveRun(shop, { ...run, project: { ...run.project, landed: work.commit, branch: work.branch } });
}

/** Once more on the project's newest branch; a second conflict is for a person, the work kept (DESIGN 6). */
async function conflict(shop: Workshop, site: ProjectSite, run: ProjectOf, detail: string): Promise<Run> {
  const kept = await pushWip(shop, run);
  if (kept === null) return run;
  if (run.conflicts > 0) return endRun(shop, kept, { kind: 'input', question: `${detail}. The work is kept on ${keptRefs(site, run.task, run.epoch, run.project.guest !== null).wip} of the project.` });
  shop.say('another turn', { task: run.task, agent: run.agent, epoch: run.epoch, reason: detail });
  const base = site.mirror.known().main ?? run.project.base;
  const feedback = `${detail}. Do it again on the newest ${site.config.branch}, in which somebody else's change stands now.`;
  return saveRun(shop, { ...kept, phase: 'preparing', conflicts: 1, turns: 0, feedback, work: null, verifiedOn: null, ...afresh(run, base) });
}
