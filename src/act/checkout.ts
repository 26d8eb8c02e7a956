/**
 * Between the person's checkout and the hub (PROTOCOL P11): their saved edits and unpushed commits go out, authored
 * by them; the hub's main comes in, file by file. What cannot be merged stays as they left it and is kept on the hub.
 */
import type { Signature, TreeEdit } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { RESCUE_PREFIX, SYNCED_REF, claimRef, taskFileKind, taskStem } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { Quarantined } from '../model/task.ts';
import { inspectEdit, instructionProblem } from '../observe/edits.ts';
import type { EditVerdict } from '../observe/edits.ts';
import { movesAmong } from '../observe/moves.ts';
import type { Move } from '../observe/moves.ts';
import { entryAt, treeOf } from '../observe/tree.ts';
import type { Checkout, CheckoutEdit } from '../ports/checkout.ts';
import type { ChainReader } from '../observe/chains.ts';
import { cancelMember, reopenMember } from './close.ts';
import { messageOnMain } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop } from './publish.ts';
import type { Member } from './publish.ts';
import { mergeOnto } from './rollForward.ts';

/** More deletions at once than this wait for a yes: a wrong `rm` must not empty the queue of a fleet. */
const DELETIONS_MAX = 20;

export interface CheckoutView {
  /** Null when it may be touched; else why not, for status. */
  readonly blocked: string | null;
  readonly head: Oid | null;
  /** Tree that the checkout last agreed with. */
  readonly synced: Oid | null;
  readonly edits: readonly CheckoutEdit[];
  /** Instruction files of live tasks that the person deleted: each asks for a cancel (P6). */
  readonly cancels: readonly string[];
  /** Result files that the person deleted and said yes to: each asks for a reopen (P6, P11). */
  readonly reopens: readonly string[];
  /** Edits that are shown and not published. */
  readonly held: readonly Quarantined[];
  readonly unsettled: readonly string[];
  readonly notes: readonly string[];
}

export const NO_CHECKOUT: CheckoutView = { blocked: null, head: null, synced: null, edits: [], cancels: [], reopens: [], held: [], unsettled: [], notes: [] };

export interface LookOptions {
  /** Read every file instead of what was touched. */
  readonly full: boolean;
  /** A person has said yes to many deletions, and to deleted results. */
  readonly consent: boolean;
}

/** Reads the person's edits and sorts them: published, asking for a cancel, or held back with the reason. */
export async function lookAtCheckout(node: Node, checkout: Checkout, main: Oid, options: LookOptions): Promise<CheckoutView> {
  const look = await checkout.look();
  if (look.state === 'absent') return NO_CHECKOUT;
  if (look.state === 'busy') return { ...NO_CHECKOUT, blocked: look.reason };
  const before = await syncedTree(node, look.head);
  const seen = await checkout.edits(before, options.full);
  const { synced, edits: found } = await withoutCommitted(node, before, look.head, seen.edits);
  const mainTree = await treeOf(node.store, main);
  const moves = await movesAmong(node.store, mainTree, found);
  const moved = new Set(moves.flatMap(({ from, to }) => [from, to]));
  const others = found.filter((edit) => !moved.has(edit)).map((edit) => inspectEdit(node.store, mainTree, edit, (task) => node.mirror.known().refs.has(claimRef(task))));
  const sorted = (await Promise.all([...others, ...moves.map((move) => inspectMove(node, move))])).flat();
  const refused = seen.refused.map(({ path, reason }): Quarantined => ({ path, line: 1, reason, mend: 'Change it, or take it out of the state folders.' }));
  const reopens = sorted.flatMap((verdict) => (verdict.kind === 'reopen' ? [verdict.path] : []));
  const held = [...refused, ...sorted.flatMap((verdict) => (verdict.kind === 'held' ? [verdict.problem] : [])), ...(options.consent ? [] : reopens.map(deletedResult))];
  const edits = sorted.flatMap((verdict) => (verdict.kind === 'publish' ? [verdict.edit] : []));
  const cancels = sorted.flatMap((verdict) => (verdict.kind === 'cancel' ? [verdict.path] : []));
  const deletions = edits.filter(({ oid }) => oid === null).length + cancels.length;
  if (deletions > DELETIONS_MAX && !options.consent) {
    const note = `${deletions} deletions wait for a yes: run \`cambium sync --yes\`, or restore the files with \`git checkout -- <path>\``;
    return { ...NO_CHECKOUT, head: look.head, synced, held, unsettled: seen.unsettled, notes: [note] };
  }
  return { blocked: null, head: look.head, synced, edits, cancels, reopens: options.consent ? reopens : [], held, unsettled: seen.unsettled, notes: [] };
}

