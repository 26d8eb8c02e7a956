/** What a node works with: its identity and its ports. Passed to every effect. */
import type { FleetConfig } from '../model/config.ts';
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
  /** The fleet's settings in force, as this process last read them; null before the first reading. */
  config(): FleetConfig | null;
}

export function nodeSignature(node: Node): Signature {
  return machineSignature(node.identity.node, 'node', node.clock.now());
}

/** An agent's name and address: `handle` of its entry in cambium.yaml, as it is where it is an address, else as the name in one that never receives mail. */
export function agentSignature(node: Node, agent: string): Signature {
  const signature = machineSignature(agent, 'agent', node.clock.now());
  const agents = node.config()?.agents ?? {};
  const handle = Object.hasOwn(agents, agent) ? (agents[agent]?.handle ?? null) : null;
  if (handle === null) return signature;
  return { ...signature, email: handle.includes('@') ? handle : machineSignature(handle, 'agent', node.clock.now()).email };
}
