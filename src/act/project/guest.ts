/**
 * The guest chain of a task in a project's hub (PROTOCOL P7): an epoch swaps its `claim` onto the tip that it read, before
 * any work, and its landing swaps `landed` onto that. So a landing of an older epoch that comes late is refused there, too.
 */
import type { Chain } from '../../model/claim.ts';
import type { Oid, TaskId } from '../../model/ids.ts';
import { guestRef } from '../../model/layout.ts';
import { renderMessage } from '../../model/message.ts';
import type { Commit, RefUpdate } from '../../model/git.ts';
import { before } from '../../observe/chains.ts';
import type { ChainReader } from '../../observe/chains.ts';
import { parseGuestRecord, renderGuestRecord } from '../../observe/guestRecord.ts';
import type { GuestRecord } from '../../observe/guestRecord.ts';
import { fileAt, treeOf } from '../../observe/tree.ts';
import type { Store } from '../../ports/store.ts';
import { CambiumError } from '../../errors.ts';
import { writeFileTree } from '../commit.ts';
import { agentSignature, nodeSignature } from '../node.ts';
import type { Node } from '../node.ts';
import { drop } from '../publish.ts';
import type { Base, Member } from '../publish.ts';
import type { ProjectSite } from './site.ts';

/** An epoch of a task, as a project's hub gets to know it. */
export interface Tenure {
  readonly task: TaskId;
  readonly epoch: number;
  readonly agent: string;
  /** Tip of the workspace's claim chain, and the instruction that it pins. */
  readonly claim: Oid;
  readonly instruction: Oid;
  /** Epoch of the last reopen: what landed up to it was undone (M10). */
  readonly since: number;
}

export interface Guest {
  readonly tip: Oid;
  readonly record: GuestRecord;
}

export const beginKey = ({ task, claim }: Tenure): string => `guest:${task}:${claim}`;

/** Swaps the claim of this epoch in. Dropped as `fenced` when a newer epoch has begun there. */
export function beginMember(site: ProjectSite, tenure: Tenure): Member<Guest> {
  return {
    key: beginKey(tenure),
    async build(base) {
      const held = await guestAt(site, base, tenure.task);
      if (held !== undefined && held.record.epoch > tenure.epoch) return drop('fenced', `epoch ${held.record.epoch} has begun in the project ${site.name}`);
      if (held?.record.epoch === tenure.epoch) return { already: held };
      const guest = await writeGuest(site, tenure, { kind: 'claim', base: base.main, tip: held?.tip ?? null });
      return { main: base.main, refs: [guest.update], value: guest };
    },
  };
}

/** The task's guest chain in the view, or undefined where none has begun. Throws `bad-file`, `schema-too-new`. */
export async function guestAt({ node, fleet }: ProjectSite, { view }: Pick<Base, 'view'>, task: TaskId): Promise<Guest | undefined> {
  const tip = view.refs.get(guestRef(fleet, task));
  return tip === undefined ? undefined : readGuest(node.store, tip);
}

async function readGuest(store: Store, tip: Oid): Promise<Guest> {
  const file = await fileAt(store, await treeOf(store, tip), 'guest.json');
  if (file !== null) return { tip, record: parseGuestRecord(file.bytes) };
  throw new CambiumError('bad-file', `Commit ${tip.slice(0, 10)} holds no guest.json: somebody else wrote to a ref of the fleet in the project.`, { hint: 'Look at it with `git show`, and delete the ref there if it is not of the fleet.' });
}

/** The chain's transitions of epochs above `since`, newest first. */
export async function guestsSince(store: Store, tip: Oid, since: number): Promise<readonly Guest[]> {
  const found: Guest[] = [];
  for (let oid: Oid | undefined = tip; oid !== undefined; ) {
    const guest = await readGuest(store, oid);
    if (guest.record.epoch <= since) break;
    found.push(guest);
    const { parents }: Commit = await store.readCommit(oid);
    const [parent] = parents;
    oid = parent === guest.record.result ? undefined : parent;
  }
  return found;
}

export type GuestDraft =
  | { readonly kind: 'claim'; readonly tip: Oid | null; readonly base: Oid }
  | ({ readonly kind: 'landed'; readonly tip: Oid; readonly base: Oid; readonly op: string; readonly result: Oid; readonly branch: string } & Pick<GuestRecord, 'report' | 'criteria' | 'verify' | 'commits' | 'notes'>);

export async function writeGuest(site: ProjectSite, tenure: Tenure, { tip, ...draft }: GuestDraft): Promise<Guest & { readonly update: RefUpdate }> {
  const { node, fleet } = site;
  const { task, epoch, agent, claim, instruction } = tenure;
  const record: GuestRecord = { schema: 'cambium.guest/1', fleet, task, epoch, op: node.clock.ulid(), agent, node: node.identity.node, claim, instruction, ...draft };
  const commit = await writeGuestCommit(node, record, tip);
  return { tip: commit, record, update: { ref: guestRef(fleet, task), expect: tip, to: commit } };
}

async function writeGuestCommit(node: Node, record: GuestRecord, tip: Oid | null): Promise<Oid> {
  const { fleet, task, kind, epoch, agent, op, result } = record;
  const tree = await writeFileTree(node.store, 'guest.json', renderGuestRecord(record));
  return node.store.writeCommit({
    tree, parents: [tip, result].filter((oid): oid is Oid => oid !== null && oid !== undefined), author: agentSignature(node, agent), committer: nodeSignature(node),
    message: renderMessage({
      subject: `${fleet}/${task}: ${kind} epoch ${epoch} by ${agent}`,
      trailers: { Kind: kind, Task: `${fleet}/${task}`, Agent: agent, Node: node.identity.node, Epoch: epoch, 'Op-Id': op },
    }),
  });
}

/** Epoch of the last reopen in the workspace's chain, 0 where there was none. */
export async function reopenEpoch(store: Store, reader: ChainReader, claim: Oid): Promise<number> {
  for (let at: Chain | undefined = await reader.chain(claim); at !== undefined; at = await before(store, reader, at)) if (at.record.kind === 'reopen') return at.record.epoch;
  return 0;
}
