/** Moving ended tasks out of `tasks/` now, instead of when the janitor comes by (PROTOCOL P9). */
import { archiveMember } from '../act/archive.ts';
import { collectMember, foldMember, planCollecting } from '../act/collect.ts';
import type { Collecting } from '../act/collect.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { archivedNames, isArchived } from '../observe/archive.ts';
import { ARCHIVED_MAX, dueForArchive, openDependents, whyNotArchived } from '../orient/archivable.ts';
import { published } from './published.ts';
import { unknownTask } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

export interface ArchiveRequest {
  readonly ids: readonly TaskId[];
  /** Every task that has ended and may go, however young. Without ids and without this: what the janitor would take. */
  readonly allEnded: boolean;
}

export interface ArchiveReport {
  readonly archived: readonly TaskId[];
  /** Refs that went into the archive, and refs that were deleted: those of tasks that were archived before, too. */
  readonly folded: number;
  readonly collected: number;
  /** Folded refs of tasks that ended too short a time ago: the janitor, or this command, collects them later. */
  readonly waiting: number;
}

/** Throws `unknown-task`, `refused` (with the reason for each), `hub-policy`, `outcome-unknown`. Nothing is moved unless all may be. */
export async function archiveTasks(session: Session, request: ArchiveRequest): Promise<ArchiveReport> {
  const { clone, node } = session;
  const collecting: Collecting = { nowMs: clone.clock.now().getTime() };
  const wanted = await requireArchivable(session, request.ids);
  const archived = await archiveAll(session, chooser(request, wanted, collecting.nowMs));
  const left = wanted.filter((id) => !archived.includes(id));
  if (left.length > 0) throw new CambiumError('refused', `${left.join(', ')}: main and the claim chain do not tell of the same end.`, { hint: 'A running node mends that: start one with `cambium up`, and try again.' });
  const folded = await untilNothing(session, () => foldMember(node, clone.reader, collecting));
  const collected = await untilNothing(session, () => collectMember(node, clone.reader, collecting));
  const waiting = (await planCollecting(node, clone.reader, { main: clone.mirror.known().main as Oid, view: clone.mirror.known() }, { ...collecting, lifeMs: 0 })).collect.length;
  if (archived.length > 0) await syncAfterward(session);
  return { archived, folded, collected, waiting };
}

/** The asked-for tasks that are not in the archive yet. */
async function requireArchivable(session: Session, ids: readonly TaskId[]): Promise<readonly TaskId[]> {
  const { clone, fleet } = session;
  const names = ids.length === 0 ? null : await archivedNames(clone.store, fleet.main.tree);
  const wanted = ids.filter((id) => !isArchived(names?.get(id)));
  const unknown = wanted.find((id) => !fleet.tasks.has(id) && !fleet.results.has(id));
  if (unknown !== undefined) throw unknownTask(session, unknown);
  const dependents = openDependents(fleet);
  const refused = wanted.flatMap((id) => {
    const reason = whyNotArchived(fleet, id, dependents);
    return reason === null ? [] : [`${id} is not archived: ${reason}`];
  });
  if (refused.length > 0) throw new CambiumError('refused', `${refused.join('. ')}.`, { hint: 'Only a task that has ended, and that no open task depends on, leaves tasks/. `cambium task cancel <id>` ends one.' });
  return wanted;
}

function chooser({ ids, allEnded }: ArchiveRequest, wanted: readonly TaskId[], nowMs: number): (fleet: Fleet) => readonly TaskId[] {
  if (ids.length === 0 && !allEnded) return (fleet) => dueForArchive(fleet, nowMs);
  return (fleet) => {
    const dependents = openDependents(fleet);
    const asked = allEnded ? [...fleet.results.keys()] : wanted;
    return asked.filter((id) => whyNotArchived(fleet, id, dependents) === null).slice(0, ARCHIVED_MAX);
  };
}

async function archiveAll(session: Session, choose: (fleet: Fleet) => readonly TaskId[]): Promise<readonly TaskId[]> {
  const { clone, node } = session;
  const archived: TaskId[] = [];
  for (;;) {
    const end = await publishOne(session, archiveMember(node, clone.reader, { fleets: clone.fleets, choose }));
    if (end === null) return archived;
    archived.push(...end);
  }
}

async function untilNothing(session: Session, member: () => Member<number>): Promise<number> {
  for (let sum = 0; ; ) {
    const count = await publishOne(session, member());
    if (count === null) return sum;
    sum += count;
  }
}

/** Null when there was nothing to do. */
async function publishOne<T>({ node }: Session, member: Member<T>): Promise<T | null> {
  const end = (await publish(node, [member])).get(member.key) as Published<T>;
  return end.state === 'dropped' && end.drop.code === 'nothing' ? null : published('archive', end);
}
