/**
 * What the archive has to do with the tasks that are not finished: results that they depend on, ids that were used before,
 * and tasks that were taken out of it. Its names are read only when some task or chain asks for them.
 */
import { chainState, isTerminal } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import type { Quarantined, Task, TaskResult } from '../model/task.ts';
import type { Store } from '../ports/store.ts';
import { archivedNames, isArchived } from './archive.ts';
import type { ArchivedNames } from './archive.ts';
import { entryAt } from './tree.ts';
import type { TaskView } from './taskIndex.ts';

export interface ArchiveLook {
  /** Without those whose id the archive has. */
  readonly tasks: ReadonlyMap<TaskId, Task>;
  readonly archived: ReadonlyMap<TaskId, TaskResult>;
  readonly reopened: ReadonlySet<TaskId>;
  readonly problems: readonly Quarantined[];
  /** What the archive shows of the end of a chain: enough to judge whether that has landed. */
  resultOf(task: TaskId, chain: Chain): { readonly epoch: number } | undefined;
}

const RESULTS_MAX = 10_000;

export function createArchiveLook(store: Store): (tree: Oid, files: TaskView, chains: ReadonlyMap<TaskId, Chain>, unreadable: ReadonlySet<TaskId>) => Promise<ArchiveLook> {
  const known = new Map<Oid, TaskResult | null>();

  async function resultAt(tree: Oid, path: string): Promise<TaskResult | null> {
    const blob = (await entryAt(store, tree, path))?.oid;
    if (blob === undefined) return null;
    const before = known.get(blob);
    if (before !== undefined) return before;
    const { parseResult } = await import('./resultFile.ts');
    const parsed = parseResult({ path, bytes: await store.readBlob(blob) });
    const result = 'reason' in parsed ? null : parsed;
    if (known.size >= RESULTS_MAX) known.clear();
    known.set(blob, result);
    return result;
  }

  return async (tree, files, chains, unreadable) => {
    const open = [...files.tasks.values()].filter(({ id }) => !files.results.has(id) && !isTerminal(chainState(chains.get(id))));
    const fresh = open.filter(({ id }) => !chains.has(id) && !unreadable.has(id));
    const strange = [...chains.keys()].some((id) => !files.tasks.has(id) && !files.results.has(id));
    const wanted = new Set(open.flatMap(({ dependsOn }) => dependsOn.filter((on) => !files.results.has(on) && !(files.tasks.has(on) && chains.has(on)))));
    if (fresh.length === 0 && wanted.size === 0 && !strange) return { tasks: files.tasks, archived: new Map(), reopened: new Set(), problems: [], resultOf: () => undefined };
    const names = await archivedNames(store, tree);
    const used = fresh.filter(({ id }) => isArchived(names.get(id)));
    const archived = new Map<TaskId, TaskResult>();
    for (const on of wanted) {
      const path = names.get(on)?.result ?? null;
      const result = path === null ? null : await resultAt(tree, path);
      if (result !== null) archived.set(on, result);
    }
    return {
      tasks: used.length === 0 ? files.tasks : new Map([...files.tasks].filter(([id]) => !used.some((task) => task.id === id))),
      archived, problems: used.map(usedBefore),
      reopened: new Set(fresh.filter(({ id }) => (names.get(id)?.reopened ?? null) !== null && !isArchived(names.get(id))).map(({ id }) => id)),
      resultOf: (task, chain) => endOf(names, task, chain),
    };
  };
}

/**
 * Only what has landed is moved to the archive, so an ended chain whose result is there needs no walk. A chain that was
 * reopened since is walked: the commit that took the files out again is not on main.
 */
function endOf(names: ArchivedNames, task: TaskId, chain: Chain): { readonly epoch: number } | undefined {
  return (names.get(task)?.result ?? null) === null ? undefined : { epoch: chain.record.epoch };
}

function usedBefore({ id, path }: Task): Quarantined {
  return { path, line: 1, reason: `The id ${id} was used before: its task is in the archive.`, mend: `Reopen it with \`cambium task reopen ${id}\`, or give this file another name.` };
}
