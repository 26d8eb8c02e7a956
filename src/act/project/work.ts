/** A run's work where it is made in a project: which store, worktrees and refs it has, what keeps it from landing, what its result says. */
import type { ProjectRun, Run } from '../../model/run.ts';
import type { FleetConfig } from '../../model/config.ts';
import type { Oid, TaskId } from '../../model/ids.ts';
import { staleRef, wipRef } from '../../model/layout.ts';
import type { TaskResult } from '../../model/task.ts';
import { diffTrees, treeOf } from '../../observe/tree.ts';
import type { Store } from '../../ports/store.ts';
import type { Worktrees } from '../../ports/worktrees.ts';
import type { Source } from '../run/context.ts';
import type { Workshop } from '../run/workshop.ts';
import type { Node } from '../node.ts';
import { projectBreaches } from '../../orient/scope.ts';
import { keptRefs } from './site.ts';
import type { ProjectDesk } from './site.ts';

/** Where the work of a run stands and is kept. */
export interface WorkPlace {
  readonly node: Node;
  readonly worktrees: Worktrees;
  /** Commit that the worktree was made from; empty before it was. */
  readonly base: Oid;
  readonly wip: string;
  readonly stale: string;
  readonly inProject: boolean;
}

export interface PlaceOptions {
  readonly node: Node;
  readonly worktrees: Worktrees;
  /** Unsaid where no task works in a project. */
  readonly projects?: ProjectDesk;
}

/** Throws what opening a project throws. */
export async function workPlace(shop: PlaceOptions, run: { readonly task: TaskId; readonly epoch: number; readonly base: Oid; readonly project?: ProjectRun | null }): Promise<WorkPlace> {
  const { project } = run;
  if (project === undefined || project === null || shop.projects === undefined) {
    return { node: shop.node, worktrees: shop.worktrees, base: run.base, wip: wipRef(run.task, run.epoch), stale: staleRef(run.task, run.epoch), inProject: false };
  }
  const site = await shop.projects.openAs(project.name, project.config);
  return { node: site.node, worktrees: site.project.worktrees, base: project.base, ...keptRefs(site, run.task, run.epoch, project.guest !== null), inProject: true };
}

/** Where the context files of the run's task stand; null for the workspace itself. */
export async function contextSource(shop: Pick<Workshop, 'projects'>, { project }: Pick<Run, 'project'>): Promise<Source | null> {
  return project === undefined || project === null ? null : { store: (await shop.projects.openAs(project.name, project.config)).node.store, commit: project.base };
}

export function inProject({ project }: Pick<Run, 'project'>): boolean {
  return project !== undefined && project !== null;
}

/** Whose work it is, and by which rules it is judged. */
export interface Worked extends Pick<Run, 'task' | 'epoch' | 'base' | 'project' | 'agent'> {
  readonly role: string;
  readonly config: FleetConfig;
}

/** What keeps the tree from landing in the project, in sentences for the agent. */
export async function projectProblems(shop: PlaceOptions, run: Worked, tree: Oid): Promise<readonly string[]> {
  const place = await workPlace(shop, run);
  const { store } = place.node;
  const changes = await diffTrees(store, await treeOf(store, place.base), tree);
  const pointers = await Promise.all(changes.map(async ({ path, after }) => (after !== null && after.mode !== '160000' && (await isPointer(store, after.oid)) ? path : null)));
  return [
    ...projectBreaches(changes, run.role, run.agent, run.config),
    ...pointers.filter((path): path is string => path !== null).map((path) => `${path} is kept in Git LFS: what it points to cannot be landed from here`),
  ];
}

const POINTER = 'version https://git-lfs.github.com/spec/v1\n';
const POINTER_BYTES_MAX = 1_024;

async function isPointer(store: Store, blob: Oid): Promise<boolean> {
  return (await store.sizeOf(blob)) <= POINTER_BYTES_MAX && Buffer.from(await store.readBlob(blob)).toString('latin1').startsWith(POINTER);
}

/** The project's part of a run that begins once more, on another commit of its branch; nothing for a task of the workspace's own. */
export function afresh({ project }: Pick<Run, 'project'>, base: Oid): Pick<Run, 'project'> {
  return project === undefined || project === null ? {} : { project: { ...project, base, ready: null, setupSpawn: '' } };
}

/** What the result says of the project's side; nothing for a task of the workspace's own. */
export function projectResult({ project }: Pick<Run, 'project'>): Pick<TaskResult, 'project'> {
  if (project === undefined || project === null || project.landed === null) return {};
  return { project: { name: project.name, branch: project.branch ?? '', commit: project.landed } };
}

/** The report with what the project's side adds to it. */
export function reportWithNotes({ report, project }: Pick<Run, 'report' | 'project'>): string {
  const notes = project?.notes ?? [];
  return notes.length === 0 ? report : `${report.trimEnd()}\n\n## Project ${project?.name ?? ''}\n${notes.map((note) => `- ${note}\n`).join('')}`;
}

