/** What a node works with: its identity and its ports. Passed to every effect. */
import type { Signature } from '../model/git.ts';
import { machineSignature } from '../model/message.ts';
import type { HubMirror } from '../observe/hubMirror.ts';
import type { Clock } from '../ports/clock.ts';
import type { Hub } from '../ports/hub.ts';
import type { Local } from '../ports/local.ts';
import type { ProcessIdentity, Supervisor } from '../ports/process.ts';
import type { Store } from '../ports/store.ts';

export interface NodeIdentity {
  readonly node: string;
  /** This life of this clone's daemon, or of one agent's command-line session; never reused (P4.1). */
  readonly incarnation: string;
  readonly machine: string;
  readonly bootId: string;
  readonly process: ProcessIdentity;
}

export interface Node {
  readonly identity: NodeIdentity;
  readonly store: Store;
  readonly hub: Hub;
  readonly mirror: HubMirror;
  readonly clock: Clock;
  readonly local: Local;
  readonly supervisor: Supervisor;
  readonly version: string;
}

export function nodeSignature(node: Node): Signature {
  return machineSignature(node.identity.node, 'node', node.clock.now());
}

export function agentSignature(node: Node, agent: string): Signature {
  return machineSignature(agent, 'agent', node.clock.now());
}
