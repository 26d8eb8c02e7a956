/** Fleets, tasks and chains as plain data, for decisions. */
import type { Chain, ClaimKind, ClaimRecord } from '../../src/model/claim.ts';
import type { Fleet, FleetNode, LocalAgent, Snapshot } from '../../src/model/snapshot.ts';
import type { NodeHeartbeat } from '../../src/model/node.ts';
import { UNLIMITED } from '../../src/model/limits.ts';
import { NO_STOP } from '../../src/model/stop.ts';
import type { Run } from '../../src/model/run.ts';
import type { Outcome, Task, TaskResult } from '../../src/model/task.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';

export const NOW = '2026-11-21T12:00:00.000Z';

export function taskOf(id: string, more: Partial<Task> = {}): Task {
  return { id, path: `tasks/${id}.md`, blob: `blob-${id}`, title: id, priority: 2, requires: [], dependsOn: [], contextFiles: [], acceptanceCriteria: [], labels: [], extra: {}, ...more };
}

export function resultOf(task: string, outcome: Outcome = 'done', more: Partial<TaskResult> = {}): TaskResult {
  return {
    task, outcome, epoch: 1, claim: `claim-${task}`, attempts: 1, agent: 'ann', node: 'vm-a', provider: null, model: null, started: null, ended: NOW, usage: null, costUsd: null, commits: [], criteria: [],
    verify: null, spawns: [], ...more,
  };
}

export function chainOf(task: string, kind: ClaimKind, more: Partial<ClaimRecord> = {}): Chain {
  const record: ClaimRecord = {
    schema: 'cambium.claim/1', task, kind, epoch: 1, attempt: 1, agent: 'ann', node: 'vm-a', incarnation: 'life-a', op: `op-${task}`, instruction: null, ttl_s: 60, claimed_at: NOW, ...more,
  };
  return { tip: `tip-${task}`, record };
}

export function agentOf(id: string, more: Partial<LocalAgent> = {}): LocalAgent {
  return { id, role: 'worker', capabilities: [], provider: 'runbook', model: null, ...more };
}

export function beatOf(node: string, incarnation: string, claims: readonly string[], oid = `beat-${node}`): FleetNode {
  const record: NodeHeartbeat = {
    schema: 'cambium.node/1', kind: 'heartbeat', nonce: 'n', main: '', node, machine: 'm', incarnation, boot_id: 'b', seq: 1, version: '1', claims: claims.map((claim) => ({ task: 'a', epoch: 1, claim })), spawns: [],
  };
  return { tip: oid, heartbeat: { oid, record }, breaks: [] };
}

export interface FleetParts {
  readonly tasks?: readonly Task[];
  readonly results?: readonly TaskResult[];
  readonly chains?: readonly Chain[];
  readonly more?: Partial<Fleet>;
}

export function fleetOf({ tasks = [], results = [], chains = [], more = {} }: FleetParts): Fleet {
  return {
    main: { commit: 'main', tree: 'tree' }, config: DEFAULT_CONFIG, tasks: new Map(tasks.map((task) => [task.id, task])), results: new Map(results.map((result) => [result.task, result])),
    projections: new Map(), strays: [], quarantine: [], chains: new Map(chains.map((chain) => [chain.record.task, chain])), nodes: new Map(), unlanded: new Set(), unreadable: new Set(), archived: new Map(), reopened: new Set(), missingContext: new Map(), since: new Map(), stop: NO_STOP, parks: [], ledger: [], ...more,
  } as Fleet;
}

export function runOf(task: string, more: Partial<Run> = {}): Run {
  return { task, epoch: 1, agent: 'ann', phase: 'working', claim: `tip-${task}`, incarnation: 'life-me', ...more } as Run;
}

export function snapshotOf(fleet: Fleet, more: Partial<Omit<Snapshot, 'self'>> & { readonly self?: Partial<Snapshot['self']> } = {}): Snapshot {
  const { self, ...rest } = more;
  return {
    bootMs: 1_000_000, now: NOW, fleet, leases: new Map(), runs: [], unlandedBefore: new Set(), openEndsBefore: new Set(), deletedBefore: new Set(), fetchPeriodMs: 2_000, limits: { ...UNLIMITED, config: fleet.config, stop: fleet.stop },
    self: { node: 'vm-me', incarnation: 'life-me', pastIncarnations: ['life-old'], agents: [agentOf('ann')], claiming: true, asked: new Map(), ...self }, ...rest,
  } as Snapshot;
}
