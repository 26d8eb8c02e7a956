/** From an agent that ended well to what lands: scope, criteria, verify, result. */
import { worktreeName } from '../../model/run.ts';
import type { Run } from '../../model/run.ts';
import type { TaskResult } from '../../model/task.ts';
import { taskFileKind, taskStem } from '../../model/layout.ts';
import { diffTrees, treeOf } from '../../observe/tree.ts';
import type { PathChange } from '../../observe/tree.ts';
import { delegatedTasks } from '../delegated.ts';
import type { Landing } from '../land.ts';
import { inProject, projectProblems, projectResult, reportWithNotes } from '../project/work.ts';
import { spawnFiles } from '../projections.ts';
import { spokenMessages } from '../spoken.ts';
import { scopeBreaches } from '../../orient/scope.ts';
import { captureWork } from './salvage.ts';
import { saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

/** What keeps the work from landing, in sentences for the agent; empty when it may land. */
export async function workProblems(shop: Workshop, run: Run): Promise<{ readonly run: Run; readonly problems: readonly string[] }> {
  if (run.work === null && !(await shop.worktrees.exists(worktreeName(run)))) return { run, problems: ['its worktree was removed while it worked'] };
  const work = await captureWork(shop, run);
  const kept = await saveRun(shop, { ...run, work });
  const unmet = run.criteria.filter(({ met }) => !met).map(({ text, evidence }) => `Not met: ${text} (${evidence})`);
  if (work === null) return { run: kept, problems: unmet };
  if (inProject(run)) return { run: kept, problems: [...(await projectProblems(shop, { ...run, role: shop.agent(run.agent)?.role ?? 'worker', config: shop.config() }, work.tree)), ...unmet] };
  const changes = await diffTrees(shop.node.store, await treeOf(shop.node.store, run.base), work.tree);
  const role = shop.agent(run.agent)?.role ?? 'worker';
  const { edits, problems } = await delegatedTasks(shop.node, shop.fleet(), changes, { parent: run.task, request: null, spawn: run.spawn, depth: run.cause?.depth ?? 0 });
  const spoken = await spokenMessages(shop.node, { agent: run.agent, chain: [], hops: 0, thread: null, spawn: run.spawn }, changes);
  const refused = [...problems, ...spoken.problems].map(([path, problem]) => `${path}: ${problem}`);
  const marks = new Map([...edits, ...spoken.edits]);
  const marked = marks.size === 0 ? kept : await saveRun(shop, { ...kept, work: { ...work, tree: await shop.node.store.editTree(work.tree, marks) } });
  return { run: marked, problems: [...scopeBreaches(changes, role, run.agent, shop.config()), ...usedIds(shop, changes), ...refused, ...unmet] };
}

/** Agents may add tasks, and an id is never used twice (P6). */
function usedIds(shop: Workshop, changes: readonly PathChange[]): readonly string[] {
  const added = changes.filter(({ path, before }) => before === null && taskFileKind(path) === 'instruction').map(({ path }) => taskStem(path));
  const { tasks, results, chains } = shop.fleet();
  return added.filter((id) => tasks.has(id) || results.has(id) || chains.has(id)).map((id) => `tasks/${id}.md: the id ${id} is already used`);
}

export function landingOf(shop: Workshop, run: Run, outcome: 'done' | 'failed'): Landing {
  const agent = shop.agent(run.agent);
  return {
    task: run.task, title: shop.fleet().tasks.get(run.task)?.title ?? run.task, path: run.path, instruction: run.instruction, tip: run.claim, agent: run.agent,
    work: outcome === 'failed' || run.work === null || inProject(run) ? null : { base: run.base, tree: run.work.tree, head: run.work.head },
    verifiedOn: shop.config().landing.verify === 'merged' && run.verify !== null && outcome === 'done' && !inProject(run) ? (run.verifiedOn ?? run.base) : null,
    result: resultOf(shop, run, outcome), report: reportWithNotes(run), files: spawnFiles(shop.node, run),
    roster: { id: run.agent, role: agent?.role ?? 'worker', provider: run.provider, capabilities: agent?.capabilities ?? [] },
  };
}

function resultOf({ node }: Workshop, run: Run, outcome: 'done' | 'failed'): Omit<TaskResult, 'claim'> & { readonly outcome: 'done' | 'failed' } {
  return {
    task: run.task, outcome, epoch: run.epoch, attempts: run.attempt, agent: run.agent, node: node.identity.node,
    provider: run.provider, model: run.model, started: run.startedAt, ended: node.clock.now().toISOString(),
    usage: run.usage, costUsd: run.costUsd, commits: run.project?.commits ?? (run.work?.head === null || run.work === null ? [] : [run.work.head]),
    criteria: run.criteria, verify: run.verify, spawns: run.spawns.map(({ id }) => id), ...projectResult(run),
  };
}
