/** What to make of a person's saved edit before it is published: only what parses leaves the machine. */
import { ARCHIVE_FOLDER, archivedName } from '../model/archive.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { CONFIG_FILE, isProjection, isStatePath, resultPath, taskFileKind, taskStem } from '../model/layout.ts';
import type { Quarantined } from '../model/task.ts';
import type { CheckoutEdit } from '../ports/checkout.ts';
import type { Store } from '../ports/store.ts';
import { archivedNames } from './archive.ts';
import { checkTaskPath } from './names.ts';
import { entryAt } from './tree.ts';
import { usedStems } from './usedIds.ts';

export type EditVerdict =
  | { readonly kind: 'publish'; readonly edit: CheckoutEdit }
  /** A deleted instruction file of a task that has not ended. */
  | { readonly kind: 'cancel'; readonly path: string }
  /** A deleted result file. */
  | { readonly kind: 'reopen'; readonly path: string }
  | { readonly kind: 'held'; readonly problem: Quarantined };

export async function inspectEdit(store: Store, mainTree: Oid, edit: CheckoutEdit, hasChain: (task: TaskId) => boolean): Promise<EditVerdict> {
  const { path } = edit;
  const held = (reason: string, mend: string, line = 1): EditVerdict => ({ kind: 'held', problem: { path, line, reason, mend } });
  const kind = taskFileKind(path);
  if (isProjection(path)) return held('this file is a projection that the fleet writes', `Undo the edit: \`git checkout -- ${path}\`.`);
  if (isArchivedEnd(path) && (await entryAt(store, mainTree, path)) !== null) return held('it stands in the archive: its name keeps the id from being used twice, and its result is history', `Undo it with \`git checkout -- ${path}\`; \`cambium task reopen ${archivedName(path.slice(path.lastIndexOf('/') + 1))?.task}\` takes the task out again.`);
  if (edit.oid === null) return inspectDeletion(store, mainTree, path, hasChain);
  if (!isStatePath(path)) return held('it is not one of the state folders', 'Commit it yourself.');
  if (path === CONFIG_FILE) return inspectConfig(store, edit, held);
  if (kind === 'result' && (await entryAt(store, mainTree, path)) === null) return held('a result is written by the fleet only', `End the task with \`cambium task cancel ${taskStem(path)}\`, or move the file.`);
  if (kind !== 'instruction') return { kind: 'publish', edit };
  const problem = await instructionProblem(store, { ...edit, oid: edit.oid });
  if (problem !== null) return { kind: 'held', problem };
  return inspectNewId(store, mainTree, edit, hasChain, held);
}

/** Why an instruction file cannot be published where it stands; null when it can. */
export async function instructionProblem(store: Store, { path, mode, oid }: CheckoutEdit & { readonly oid: Oid }): Promise<Quarantined | null> {
  return checkTaskPath({ path, mode }) ?? (await parsedProblem(store, path, oid));
}

type Held = (reason: string, mend: string, line?: number) => EditVerdict;

/** The archived files of a task, and the note that it was taken out. */
function isArchivedEnd(path: string): boolean {
  return path.startsWith(`${ARCHIVE_FOLDER}/`) && archivedName(path.slice(path.lastIndexOf('/') + 1)) !== null;
}

async function inspectDeletion(store: Store, mainTree: Oid, path: string, hasChain: (task: TaskId) => boolean): Promise<EditVerdict> {
  const kind = taskFileKind(path);
  const onMain = (at: string): Promise<unknown> => entryAt(store, mainTree, at);
  if (kind === 'result' && (await onMain(path)) !== null) return { kind: 'reopen', path };
  // A file that is set aside because its id is in the archive has no task to cancel.
  const isTask = hasChain(taskStem(path)) || (await archivedNames(store, mainTree)).get(taskStem(path)) === undefined;
  if (kind === 'instruction' && isTask && (await onMain(path)) !== null && (await onMain(resultPath(path))) === null) return { kind: 'cancel', path };
  return { kind: 'publish', edit: { path, mode: null, oid: null } };
}

async function inspectConfig(store: Store, edit: CheckoutEdit, held: Held): Promise<EditVerdict> {
  const { parseFleetConfig } = await import('./fleetConfig.ts');
  const parsed = parseFleetConfig(await store.readBlob(edit.oid as Oid));
  if ('config' in parsed) return { kind: 'publish', edit };
  const [first] = parsed.problems;
  return held(first?.message ?? 'it is not valid', first?.hint ?? 'Mend it; the last good version stays in force.', first?.line);
}

async function parsedProblem(store: Store, path: string, oid: Oid): Promise<Quarantined | null> {
  const { parseTask } = await import('./taskFile.ts');
  const parsed = parseTask({ path, blob: oid, bytes: await store.readBlob(oid) });
  return 'reason' in parsed ? parsed : null;
}

/** An id is never used twice (P6): a new file whose id is known already is shown with the way to reopen. */
async function inspectNewId(store: Store, mainTree: Oid, edit: CheckoutEdit, hasChain: (task: TaskId) => boolean, held: Held): Promise<EditVerdict> {
  if ((await entryAt(store, mainTree, edit.path)) !== null) return { kind: 'publish', edit };
  const stem = taskStem(edit.path);
  if (!hasChain(stem) && !(await usedStems(store, mainTree)).has(stem)) return { kind: 'publish', edit };
  return held(`the id ${stem} is already used`, `Give the file another name, or reopen the old task with \`cambium task reopen ${stem}\`.`);
}
