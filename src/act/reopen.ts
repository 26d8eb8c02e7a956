/** Taking a task out of the archive again (PROTOCOL P6, P9): its files come back to `tasks/`, its chain goes on. */
import { reopenedPath } from '../model/archive.ts';
import type { ArchivedFiles } from '../model/archive.ts';
import type { Chain } from '../model/claim.ts';
import type { TreeEdit } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { claimRef, taskPath } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import { archivedChain, archivedNames, isArchived } from '../observe/archive.ts';
import type { ChainReader } from '../observe/chains.ts';
import { parseResult } from '../observe/resultFile.ts';
import { entryAt, fileAt, treeOf } from '../observe/tree.ts';
import { livePaths } from '../observe/usedIds.ts';
import { CambiumError } from '../errors.ts';
import { asTreeEdits } from './commit.ts';
import type { FileEdits } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';

/** What the archive of a main commit says of a task: its files, or the note that it was taken out. */
export async function archiveSays({ store }: Pick<Node, 'store'>, main: Oid, task: TaskId): Promise<ArchivedFiles | undefined> {
  return (await archivedNames(store, await treeOf(store, main))).get(task);
}

/** The task's files in the archive of a main commit, if it is archived there. */
export async function archivedFiles(node: Pick<Node, 'store'>, main: Oid, task: TaskId): Promise<ArchivedFiles | undefined> {
  const files = await archiveSays(node, main, task);
  return isArchived(files) ? files : undefined;
}

/**
 * The edits that take the files out: the instruction goes to `tasks/`, where one that a person has put there meanwhile
 * wins; the result goes; a note stays, by which everybody knows that a chain without a claim ref goes on from the archive.
 */
export async function takeOut({ store }: Pick<Node, 'store'>, main: Oid, task: TaskId, files: ArchivedFiles): Promise<FileEdits> {
  const tree = await treeOf(store, main);
  const live = (await livePaths(store, tree, /(?<!\.result)\.md$/)).has(task);
  const archived = (files.result ?? files.instruction) as string;
  const edits = new Map<string, string | TreeEdit>([[reopenedPath(task, archived), `${JSON.stringify({ schema: 'cambium.reopened/1', task })}\n`]]);
  if (files.result !== null) edits.set(files.result, null);
  if (files.instruction === null) return edits;
  const entry = await entryAt(store, tree, files.instruction);
  edits.set(files.instruction, null);
  if (!live && entry !== null) edits.set(taskPath(task), { mode: entry.mode, oid: entry.oid });
  return edits;
}

/**
 * Rolls a reopening forward onto a main that has archived the task since: merged file by file, its deletion of the result
 * and main's move of it would be a conflict. Null where the task is not in the archive: then any merge does.
 */
export async function mergeReopening(node: Node, main: Oid, commit: Oid, task: TaskId): Promise<Oid | null> {
  const { store } = node;
  if ((await store.isAncestor(commit, main)) || (await store.isAncestor(main, commit))) return null;
  const files = await archivedFiles(node, main, task);
  if (files === undefined) return null;
  const tree = await store.editTree(await treeOf(store, main), await asTreeEdits(node, await takeOut(node, main, task, files)));
  const signature = nodeSignature(node);
  return store.writeCommit({ tree, parents: [main, commit], author: signature, committer: signature, message: renderMessage({ subject: `${task}: roll forward a reopening that was applied by half` }) });
}

const TRIES_MAX = 5;

/**
 * The chain of a task whose claim ref is gone. The hub is listed anew, so that the archive is read after the claim ref was
 * seen absent (P2.3); undefined where the archive holds nothing, or the ref is back.
 */
export async function collectedChain(node: Node, reader: ChainReader, main: Oid, task: TaskId): Promise<Chain | undefined> {
  const { store, hub, mirror } = node;
  const result = await archivedResult(node, main, task);
  for (let tries = 1; ; tries++) {
    const view = await mirror.refresh();
    if (view.refs.has(claimRef(task))) return undefined;
    try {
      return await archivedChain(store, hub, reader, view, task, result);
    } catch (error) {
      // Another node has folded in between.
      if (!(error instanceof CambiumError && error.code === 'refused') || tries === TRIES_MAX) throw error;
    }
  }
}

async function archivedResult({ store }: Node, main: Oid, task: TaskId): Promise<Parameters<typeof archivedChain>[5]> {
  const path = (await archivedFiles({ store }, main, task))?.result ?? null;
  const file = path === null ? null : await fileAt(store, await treeOf(store, main), path);
  if (path === null || file === null) return null;
  const result = parseResult({ path, bytes: file.bytes });
  return 'reason' in result ? null : { epoch: result.epoch, claim: result.claim, path };
}
