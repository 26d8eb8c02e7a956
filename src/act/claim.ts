/** Winning the exclusive right to tasks (PROTOCOL P3), and giving it back. */
import { attemptsUsed, chainState, isPinned, mayFollow, nextAttempt } from '../model/claim.ts';
import type { Chain, ClaimKind, ClaimRecord } from '../model/claim.ts';
import type { Signature } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { claimRef } from '../model/layout.ts';
import type { Task } from '../model/task.ts';
import type { ChainReader } from '../observe/chains.ts';
import { agentSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop, publish } from './publish.ts';
import type { Base, Member, Published } from './publish.ts';
import { writeTransition } from './transition.ts';

export interface ClaimRequest {
  readonly task: Task;
  readonly agent: string;
  readonly ttlMs: number;
  readonly maxAttempts: number;
  /** Only to land what was approved: nothing is spawned (PROTOCOL P6). */
  readonly approved?: boolean;
  /** Why this task for this agent: told on the chain, so that every node can read it. */
  readonly reason?: string;
}

export interface ClaimWon {
  readonly task: TaskId;
  readonly chain: Chain;
  readonly startedMs: number;
}

export async function readChain(reader: ChainReader, base: Pick<Base, 'view'>, task: TaskId): Promise<Chain | undefined> {
  const tip = base.view.refs.get(claimRef(task));
  return tip === undefined ? undefined : reader.chain(tip);
}

/** Claims several tasks in one push. A task that somebody else has is dropped (`lost`) and the others go on. */
export function claimTasks(node: Node, reader: ChainReader, requests: readonly ClaimRequest[]): Promise<ReadonlyMap<string, Published<ClaimWon>>> {
  return publish(node, requests.map((request) => claimMember(node, reader, request)), { trustKnown: true });
}

function claimMember(node: Node, reader: ChainReader, request: ClaimRequest): Member<ClaimWon> {
  const { task } = request;
  return {
    key: task.id,
    async build(base) {
      const chain = await readChain(reader, base, task.id);
      const state = chainState(chain);
      if (state !== (request.approved === true ? 'approved' : 'open')) return drop('lost', describeHolder(chain));
      if (state === 'open' && attemptsUsed(chain) >= request.maxAttempts) return drop('not-ready', `all ${request.maxAttempts} attempts are used up`);
      const startedMs = node.clock.bootMs();
      const written = await writeClaim(node, request, chain, base.main);
      return { main: base.main, refs: [written.update], value: { task: task.id, chain: { tip: written.oid, record: written.record }, startedMs } };
    },
  };
}

export function writeClaim(node: Node, request: Pick<ClaimRequest, 'agent' | 'ttlMs' | 'reason'> & { readonly task: Pick<Task, 'id' | 'blob'> }, chain: Chain | undefined, main: Oid): ReturnType<typeof writeTransition> {
  const { identity, clock } = node;
  return writeTransition(node, {
    tip: chain?.tip ?? null,
    author: agentSignature(node, request.agent),
    record: {
      task: request.task.id, kind: 'claim', epoch: (chain?.record.epoch ?? 0) + 1, attempt: nextAttempt(chain),
      agent: request.agent, node: identity.node, incarnation: identity.incarnation,
      instruction: { blob: request.task.blob, commit: main }, ttl_s: request.ttlMs / 1000, claimed_at: clock.now().toISOString(), ...pinOf(chain), ...(request.reason === undefined ? {} : { reason: request.reason }),
    },
  });
}

/** What was approved, and the text it was made for, go with the claim that lands it, and with every takeover of that claim. */
function pinOf(chain: Chain | undefined): Partial<Pick<ClaimRecord, 'branch' | 'commit' | 'instruction'>> {
  if (chain === undefined || (chainState(chain) !== 'approved' && !isPinned(chain))) return {};
  const { branch, commit, instruction } = chain.record;
  return { instruction, ...(branch === undefined ? {} : { branch }), ...(commit === undefined ? {} : { commit }) };
}

export function describeHolder(chain: Chain | undefined): string {
  if (chain === undefined) return 'nobody holds it';
  const { kind, agent, node, epoch } = chain.record;
  return kind === 'claim' || kind === 'renew' ? `${agent ?? '?'} on ${node ?? '?'} holds it (epoch ${epoch})` : `its claim chain says ${kind} (epoch ${epoch})`;
}

