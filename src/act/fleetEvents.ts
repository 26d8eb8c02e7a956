/**
 * What has happened since this node last told its hooks, read from the chains and from main. An event is this node's when this
 * node wrote the commit: of one deed one node tells, whoever looks. What is kept between two looks is small and local; losing it
 * loses events that nobody was told of, and tells none twice.
 */
import type { Chain, ClaimRecord } from '../model/claim.ts';
import type { EventTask, FleetEvent } from '../model/event.ts';
import type { Commit } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { parseSpawnRecord } from '../observe/agentRecords.ts';
import { before } from '../observe/chains.ts';
import type { ChainReader } from '../observe/chains.ts';
import { isMessagePath, parseMessage } from '../observe/messageFile.ts';
import { diffTrees, entryAt, treeOf } from '../observe/tree.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';

export interface Told {
  /** Main up to which commits were looked at. */
  readonly main: Oid;
  /** Tips up to which chains were told, of tasks that this node had to do with. */
  readonly chains: Readonly<Record<TaskId, Oid>>;
  /** Ops of this node's takeovers that stand on node refs. */
  readonly breaks: readonly string[];
}

/** Tips that this process has looked at: the others' chains are not read again and again. */
export type Looked = ReadonlyMap<TaskId, Oid>;

export interface Since {
  readonly events: readonly FleetEvent[];
  readonly told: Told;
  readonly looked: Looked;
}

/** Commits of main that are looked through at most; what lies further back is not told. */
const COMMITS_MAX = 500;

/** With nothing told before, everything that stands there counts as told. `looked` is what the last look gave; null at the first. */
export async function eventsSince(node: Node, reader: ChainReader, fleet: Fleet, told: Told | null, looked: Looked | null): Promise<Since> {
  const chains = await chainEvents(node, reader, fleet, told, looked);
  const main = told === null ? [] : await mainEvents(node, fleet, told.main);
  const breaks = [...fleet.nodes.values()].flatMap(({ breaks: all }) => all).filter(({ by }) => by === node.identity.node);
  const silent = told === null ? [] : breaks.filter(({ op }) => !told.breaks.includes(op)).map((one): FleetEvent => ({ ...stamp(node, one.op), event: 'node-silent', silent: one.node, tasks: one.breaks }));
  const events = [...silent, ...chains.events, ...main];
  return {
    events: [...events, ...events.flatMap((event) => forPeople(event, fleet))], looked: chains.looked,
    told: { main: fleet.main.commit, chains: chains.told, breaks: breaks.map(({ op }) => op) },
  };
}

const stamp = ({ identity, clock }: Node, id: string, at?: number): Pick<FleetEvent, 'schema' | 'id' | 'at' | 'node'> => ({ schema: 'cambium.event/1', id, at: (at === undefined ? clock.now() : new Date(at * 1_000)).toISOString(), node: identity.node });

function isOurs(node: Node, { committer }: Pick<Commit, 'committer'>): boolean {
  return committer.email === nodeSignature(node).email;
}

async function chainEvents(node: Node, reader: ChainReader, fleet: Fleet, told: Told | null, looked: Looked | null): Promise<{ readonly events: readonly FleetEvent[]; readonly told: Told['chains']; readonly looked: Looked }> {
  const events: FleetEvent[] = [];
  const tips: Record<TaskId, Oid> = {};
  const now = new Map<TaskId, Oid>();
  for (const [task, chain] of fleet.chains) {
    const known = told !== null && Object.hasOwn(told.chains, task) ? told.chains[task] : undefined;
    // An end is told when both its halves are there (P5.2).
    const waits = fleet.unlanded.has(task);
    if (!waits) now.set(task, chain.tip);
    const isNew = !waits && chain.tip !== known && looked?.get(task) !== chain.tip;
    // At the start thousands of chains of others stand there: their records say that they are not ours, and no commit is read. A cancel names whoever held the task.
    const mayBeOurs = known !== undefined || looked !== null || chain.record.node === node.identity.node || chain.record.kind === 'cancel';
    const ours = isNew && mayBeOurs && told !== null ? await ourTransitions(node, reader, chain, known) : [];
    events.push(...ours.flatMap((one) => transitionEvent(node, fleet, one)));
    if (isNew && (known !== undefined || ours.length > 0 || (told === null && mayBeOurs))) tips[task] = chain.tip;
    else if (known !== undefined) tips[task] = known;
  }
  return { events, told: tips, looked: now };
}

interface Transition {
  readonly record: ClaimRecord;
  readonly at: number;
}

/** Newest transitions back to the one that was told; of a chain that is new to us only those of its present epoch. Oldest first. */
async function ourTransitions({ store, ...node }: Node, reader: ChainReader, chain: Chain, known: Oid | undefined): Promise<readonly Transition[]> {
  const found: Transition[] = [];
  for (let at: Chain | undefined = chain; at !== undefined && at.tip !== known && (known !== undefined || at.record.epoch === chain.record.epoch); at = await before(store, reader, at)) {
    const commit = await store.readCommit(at.tip);
    if (isOurs({ store, ...node }, commit)) found.push({ record: at.record, at: commit.committer.seconds });
  }
  return found.toReversed();
}

