/**
 * What this node heeds before it starts anything, kept up to date pass by pass: its parked providers, what its spawns have
 * cost so far, the machine's room; and what it does about those at work: frozen while the fleet is, ended at their budget.
 */
import { SPAWN_LEDGER } from '../act/run/ledger.ts';
import type { LedgerEntry } from '../act/run/ledger.ts';
import type { Workshop } from '../act/run/workshop.ts';
import { stopAtBudget } from '../act/run/overBudget.ts';
import type { LimitFacts, LiveSpend } from '../model/limits.ts';
import type { ProviderPark } from '../model/providers.ts';
import { CambiumError } from '../errors.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import type { Fleet } from '../model/snapshot.ts';
import { parseSpawnFacts } from '../observe/spawnRecords.ts';
import { agentBudget, fleetBudget, taskBudget, tokensOf } from '../orient/budgets.ts';
import { holdsFor, isInForce, lastResume, parkAfter, settingsOf } from '../orient/providers.ts';
import type { Loop } from './loop.ts';
import { createLiveSpend } from './liveSpend.ts';
import type { LoopState } from './state.ts';

/** Key of this node's parks in the clone. */
export const PARKS = 'providers';

/** Everything as of this pass. */
export function limitFacts(fleet: Fleet, state: Pick<LoopState, 'limits' | 'runs' | 'answers'>, node: string): LimitFacts {
  const { limits } = state;
  const others = fleet.parks.filter((park) => park.node !== node && holdsFor(park, node));
  const known = new Set(fleet.ledger.map(({ id }) => id));
  const kept = limits.kept.filter(({ id }) => !known.has(id));
  return { config: fleet.config, stop: fleet.stop, parks: [...limits.parks, ...others], ledger: kept.length === 0 ? fleet.ledger : [...fleet.ledger, ...kept], live: spending(state), room: limits.room };
}

/** At a start: what this clone remembers, or what main tells of this node. */
export async function openParks({ local, identity }: Workshop['node'], fleet: Fleet): Promise<readonly ProviderPark[]> {
  const kept = (await local.read(PARKS)) as readonly ProviderPark[] | undefined | null;
  return kept ?? fleet.parks.filter(({ node }) => node === identity.node);
}

/** The deeds that runs have at hand (Workshop.limits, park, unpark). */
export function limitDeeds(shop: Pick<Workshop, 'node' | 'config' | 'fleet' | 'say'>, state: LoopState): Pick<Workshop, 'limits' | 'park' | 'unpark'> {
  const { node } = shop;
  const keep = async (parks: readonly ProviderPark[]): Promise<void> => {
    state.limits.parks = parks;
    await node.local.write(PARKS, parks);
  };
  return {
    limits: () => limitFacts(shop.fleet(), state, node.identity.node),
    async park(provider, failed) {
      const { parks } = state.limits;
      const { stop, config } = shop.fleet();
      const now = node.clock.now().toISOString();
      const before = parks.find((park) => park.provider === provider) ?? null;
      // Two runs that fail at once are one sign, not two.
      if (before !== null && isInForce(before, { stop, config, now })) return;
      const resumed = lastResume(stop, provider);
      const park = parkAfter({
        provider, ...failed, node: node.identity.node, now, scope: (Object.hasOwn(config.providers, provider) ? config.providers[provider]?.scope : undefined) ?? 'node', settings: settingsOf(config, provider),
        resumed, before: before?.resumed === resumed ? before : null,
      });
      shop.say('provider parked', { provider, until: park.until, reason: `${park.failure.replace('_', ' ')}: ${park.reason}` });
      await keep([...parks.filter((other) => other.provider !== provider), park]);
    },
    async unpark(provider) {
      const { parks } = state.limits;
      if (parks.some((park) => park.provider === provider)) await keep(parks.filter((park) => park.provider !== provider));
    },
  };
}

/** Looks at what changes by itself: records that are not on main, the cost of what runs, the machine. Cheap where nothing is limited. */
export async function lookAtLimits({ shop, state }: Loop, fleet: Fleet): Promise<void> {
  const { limits } = state;
  const { node } = shop;
  const keys = await node.local.list(SPAWN_LEDGER);
  if (keys.join(' ') !== limits.keptKeys) {
    const entries = await Promise.all(keys.map(async (key) => (await node.local.read(key)) as LedgerEntry | undefined));
    limits.kept = entries.flatMap((entry) => (entry === undefined ? [] : factsOf(entry)));
    limits.keptKeys = keys.join(' ');
  }
  const { minFreeMemoryMb, minFreeDiskMb } = fleet.config.limits;
  if (minFreeMemoryMb !== null || minFreeDiskMb !== null) limits.room = await shop.machine.room();
  limits.reader ??= createLiveSpend(shop);
  await limits.reader.read([...state.runs.values(), ...state.answers.values()].filter(({ phase }) => phase === 'working'));
}