export interface ReleaseRequest {
  readonly task: TaskId;
  /** The tip that is ours; a moved tip means we are fenced. */
  readonly tip: Oid;
  readonly reason: string;
  /** The spawn ended by itself: the attempt counts. */
  readonly spent?: boolean;
  readonly notBefore?: string | null;
  readonly kind?: 'release' | 'input';
  /** The reason is told to whoever claims next. */
  readonly feedback?: boolean;
  /** input: the agent's session, to go on with once it is answered; carried on by the answer. */
  readonly session?: unknown;
  /** A person has answered the question: who, as the author of the transition. */
  readonly answeredBy?: Signature;
}

export const releaseKey = (task: TaskId, tip: Oid): string => `release:${task}:${tip}`;

/** Ends our hold without a result: ready again, or waiting for a person with a question. */
export function releaseMember(node: Node, reader: ChainReader, request: ReleaseRequest): Member<Chain> {
  const written = new Set<Oid>();
  return {
    key: releaseKey(request.task, request.tip),
    async build(base) {
      const chain = await readChain(reader, base, request.task);
      if (chain !== undefined && written.has(chain.tip)) return { already: chain };
      const kind = releaseKind(chain, request);
      if (chain === undefined || chain.tip !== request.tip || !mayFollow(chain, kind)) return drop('fenced', describeHolder(chain));
      const held = heldRecord(chain, kind === 'approve');
      const transition = await writeTransition(node, {
        tip: chain.tip,
        author: request.answeredBy ?? agentSignature(node, chain.record.agent ?? node.identity.node),
        record: {
          ...held, kind, reason: request.reason,
          ...(request.session === undefined || request.session === null ? {} : { session: request.session }), ...(request.answeredBy === undefined ? {} : { answered: true, by: request.answeredBy.name }),
          ...(request.spent === true ? { spent: true } : {}), ...(request.feedback === true ? { feedback: true } : {}),
          ...(request.notBefore === undefined || request.notBefore === null ? {} : { not_before: request.notBefore }),
          ...(kind === 'input' ? { question: request.reason } : {}),
        },
      });
      written.add(transition.oid);
      return { main: base.main, refs: [transition.update], value: { tip: transition.oid, record: transition.record } };
    },
  };
}

/** What was approved stays so when its landing is given back, unless the landing itself was found wanting. */
function releaseKind(chain: Chain | undefined, { kind, feedback }: ReleaseRequest): ClaimKind {
  return kind ?? (isPinned(chain) && feedback !== true ? 'approve' : 'release');
}

/** The record that the next transition goes on from; what was said about one transition only is left out. */
export function heldRecord(chain: Chain, pinned: boolean): Omit<ClaimRecord, 'schema' | 'op'> {
  const { schema: _schema, op: _op, reason: _reason, by: _by, spent: _spent, feedback: _feedback, not_before: _notBefore, branch, commit, ...held } = chain.record;
  const pin = pinned && commit !== undefined ? { commit, ...(branch === undefined ? {} : { branch }) } : {};
  return { ...held, ...pin } as Omit<ClaimRecord, 'schema' | 'op'>;
}

export const renewKey = (task: TaskId): string => `renew:${task}`;

/** Keeps a hold alive where no daemon beats for it; with `instruction`, pins the text as it was edited under the claim (P5.4). */
export function renewMember(node: Node, reader: ChainReader, task: TaskId, epoch: number, agent: string, instruction?: ClaimRecord['instruction']): Member<Chain> {
  const written = new Set<Oid>();
  return {
    key: renewKey(task),
    async build(base) {
      const chain = await readChain(reader, base, task);
      if (chain !== undefined && written.has(chain.tip)) return { already: chain };
      if (!isHeldBy(chain, epoch, agent)) return drop('fenced', describeHolder(chain));
      // What was approved was approved for the text that it pins.
      if (instruction !== undefined && isPinned(chain)) return drop('forbidden', 'what is landed now was approved for the text as it was');
      const held = heldRecord(chain as Chain, true);
      const transition = await writeTransition(node, { tip: (chain as Chain).tip, author: agentSignature(node, agent), record: { ...held, ...(instruction === undefined ? {} : { instruction, reason: 'the instruction was edited' }), kind: 'renew' } });
      written.add(transition.oid);
      return { main: base.main, refs: [transition.update], value: { tip: transition.oid, record: transition.record } };
    },
  };
}

export function isHeldBy(chain: Chain | undefined, epoch: number, agent: string): boolean {
  return chain !== undefined && chainState(chain) === 'held' && chain.record.epoch === epoch && chain.record.agent === agent;
}