function transitionEvent(node: Node, fleet: Fleet, { record, at }: Transition): readonly FleetEvent[] {
  const { op, kind, result = null, reason = null, question, branch = null, commit = null } = record;
  const told = stamp(node, op, at);
  const task = fleet.tasks.get(record.task);
  const about: EventTask = { task: record.task, title: task?.title ?? null, path: task?.path ?? null, agent: record.agent, epoch: record.epoch, attempt: record.attempt };
  // A claim that only lands what was approved starts nobody.
  if (kind === 'claim') return record.commit === undefined ? [{ ...told, ...about, event: 'task-claimed' }] : [];
  if (kind === 'done') return [{ ...told, ...about, event: 'task-done', result, reason }];
  if (kind === 'failed') return [{ ...told, ...about, event: 'task-failed', result, reason }];
  if (kind === 'cancel') return [{ ...told, ...about, event: 'task-cancelled', result, reason }];
  if (kind === 'input') return [{ ...told, ...about, event: 'task-input', question: question ?? reason ?? '' }];
  if (kind === 'review') return [{ ...told, ...about, event: 'review', reviewer: task?.review ?? 'human', branch, commit }];
  return [];
}

/** Messages and ended spawns: files of agents/ that this node's commits have added. Oldest first. */
async function mainEvents(node: Node, fleet: Fleet, since: Oid): Promise<readonly FleetEvent[]> {
  const { store } = node;
  if (since === fleet.main.commit || !(await store.has(since)) || !(await store.isAncestor(since, fleet.main.commit))) return [];
  const commits = await store.log(fleet.main.commit, { not: [since], firstParent: true, limit: COMMITS_MAX });
  const events: FleetEvent[] = [];
  for (const commit of commits.toReversed()) if (isOurs(node, commit)) events.push(...(await commitEvents(node, commit)));
  return events;
}

async function commitEvents(node: Node, commit: Commit): Promise<readonly FleetEvent[]> {
  const { store } = node;
  const agentsIn = async (tree: Oid): Promise<Oid | null> => {
    const folder = await entryAt(store, tree, 'agents');
    return folder?.mode === '40000' ? folder.oid : null;
  };
  const [parent] = commit.parents;
  const changes = await diffTrees(store, parent === undefined ? null : await agentsIn(await treeOf(store, parent)), await agentsIn(commit.tree), 'agents/');
  const added = changes.filter(({ before: old, after }) => old === null && (after?.mode === '100644' || after?.mode === '100755'));
  const events = await Promise.all(added.map(async ({ path, after }) => addedEvent(node, commit, path, async () => store.readBlob((after as { readonly oid: Oid }).oid))));
  return events.filter((event) => event !== null);
}

/** Null for a file that is none of ours to tell of, or that cannot be read: `cambium check` names it. */
async function addedEvent(node: Node, commit: Commit, path: string, read: () => Promise<Uint8Array>): Promise<FleetEvent | null> {
  const at = commit.committer.seconds;
  if (isMessagePath(path)) {
    const message = parseMessage({ path, bytes: await read() });
    if ('reason' in message) return null;
    const { id, from, channel, to, mentions, text } = message;
    return { ...stamp(node, id, at), event: 'message', message: id, path, from, channel, to, mentions, text };
  }
  if (!/^agents\/spawns\/.+\.json$/.test(path)) return null;
  try {
    const { id, agent, task, outcome, failure, cost_usd } = parseSpawnRecord(await read()) as Readonly<Record<string, string | null>>;
    return { ...stamp(node, String(id), at), event: 'spawn-end', spawn: String(id), agent: String(agent), task: task ?? null, outcome: String(outcome), failure: failure ?? null, cost_usd: cost_usd === null ? null : Number(cost_usd) };
  } catch {
    return null;
  }
}

const TO_PERSON = /(?:^|[^\w@])@human(?![\w-])/;

function forPeople(event: FleetEvent, fleet: Fleet): readonly FleetEvent[] {
  const { schema, id, at, node } = event;
  const told = { schema, id, at, node, event: 'human' as const };
  if (event.event === 'task-input') return [{ ...told, cause: 'task-input', text: event.question, task: event.task, from: event.agent, channel: null }];
  if (event.event === 'review' && event.reviewer === 'human') return [{ ...told, cause: 'review', text: `${event.title ?? event.task} waits for your review`, task: event.task, from: event.agent, channel: null }];
  if (event.event === 'message' && TO_PERSON.test(event.text)) return [{ ...told, cause: 'message', text: event.text, task: fleet.tasks.has(event.channel ?? '') ? event.channel : null, from: event.from, channel: event.channel }];
  return [];
}
