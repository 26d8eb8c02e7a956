/** Which agents of the fleet could take a task, on which nodes, and what each of them is doing. Pure. */
import { chainState } from '../model/claim.ts';
import type { AgentId, NodeName, TaskId } from '../model/ids.ts';
import type { Fleet, LocalAgent } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { UNLIMITED } from '../model/limits.ts';
import { mayStart, waitText } from './limits.ts';
import { holdsFor } from './providers.ts';
import { agentNamed } from './agents.ts';
import { misfit } from './fit.ts';
import { span } from './spans.ts';

/** What the node that asks knows of itself and of the others' signs of life; nothing is decided by it. */
export interface LocalFacts {
  readonly node: NodeName;
  /** A daemon serves this clone. */
  readonly daemon: boolean;
  /** The agents that this node runs, or would run. */
  readonly agents: readonly LocalAgent[];
  /** Seconds since 1970 of each node's last heartbeat, by its own wall clock. */
  readonly beats: ReadonlyMap<NodeName, number>;
  /** The same of now. */
  readonly nowS: number;
}

/** `waiting`: kept back by a pause, a budget, or because no provider of its may be asked there. */
export type Presence = 'free' | 'busy' | 'full' | 'away' | 'waiting' | 'unfit';

export interface Candidate {
  readonly agent: AgentId;
  /** `*` where no node is known that runs it. */
  readonly node: NodeName | '*';
  /** It may take the task; whether it can now is said by `presence`. */
  readonly fits: boolean;
  readonly presence: Presence;
  readonly why: string;
}

/** In the order of cambium.yaml; agents that were asked for by name on this node come last. */
export function candidatesFor(fleet: Fleet, task: Task, local: LocalFacts): readonly Candidate[] {
  const seats = seatsOf(fleet, local);
  return seats.map(({ agent, node }): Candidate => {
    const unfit = misfit(agent, task, fleet.config.defaults.provider);
    return unfit === null ? { agent: agent.id, node, fits: true, ...(waitOf(fleet, agent, node, task, local) ?? presenceOf(fleet, agent.id, node, local)) } : { agent: agent.id, node, fits: false, presence: 'unfit', why: unfit };
  });
}

interface Seat {
  readonly agent: LocalAgent;
  readonly node: NodeName | '*';
}

function seatsOf(fleet: Fleet, local: LocalFacts): readonly Seat[] {
  const others = [...fleet.nodes].filter(([node, { heartbeat }]) => heartbeat !== null && node !== local.node).map(([node]) => node);
  const seats = Object.entries(fleet.config.agents).flatMap(([id, { node }]): Seat[] => {
    const agent = agentNamed(fleet.config, id);
    const here = local.agents.some((own) => own.id === id) ? [local.node] : [];
    const elsewhere = node === '*' ? others : node === local.node ? [] : [node];
    const nodes = [...here, ...elsewhere];
    return nodes.length === 0 ? [{ agent, node: node === '*' ? '*' : node }] : nodes.map((name) => ({ agent, node: name }));
  });
  const asked = local.agents.filter(({ id }) => fleet.config.agents[id] === undefined).map((agent) => ({ agent, node: local.node }));
  return [...seats, ...asked];
}

function waitOf(fleet: Fleet, agent: LocalAgent, node: NodeName | '*', task: Task, { nowS }: LocalFacts): Pick<Candidate, 'presence' | 'why'> | null {
  const facts = { ...UNLIMITED, ...fleet, parks: fleet.parks.filter((park) => holdsFor(park, node)) };
  const wait = mayStart(facts, agent, { task, provider: null }, new Date(nowS * 1000).toISOString());
  return wait === null ? null : { presence: 'waiting', why: waitText(wait) };
}

function presenceOf(fleet: Fleet, agent: AgentId, node: NodeName | '*', local: LocalFacts): Pick<Candidate, 'presence' | 'why'> {
  const held = heldOn(fleet, node);
  const own = held.find((task) => fleet.chains.get(task)?.record.agent === agent);
  if (own !== undefined) return { presence: 'busy', why: `works on ${own}` };
  const away = awayReason(fleet, node, local);
  if (away !== null) return { presence: 'away', why: away };
  const { agentsPerNode } = fleet.config.limits;
  if (held.length >= agentsPerNode) return { presence: 'full', why: `${node} works on ${held.length} task${held.length === 1 ? '' : 's'}, its limit (limits.agents_per_node)` };
  const beatS = node === local.node ? undefined : local.beats.get(node);
  return { presence: 'free', why: beatS === undefined ? 'free' : `free, heard ${span(local.nowS - beatS)} ago` };
}

export function heldOn(fleet: Fleet, node: NodeName | '*'): readonly TaskId[] {
  return [...fleet.chains].filter(([, chain]) => chainState(chain) === 'held' && chain.record.node === node).map(([task]) => task);
}

/** Why nobody claims there now, as far as this node can tell; null when somebody seems to. */
function awayReason(fleet: Fleet, node: NodeName | '*', local: LocalFacts): string | null {
  if (node === local.node) return local.daemon ? null : 'no daemon runs here';
  if (node === '*') return 'no node that runs it is known';
  const beatS = local.beats.get(node);
  if (fleet.nodes.get(node)?.heartbeat === undefined || fleet.nodes.get(node)?.heartbeat === null) return `${node} has never been heard`;
  if (beatS === undefined) return null;
  const silentS = local.nowS - beatS;
  return silentS > fleet.config.timings.ttlMs / 1000 ? `${node} was last heard ${span(silentS)} ago` : null;
}
