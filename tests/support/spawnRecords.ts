/** Spawns as they are recorded and seen, with everything filled in. */
import type { SpawnFacts } from '../../src/model/seenSpawn.ts';
import type { SeenSpawn } from '../../src/workspace/spawns.ts';

/** A ULID-like id that ends with the word. */
export const spawnId = (end: string): string => `01JD0Z8M3N${end.toUpperCase().padStart(16, '0')}`;

export function factsOf(more: Partial<SpawnFacts> = {}): SpawnFacts {
  return {
    id: spawnId('A'), agent: 'worker-1', node: 'vm-a', purpose: 'task', task: 'add-login', epoch: 1, attempt: 1, channel: null, messages: [], parent: null, depth: 0, provider: 'claude', providerVersion: '2.1.329', model: 'claude-sonnet',
    session: '6b1e', process: { boot_id: 'c0de', pid: 4121, start: 8812345 }, start: '2026-11-21T00:48:01.000Z', end: '2026-11-21T00:51:38.000Z', outcome: 'succeeded', failure: null, usage: { input: 18_200, cached: 9_100, output: 2_400 }, costUsd: 0.12, ...more,
  };
}

export function seenOf(more: Partial<SeenSpawn> = {}): SeenSpawn {
  return { ...factsOf(more), state: 'ended', here: false, sickness: null, quietMs: null, last: null, exited: null, keeper: null, ...more };
}

/** One that runs, without an end. */
export function liveOf(more: Partial<SeenSpawn> = {}): SeenSpawn {
  return seenOf({ state: 'running', here: true, end: null, outcome: null, costUsd: null, quietMs: 0, keeper: 'daemon', ...more });
}

/** The bytes of a record. */
export function recordText({ providerVersion, costUsd, ...facts }: SpawnFacts): string {
  return `${JSON.stringify({ schema: 'cambium.spawn/1', ...facts, provider_version: providerVersion, cost_usd: costUsd })}\n`;
}
