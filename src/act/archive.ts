/**
 * The three steps by which an ended task leaves the hub's hot places (PROTOCOL P9): its files move to `tasks/archive/`, its
 * chain is folded into the archive ref of the month, and, once a fetch has shown that, its refs are deleted by lease. Each
 * step is planned from what the hub shows now, so a crash between any two loses nothing, and a reopening wins each race.
 */
import { archiveDay, archivedPath } from '../model/archive.ts';
import type { Chain } from '../model/claim.ts';
import type { FileEntry } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { claimPath, resultPath } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { Fleet } from '../model/snapshot.ts';
import { archivedNames, endsIn } from '../observe/archive.ts';
import type { ArchivedNames } from '../observe/archive.ts';
import type { ChainReader } from '../observe/chains.ts';
import type { FleetReader } from '../observe/fleet.ts';
import { entryAt } from '../observe/tree.ts';
import { livePaths } from '../observe/usedIds.ts';
import { whyNotArchived } from '../orient/archivable.ts';
import { agreement } from './agreement.ts';
import { commitOn } from './commit.ts';
import type { FileEdits } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';

export interface Archiving {
  readonly fleets: FleetReader;
  /** Which of the fleet's tasks are to go; chosen anew on each main that the commit is built on. */
  choose(fleet: Fleet): readonly TaskId[];
}

export const ARCHIVE_KEY = 'archive';

/** One move-only commit. Published alone: it is built on the fleet as the base shows it. The value is what was moved. */
export function archiveMember(node: Node, reader: ChainReader, { fleets, choose }: Archiving): Member<readonly TaskId[]> {
  const candidates: { readonly main: Oid; readonly tasks: readonly TaskId[] }[] = [];
  return {
    key: ARCHIVE_KEY,
    async build(base) {
      for (const { main, tasks } of candidates) if (await node.store.isAncestor(main, base.main)) return { already: tasks };
      const fleet = await fleets.read(base.view);
      if (fleet.main.commit !== base.main) return drop('not-ready', 'main moves in the same push');
      const tasks = await agreedEnds(node, reader, fleet, choose(fleet).filter((task) => whyNotArchived(fleet, task) === null));
      if (tasks.length === 0) return drop('nothing', 'nothing is to be archived');
      const main = await commitOn(node, base.main, await moves(node, fleet, tasks), {
        author: nodeSignature(node),
        message: renderMessage({ subject: `archive: ${tasks.length} task${tasks.length === 1 ? '' : 's'}`, body: tasks.join('\n'), trailers: { Kind: 'archive' } }),
      });
      candidates.push({ main, tasks });
      return { main, refs: [], value: tasks };
    },
  };
}

/** Those whose chain and result tell of the same end, and whose landing is on main (P5.1). */
async function agreedEnds(node: Node, reader: ChainReader, fleet: Fleet, tasks: readonly TaskId[]): Promise<readonly TaskId[]> {
  const agreed: { readonly task: TaskId; readonly chain: Chain }[] = [];
  for (const task of tasks) {
    const [chain, result, path] = [fleet.chains.get(task), fleet.results.get(task), fleet.tasks.get(task)?.path ?? `tasks/${task}.md`];
    if (chain === undefined || result === undefined) continue;
    if ((await endsIn(node.store, chain, result)) || (await agreement(node.store, reader, fleet.main.commit, path, chain)).state === 'agrees') agreed.push({ task, chain });
  }
  const strangers = await notOnMain(node, fleet.main.commit, agreed.map(({ chain }) => chain));
  return agreed.filter(({ chain }) => !strangers.has(chain.record.result ?? '')).map(({ task }) => task);
}

/** The landings of these chains that main does not contain: one walk for all of them, where one each would take seconds. */
export async function notOnMain(node: Node, main: Oid, chains: readonly Chain[]): Promise<ReadonlySet<Oid>> {
  const { store } = node;
  const landings = [...new Set(chains.flatMap(({ record }) => record.result ?? []))];
  if (landings.length === 0) return new Set();
  const signature = nodeSignature(node);
  const all = await store.writeCommit({ tree: await store.writeTree([]), parents: landings, author: signature, committer: signature, message: 'landings\n' });
  const missing = new Set((await store.log(all, { not: [main] })).map(({ oid }) => oid));
  return new Set(landings.filter((landing) => missing.has(landing)));
}

async function moves(node: Node, fleet: Fleet, tasks: readonly TaskId[]): Promise<FileEdits> {
  const { tree } = fleet.main;
  const [instructions, results, names] = await Promise.all([livePaths(node.store, tree, /(?<!\.result)\.md$/), livePaths(node.store, tree, /\.result\.md$/), archivedNames(node.store, tree)]);
  const edits = new Map<string, Pick<FileEntry, 'mode' | 'oid'> | null>();
  for (const task of tasks) {
    const to = archivedPath(task, archiveDay(await endedMs(node, fleet, task)));
    for (const path of leftovers(names, task)) edits.set(path, null);
    const [instruction, result] = [fleet.tasks.get(task)?.path ?? instructions.get(task), results.get(task)];
    if (instruction !== undefined) edits.set(claimPath(instruction), null);
    for (const [from, target] of [[instruction, to], [result, resultPath(to)]] as const) {
      const entry = from === undefined ? null : await entryAt(node.store, tree, from);
      if (from === undefined || entry === null) continue;
      edits.set(from, null);
      edits.set(target, { mode: entry.mode, oid: entry.oid });
    }
  }
  return edits;
}

/** What an earlier stay in the archive has left: the note that it was taken out, a text that a newer one has replaced. */
function leftovers(names: ArchivedNames, task: TaskId): readonly string[] {
  return Object.values(names.get(task) ?? {}).filter((path) => path !== null);
}

/** The day by the result file; by the chain where a person has made that unreadable. */
async function endedMs({ store }: Node, fleet: Fleet, task: TaskId): Promise<number> {
  const shown = Date.parse(fleet.results.get(task)?.ended ?? '');
  const { tip = '' } = fleet.chains.get(task) ?? {};
  return Number.isNaN(shown) ? (await store.readCommit(tip)).committer.seconds * 1_000 : shown;
}
