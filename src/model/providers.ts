/** What a node has parked: agents/providers/<node>.json (docs/formats.md). Pure nouns. */
import type { NodeName } from './ids.ts';
import type { FailureKind } from './spawn.ts';

/** A provider that is not asked until a time, or until a person says so. */
export interface ProviderPark {
  readonly provider: string;
  /** Where it was parked. */
  readonly node: NodeName;
  readonly failure: FailureKind;
  /** What it said, one line. */
  readonly reason: string;
  /** UTC ISO times. `until` null: until `cambium provider resume`, or until its settings change. */
  readonly since: string;
  readonly until: string | null;
  /** How often in a row, without a success between: each time without a reset time waits twice as long. */
  readonly times: number;
  /** `fleet`: one account for all nodes, so that its rate limit holds for every node (`providers.<name>.scope`). */
  readonly scope: 'node' | 'fleet';
  /** Op of the provider's last resume when it was parked (model/stop.ts); another one since ends the park. */
  readonly resumed: string | null;
  /** Fingerprint of its settings in cambium.yaml when it was parked. */
  readonly settings: string;
}

export interface ProvidersRecord {
  readonly schema: 'cambium.providers/1';
  readonly node: NodeName;
  readonly parks: readonly ProviderPark[];
  /** Keys of a newer minor version, kept. */
  readonly [key: string]: unknown;
}

export const providersPath = (node: NodeName): string => `agents/providers/${node}.json`;
