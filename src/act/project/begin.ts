/** The first thing an epoch does in a project (PROTOCOL P7): its guest ref, and a look at what has landed there already. */
import { CambiumError } from '../../errors.ts';
import type { Oid } from '../../model/ids.ts';
import type { Run } from '../../model/run.ts';
import { publish } from '../publish.ts';
import type { Workshop } from '../run/workshop.ts';
import { beginKey, beginMember, reopenEpoch } from './guest.ts';
import type { Guest, Tenure } from './guest.ts';
import { landWorkMember, workKey } from './landWork.ts';
import { findWork } from './landedWork.ts';
import type { LandedWork } from './landedWork.ts';
import { settleProject } from './site.ts';
import type { ProjectSite } from './site.ts';

/** How long one step waits for an unanswered push to the project's hub. */
const PATIENCE_MS = 5_000;

export async function tenureOf({ node, reader }: Pick<Workshop, 'node' | 'reader'>, { task, epoch, agent, claim, instruction }: Pick<Run, 'task' | 'epoch' | 'agent' | 'claim' | 'instruction'>): Promise<Tenure> {
  return { task, epoch, agent, claim, instruction, since: await reopenEpoch(node.store, reader, claim) };
}

export type Begun =
  /** A push to the project's hub is without an answer. */
  | { readonly state: 'waits' }
  | { readonly state: 'fenced'; readonly detail: string }
  | { readonly state: 'begun'; readonly guest: Oid | null; readonly base: Oid; readonly work: LandedWork | null };

/** The first thing an epoch does in a project. Throws `hub-away`, `bad-config`, `bad-file`. */
export async function beginTenure(shop: Pick<Workshop, 'say'>, site: ProjectSite, tenure: Tenure): Promise<Begun> {
  const { mirror, project } = site;
  mirror.follow(tenure.task);
  if ((await settleProject(site, tenure.task, PATIENCE_MS)) > 0) return { state: 'waits' };
  if ((await mirror.refresh()).main === null) throw new CambiumError('bad-config', `The project ${site.name} has no branch ${site.config.branch}.`, { hint: 'Correct `branch` of that project in cambium.yaml, or make the branch there.' });
  const guest = (await project.takesGuests()) ? await swap(site, tenure) : null;
  if (guest !== null && 'state' in guest) return guest;
  const view = await mirror.refresh();
  const main = view.main as Oid;
  if (guest === null) shop.say('project takes no guests', { task: tenure.task, project: site.name });
  const found = await findWork(site, { main, view }, tenure);
  if (found.state === 'rewound') throw new CambiumError('bad-file', `branch ${found.work.branch} was taken back behind ${found.work.commit.slice(0, 10)}, with which this task had landed there.`, { hint: `Put it back, or reopen the task with \`cambium task retry ${tenure.task}\` to have it done again.` });
  if (found.state === 'half') return rollForward(site, tenure, { guest, base: main, work: found.work });
  return { state: 'begun', guest: guest?.tip ?? null, base: main, work: found.state === 'none' ? null : found.work };
}

async function swap(site: ProjectSite, tenure: Tenure): Promise<Guest | Exclude<Begun, { state: 'begun' }> | null> {
  const end = (await publish(site.node, [beginMember(site, tenure)], { patienceMs: PATIENCE_MS, trustKnown: true })).get(beginKey(tenure));
  if (end?.state === 'published') return end.value;
  if (end?.state === 'dropped') return { state: 'fenced', detail: end.drop.detail };
  return end?.state === 'refused-by-policy' ? null : { state: 'waits' };
}

/** A push that an earlier epoch had applied by half is finished as it was (P5.3). */
async function rollForward(site: ProjectSite, tenure: Tenure, begun: { readonly guest: Guest | null; readonly base: Oid; readonly work: LandedWork }): Promise<Begun> {
  const { base } = begun;
  const member = landWorkMember(site, { tenure, title: '', base, work: { tree: '', head: null }, target: 'merge', fenced: begun.guest !== null, verifiedOn: null, told: {} });
  const end = (await publish(site.node, [member], { patienceMs: PATIENCE_MS })).get(workKey(tenure));
  if (end?.state === 'published') return { state: 'begun', guest: begun.guest?.tip ?? null, base: site.mirror.known().main ?? base, work: end.value };
  if (end?.state === 'dropped' && end.drop.code === 'fenced') return { state: 'fenced', detail: end.drop.detail };
  if (end?.state === 'unknown' || end === undefined) return { state: 'waits' };
  throw new CambiumError('bad-file', `the landing ${begun.work.commit.slice(0, 10)} was applied by half and cannot be finished: ${end.state === 'dropped' ? end.drop.detail : 'detail' in end ? end.detail : ''}.`, { hint: 'Merge it there by hand, then release the task.' });
}