/** Written by this node; should an earlier version have written it otherwise, it is counted once main has it. */
function factsOf({ text }: LedgerEntry): readonly SpawnFacts[] {
  try {
    return [parseSpawnFacts(Buffer.from(text))];
  } catch (error) {
    if (error instanceof CambiumError) return [];
    throw error;
  }
}

/** What runs and answers have cost so far: the spawns that have ended in them, and the one at work. */
function spending({ runs, answers, limits: { reader } }: Pick<LoopState, 'limits' | 'runs' | 'answers'>): readonly LiveSpend[] {
  const ofRuns = [...runs.values()].map(({ agent, task, costUsd, usage, phase, spawn }): LiveSpend => {
    const now = phase === 'working' ? (reader?.of(spawn) ?? null) : null;
    return { agent, task, usd: now?.usd === undefined || now.usd === null ? costUsd : (costUsd ?? 0) + now.usd, tokens: tokensOf(usage) + (now?.tokens ?? 0) };
  });
  const ofAnswers = [...answers.values()].map(({ agent, spawns, spawn, phase }): LiveSpend => {
    const now = phase === 'working' ? (reader?.of(spawn) ?? null) : null;
    return { agent, task: null, usd: spawns.reduce((sum, { costUsd }) => sum + (costUsd ?? 0), now?.usd ?? 0), tokens: spawns.reduce((sum, { usage }) => sum + tokensOf(usage), now?.tokens ?? 0) };
  });
  return [...ofRuns, ...ofAnswers];
}

/** An agent at its bound begins nothing more: its run ends, the work kept; a task's own budget is for a person to raise, a day's comes back by itself. */
export async function heedBudgets({ shop, state }: Loop): Promise<boolean> {
  let moved = false;
  for (const run of state.runs.values()) {
    const task = shop.fleet().tasks.get(run.task);
    if (run.phase !== 'working' || task === undefined) continue;
    const facts = shop.limits();
    const now = shop.node.clock.now().toISOString();
    const spent = state.limits.reader?.of(run.spawn) ?? null;
    const turns = spent?.turns ?? 0;
    const own = taskBudget(facts, task) ?? (task.maxTurns !== undefined && turns > task.maxTurns ? { kind: 'budget' as const, reason: `its ${task.maxTurns} turns are used up`, until: null, mend: `Raise max_turns in ${task.path}.` } : null);
    const wait = own ?? agentBudget(facts, run.agent, now) ?? fleetBudget(facts, now);
    if (wait === null) continue;
    state.runs.set(run.task, await stopAtBudget(shop, run, wait, { asks: own !== null, spent }));
    moved = true;
  }
  return moved;
}

export const isFrozen = ({ fleet }: Pick<LoopState, 'fleet'>): boolean => fleet?.stop.fleet?.mode === 'freeze';

/** Agents stand still while the fleet is frozen, with all that they have started, and go on when it does. Their claims are renewed all the while. */
export async function heedFreeze({ shop, state }: Loop): Promise<void> {
  const { told } = state.limits;
  const frozen = isFrozen(state);
  const spawns = new Set([...state.runs.values()].flatMap(({ spawn, verifySpawn, project }) => [spawn, verifySpawn, project?.setupSpawn ?? '']).concat([...state.answers.values()].map(({ spawn }) => spawn)).filter((spawn) => spawn !== ''));
  for (const spawn of told.keys()) if (!spawns.has(spawn)) told.delete(spawn);
  for (const spawn of spawns) {
    if (told.get(spawn) === frozen) continue;
    await shop.node.supervisor.freeze(shop.scratch(spawn), frozen);
    told.set(spawn, frozen);
  }
}

/** What this node's file on main does not tell yet; null where it agrees. */
export function untoldParks(fleet: Fleet, { limits }: Pick<LoopState, 'limits'>, node: string): readonly ProviderPark[] | null {
  const told = fleet.parks.filter((park) => park.node === node);
  return JSON.stringify(sorted(told)) === JSON.stringify(sorted(limits.parks)) ? null : sorted(limits.parks);
}

const KEYS = ['provider', 'node', 'failure', 'reason', 'since', 'until', 'times', 'scope', 'resumed', 'settings'] as const;

/** One order of parks and of their keys, whoever wrote them. */
function sorted(parks: readonly ProviderPark[]): readonly ProviderPark[] {
  const ordered = parks.map((park) => Object.fromEntries(KEYS.map((key) => [key, park[key]])) as unknown as ProviderPark);
  return ordered.toSorted((a, b) => (a.provider < b.provider ? -1 : 1));
}
