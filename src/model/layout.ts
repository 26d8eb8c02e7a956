/** Where things stand: paths of the tree and names of the refs (docs/formats.md). Pure. */
import type { NodeName, TaskId } from './ids.ts';

export const CONFIG_FILE = 'cambium.yaml';
export const SYNCED_REF = 'refs/cambium/local/synced';
export const OUTBOX_PREFIX = 'refs/cambium/local/outbox/';
export const LOCAL_PREFIX = 'refs/cambium/local/';
/** Where the hub's refs are mirrored locally; these mirrors are the high-water marks of PROTOCOL P8 too. */
export const HUB_MIRROR = 'refs/hub/';
export const FLEET_REF = 'refs/cambium/fleet';
/** What people have stopped and paused (model/stop.ts): one ref for the fleet, a chain of wishes. */
export const STOP_REF = 'refs/cambium/stop';
export const CLAIMS_PREFIX = 'refs/cambium/claims/';
export const NODES_PREFIX = 'refs/cambium/nodes/';
/** Keeps an agent's finished work alive in this clone until it has landed. */
export const workRef = (task: TaskId, epoch: number): string => `${LOCAL_PREFIX}work/${task}/${epoch}`;
export const WIP_PREFIX = 'refs/cambium/wip/';
export const STALE_PREFIX = 'refs/cambium/stale/';
export const RESCUE_PREFIX = 'refs/cambium/rescue/';
export const LOCKS_PREFIX = 'refs/cambium/locks/';
export const ARCHIVE_PREFIX = 'refs/cambium/archive/';

/** `refs/cambium/claims/x` → `refs/hub/cambium/claims/x`. */
export const mirrorRef = (ref: string): string => `${HUB_MIRROR}${ref.slice('refs/'.length)}`;
export const unmirrorRef = (ref: string): string => `refs/${ref.slice(HUB_MIRROR.length)}`;

export const claimRef = (task: TaskId): string => `${CLAIMS_PREFIX}${task}`;
export const nodeRef = (node: NodeName): string => `${NODES_PREFIX}${node}`;
export const wipRef = (task: TaskId, epoch: number): string => `${WIP_PREFIX}${task}/${epoch}`;
export const staleRef = (task: TaskId, epoch: number): string => `${STALE_PREFIX}${task}/${epoch}`;
/** The oid that is under review, for good (PROTOCOL P6), and the branch that shows it to people and forges. */
export const REVIEW_PREFIX = 'refs/cambium/review/';
export const reviewRef = (task: TaskId, epoch: number): string => `${REVIEW_PREFIX}${task}/${epoch}`;
export const REVIEW_BRANCHES = 'refs/heads/review/';
export const reviewBranch = (task: TaskId): string => `${REVIEW_BRANCHES}${task}`;
/** In a project's hub: who of which fleet works on a task there (PROTOCOL P7). */
export const guestRef = (fleet: string, task: TaskId): string => `refs/cambium/guests/${fleet}/${task}`;
export const probeRef = (node: NodeName): string => `refs/cambium/probe/${node}`;
/** Before the path of a context file: it stands in the workspace, though the task works in a project (PROTOCOL P7). */
export const WORKSPACE = 'workspace:';
export const branchRef = (branch: string): string => `refs/heads/${branch}`;

/** `tasks/web/add-login.md` → `tasks/web/add-login.result.md`: a result stands beside its instruction file. */
export const resultPath = (taskPath: string): string => taskPath.replace(/\.md$/, '.result.md');
export const claimPath = (taskPath: string): string => taskPath.replace(/\.md$/, '.claim.json');
export const taskPath = (id: TaskId): string => `tasks/${id}.md`;

/** Folders and files of the tree that belong to the fleet's state; a person's saved edits below them are published by the node. */
export const STATE_PATHS = ['tasks', 'agents', 'memory', 'templates', 'hooks', CONFIG_FILE, 'self-model.md'] as const;

export function isStatePath(path: string): boolean {
  return STATE_PATHS.some((top) => path === top || path.startsWith(`${top}/`));
}

export const ROSTER_PATH = 'agents/roster.json';
/** By the name that cambium.yaml gives under `constitution`. */
export const constitutionPath = (name: string): string => `templates/constitutions/${name}.md`;
/** `worker` → `templates/WORKER_CLAUDE.md`. */
export const rolePagePath = (role: string): string => `templates/${role.toUpperCase().replaceAll('-', '_')}_CLAUDE.md`;

/** Files that any node recomputes from facts: they tell, and never decide. */
export function isProjection(path: string): boolean {
  return path === ROSTER_PATH || taskFileKind(path) === 'claim';
}

export type TaskFileKind = 'instruction' | 'claim' | 'result' | 'none';

/**
 * What a path below `tasks/` is. `README.md` and names that begin with `_` or `.` are no tasks, nor is
 * anything in `tasks/archive/` (finished groups). Other endings are attachments.
 */
export function taskFileKind(path: string): TaskFileKind {
  if (!path.startsWith('tasks/') || path.startsWith('tasks/archive/')) return 'none';
  const segments = path.split('/').slice(1);
  const name = segments.at(-1) ?? '';
  if (name === 'README.md' || segments.some((segment) => segment.startsWith('.') || segment.startsWith('_'))) return 'none';
  if (name.endsWith('.claim.json')) return 'claim';
  if (name.endsWith('.result.md')) return 'result';
  return name.endsWith('.md') ? 'instruction' : 'none';
}

/** The task id a file of `tasks/` speaks of: its stem without the ending. */
export function taskStem(path: string): string {
  return (path.split('/').at(-1) ?? '').replace(/\.(claim\.json|result\.md|md)$/, '');
}
