/** The fleet's settings as `cambium.yaml` says them, with defaults filled in, and the hub's marker. Pure nouns. */
import type { AgentId, NodeName } from './ids.ts';

export interface Timings {
  /** How long a silent claim is honoured. */
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly fetchMs: number;
  readonly rescanMs: number;
  readonly settleMs: number;
  readonly halfSavedMs: number;
  /** From the polite to the hard end of a process; fits in TTL/6 (PROTOCOL P4.4). */
  readonly graceMs: number;
  /** A conversational provider that says nothing for so long hangs. */
  readonly silenceMs: number;
  readonly idleMs: number;
}

export interface Defaults {
  readonly provider: string;
  readonly maxAttempts: number;
  readonly timeoutMinutes: number;
}

export interface FleetLimits {
  readonly agentsPerNode: number;
  readonly spawnDepth: number;
  /** Null: no limit. */
  readonly usdPerDay: number | null;
}

/** Globs (model/glob.ts) of what a role may change; `{agent}` stands for the agent's id. Protected paths always win. */
export interface RoleScope {
  readonly write: readonly string[];
  readonly except: readonly string[];
  /** May be created there, never changed. */
  readonly add: readonly string[];
}

export interface AgentConfig {
  readonly role: string;
  /** The node that runs it; `*` is any node. */
  readonly node: NodeName | '*';
  readonly provider: string;
  readonly model: string | null;
  /** Providers to turn to, in order, while the first is parked. */
  readonly fallback: readonly string[];
  readonly capabilities: readonly string[];
  readonly constitution: string | null;
  readonly sandbox: string;
  /** Name or e-mail address under which its commits are authored; null: an address that can never receive mail. */
  readonly handle: string | null;
}

/** A second repository that tasks may work in (PROTOCOL P7). */
export interface ProjectConfig {
  readonly url: string;
  readonly branch: string;
  readonly return: 'push' | 'review' | 'merge';
  /** Scripts, run one after the other in a fresh worktree. */
  readonly setup: readonly string[];
  /** Ignored files and folders that a fresh worktree gets from the project's folder on this machine: `.env`, `node_modules`. */
  readonly copy: readonly string[];
}

/** When ended tasks leave `tasks/` for `tasks/archive/` and their claim refs the hub (PROTOCOL P9). */
export interface ArchiveConfig {
  /** Days after the end. */
  readonly afterDays: number;
  /** More ended tasks than this are not kept in `tasks/`: the oldest go first, however young. */
  readonly endedMax: number;
}

/** An agent CLI as an argument vector; `{prompt_file}` and its like are filled in at the start. */
export interface ProviderConfig {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface ScheduleConfig {
  readonly id: string;
  readonly cron: string;
  /** What else the schedule says. */
  readonly [key: string]: unknown;
}

export interface FleetConfig {
  readonly schema: 'cambium.fleet/1';
  readonly branch: string;
  readonly timings: Timings;
  readonly defaults: Defaults;
  readonly limits: FleetLimits;
  readonly roles: Readonly<Record<string, RoleScope>>;
  readonly protectedPaths: readonly string[];
  readonly agents: Readonly<Record<AgentId, AgentConfig>>;
  readonly landing: {
    /** `merged`: verify runs again on the merged tree. */
    readonly verify: 'worktree' | 'merged';
    /** What becomes of an agent whose instruction is edited under its claim: told of the new text, or stopped and the task made ready again. */
    readonly onEdit: 'rebrief' | 'stop';
  };
  readonly archive: ArchiveConfig;
  readonly commits: {
    /** `[skip ci]` in commits that move nothing but the fleet's own state. */
    readonly skipCi: boolean;
  };
  readonly projects: Readonly<Record<string, ProjectConfig>>;
  readonly providers: Readonly<Record<string, ProviderConfig>>;
  readonly schedules: readonly ScheduleConfig[];
  /** Top-level keys that this version does not know, kept. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** `fleet.json` on `refs/cambium/fleet`: a remote without it is never pushed to (docs/formats.md). */
export interface FleetRecord {
  readonly schema: 'cambium.hub/1';
  readonly fleet: string;
  /** The arrangement of refs and files; a reader refuses a newer one. */
  readonly format: number;
  /** Raised by a restore of the hub (PROTOCOL P8). */
  readonly generation: number;
  readonly branch: string;
  readonly created: string;
  readonly [key: string]: unknown;
}
