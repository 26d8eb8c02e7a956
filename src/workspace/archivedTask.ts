/** One task of the archive as if it still stood in `tasks/`: for whoever shows it. */
import { parseTask } from '../observe/taskFile.ts';
import { parseResult } from '../observe/resultFile.ts';
import { archivedChain, archivedNames } from '../observe/archive.ts';
import { fileAt } from '../observe/tree.ts';
import type { Task } from '../model/task.ts';
import type { TaskSituation } from '../orient/situation.ts';
import type { Session } from './session.ts';

/** Null for an id that is not in the archive, or whose files there cannot be read. The chain may have to be fetched: throws `hub-away` then. */
export async function archivedSituation({ clone, fleet }: Session, id: string): Promise<TaskSituation | null> {
  const { store, hub, reader } = clone;
  const files = (await archivedNames(store, fleet.main.tree)).get(id);
  if (files?.result === undefined || files.result === null) return null;
  const file = await fileAt(store, fleet.main.tree, files.result);
  const result = file === null ? null : parseResult({ path: files.result, bytes: file.bytes });
  if (result === null || 'reason' in result) return null;
  const chain = fleet.chains.get(id) ?? (await archivedChain(store, hub, reader, clone.mirror.known(), id, { epoch: result.epoch, claim: result.claim, path: files.result }));
  return { task: await instructionOf({ clone, fleet }, id, files.instruction, files.result), state: result.outcome, reasons: [], chain, result, since: fleet.since.get(id) ?? 0 };
}

/** A task whose instruction was deleted by a cancel is shown by its result alone. */
async function instructionOf({ clone: { store }, fleet }: Pick<Session, 'clone' | 'fleet'>, id: string, path: string | null, result: string): Promise<Task> {
  const file = path === null ? null : await fileAt(store, fleet.main.tree, path);
  const { oid, bytes } = file ?? { oid: await store.writeBlob(new Uint8Array()), bytes: new Uint8Array() };
  const at = path ?? result.replace(/\.result\.md$/, '.md');
  const parsed = parseTask({ path: at, blob: oid, bytes });
  if (!('reason' in parsed)) return parsed;
  return { id, path: at, blob: oid, title: id, priority: 2, requires: [], dependsOn: [], contextFiles: [], acceptanceCriteria: [], labels: [], extra: {} };
}
