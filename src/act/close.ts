/** Cancel, reopen and add: main and the chain move in one atomic push (PROTOCOL P6). */
import { ARCHIVE_FOLDER } from '../model/archive.ts';
import type { ArchivedFiles } from '../model/archive.ts';
import { chainState, isTerminal, mayFollow } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { Signature } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { claimPath, claimRef, resultPath, taskFileKind, taskStem } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { TaskResult } from '../model/task.ts';
import type { ChainReader } from '../observe/chains.ts';
import { renderResult } from '../observe/resultFile.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import { usedStems } from '../observe/usedIds.ts';
import { agreement } from './agreement.ts';
import { describeHolder, readChain } from './claim.ts';
import { commitOn } from './commit.ts';
import type { FileEdits } from './commit.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import { archiveSays, archivedFiles, collectedChain, mergeReopening, takeOut } from './reopen.ts';
import { mergeOnto } from './rollForward.ts';
import type { Base, Built, Member } from './publish.ts';
import { writeTransition } from './transition.ts';

export interface Closing {
  readonly task: TaskId;
  readonly path: string;
  readonly by: Signature;
  readonly reason: string;
}

export interface Closed {
  readonly task: TaskId;
  readonly main: Oid;
  readonly chain: Chain;
}

/** Ends a task without a result of its own. With `dropInstruction` a person has deleted the file and it stays deleted. */
export function cancelMember(node: Node, reader: ChainReader, closing: Closing & { readonly dropInstruction?: boolean }): Member<Closed> {
  return closingMember(node, reader, closing, 'cancel', async (base, chain) => {
    const tree = await treeOf(node.store, base.main);
    if (isTerminal(chainState(chain)) || (await entryAt(node.store, tree, resultPath(closing.path))) !== null) {
      return drop('nothing', 'it has ended already');
    }
    const result = renderResult(cancelledResult(node, closing, chain), `Cancelled by ${closing.by.name}: ${closing.reason}`);
    const files = new Map<string, string | null>([[resultPath(closing.path), result], [claimPath(closing.path), null]]);
    if (closing.dropInstruction === true) files.set(closing.path, null);
    return files;
  });
}

function cancelledResult({ clock }: Node, closing: Closing, chain: Chain | undefined): TaskResult {
  return {
    task: closing.task, outcome: 'cancelled', epoch: chain?.record.epoch ?? 0, claim: chain?.tip ?? null, attempts: chain?.record.attempt ?? 0,
    agent: chain?.record.agent ?? null, node: chain?.record.node ?? null, provider: null, model: null, started: null,
    ended: clock.now().toISOString(), usage: null, costUsd: null, commits: [], criteria: [], verify: null, spawns: [],
  };
}

/** Makes an ended task ready again: the result goes, attempts count from 0, the epoch goes on. Its landing must be on main. */
export function reopenMember(node: Node, reader: ChainReader, closing: Closing & { readonly evenDone: boolean }): Member<Closed> {
  return closingMember(node, reader, closing, 'reopen', async (base, chain) => {
    const ended = chain?.record.result;
    if (chain === undefined || !isTerminal(chainState(chain)) || ended === undefined) return drop('nothing', `it has not ended: ${describeHolder(chain)}`);
    if (chain.record.kind === 'done' && !closing.evenDone) return drop('forbidden', 'it is done');
    if (!(await node.store.isAncestor(ended, base.main))) return drop('not-ready', 'its landing is not on main yet');
    const archived = await archivedFiles(node, base.main, closing.task);
    if (archived === undefined) return new Map([[resultPath(closing.path), null]]);
    if (archived.instruction === null) return drop('nothing', 'its instruction file was deleted: add it anew under another name');
    return takeOut(node, base.main, closing.task, archived);
  });
}

export const closingKey = (kind: 'cancel' | 'reopen', task: TaskId): string => `${kind}:${task}`;

/** The chain has moved and main may not have: it is merged (P5.3). */
async function finishHalf(node: Node, base: Base, closed: Closed): Promise<Built<Closed> | { readonly already: Closed } | ReturnType<typeof drop>> {
  const reopening = closed.chain.record.kind === 'reopen' ? await mergeReopening(node, base.main, closed.main, closed.task) : null;
  const main = reopening ?? (await mergeOnto(node, base.main, closed.main, `${closed.task}: roll forward a push that was applied by half`));
  if (main === null) return drop('not-ready', `${closed.main} conflicts with main: a person must merge it`);
  return main === base.main ? { already: closed } : { main, refs: [], value: closed };
}

type ClosingFiles = (base: Base, chain: Chain | undefined) => Promise<FileEdits | ReturnType<typeof drop>>;

