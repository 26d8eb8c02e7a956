/** What one pass of the loop saw. Plain data: decisions are pure functions of it. */
import type { Chain, ClaimRecord } from './claim.ts';
import type { FleetConfig } from './config.ts';
import type { AgentId, NodeName, Oid, TaskId } from './ids.ts';
import type { LeaseWatches } from './lease.ts';
import type { NodeBreak, NodeHeartbeat } from './node.ts';
import type { LimitFacts } from './limits.ts';
import type { ProviderPark } from './providers.ts';
import type { Run } from './run.ts';
import type { SpawnFacts } from './seenSpawn.ts';
import type { StopRecord } from './stop.ts';
import type { Quarantined, Task, TaskResult } from './task.ts';

export interface FleetNode {
  readonly tip: Oid;
  readonly heartbeat: { readonly oid: Oid; readonly record: NodeHeartbeat } | null;
  readonly breaks: readonly NodeBreak[];
}

/** The fleet as the hub and the tree tell it. */
export interface Fleet {
  readonly main: { readonly commit: Oid; readonly tree: Oid };
  readonly config: FleetConfig;
  readonly tasks: ReadonlyMap<TaskId, Task>;
  readonly results: ReadonlyMap<TaskId, TaskResult>;
  readonly projections: ReadonlyMap<TaskId, ClaimRecord>;
  /** Paths of projections that stand beside no instruction file. */
  readonly strays: readonly string[];
  readonly quarantine: readonly Quarantined[];
  readonly chains: ReadonlyMap<TaskId, Chain>;
  readonly nodes: ReadonlyMap<NodeName, FleetNode>;
  /** Ended chains whose main commit is not on main: half-applied pushes, or a torn read. */
  readonly unlanded: ReadonlySet<TaskId>;
  /** Context files that a task names and main does not have. */
  readonly missingContext: ReadonlyMap<TaskId, readonly string[]>;
  /** Tasks whose claim chain or result file cannot be read: shown, never acted on. */
  readonly unreadable: ReadonlySet<TaskId>;
  /** Results of archived tasks that an unfinished task depends on, and no others. */
  readonly archived: ReadonlyMap<TaskId, TaskResult>;
  /** Tasks that main has taken out of the archive and whose chain is still there: a reopening applied by half (P5.3). */
  readonly reopened: ReadonlySet<TaskId>;
  /** Seconds since 1970 at which each task first stood on main, where known. */
  readonly since: ReadonlyMap<TaskId, number>;
  /** What people have stopped and paused. */
  readonly stop: StopRecord;
  /** Providers that nodes have parked, as their files on main tell. */
  readonly parks: readonly ProviderPark[];
  /** Records of ended spawns that a budget may count: the newest days, and older ones where an open task has a budget. */
  readonly ledger: readonly SpawnFacts[];
}

/** An agent that this node runs. */
export interface LocalAgent {
  readonly id: AgentId;
  readonly role: string;
  readonly capabilities: readonly string[];
  readonly provider: string;
  readonly model: string | null;
  /** Providers to turn to while its own cannot be asked; none where absent. */
  readonly fallback?: readonly string[];
}

export interface Snapshot {
  readonly bootMs: number;
  readonly now: string;
  readonly self: {
    readonly node: NodeName;
    readonly incarnation: string;
    /** Earlier lives of this clone, whose claims are released at once (P4.1). */
    readonly pastIncarnations: readonly string[];
    readonly agents: readonly LocalAgent[];
    /** No new claims: the daemon is draining, or fenced, or its hub is halted. */
    readonly claiming: boolean;
    /** Tasks that somebody has asked one of these agents to take next. */
    readonly asked: ReadonlyMap<TaskId, AgentId>;
  };
  readonly fleet: Fleet;
  readonly leases: LeaseWatches;
  readonly runs: readonly Run[];
  /** Half-applied pushes seen at the fetch before this one, too (P5.3: two successive fetches). */
  readonly unlandedBefore: ReadonlySet<TaskId>;
  readonly openEndsBefore: ReadonlySet<TaskId>;
  readonly deletedBefore: ReadonlySet<TaskId>;
  readonly fetchPeriodMs: number;
  /** What this node must heed before it starts anything. */
  readonly limits: LimitFacts;
}
