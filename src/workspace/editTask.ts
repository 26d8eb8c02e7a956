/** Changing what a task says. An agent that works on it is told, or stopped: `landing.on_edit` of cambium.yaml. */
import { editKey, editMember } from '../act/edit.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { CambiumError } from '../errors.ts';
import { chainState } from '../model/claim.ts';
import type { Oid } from '../model/ids.ts';
import type { Task } from '../model/task.ts';
import { editInstruction } from '../observe/editInstruction.ts';
import type { InstructionEdit } from '../observe/editInstruction.ts';
import { parseTask } from '../observe/taskFile.ts';
import { orientDependencies } from '../orient/dependencies.ts';
import { published } from './published.ts';
import { actor, unknownTask } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward } from './sync.ts';

export type { InstructionEdit } from '../observe/editInstruction.ts';

export interface EditedTask {
  readonly task: string;
  readonly path: string;
  /** Null when it said so already. */
  readonly commit: Oid | null;
  /** Who works on it at this moment, and will be told or stopped. */
  readonly held_by: string | null;
}

/** Throws `unknown-task`, `bad-file`, `refused` (it has ended, or a circle of dependencies). */
export async function editTask(session: Session, id: string, edit: InstructionEdit): Promise<EditedTask> {
  const { clone, fleet, node } = session;
  const task = fleet.tasks.get(id);
  if (task === undefined) throw unknownTask(session, id);
  const { path } = task;
  const requireGood = (text: string): Task => {
    const bytes = Buffer.from(text);
    const parsed = parseTask({ path, blob: clone.store.hashBlob(bytes), bytes });
    if ('reason' in parsed) throw new CambiumError('bad-file', `${path}:${parsed.line}: ${parsed.reason} Nothing was changed.`, { hint: parsed.mend });
    return parsed;
  };
  const change = (text: string): string => {
    // Somebody may have broken it since: what cannot be read cannot be changed key by key.
    requireGood(text);
    const after = editInstruction(text, edit);
    const parsed = requireGood(after);
    const block = orientDependencies(new Map([...fleet.tasks, [id, parsed]]), fleet.results).get(id);
    if (block !== undefined && block !== 'met' && block.kind === 'cycle') throw new CambiumError('refused', `${id} is not changed: ${block.reason}`, { hint: block.mend });
    return after;
  };
  const ends = await publish(node, [editMember(node, { task: id, path, by: await actor(session), change })]);
  const end = ends.get(editKey(id)) as Published<Oid | null>;
  if (end.state === 'dropped' && end.drop.code === 'nothing') throw new CambiumError('refused', `${id} is not changed: ${end.drop.detail}.`, { hint: `Make it ready again first (\`cambium task reopen ${id}\`), or add a task of its own.` });
  const commit = published(id, end);
  await syncAfterward(session);
  const chain = fleet.chains.get(id);
  return { task: id, path, commit, held_by: chainState(chain) === 'held' ? (chain?.record.agent ?? null) : null };
}
