/** What a node ref says (docs/formats.md, node.json; PROTOCOL P4). Pure nouns. */
import type { NodeName, Oid, TaskId } from './ids.ts';
import type { ToldSpawn } from './seenSpawn.ts';

/** A node's sign of life: it renews the claims it names and no others (P4.1). */
export interface NodeHeartbeat {
  readonly schema: 'cambium.node/1';
  readonly kind: 'heartbeat';
  readonly nonce: string;
  /** The hub's main as this node last saw it, a witness against a rewritten hub (P8); empty before the first. */
  readonly main: Oid;
  readonly node: NodeName;
  readonly machine: string;
  readonly incarnation: string;
  readonly boot_id: string;
  readonly seq: number;
  readonly version: string;
  readonly claims: readonly { readonly task: TaskId; readonly epoch: number; readonly claim: Oid }[];
  /** What they are for is told for people; nothing is decided by it. */
  readonly spawns: readonly ToldSpawn[];
  /** Keys of a newer minor version, kept. */
  readonly [key: string]: unknown;
}

/** A takeover's mark on the owner's ref: no heartbeat, restarts no timer, ends only the claims it names (P4.3). */
export interface NodeBreak {
  readonly schema: 'cambium.node/1';
  readonly kind: 'break';
  /** The node whose claims end. */
  readonly node: NodeName;
  /** The node that takes over. */
  readonly by: NodeName;
  readonly breaks: readonly { readonly task: TaskId; readonly epoch: number }[];
  readonly op: string;
  readonly reason?: string;
  readonly [key: string]: unknown;
}

export type NodeRecord = NodeHeartbeat | NodeBreak;
