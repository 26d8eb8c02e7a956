/**
 * A node's sign of life (PROTOCOL P4.1, P4.2): a parentless commit on its node ref, swapped by lease on its own last
 * value, naming the claims it renews. An unanswered beat is repeated unchanged until the hub answers.
 */
import type { RefUpdate } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { nodeRef } from '../model/layout.ts';
import { renderMessage } from '../model/message.ts';
import type { NodeBreak, NodeHeartbeat } from '../model/node.ts';
import type { ToldSpawn } from '../model/seenSpawn.ts';
import type { ChainReader } from '../observe/chains.ts';
import { renderNodeRecord } from '../observe/nodeRecord.ts';
import { writeFileTree } from './commit.ts';
import { nodeSignature } from './node.ts';
import type { Node } from './node.ts';

export interface BeatContent {
  readonly claims: readonly { readonly task: TaskId; readonly epoch: number; readonly claim: Oid }[];
  readonly spawns: readonly ToldSpawn[];
}

export type BeatOutcome =
  /** All named claims are renewed as of `startedMs`, the moment before the push (P4.4). */
  | { readonly kind: 'renewed'; readonly startedMs: number; readonly content: BeatContent }
  /** These claims were taken over; the others survive. Beat again at once. */
  | { readonly kind: 'broken'; readonly breaks: NodeBreak['breaks'] }
  /** Somebody else beats under this name: stop everything (P4.2). */
  | { readonly kind: 'twin' }
  | { readonly kind: 'unanswered'; readonly detail: string };

interface PendingBeat {
  readonly update: RefUpdate;
  readonly startedMs: number;
  readonly content: BeatContent;
}

export interface Heart {
  /** True while a beat has not been answered. */
  readonly pending: boolean;
  beat(content: BeatContent): Promise<BeatOutcome>;
}

const BEATS = 'beat';

/**
 * `last` is what this node's ref stands at, already judged to be ours. Beats that an earlier process of this life may
 * still have under way are remembered in the clone, so that one that lands late is not taken for a twin's.
 */
export async function createHeart(node: Node, reader: ChainReader, last: Oid | null): Promise<Heart> {
  const ref = nodeRef(node.identity.node);
  const underWay = await readBeats(node);
  let current = last;
  let pending: PendingBeat | null = null;
  let seq = last === null ? 0 : ((await reader.node(last)).heartbeat?.record.seq ?? 0);

  async function judgeRefusal(sent: PendingBeat): Promise<BeatOutcome> {
    const tip = (await node.mirror.refresh()).refs.get(ref) ?? null;
    if (tip === sent.update.to) return renewed(sent);
    // Nothing moved: a lock or a hook said no. The same beat is sent again, for this one may still land.
    if (tip === current) return { kind: 'unanswered', detail: 'refused, and nothing moved' };
    const found = await breaksOnTop(node, reader, tip, [current, sent.update.to, ...underWay]);
    pending = null;
    if (found === null) return { kind: 'twin' };
    current = tip;
    return { kind: 'broken', breaks: found };
  }

  function renewed({ update, startedMs, content }: PendingBeat): BeatOutcome {
    current = update.to;
    pending = null;
    return { kind: 'renewed', startedMs, content };
  }

  async function prepare(content: BeatContent): Promise<PendingBeat> {
    seq += 1;
    const startedMs = node.clock.bootMs();
    const oid = await writeBeat(node, content, seq);
    underWay.splice(0, underWay.length, ...[oid, ...underWay].slice(0, BEATS_MAX));
    await node.local.write(BEATS, { incarnation: node.identity.incarnation, beats: underWay });
    return { startedMs, content, update: { ref, expect: current, to: oid } };
  }

  return {
    get pending() {
      return pending !== null;
    },
    async beat(content) {
      // Never a second beat while the first may still land: its lease would then be wrong for ever.
      pending ??= await prepare(content);
      const sent = pending;
      const outcome = await node.hub.push([sent.update]);
      if (outcome.kind === 'unknown') return { kind: 'unanswered', detail: outcome.detail };
      if (outcome.kind === 'refused') return judgeRefusal(sent);
      await node.mirror.adopt([sent.update]);
      return renewed(sent);
    },
  };
}

const BEATS_MAX = 8;

async function readBeats({ local, identity }: Node): Promise<Oid[]> {
  const record = (await local.read(BEATS)) as { readonly incarnation: string; readonly beats: readonly Oid[] } | null | undefined;
  return record?.incarnation === identity.incarnation ? [...record.beats] : [];
}

async function writeBeat(node: Node, content: BeatContent, seq: number): Promise<Oid> {
  const { store, clock, identity } = node;
  const record: NodeHeartbeat = {
    schema: 'cambium.node/1', kind: 'heartbeat', nonce: Buffer.from(clock.randomBytes(8)).toString('hex'), main: node.mirror.known().main ?? '',
    node: identity.node, machine: identity.machine, incarnation: identity.incarnation, boot_id: identity.bootId, seq, version: node.version,
    claims: [...content.claims], spawns: [...content.spawns],
  };
  const tree = await writeFileTree(store, 'node.json', renderNodeRecord(record));
  const signature = nodeSignature(node);
  const message = renderMessage({ subject: `${identity.node}: heartbeat ${seq}`, trailers: { Kind: 'heartbeat', Node: identity.node } });
  return store.writeCommit({ tree, parents: [], author: signature, committer: signature, message });
}

/** The breaks between the ref's tip and one of our own beats; null when something else is there. */
async function breaksOnTop(node: Node, reader: ChainReader, tip: Oid | null, ours: readonly (Oid | null)[]): Promise<NodeBreak['breaks'] | null> {
  const found: { task: TaskId; epoch: number }[] = [];
  for (let oid = tip; !ours.includes(oid); ) {
    if (oid === null) return null;
    const newest = (await reader.node(oid).catch(() => null))?.breaks[0];
    if (newest === undefined) return null;
    found.push(...newest.breaks);
    oid = (await node.store.readCommit(oid)).parents[0] ?? null;
  }
  return found;
}
