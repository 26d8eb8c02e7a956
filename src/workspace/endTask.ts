/** Ending a task without doing it, and making an ended one ready again. Main and the claim chain move together (PROTOCOL P6). */
import { cancelMember, closingKey, reopenMember } from '../act/close.ts';
import type { Closed, Closing } from '../act/close.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import { taskPath } from '../model/layout.ts';
import { archivedNames, isArchived } from '../observe/archive.ts';
import { published } from './published.ts';
import { actor, unknownTask } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

export interface EndedTask {
  readonly task: string;
  /** The commit on main. */
  readonly commit: Oid;
  readonly epoch: number;
}

/** An agent that works on it is stopped, and its work is kept. Throws `unknown-task`, `refused`. */
export function cancelTask(session: Session, task: string, reason?: string): Promise<EndedTask> {
  return close(session, task, reason, 'cancel', (closing) => cancelMember(session.node, session.clone.reader, closing));
}

/** A failed or cancelled task, attempts from 1. Throws `refused` for one that is done. */
export function retryTask(session: Session, task: string, reason?: string): Promise<EndedTask> {
  return close(session, task, reason, 'reopen', (closing) => reopenMember(session.node, session.clone.reader, { ...closing, evenDone: false }));
}

/** Even a task that is done: that is a person's to say (docs/formats.md, "Task states"). */
export function reopenTask(session: Session, task: string, reason?: string): Promise<EndedTask> {
  if (session.agent !== undefined) throw new CambiumError('refused', `${session.agent} may not reopen ${task}: that is a person's to say.`, { hint: `Add a task of its own that says what is still missing, or \`cambium task retry ${task}\` if it failed.` });
  return close(session, task, reason, 'reopen', (closing) => reopenMember(session.node, session.clone.reader, { ...closing, evenDone: true }));
}

async function close(session: Session, id: string, reason: string | undefined, kind: 'cancel' | 'reopen', memberOf: (closing: Closing) => Member<Closed>): Promise<EndedTask> {
  const path = session.fleet.tasks.get(id)?.path ?? (kind === 'reopen' ? await archivedTask(session, id) : null);
  if (path === null) throw unknownTask(session, id);
  const by = await actor(session);
  const ends = await publish(session.node, [memberOf({ task: id, path, by, reason: reason ?? 'asked for by hand' })]);
  const end = ends.get(closingKey(kind, id)) as Published<Closed>;
  if (end.state === 'dropped' && end.drop.code === 'forbidden') throw new CambiumError('refused', `${id}: ${end.drop.detail}.`, { hint: `To do it again all the same: \`cambium task reopen ${id}\`.` });
  const closed = published(id, end);
  await syncAfterward(session);
  return { task: id, commit: closed.main, epoch: closed.chain.record.epoch };
}

/** Where an archived task will stand once it is taken out; null for an id that the archive does not have. */
async function archivedTask({ clone, fleet }: Session, id: string): Promise<string | null> {
  return isArchived((await archivedNames(clone.store, fleet.main.tree)).get(id)) ? taskPath(id) : null;
}
