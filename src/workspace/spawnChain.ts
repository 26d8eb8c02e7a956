/** Which spawn caused which: trees of spawns by their parents. */
import { CambiumError } from '../errors.ts';
import type { Usage } from '../model/task.ts';
import { scriptPurpose } from '../model/seenSpawn.ts';
import { addCost, addUsage } from '../model/spawn.ts';
import { isFree } from '../orient/costs.ts';
import { startedMs } from '../observe/spawnRecords.ts';
import type { Session } from './session.ts';
import { lookAtSpawns, newestFirst, pickId, unknownSpawn } from './spawns.ts';
import type { SeenSpawn } from './spawns.ts';

export interface ChainNode {
  readonly spawn: SeenSpawn;
  /** Oldest first. */
  readonly children: readonly ChainNode[];
}

export interface ChainTotals {
  readonly spawns: number;
  readonly live: number;
  readonly usage: Usage | null;
  /** Of those whose cost is known. */
  readonly costUsd: number | null;
  readonly unknownCosts: number;
}

export interface SpawnChains {
  /** The trees, newest first. */
  readonly roots: readonly ChainNode[];
  readonly totals: ChainTotals;
  /** The spawn that was asked for. */
  readonly asked: string | null;
  /** There are more trees. */
  readonly cut: boolean;
}

export interface ChainQuery {
  readonly id?: string | undefined;
  readonly channel?: string | undefined;
  readonly all?: boolean | undefined;
  /** Trees at most; the newest. */
  readonly limit: number;
}

/** The tree of one spawn; those of a channel; all; or, where nothing is asked for, those with a live spawn and else the newest. Throws `unknown-spawn`, `usage`. */
export async function spawnChains(session: Session, query: ChainQuery): Promise<SpawnChains> {
  const sight = await lookAtSpawns(session);
  const spawns = new Map(sight.fresh.map((spawn) => [spawn.id, spawn]));
  for await (const month of sight.recorded(null)) for (const spawn of month) spawns.set(spawn.id, spawn);
  const asked = query.id === undefined ? null : pickId(query.id, spawns.keys());
  if (query.id !== undefined && asked === null) throw unknownSpawn(query.id);
  const roots = treesOf([...spawns.values()]);
  const wanted = roots.filter((root) => isWanted(root, query, asked));
  const chosen = wanted.length === 0 && query.id === undefined && query.channel === undefined ? roots : wanted;
  const shown = chosen.slice(0, query.limit);
  if (shown.length === 0 && query.channel !== undefined) throw new CambiumError('unknown-spawn', `No spawn answered in #${query.channel.replace(/^#/, '')}.`, { hint: 'See `cambium spawn list`.' });
  return { roots: shown, totals: totalsOf(shown.flatMap(flat)), asked, cut: chosen.length > shown.length };
}

function isWanted(root: ChainNode, { channel, all }: ChainQuery, asked: string | null): boolean {
  const members = flat(root);
  if (asked !== null) return members.some(({ id }) => id === asked);
  if (channel !== undefined) return members.some((spawn) => spawn.channel === channel.replace(/^#/, ''));
  return all === true || members.some(({ state }) => state !== 'ended');
}

/** No fleet spawns so deep (`limits.spawn_depth`); what somebody wrote deeper begins a tree of its own. */
const DEPTH_MAX = 100;

/** Pure. Newest tree first; a parent that nobody knows makes a root, and a circle (somebody wrote one) is cut where it closes. */
export function treesOf(spawns: readonly SeenSpawn[]): readonly ChainNode[] {
  // Scripts that a node runs for a task belong to it and cause nothing.
  const agents = spawns.filter(({ agent, purpose, id }) => agent !== null && purpose !== 'verify' && purpose !== 'setup' && scriptPurpose(id) === null);
  const known = new Map(agents.map((spawn) => [spawn.id, spawn]));
  const children = new Map<string, SeenSpawn[]>();
  for (const spawn of agents) if (spawn.parent !== null && known.has(spawn.parent)) children.set(spawn.parent, [...(children.get(spawn.parent) ?? []), spawn]);
  const seen = new Set<string>();
  const grow = (spawn: SeenSpawn, depth: number): ChainNode => {
    seen.add(spawn.id);
    const below = depth >= DEPTH_MAX ? [] : (children.get(spawn.id) ?? []).toSorted(oldestFirst);
    return { spawn, children: below.flatMap((child) => (seen.has(child.id) ? [] : [grow(child, depth + 1)])) };
  };
  const tops = agents.filter(({ parent }) => parent === null || !known.has(parent)).map((spawn) => grow(spawn, 0));
  const circles = agents.toSorted(oldestFirst).flatMap((spawn) => (seen.has(spawn.id) ? [] : [grow(spawn, 0)]));
  return [...tops, ...circles].toSorted((a, b) => newestFirst(a.spawn, b.spawn));
}

const oldestFirst = (a: SeenSpawn, b: SeenSpawn): number => (startedMs(a) ?? 0) - (startedMs(b) ?? 0) || (a.id < b.id ? -1 : 1);

export const flat = ({ spawn, children }: ChainNode): readonly SeenSpawn[] => [spawn, ...children.flatMap(flat)];

function totalsOf(spawns: readonly SeenSpawn[]): ChainTotals {
  return {
    spawns: spawns.length, live: spawns.filter(({ state }) => state !== 'ended').length, usage: spawns.reduce<Usage | null>((sum, { usage }) => addUsage(sum, usage), null),
    costUsd: spawns.reduce<number | null>((sum, { costUsd }) => addCost(sum, costUsd), null), unknownCosts: spawns.filter(({ costUsd, provider }) => costUsd === null && !isFree(provider)).length,
  };
}
