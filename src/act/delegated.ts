/** Task files that an agent has added: held against the fleet's limits, and marked with where they come from. */
import type { TreeEdit } from '../model/git.ts';
import type { TaskId } from '../model/ids.ts';
import { taskFileKind } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { editInstruction } from '../observe/editInstruction.ts';
import { parseTask } from '../observe/taskFile.ts';
import type { PathChange } from '../observe/tree.ts';
import { delegationProblem, provenanceFields } from '../orient/delegation.ts';
import type { Provenance } from '../orient/delegation.ts';
import type { Node } from './node.ts';

export interface Delegated {
  /** The files as they are to land, by path: with the front matter that says where they come from. */
  readonly edits: ReadonlyMap<string, TreeEdit>;
  /** By path: why a file may not land as it is, one sentence for its agent. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Of the changes, the new instruction files; all others are left alone. */
export async function delegatedTasks({ store }: Pick<Node, 'store'>, { tasks, config }: Pick<Fleet, 'tasks' | 'config'>, changes: readonly PathChange[], provenance: Provenance): Promise<Delegated> {
  const edits = new Map<string, TreeEdit>();
  const problems = new Map<string, string>();
  const added: { readonly said: Task; readonly task: Task; readonly text: string; readonly mode: '100644' | '100755' }[] = [];
  for (const { path, before, after } of changes) {
    if (before !== null || taskFileKind(path) !== 'instruction' || after === null || (after.mode !== '100644' && after.mode !== '100755')) continue;
    const bytes = await store.readBlob(after.oid);
    const said = parseTask({ path, blob: after.oid, bytes });
    if ('reason' in said) problems.set(path, `line ${said.line}: ${said.reason} ${said.mend}`);
    else added.push({ said, task: { ...said, ...(said.parent === undefined && provenance.parent !== null ? { parent: provenance.parent } : {}), spawnedBy: provenance.spawn }, text: Buffer.from(bytes).toString('utf8'), mode: after.mode });
  }
  const family = new Map<TaskId, Task>([...tasks, ...added.map(({ task }): [TaskId, Task] => [task.id, task])]);
  for (const { said, task, text, mode } of added) {
    const problem = delegationProblem(family, task, provenance, config.limits.spawnDepth);
    if (problem !== null) problems.set(task.path, problem);
    else edits.set(task.path, { mode, oid: await store.writeBlob(Buffer.from(editInstruction(text, { fields: provenanceFields(said, provenance) }))) });
  }
  return { edits, problems };
}