function closingMember(node: Node, reader: ChainReader, closing: Closing, kind: 'cancel' | 'reopen', filesOf: ClosingFiles): Member<Closed> {
  const candidates: Closed[] = [];
  return {
    key: closingKey(kind, closing.task),
    ends: true,
    async build(base): Promise<Built<Closed> | { readonly already: Closed } | ReturnType<typeof drop>> {
      const known = await readChain(reader, base, closing.task);
      const archived = await archiveSays(node, base.main, closing.task);
      const isCollected = known === undefined && archived !== undefined;
      if (kind === 'cancel' && isCollected) return drop('not-ready', 'its id was used before, and the claim chain of that is in the archive');
      const chain = isCollected ? await collectedChain(node, reader, base.main, closing.task) : known;
      const ours = candidates.find((candidate) => candidate.chain.tip === chain?.tip);
      if (ours !== undefined) return finishHalf(node, base, ours);
      for (const { main } of candidates) if (await node.store.isAncestor(main, base.main)) return endChain(node, closing, kind, chain, known, main, base.main);
      if (!mayFollow(chain, kind)) return drop('nothing', `it cannot be ${kind === 'cancel' ? 'cancelled' : 'reopened'}: ${describeHolder(chain)}`);
      const { state } = await agreement(node.store, reader, base.main, placeOf(archived, closing), chain);
      if (state !== 'agrees') return drop('not-ready', 'a push for it was applied by half and is being mended');
      const files = await filesOf(base, chain);
      if ('dropped' in files) return files;
      const built = await buildClosing(node, base, closing, kind, chain, known, files as FileEdits);
      candidates.push(built.value);
      return built;
    },
  };
}

/** Where the instruction stands, or would stand beside its result: in the archive, or where the caller has seen it. */
function placeOf(archived: ArchivedFiles | undefined, { path }: Closing): string {
  return archived?.instruction ?? archived?.result?.replace(/\.result\.md$/, '.md') ?? path;
}

async function buildClosing(node: Node, base: Base, closing: Closing, kind: 'cancel' | 'reopen', chain: Chain | undefined, known: Chain | undefined, files: FileEdits): Promise<Built<Closed>> {
  const { task, by, reason } = closing;
  const epoch = chain?.record.epoch ?? 0;
  const main = await commitOn(node, base.main, files, {
    author: by,
    message: renderMessage({ subject: `${task}: ${kind} by ${by.name}`, body: reason, trailers: { Kind: kind, Task: task, Epoch: epoch } }),
  });
  return endChain(node, closing, kind, chain, known, main, main);
}

/** `known` is what the claim ref stands at: absent where the chain goes on from the archive. */
async function endChain(node: Node, { task, by, reason }: Closing, kind: 'cancel' | 'reopen', chain: Chain | undefined, known: Chain | undefined, closed: Oid, main: Oid): Promise<Built<Closed>> {
  const record = chain?.record;
  const end = await writeTransition(node, {
    tip: chain?.tip ?? null, expect: known?.tip ?? null, landing: closed, author: by,
    record: {
      task, kind, epoch: record?.epoch ?? 0, attempt: kind === 'reopen' ? 0 : (record?.attempt ?? 0),
      agent: record?.agent ?? null, node: record?.node ?? null, incarnation: record?.incarnation ?? null,
      instruction: record?.instruction ?? null, ttl_s: record?.ttl_s ?? 0, claimed_at: record?.claimed_at ?? node.clock.now().toISOString(),
      result: closed, reason, by: by.name,
    },
  });
  return { main, refs: [end.update], value: { task, main: closed, chain: { tip: end.oid, record: end.record } } };
}

export interface Addition {
  readonly task: TaskId;
  readonly path: string;
  readonly content: string;
  readonly by: Signature;
  /** Instruction file of the tree that becomes this task: it goes in the same commit. */
  readonly from?: string;
}

/** Adds an instruction file. An id known to refs, tasks or archive is never used again (P6). */
export function addMember(node: Node, addition: Addition): Member<Oid> {
  const candidates: Oid[] = [];
  return {
    key: addition.task,
    async build(base) {
      for (const candidate of candidates) if (await node.store.isAncestor(candidate, base.main)) return { already: candidate };
      const tree = await treeOf(node.store, base.main);
      const problem = await additionProblem(node, base, tree, addition);
      if (problem !== null) return drop('used', problem);
      const moved = await movedIn(node, tree, addition);
      const main = await commitOn(node, base.main, new Map<string, string | null>([...(moved === null ? [] : [[moved, null] as const]), [addition.path, addition.content]]), {
        author: addition.by,
        message: renderMessage({ subject: `${addition.task}: add`, trailers: { Kind: 'add', Task: addition.task } }),
      });
      candidates.push(main);
      return { main, refs: [], value: main };
    },
  };
}

/** Whether a file of `tasks/` becomes the task that is made of it: an instruction or a draft, nothing of the archive, the engine's or a README. */
export function becomesTask(path: string): boolean {
  return taskFileKind(path) === 'instruction' || (path.startsWith('tasks/') && !path.startsWith(`${ARCHIVE_FOLDER}/`) && path.split('/').some((segment) => /^[._]/.test(segment)));
}

/** The file that this addition replaces; null where there is none. */
async function movedIn({ store }: Node, tree: Oid, { from }: Addition): Promise<string | null> {
  return from !== undefined && becomesTask(from) && (await entryAt(store, tree, from)) !== null ? from : null;
}

async function additionProblem(node: Node, base: Base, tree: Oid, addition: Addition): Promise<string | null> {
  const moved = await movedIn(node, tree, addition);
  const others = moved === null ? tree : await node.store.editTree(tree, new Map([[moved, null]]));
  const isClaimed = (task: TaskId): boolean => base.view.refs.has(claimRef(task));
  if ((await usedStems(node.store, others)).has(addition.task)) return 'this id is used already';
  // A daemon may have published the file as a task before its front matter came.
  if (moved !== null && taskFileKind(moved) === 'instruction' && isClaimed(taskStem(moved))) return `${moved} is being worked on already, as the task ${taskStem(moved)}`;
  return isClaimed(addition.task) ? 'this id is used already' : null;
}
