/**
 * Taking over a silent node's claims (PROTOCOL P4.3): one atomic push swaps every lapsed claim of that node and puts a
 * break on its node ref. Of a late heartbeat and a takeover the hub accepts one first, and the loser learns it.
 */
import { chainState } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { RefUpdate } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { nodeRef } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { NodeBreak } from '../model/node.ts';
import type { ChainReader } from '../observe/chains.ts';
import { renderNodeRecord } from '../observe/nodeRecord.ts';
import { heldRecord, readChain, writeClaim } from './claim.ts';
import { writeFileTree } from './commit.ts';
import type { ClaimWon } from './claim.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';
import { drop, publish } from './publish.ts';
import type { Base, Member, Published } from './publish.ts';
import { writeTransition } from './transition.ts';
import type { Transition } from './transition.ts';

export interface TakeoverClaim {
  readonly id: TaskId;
  /** The instruction as it stands now: the new claim pins it. */
  readonly blob: Oid;
  /** The lapsed tip: when it has moved, the owner is back. */
  readonly lapsed: Chain;
  /** Who goes on with it; null releases it in the same push, for whoever has room. */
  readonly agent: string | null;
  /** How long the owner was silent, in words. */
  readonly reason?: string;
}

export interface Takeover {
  readonly owner: string;
  /** What the owner's ref stood at in the fleet whose timers were judged: the lease of the break. */
  readonly ownerTip: Oid | null;
  readonly claims: readonly TakeoverClaim[];
  readonly ttlMs: number;
}

/** Breaks the owner's lapsed claims together; returns those that this node now holds. */
export async function takeOver(node: Node, reader: ChainReader, takeover: Takeover): Promise<Published<readonly ClaimWon[]>> {
  const key = `takeover:${takeover.owner}`;
  const ends = await publish(node, [takeoverMember(node, reader, takeover, key)], { trustKnown: true });
  return ends.get(key) as Published<readonly ClaimWon[]>;
}

function takeoverMember(node: Node, reader: ChainReader, takeover: Takeover, key: string): Member<readonly ClaimWon[]> {
  return {
    key,
    async build(base) {
      // A heartbeat since then may name the claims: the timers must judge it first.
      if ((base.view.refs.get(nodeRef(takeover.owner)) ?? null) !== takeover.ownerTip) return drop('lost', `${takeover.owner} was heard again`);
      const lapsed = await stillLapsed(reader, base, takeover);
      if (lapsed.length === 0) return drop('lost', `${takeover.owner} holds none of them any more`);
      const swaps = await Promise.all(lapsed.map((claim) => swapClaim(node, base, takeover, claim)));
      const broken = await writeBreak(node, takeover, lapsed);
      return { main: base.main, refs: [...swaps.map(({ update }) => update), broken], value: swaps.flatMap(({ won }) => won) };
    },
  };
}

async function stillLapsed(reader: ChainReader, base: Base, { claims }: Takeover): Promise<readonly TakeoverClaim[]> {
  const tips = await Promise.all(claims.map(({ id }) => readChain(reader, base, id)));
  return claims.filter(({ lapsed }, at) => tips[at]?.tip === lapsed.tip && chainState(tips[at]) === 'held');
}

async function swapClaim(node: Node, base: Base, { ttlMs }: Takeover, { id, blob, lapsed, agent, reason }: TakeoverClaim): Promise<{ readonly update: RefUpdate; readonly won: readonly ClaimWon[] }> {
  const startedMs = node.clock.bootMs();
  const claim = await writeClaim(node, { task: { id, blob }, agent: agent ?? node.identity.node, ttlMs, ...(reason === undefined ? {} : { reason }) }, lapsed, base.main);
  if (agent !== null) return { update: claim.update, won: [{ task: id, chain: { tip: claim.oid, record: claim.record }, startedMs }] };
  const release = await releaseAtOnce(node, claim, lapsed);
  return { update: { ...claim.update, to: release.oid }, won: [] };
}

function releaseAtOnce(node: Node, claim: Transition, lapsed: Chain): Promise<Transition> {
  const pinned = claim.record.commit !== undefined;
  return writeTransition(node, {
    tip: claim.oid, expect: lapsed.tip, author: nodeSignature(node),
    record: { ...heldRecord({ tip: claim.oid, record: claim.record }, pinned), kind: pinned ? 'approve' : 'release', reason: `${lapsed.record.node ?? 'its node'} fell silent`, by: node.identity.node },
  });
}

async function writeBreak(node: Node, { owner, ownerTip: tip }: Takeover, lapsed: readonly TakeoverClaim[]): Promise<RefUpdate> {
  const { store, clock, identity } = node;
  const breaks = lapsed.map(({ id, lapsed: chain }): { task: TaskId; epoch: number } => ({ task: id, epoch: chain.record.epoch }));
  const record: NodeBreak = { schema: 'cambium.node/1', kind: 'break', node: owner, by: identity.node, breaks, op: clock.ulid(), reason: 'silent for longer than its lease' };
  const tree = await writeFileTree(store, 'node.json', renderNodeRecord(record));
  const commit = await store.writeCommit({
    tree, parents: tip === null ? [] : [tip], author: nodeSignature(node), committer: nodeSignature(node),
    message: renderMessage({ subject: `${owner}: break by ${identity.node}`, trailers: { Kind: 'break', Node: owner, 'Op-Id': record.op } }),
  });
  return { ref: nodeRef(owner), expect: tip, to: commit };
}
