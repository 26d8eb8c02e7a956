/**
 * Pushes whose outcome must be known before anything is built anew (PROTOCOL P2.2, P2.3). An entry is one local
 * ref: its commit's message holds the push as JSON and every candidate is a parent of it, so neither a crash nor a `git gc`
 * can lose what may yet be accepted.
 */
import type { RefUpdate } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { CLAIMS_PREFIX, OUTBOX_PREFIX } from '../model/layout.ts';
import { machineSignature } from '../model/message.ts';
import type { PushOutcome } from '../ports/hub.ts';
import type { ProcessIdentity } from '../ports/process.ts';
import type { Node } from './node.ts';

export interface OutboxEntry {
  readonly op: string;
  readonly updates: readonly RefUpdate[];
  readonly atMs: number;
  readonly bootId: string;
  readonly owner: ProcessIdentity;
}

export async function putOutbox(node: Node, updates: readonly RefUpdate[]): Promise<OutboxEntry> {
  const { store, clock, identity } = node;
  const entry: OutboxEntry = { op: clock.ulid(), updates, atMs: clock.bootMs(), bootId: identity.bootId, owner: identity.process };
  const signature = machineSignature(identity.node, 'node', clock.now());
  const parents = [...new Set(updates.flatMap(({ to }) => (to === null ? [] : [to])))];
  // The push stands in the message and the tree is one that is there already: an entry costs one object, not three.
  const tree = parents[0] === undefined ? await store.writeTree([]) : (await store.readCommit(parents[0])).tree;
  const commit = await store.writeCommit({ tree, parents, author: signature, committer: signature, message: `outbox ${entry.op}\n\n${JSON.stringify(entry)}\n` });
  await store.updateRefs([{ ref: `${OUTBOX_PREFIX}${entry.op}`, expect: null, to: commit }], 'cambium: outbox');
  return entry;
}

/** The move that drops the entry, to go with others in one transaction. */
export const outboxDrop = ({ op }: OutboxEntry): { readonly ref: string; readonly to: null } => ({ ref: `${OUTBOX_PREFIX}${op}`, to: null });

export async function dropOutbox(node: Node, entry: OutboxEntry): Promise<void> {
  await node.store.updateRefs([outboxDrop(entry)], 'cambium: resolved');
}

export async function readOutbox(node: Node): Promise<readonly OutboxEntry[]> {
  const refs = await node.store.listRefs(OUTBOX_PREFIX);
  return Promise.all([...refs.values()].map((oid) => readEntry(node, oid)));
}

async function readEntry({ store }: Node, oid: Oid): Promise<OutboxEntry> {
  const { message } = await store.readCommit(oid);
  return JSON.parse(message.slice(message.indexOf('\n\n') + 2)) as OutboxEntry;
}

/** Repeats the identical push until the hub answers or the time is up (P2.3). */
export async function pushUntilAnswered(node: Node, updates: readonly RefUpdate[], patienceMs: number): Promise<PushOutcome> {
  const { hub, clock } = node;
  const started = clock.bootMs();
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
    const outcome = await hub.push(updates);
    if (outcome.kind !== 'unknown' || clock.bootMs() - started + pauseMs > patienceMs) return outcome;
    await clock.sleep(pauseMs * (0.5 + (node.clock.randomBytes(1)[0] ?? 0) / 255));
  }
}

export interface Settled {
  /** Still without an answer. */
  readonly left: readonly OutboxEntry[];
  /** Answered yes just now, or found to have happened before. */
  readonly accepted: readonly OutboxEntry[];
}

/**
 * Settles what earlier lives of this clone left unknown. Entries of processes that live are theirs to settle. Repeats
 * only after a fetch, and never repeats the creation of a claim chain for an id that is finished (P2.3: an old create
 * was once accepted after its chain had been collected).
 */
export async function settleOutbox(node: Node, isFinished: (task: string, to: Oid) => Promise<boolean>, patienceMs: number): Promise<Settled> {
  const settled = { left: [] as OutboxEntry[], accepted: [] as OutboxEntry[] };
  for (const entry of await readOutbox(node)) {
    if (!isMine(node, entry) && (await node.supervisor.alive(entry.owner))) continue;
    const end = await settleEntry(node, entry, isFinished, patienceMs);
    if (end === 'unknown') settled.left.push(entry);
    if (end === 'accepted') settled.accepted.push(entry);
  }
  return settled;
}

function isMine(node: Node, entry: OutboxEntry): boolean {
  const mine = node.identity.process;
  return entry.bootId === node.identity.bootId && entry.owner.pid === mine.pid && entry.owner.start === mine.start;
}

async function settleEntry(node: Node, entry: OutboxEntry, isFinished: (task: string, to: Oid) => Promise<boolean>, patienceMs: number): Promise<PushOutcome['kind']> {
  await node.mirror.refresh();
  const creates = entry.updates.filter(({ ref, expect, to }) => expect === null && to !== null && ref.startsWith(CLAIMS_PREFIX));
  const recreates = (await Promise.all(creates.map(({ ref, to }) => isFinished(ref.slice(CLAIMS_PREFIX.length), to as Oid)))).includes(true);
  const outcome: PushOutcome = recreates ? { kind: 'refused', detail: 'the task is finished', policy: false } : await pushUntilAnswered(node, entry.updates, patienceMs);
  if (outcome.kind === 'unknown') return 'unknown';
  if (outcome.kind === 'accepted') await node.mirror.adopt(entry.updates, [outboxDrop(entry)]);
  else await dropOutbox(node, entry);
  return outcome.kind;
}
