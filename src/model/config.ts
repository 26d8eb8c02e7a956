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
  /** Answers that one message of a person may lead to, all told. */
  readonly threadWakes: number;
  /** Answers that the fleet gives within an hour. */
  readonly wakesPerHour: number;
  /** How often a coordinator is told how the tasks of one request stand, before the request is left to a person. */
  readonly requestRounds: number;
  /** What an agent is told on waking, estimated at four characters a token; beyond it is cut, in a stated order (act/prompt). */
  readonly promptTokens: number;
  /** Money and tokens, counted from the spawns' records by the UTC day on which they began; null: no limit. */
  readonly usdPerDay: number | null;
  readonly usdPerTask: number | null;
  readonly usdPerAgentDay: number | null;
  readonly tokensPerDay: number | null;
  readonly tokensPerTask: number | null;
  /** A task that has failed the same way so often in a row waits for a person. */
  readonly sameFailures: number;
  /** `22:00-07:00`, with a time zone or in UTC: nothing is begun meanwhile. */
  readonly quietHours: string | null;
  /** Below this nothing is begun on a node; null: whatever is left. */
  readonly minFreeMemoryMb: number | null;
  readonly minFreeDiskMb: number | null;
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
  /** What it may cost and use up in a UTC day; null or absent: what the fleet's limits say. */
  readonly usdPerDay?: number | null;
  readonly tokensPerDay?: number | null;
  readonly capabilities: readonly string[];
  readonly constitution: string | null;
  readonly sandbox: string;
  /** Name or e-mail address under which its commits are authored; null: an address that can never receive mail. */
  readonly handle: string | null;
  /** What the end of a turn does in a session that a person started: remind of a held task, or hand over the next one (docs/hooks.md). */
  readonly stop: 'remind' | 'drain';
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

/** The fleet's own hooks, `hooks/on-…` (docs/hooks.md). Whether a node runs them is that machine's choice, not the tree's. */
export interface HooksConfig {
  readonly timeoutMs: number;
  /** How many run at once on a node. */
  readonly atOnce: number;
}

/** When ended tasks leave `tasks/` for `tasks/archive/` and their claim refs the hub (PROTOCOL P9). */
export interface ArchiveConfig {
  /** Days after the end. */
  readonly afterDays: number;
  /** More ended tasks than this are not kept in `tasks/`: the oldest go first, however young. */
  readonly endedMax: number;
  /** Days after its end for which the folder of a spawn, its log in it, stays on its machine. */
  readonly spawnDays: number;
}

/** Agent CLIs that cambium speaks with in their own language; `command` is any other program. */
export const CLIENTS = ['claude', 'codex', 'gemini', 'opencode'] as const;
export type Client = (typeof CLIENTS)[number];

/** Who makes the models of a provider: no family validates itself. What is asked elsewhere than its maker's service is a family of its own. */
export function familyOf({ providers }: Pick<FleetConfig, 'providers'>, name: string): string {
  const entry = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (entry !== undefined && entry.baseUrl !== null) return name;
  const kind = entry?.kind ?? name;
  return { claude: 'anthropic', codex: 'openai', gemini: 'google' }[kind] ?? name;
}

/** How much an agent's model may cost: the words that tasks and agents use, whatever the provider calls its models. */
export const TIERS = ['high', 'daily', 'fast'] as const;

export interface ProviderConfig {
  readonly kind: Client | 'command';
  /** An argument vector, in which `{prompt_file}` and its like are filled in; of a known CLI, what stands in place of its name. */
  readonly command: readonly string[];
  /** Added to the environment. A value `${NAME}` is taken from the machine's own environment, so that no secret stands in the tree. */
  readonly env: Readonly<Record<string, string>>;
  /** Where its model is asked, instead of the provider's own service: a gateway, or a model on this machine. */
  readonly baseUrl: string | null;
  /** `fleet`: one account for all nodes, so that a rate limit met by one holds for all. */
  readonly scope?: 'node' | 'fleet';
  /** Its models by tier (TIERS) or by any other name that agents use. */
  readonly models: Readonly<Record<string, string>>;
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
  readonly hooks: HooksConfig;
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
