/**
 * What has landed in a project already (PROTOCOL P7, M10): looked for on the very branch that a landing would lease, so
 * that the work of a task is taken once between two reopens, whoever was killed at whatever moment.
 */
import type { Oid, TaskId } from '../../model/ids.ts';
import { branchRef, guestRef, reviewBranch } from '../../model/layout.ts';
import { workBranch } from '../../observe/projectMirror.ts';
import type { GuestRecord } from '../../observe/guestRecord.ts';
import type { Base } from '../publish.ts';
import { guestsSince } from './guest.ts';
import type { Guest, Tenure } from './guest.ts';
import type { ProjectSite } from './site.ts';

export interface LandedWork {
  /** The landing commit P. */
  readonly commit: Oid;
  /** The branch that it was pushed to. */
  readonly branch: string;
  /** What its guest chain tells of it; null where only the branch has it. */
  readonly record: GuestRecord | null;
}

export type Found =
  | { readonly state: 'none' }
  | { readonly state: 'landed'; readonly work: LandedWork }
  /** The guest chain names it and its branch does not have it: a push that was applied by half. */
  | { readonly state: 'half'; readonly work: LandedWork }
  /** The branch was taken back behind the commit that it stands on: its people must say what holds. */
  | { readonly state: 'rewound'; readonly work: LandedWork };

/** Landings further back on a branch than this are not looked for where no guest chain tells where to begin. */
const COMMITS_MAX = 2_000;

export async function findWork(site: ProjectSite, base: Base, tenure: Tenure): Promise<Found> {
  const { store } = site.node;
  const tip = base.view.refs.get(guestRef(site.fleet, tenure.task));
  const guests = tip === undefined ? [] : await guestsSince(store, tip, tenure.since);
  for (const { record } of guests) {
    const { kind, result, branch = site.config.branch, instruction } = record;
    // Work for a text that has been edited since is not this work.
    if (kind !== 'landed' || result === undefined || instruction !== tenure.instruction) continue;
    return { state: await standing(site, base, result, branch), work: { commit: result, branch, record } };
  }
  return onBranches(site, base, tenure, guests);
}

async function standing(site: ProjectSite, { main, view }: Base, result: Oid, branch: string): Promise<'landed' | 'half' | 'rewound'> {
  const { store } = site.node;
  const tip = branch === site.config.branch ? undefined : view.refs.get(branchRef(branch));
  for (const place of [main, tip]) if (place !== undefined && (await store.isAncestor(result, place))) return 'landed';
  const [parent] = (await store.readCommit(result)).parents;
  return parent === undefined || (await store.isAncestor(parent, main)) ? 'half' : 'rewound';
}

/** Of a push applied by half the branch may have moved without the guest ref: the commit's own trailers tell. */
async function onBranches(site: ProjectSite, { main, view }: Base, tenure: Tenure, guests: readonly Guest[]): Promise<Found> {
  const places: readonly (readonly [string, Oid | undefined])[] = [
    [site.config.branch, main], ...[reviewBranch(tenure.task), workBranch(tenure.task)].map((ref): [string, Oid | undefined] => [ref.slice('refs/heads/'.length), view.refs.get(ref)]),
  ];
  // A chain that begins later than the epochs that count was deleted meanwhile, or an epoch died before its swap.
  const first = guests.findLast(({ record }) => record.kind === 'claim')?.record;
  const begun = first?.epoch === tenure.since + 1 ? first.base : undefined;
  for (const [branch, tip] of places) {
    const commit = tip === undefined ? null : await trailed(site, tip, begun, tenure);
    if (commit !== null) return { state: 'landed', work: { commit, branch, record: null } };
  }
  return { state: 'none' };
}

async function trailed({ node: { store }, fleet }: ProjectSite, tip: Oid, begun: Oid | undefined, tenure: Tenure): Promise<Oid | null> {
  const not = begun !== undefined && (await store.has(begun)) ? [begun] : [];
  const commits = await store.log(tip, { not, limit: COMMITS_MAX });
  const found = commits.find(({ message }) => {
    const said = trailersOf(message);
    return said.get('Task') === taskTrailer(fleet, tenure.task) && said.has('Op-Id') && said.get('Kind') === 'landed' && Number(said.get('Epoch')) > tenure.since && said.get('Instruction') === tenure.instruction;
  });
  return found?.oid ?? null;
}

/** Whose work a commit is, in a repository where other fleets may have tasks of the same name. */
export const taskTrailer = (fleet: string, task: TaskId): string => `${fleet}/${task}`;

/** The `Key: value` lines of the last paragraph. */
export function trailersOf(message: string): ReadonlyMap<string, string> {
  const last = message.trimEnd().split('\n\n').at(-1) ?? '';
  return new Map([...last.matchAll(/^([A-Za-z-]+): (.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
}
