/** What to make of a person's saved edit before it is published: only what parses leaves the machine. */
import type { Oid, TaskId } from '../model/ids.ts';
import { CONFIG_FILE, isProjection, isStatePath, resultPath, taskFileKind, taskStem } from '../model/layout.ts';
import type { Quarantined } from '../model/task.ts';
import type { CheckoutEdit } from '../ports/checkout.ts';
import type { Store } from '../ports/store.ts';
import { checkTaskPath } from './names.ts';
import { entryAt } from './tree.ts';
import { usedStems } from './usedIds.ts';

export type EditVerdict =
  | { readonly kind: 'publish'; readonly edit: CheckoutEdit }
  /** A deleted instruction file of a task that has not ended. */
  | { readonly kind: 'cancel'; readonly path: string }
  | { readonly kind: 'held'; readonly problem: Quarantined };

export async function inspectEdit(store: Store, mainTree: Oid, edit: CheckoutEdit, hasChain: (task: TaskId) => boolean): Promise<EditVerdict> {
  const { path } = edit;
  const held = (reason: string, mend: string, line = 1): EditVerdict => ({ kind: 'held', problem: { path, line, reason, mend } });
  const kind = taskFileKind(path);
  if (isProjection(path)) return held('this file is a projection that the fleet writes', `Undo the edit: \`git checkout -- ${path}\`.`);
  if (edit.oid === null) return inspectDeletion(store, mainTree, path, held);
  if (!isStatePath(path)) return held('it is not one of the state folders', 'Commit it yourself.');
  if (path === CONFIG_FILE) return inspectConfig(store, edit, held);
  if (kind === 'result' && (await entryAt(store, mainTree, path)) === null) return held('a result is written by the fleet only', `End the task with \`cambium task cancel ${taskStem(path)}\`, or move the file.`);
  if (kind !== 'instruction') return { kind: 'publish', edit };
  const problem = checkTaskPath({ path, mode: edit.mode }) ?? (await parsedProblem(store, path, edit.oid));
  if (problem !== null) return { kind: 'held', problem };
  return inspectNewId(store, mainTree, edit, hasChain, held);
}

type Held = (reason: string, mend: string, line?: number) => EditVerdict;

async function inspectDeletion(store: Store, mainTree: Oid, path: string, held: Held): Promise<EditVerdict> {
  const kind = taskFileKind(path);
  const onMain = (at: string): Promise<unknown> => entryAt(store, mainTree, at);
  if (kind === 'result' && (await onMain(path)) !== null) {
    return held('a result was deleted: that would reopen the task', `Run \`cambium task retry ${taskStem(path)}\` to reopen it, or \`git checkout -- ${path}\` to keep it.`);
  }
  if (kind === 'instruction' && (await onMain(path)) !== null && (await onMain(resultPath(path))) === null) return { kind: 'cancel', path };
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
  return held(`the id ${stem} is already used`, `Give the file another name, or reopen the old task with \`cambium task retry ${stem}\`.`);
}
