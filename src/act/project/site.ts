/** A project as this node works in it: a node whose store, hub and mirror are the project's (PROTOCOL P7). */
import { CambiumError } from '../../errors.ts';
import type { FleetConfig, ProjectConfig } from '../../model/config.ts';
import type { TaskId } from '../../model/ids.ts';
import { isId } from '../../model/ids.ts';
import { FLEET_REF, branchRef, guestRef, reviewBranch, staleRef, wipRef } from '../../model/layout.ts';
import { parseFleetRecord } from '../../observe/fleetRecord.ts';
import { KEPT_BRANCHES, openProjectMirror, workBranch } from '../../observe/projectMirror.ts';
import type { ProjectMirror } from '../../observe/projectMirror.ts';
import { fileAt, treeOf } from '../../observe/tree.ts';
import type { Project, Projects } from '../../ports/projects.ts';
import type { Node } from '../node.ts';
import { readOutbox, settleOutbox } from '../outbox.ts';

export interface ProjectSite {
  readonly name: string;
  readonly config: ProjectConfig;
  readonly project: Project;
  readonly node: Node;
  readonly mirror: ProjectMirror;
  readonly fleet: string;
}

export interface ProjectDesk {
  /** Throws `bad-config` for a project that cambium.yaml does not have, and what `Projects.open` throws. */
  open(name: string): Promise<ProjectSite>;
  /** The project as it was configured when a run began in it: cambium.yaml may have changed since. */
  openAs(name: string, config: ProjectConfig): Promise<ProjectSite>;
}

export interface DeskOptions {
  readonly node: Node;
  /** Opened when a project is first needed. */
  readonly projects: () => Projects;
  readonly config: () => Pick<FleetConfig, 'projects'>;
}

export function createProjectDesk({ node, projects, config }: DeskOptions): ProjectDesk {
  const sites = new Map<string, ProjectSite>();
  async function openAs(name: string, wanted: ProjectConfig): Promise<ProjectSite> {
    const key = JSON.stringify([name, wanted.url, wanted.branch]);
    const known = sites.get(key);
    if (known !== undefined) return { ...known, config: wanted };
    const project = await projects().open(name, wanted);
    const fleet = await fleetId(node);
    const mirror = openProjectMirror({ store: project.store, hub: project.hub, branch: wanted.branch, fleet });
    const site = { name, config: wanted, project, mirror, fleet, node: { ...node, store: project.store, hub: project.hub, mirror } };
    sites.set(key, site);
    return site;
  }
  return { openAs, open: async (name) => openAs(name, projectNamed(config(), name)) };
}

function projectNamed({ projects }: Pick<FleetConfig, 'projects'>, name: string): ProjectConfig {
  const found = Object.hasOwn(projects, name) ? projects[name] : undefined;
  if (found !== undefined) return found;
  throw new CambiumError('bad-config', `cambium.yaml names no project ${name}.`, { hint: `Add it: \`projects: { ${name}: { url: … } }\`.` });
}

/** The fleet's id, from the marker on the workspace's hub. It becomes a part of ref names in other people's repositories. */
async function fleetId({ store, mirror }: Node): Promise<string> {
  const marker = mirror.known().refs.get(FLEET_REF) ?? (await mirror.refresh()).refs.get(FLEET_REF);
  const file = marker === undefined ? null : await fileAt(store, await treeOf(store, marker), 'fleet.json');
  const id = file === null ? '' : parseFleetRecord(file.bytes).fleet;
  if (isId(id)) return id;
  throw new CambiumError('bad-file', `The fleet's marker has no id that can stand in the name of a ref: ${JSON.stringify(id)}.`, { hint: 'Look at refs/cambium/fleet on the hub.' });
}

/**
 * Where work is kept in the project's hub: under this fleet's name, where other fleets may have tasks there; on branches,
 * where its host takes nothing below `refs/cambium/`.
 */
export function keptRefs({ project, fleet }: ProjectSite, task: TaskId, epoch: number, guests: boolean): { readonly wip: string; readonly stale: string } {
  const named = project.isOwnHub ? task : `${fleet}/${task}`;
  if (!guests) return { wip: `${KEPT_BRANCHES}wip/${named}/${epoch}`, stale: `${KEPT_BRANCHES}stale/${named}/${epoch}` };
  return { wip: wipRef(named, epoch), stale: staleRef(named, epoch) };
}

/** How many pushes to the project's hub are without an answer; nothing is built anew while one may still land (P2.3). */
export async function settleProject(site: ProjectSite, task: TaskId, patienceMs: number): Promise<number> {
  // In the workspace's own hub each pass settles them with all others.
  const left = site.project.isOwnHub ? await readOutbox(site.node) : (await settleOutbox(site.node, async () => false, patienceMs)).left;
  const refs = [guestRef(site.fleet, task), branchRef(site.config.branch), reviewBranch(task), workBranch(task)];
  return left.filter(({ updates }) => updates.some(({ ref }) => refs.includes(ref))).length;
}

/** What may pass by itself: the host is away or busy. Everything else of a project's waits for a person. */
const PASSING: readonly string[] = ['hub-away', 'hub-denied', 'lost-race', 'git-failed', 'object-missing', 'refused', 'outcome-unknown'];

export type Trouble =
  | { readonly state: 'passing'; readonly reason: string }
  | { readonly state: 'lasting'; readonly reason: string };

/** What an error of a project means for the run; null for what is no matter of the project's (a full disk, a bug). */
export function troubleOf(error: unknown): Trouble | null {
  if (!(error instanceof CambiumError) || ['disk-full', 'internal'].includes(error.code)) return null;
  if (PASSING.includes(error.code)) return { state: 'passing', reason: error.message };
  return { state: 'lasting', reason: `${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}` };
}