/** Both ends are published, or neither: a new place that is no good must not look like a deleted task. */
async function inspectMove({ store }: Node, { from, to }: Move): Promise<readonly EditVerdict[]> {
  const problem = taskFileKind(to.path) === 'instruction' && to.oid !== null ? await instructionProblem(store, to) : null;
  return problem === null ? [from, to].map((edit) => ({ kind: 'publish', edit })) : [{ kind: 'held', problem }];
}

/** An agent's work is not undone by a slip of the hand: it waits for a yes (P11). */
function deletedResult(path: string): Quarantined {
  return { path, line: 1, reason: 'a result was deleted: that reopens the task', mend: `Say yes with \`cambium sync --yes\` (or \`cambium task reopen ${taskStem(path)}\`), or keep it: \`git checkout -- ${path}\`.` };
}

/** What `bringUpToDate` needs, without looking for edits: a command of the person's own has nothing to publish. */
export async function agreedCheckout(node: Node, checkout: Checkout): Promise<CheckoutView> {
  const look = await checkout.look();
  return look.state === 'ready' ? { ...NO_CHECKOUT, head: look.head, synced: await syncedTree(node, look.head) } : NO_CHECKOUT;
}

/** What HEAD itself holds is no edit: the person committed it, or pulled it. It is published as a commit, or is so already. */
async function withoutCommitted(node: Node, synced: Oid, head: Oid, edits: readonly CheckoutEdit[]): Promise<{ readonly synced: Oid; readonly edits: readonly CheckoutEdit[] }> {
  const headTree = await treeOf(node.store, head);
  const entries = await Promise.all(edits.map(({ path }) => entryAt(node.store, headTree, path)));
  const committed = edits.filter(({ oid, mode }, at) => (entries[at]?.oid ?? null) === oid && (entries[at]?.mode ?? null) === mode);
  if (committed.length === 0) return { synced, edits };
  const agreed = await node.store.editTree(synced, asEdits(committed));
  await writeSynced(node, agreed);
  return { synced: agreed, edits: edits.filter((edit) => !committed.includes(edit)) };
}

function asEdits(edits: readonly CheckoutEdit[]): ReadonlyMap<string, TreeEdit> {
  return new Map(edits.map(({ path, mode, oid }): [string, TreeEdit] => [path, mode === null ? null : { mode, oid }]));
}

async function syncedTree(node: Node, head: Oid): Promise<Oid> {
  const ref = await node.store.readRef(SYNCED_REF);
  if (ref !== null) return treeOf(node.store, ref);
  const tree = await treeOf(node.store, head);
  await writeSynced(node, tree);
  return tree;
}

async function writeSynced(node: Node, tree: Oid): Promise<void> {
  const signature = nodeSignature(node);
  const commit = await node.store.writeCommit({ tree, parents: [], author: signature, committer: signature, message: 'last synced\n' });
  await node.store.updateRefs([{ ref: SYNCED_REF, to: commit }], 'cambium: synced');
}

export interface Ingested {
  /** Paths that were left out because the other side changed them too. */
  readonly conflicts: readonly string[];
  readonly published: readonly CheckoutEdit[];
}

/** The person's unpushed commits, as they are: by fast-forward, or merged in memory (DESIGN 8). */
function personCommitsMember(node: Node, head: Oid): Member<Ingested> {
  return {
    key: 'checkout:commits',
    async build(base) {
      if (await node.store.isAncestor(head, base.main)) return { already: { conflicts: [], published: [] } };
      const main = await mergeOnto(node, base.main, head, 'merge the unpushed commits of the checkout');
      return main === null ? drop('conflict', 'your unpushed commits conflict with main') : { main, refs: [], value: { conflicts: [], published: [] } };
    },
  };
}

/** The person's saved edits as one commit of theirs. */
function editsMember(node: Node, view: CheckoutView, person: Signature): Member<Ingested> {
  const candidates: { readonly main: Oid; readonly value: Ingested }[] = [];
  return {
    key: 'checkout:edits',
    async build(base) {
      for (const { main, value } of candidates) if (await node.store.isAncestor(main, base.main)) return { already: value };
      const mainTree = await treeOf(node.store, base.main);
      const { tree, conflicts } = await mergeEdits(node, view.synced as Oid, mainTree, view.edits);
      const published = view.edits.filter(({ path }) => !conflicts.includes(path));
      if (tree === mainTree) return { already: { conflicts, published } };
      const main = await node.store.writeCommit({ tree, parents: [base.main], author: person, committer: nodeSignature(node), message: await messageOnMain(node, tree, await editsMessage(node, mainTree, published)) });
      const built = { main, refs: [], value: { conflicts, published } };
      candidates.push(built);
      return built;
    },
  };
}

