/** Applies a set of path edits to a tree, reading and writing only the folders on the edited paths. */
import { CambiumError } from '../errors.ts';
import type { TreeEdit, TreeEdits, TreeEntry } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import type { Store } from '../ports/store.ts';
import { splitPath } from './treeNames.ts';

export type TreeAccess = Pick<Store, 'readTree' | 'writeTree'>;

/** The edits as a trie, one level a folder. `edit` undefined: nothing is said about this very path. */
interface Step {
  edit: TreeEdit | undefined;
  readonly below: Map<string, Step>;
}

/**
 * The tree with the edits applied. A file on the way to an edited path gives way to the folder; removing a path
 * that is not there changes nothing; folders left empty vanish. Throws `bad-file` for an evil path (treeNames) and
 * for edits that want one path to be a file and a folder.
 */
export async function editTree(access: TreeAccess, root: Oid, edits: TreeEdits): Promise<Oid> {
  const entry = await editFolder(access, root, asTrie(edits));
  return entry ?? access.writeTree([]);
}

function asTrie(edits: TreeEdits): Step {
  const root: Step = { edit: undefined, below: new Map() };
  for (const [path, edit] of edits) {
    let step = root;
    for (const part of splitPath(path)) {
      const next = step.below.get(part) ?? { edit: undefined, below: new Map<string, Step>() };
      step.below.set(part, next);
      step = next;
    }
    step.edit = edit;
  }
  for (const [name, step] of root.below) refuseClash(step, name);
  return root;
}

function refuseClash(step: Step, path: string): void {
  if (step.edit && step.edit.mode !== '40000' && setsAny(step.below)) {
    throw new CambiumError('bad-file', `The edits make ${JSON.stringify(path)} a file and a folder.`, { hint: 'Rename one of them.', data: { path } });
  }
  for (const [name, next] of step.below) refuseClash(next, `${path}/${name}`);
}

/** True when something is to stand below; removals alone do not make a folder. */
function setsAny(below: ReadonlyMap<string, Step>): boolean {
  return [...below.values()].some((step) => Boolean(step.edit) || setsAny(step.below));
}

/** The oid of the edited folder, or null when nothing is left in it. */
async function editFolder(access: TreeAccess, folder: Oid | null, { below }: Step): Promise<Oid | null> {
  const before = folder === null ? [] : await access.readTree(folder);
  const entries = new Map(before.map((entry) => [entry.name, entry]));
  let changed = folder === null;
  const edited = await Promise.all([...below].map(async ([name, step]) => {
    const old = entries.get(name) ?? null;
    return { name, old, now: await editEntry(access, name, old, step) };
  }));
  for (const { name, old, now } of edited) {
    if (old?.oid === now?.oid && old?.mode === now?.mode) continue;
    changed = true;
    if (now === null) entries.delete(name);
    else entries.set(name, now);
  }
  if (entries.size === 0) return null;
  return changed || folder === null ? access.writeTree([...entries.values()]) : folder;
}

async function editEntry(access: TreeAccess, name: string, old: TreeEntry | null, step: Step): Promise<TreeEntry | null> {
  const base = step.edit === undefined ? old : await replaced(access, name, step.edit);
  if (step.below.size === 0) return base;
  if (base?.mode !== '40000' && !setsAny(step.below)) return base;
  const oid = await editFolder(access, base?.mode === '40000' ? base.oid : null, step);
  return oid === null ? null : { mode: '40000', name, oid };
}

/** A whole folder may be set by its oid; an empty one is no entry. */
async function replaced(access: TreeAccess, name: string, edit: TreeEdit): Promise<TreeEntry | null> {
  if (edit === null) return null;
  if (edit.mode === '40000' && (await access.readTree(edit.oid)).length === 0) return null;
  return { mode: edit.mode, name, oid: edit.oid };
}
