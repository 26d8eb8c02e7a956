/** Spawns as `--json` tells them: the keys of their records (docs/formats.md), and beside them what is seen now. */
import type { ChainNode } from '../workspace/spawnChain.ts';
import type { SeenSpawn } from '../workspace/spawns.ts';

export function spawnData({ providerVersion, costUsd, quietMs, sickness, state, here, last, exited, keeper, ...facts }: SeenSpawn): Readonly<Record<string, unknown>> {
  return { ...facts, provider_version: providerVersion, cost_usd: costUsd, state, here, health: sickness, quiet_s: quietMs === null ? null : Math.round(quietMs / 1000), last, exited, keeper };
}

export const chainData = ({ spawn, children }: ChainNode): Readonly<Record<string, unknown>> => ({ ...spawnData(spawn), children: children.map(chainData) });