/** Merges the edits onto main; paths that conflict are left out and the rest is merged again. */
async function mergeEdits(node: Node, synced: Oid, mainTree: Oid, edits: readonly CheckoutEdit[]): Promise<{ readonly tree: Oid; readonly conflicts: readonly string[] }> {
  const left: string[] = [];
  for (;;) {
    const kept = edits.filter(({ path }) => !left.includes(path));
    const theirs = await node.store.editTree(synced, asEdits(kept));
    const { tree, conflicts } = await node.store.mergeTrees(synced, mainTree, theirs);
    const more = conflicts.filter((path) => !left.includes(path));
    if (more.length === 0) return { tree: conflicts.length === 0 ? tree : mainTree, conflicts: left };
    left.push(...more);
  }
}

async function editsMessage({ store }: Node, mainTree: Oid, edits: readonly CheckoutEdit[]): Promise<string> {
  const lines = await Promise.all(edits.map(async (edit) => ({ edit, verb: edit.oid === null ? 'delete' : (await entryAt(store, mainTree, edit.path)) === null ? 'add' : 'edit' })));
  const [only] = lines;
  if (only !== undefined && lines.length === 1) {
    const isTask = taskFileKind(only.edit.path) === 'instruction';
    return renderMessage({
      subject: isTask ? `${taskStem(only.edit.path)}: ${only.verb}` : `${only.edit.path}: ${only.verb}`,
      trailers: isTask ? { Kind: only.verb, Task: taskStem(only.edit.path) } : { Kind: only.verb },
    });
  }
  const adds = lines.filter(({ verb }) => verb === 'add').length;
  const subject = adds === lines.length ? `tasks: add ${adds} files` : `checkout: ${lines.length} saved edits`;
  return renderMessage({ subject, body: lines.map(({ edit, verb }) => `${verb} ${edit.path}`).join('\n'), trailers: { Kind: 'edit' } });
}

/** All that the checkout has to say: unpushed commits, saved edits, deleted tasks as cancels. */
export async function checkoutMembers(node: Node, reader: ChainReader, checkout: Checkout, view: CheckoutView, main: Oid): Promise<Member<unknown>[]> {
  const { head, edits, cancels, reopens } = view;
  if (head === null) return [];
  const members: Member<unknown>[] = (await node.store.isAncestor(head, main)) ? [] : [personCommitsMember(node, head)];
  if (edits.length + cancels.length + reopens.length === 0) return members;
  const person = await checkout.person();
  if (edits.length > 0) members.push(editsMember(node, view, person));
  members.push(...reopens.map((path) => reopenMember(node, reader, { task: taskStem(path), path: path.replace(/\.result\.md$/, '.md'), by: person, reason: 'the result file was deleted', evenDone: true })));
  return [...members, ...cancels.map((path) => cancelMember(node, reader, { task: taskStem(path), path, by: person, reason: 'the instruction file was deleted', dropInstruction: true }))];
}

export interface CheckoutMoved {
  readonly moved: boolean;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** Records what was published, then brings the checkout up to the hub's main. */
export async function bringUpToDate(node: Node, checkout: Checkout, view: CheckoutView, published: readonly CheckoutEdit[], target: Oid): Promise<CheckoutMoved> {
  const { head, synced } = view;
  if (head === null || synced === null) return { moved: false, skipped: [] };
  const agreed = published.length === 0 ? synced : await node.store.editTree(synced, asEdits(published));
  if (agreed !== synced) await writeSynced(node, agreed);
  if (!(await node.store.isAncestor(head, target))) return { moved: false, skipped: [] };
  if (head === target && agreed === (await treeOf(node.store, target))) return { moved: false, skipped: [] };
  const advance = await checkout.advance({ head, target, synced: agreed });
  if (advance.moved && advance.synced !== agreed) await writeSynced(node, advance.synced);
  if (advance.displaced.length > 0) await rescue(node, new Map(advance.displaced.map(({ path, oid }) => [path, oid])), [head]);
  return { moved: advance.moved, skipped: advance.skipped };
}

/** Keeps bytes on the hub under `refs/cambium/rescue/<node>/<time>`. Returns the ref, or null when the hub did not take it now. */
export async function rescue(node: Node, files: ReadonlyMap<string, Oid>, parents: readonly Oid[]): Promise<string | null> {
  const { store, clock, identity } = node;
  const empty = await store.writeTree([]);
  const tree = await store.editTree(empty, new Map([...files].map(([path, oid]): [string, TreeEdit] => [path, { mode: '100644', oid }])));
  const signature = nodeSignature(node);
  const commit = await store.writeCommit({ tree, parents, author: signature, committer: signature, message: renderMessage({ subject: `rescue: ${[...files.keys()].join(', ')}`, trailers: { Kind: 'rescue', Node: identity.node } }) });
  const ref = `${RESCUE_PREFIX}${identity.node}/${clock.ulid().toLowerCase()}`;
  await store.updateRefs([{ ref, to: commit }], 'cambium: rescue');
  const update = { ref, expect: null, to: commit };
  const outcome = await node.hub.push([update]);
  if (outcome.kind === 'accepted') await node.mirror.adopt([update]);
  return outcome.kind === 'accepted' ? ref : null;
}

