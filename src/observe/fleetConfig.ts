/** cambium.yaml: checked as a whole, so that a bad edit changes nothing; every problem has its place and its mend. */
import type { z } from 'zod';
import { CLIENTS } from '../model/config.ts';
import type { AgentConfig, FleetConfig, ProjectConfig, ProviderConfig, RoleScope, Timings } from '../model/config.ts';
import { isAgentId, proposeId } from '../model/ids.ts';
import { CONFIG_FILE } from '../model/layout.ts';
import { PROMPT_TOKENS } from '../model/prompt.ts';
import { isOwnKey, judgeSchema, unknownKeyHint } from './rules.ts';
import { type FleetConfigFile, fleetConfigSchema } from './schemas.ts';
import { decodeText } from './text.ts';
import { type Path, type Place, type ScalarKind, type YamlValue, readYaml } from './yaml.ts';

export interface ConfigProblem extends Place {
  readonly message: string;
  readonly hint: string;
}

/** In force where the tree has no cambium.yaml, and for every key that it leaves out. */
export const DEFAULT_CONFIG: FleetConfig = {
  schema: 'cambium.fleet/1',
  branch: 'main',
  timings: { ttlMs: 180_000, heartbeatMs: 60_000, fetchMs: 5_000, rescanMs: 30_000, settleMs: 100, halfSavedMs: 2_000, graceMs: 10_000, silenceMs: 180_000, idleMs: 600_000 },
  defaults: { provider: 'runbook', maxAttempts: 3, timeoutMinutes: 10 },
  limits: {
    agentsPerNode: 4, spawnDepth: 3, threadWakes: 16, wakesPerHour: 120, requestRounds: 8, promptTokens: PROMPT_TOKENS, usdPerDay: 20, usdPerTask: null, usdPerAgentDay: null, tokensPerDay: null, tokensPerTask: null, sameFailures: 2,
    quietHours: null, minFreeMemoryMb: null, minFreeDiskMb: null,
  },
  roles: {
    worker: { write: ['**'], except: ['tasks/**', 'agents/**', 'memory/**'], add: ['tasks/*.md', 'memory/{agent}/**'] },
    coordinator: { write: [], except: [], add: ['tasks/*.md', 'agents/channels/**', 'memory/{agent}/**'] },
    reviewer: { write: [], except: [], add: ['agents/proposals/*/votes/{agent}.md'] },
  },
  protectedPaths: ['cambium.yaml', 'hooks/**', '.claude/**', '.mcp.json', 'templates/**', 'AGENTS.md', 'CLAUDE.md'],
  agents: {},
  landing: { verify: 'worktree', onEdit: 'rebrief' },
  archive: { afterDays: 7, endedMax: 500, spawnDays: 14 },
  hooks: { timeoutMs: 30_000, atOnce: 2 },
  commits: { skipCi: false },
  projects: {},
  providers: {},
  schedules: [],
  extra: {},
};

/** Far above any real fleet, and what keeps a hostile file cheap. */
const BYTES_MAX = 262_144;

export type ConfigVerdict =
  /** `warnings` name keys that this version does not know; they are kept. */
  | { readonly config: FleetConfig; readonly warnings: readonly ConfigProblem[] }
  | { readonly problems: readonly ConfigProblem[] };

/** Null for a tree without the file. Never throws. */
export function parseFleetConfig(bytes: Uint8Array | null): ConfigVerdict {
  if (bytes === null) return { config: DEFAULT_CONFIG, warnings: [] };
  if (bytes.length > BYTES_MAX) return refused({ line: 1, column: 1, message: `The file is ${bytes.length} bytes; at most ${BYTES_MAX} are read.`, hint: 'Remove what the fleet does not need.' });
  const text = decodeText(CONFIG_FILE, bytes);
  if (typeof text !== 'string') return refused({ line: text.line, column: 1, message: text.reason, hint: text.mend });
  const yaml = readYaml(text, scalarKind);
  if ('message' in yaml) return refused(yaml);
  const found = (yaml.value as Record<string, unknown> | null)?.['schema'];
  if (judgeSchema(found, 'cambium.fleet/1') === 'too-new') {
    return refused({ ...yaml.placeOf(['schema']), message: `schema-too-new: ${String(found)} is newer than cambium.fleet/1.`, hint: 'Upgrade cambium on this machine.' });
  }
  const parsed = fleetConfigSchema.safeParse(yaml.value ?? {});
  if (!parsed.success) return { problems: parsed.error.issues.map((issue) => problemOf(issue, yaml)) };
  const config = configOf(parsed.data);
  const problems = [...timingProblems(config.timings, yaml), ...providerProblems(config, yaml)];
  return problems.length > 0 ? { problems } : { config, warnings: unknownKeys(parsed.data, yaml) };
}

/** Milliseconds of `180s`, `100ms`, `10m` or `2h`; null if it is none. */
export function durationMs(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/u.exec(text);
  return match === null ? null : Math.round(Number(match[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h']);
}

const NUMBERS = new Set(['max_attempts', 'timeout_minutes', 'agents_per_node', 'spawn_depth', 'thread_wakes', 'wakes_per_hour', 'request_rounds', 'prompt_tokens', 'usd_per_day', 'usd_per_task', 'usd_per_agent_day', 'tokens_per_day', 'tokens_per_task', 'same_failures', 'min_free_memory_mb', 'min_free_disk_mb', 'after_days', 'ended_max', 'at_once']);
/** `model: 4.10` and `env: { PORT: 8080 }` are text, whatever they look like. */
const TEXTS = new Set(['model', 'models', 'base_url', 'branch', 'command', 'setup', 'copy', 'handle', 'capabilities', 'fallback', 'env', 'provider']);

function scalarKind(path: Path): ScalarKind {
  if (path.some((part) => TEXTS.has(String(part)))) return 'text';
  return NUMBERS.has(String(path.at(-1))) ? 'number' : 'any';
}

function refused(problem: ConfigProblem): ConfigVerdict {
  const { line, column, message, hint } = problem;
  return { problems: [{ line, column, message, hint }] };
}

function problemOf(issue: z.core.$ZodIssue, yaml: YamlValue): ConfigProblem {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const name = path.length === 0 ? 'The file' : `\`${path.join('.')}\``;
  if (path.length === 1 && path[0] === 'schema') return { ...yaml.placeOf(path), message: 'The key `schema` is missing or names another format.', hint: 'Write `schema: cambium.fleet/1` on the first line.' };
  const last = String(path.at(-1) ?? '');
  const bad = path.length === 2 && path[0] === 'agents' && !isAgentId(last);
  const hint = bad ? `Name the agent ${isAgentId(proposeId(last)) ? proposeId(last) : `agent-${proposeId(last)}`}.` : 'Correct the value; docs/formats.md shows every key.';
  return { ...yaml.placeOf(path), message: bad ? `${name} is not the id of an agent.` : `${name}: ${issue.message}.`, hint };
}

const TIMING_KEYS = {
  ttlMs: 'ttl', heartbeatMs: 'heartbeat', fetchMs: 'fetch', rescanMs: 'rescan', settleMs: 'settle', halfSavedMs: 'half_saved', graceMs: 'grace', silenceMs: 'silence', idleMs: 'idle',
} as const;

function timingProblems(timings: Timings, yaml: YamlValue): readonly ConfigProblem[] {
  const at = (key: string, message: string, hint: string): ConfigProblem => ({ ...yaml.placeOf(['timings', key]), message, hint });
  const problems: ConfigProblem[] = [];
  const { ttlMs, heartbeatMs, graceMs } = timings;
  for (const [key, name] of Object.entries(TIMING_KEYS)) if (timings[key as keyof Timings] <= 0) problems.push(at(name, `\`timings.${name}\` must be above 0.`, 'Write a duration such as 180s.'));
  if (heartbeatMs > ttlMs / 3) problems.push(at('heartbeat', 'A heartbeat must be sent at least every third of the ttl.', 'Lower `heartbeat` or raise `ttl`.'));
  if (graceMs > ttlMs / 6) problems.push(at('grace', 'The grace must fit in a sixth of the ttl: an agent that lost its claim must be gone in time.', 'Lower `grace` or raise `ttl`.'));
  return problems;
}

function providerProblems({ providers }: FleetConfig, yaml: YamlValue): readonly ConfigProblem[] {
  const commandless = Object.entries(providers).filter(([, { kind, command }]) => kind === 'command' && command.length === 0).map(([name]): ConfigProblem => ({
    ...yaml.placeOf(['providers', name]), message: `The provider ${name} has no command.`, hint: `Write \`command: [program, argument]\`, or \`kind:\` and one of ${CLIENTS.join(', ')}.`,
  }));
  if (!Object.hasOwn(providers, 'runbook')) return commandless;
  return [...commandless, { ...yaml.placeOf(['providers', 'runbook']), message: 'The provider `runbook` is built in and cannot be defined.', hint: 'Give the entry another name.' }];
}

function configOf(file: FleetConfigFile): FleetConfig {
  const base = DEFAULT_CONFIG;
  const provider = file.defaults?.provider ?? base.defaults.provider;
  return {
    schema: 'cambium.fleet/1',
    branch: file.branch ?? base.branch,
    timings: timingsOf(file.timings ?? {}),
    defaults: { provider, maxAttempts: file.defaults?.max_attempts ?? base.defaults.maxAttempts, timeoutMinutes: file.defaults?.timeout_minutes ?? base.defaults.timeoutMinutes },
    limits: {
      agentsPerNode: file.limits?.agents_per_node ?? base.limits.agentsPerNode,
      spawnDepth: file.limits?.spawn_depth ?? base.limits.spawnDepth,
      threadWakes: file.limits?.thread_wakes ?? base.limits.threadWakes,
      wakesPerHour: file.limits?.wakes_per_hour ?? base.limits.wakesPerHour,
      requestRounds: file.limits?.request_rounds ?? base.limits.requestRounds,
      promptTokens: file.limits?.prompt_tokens ?? base.limits.promptTokens,
      usdPerDay: file.limits?.usd_per_day === undefined ? base.limits.usdPerDay : file.limits.usd_per_day,
      usdPerTask: file.limits?.usd_per_task ?? null, usdPerAgentDay: file.limits?.usd_per_agent_day ?? null, tokensPerDay: file.limits?.tokens_per_day ?? null, tokensPerTask: file.limits?.tokens_per_task ?? null,
      sameFailures: file.limits?.same_failures ?? base.limits.sameFailures,
      quietHours: file.limits?.quiet_hours ?? null, minFreeMemoryMb: file.limits?.min_free_memory_mb ?? null, minFreeDiskMb: file.limits?.min_free_disk_mb ?? null,
    },
    roles: file.roles ? mapValues(file.roles, roleOf) : base.roles,
    protectedPaths: file.protected ?? base.protectedPaths,
    agents: mapValues(file.agents ?? {}, (agent) => agentOf(agent ?? {}, provider)),
    landing: { verify: file.landing?.verify ?? base.landing.verify, onEdit: file.landing?.on_edit ?? base.landing.onEdit },
    archive: { afterDays: file.archive?.after_days ?? base.archive.afterDays, endedMax: file.archive?.ended_max ?? base.archive.endedMax, spawnDays: file.archive?.spawn_days ?? base.archive.spawnDays },
    hooks: { timeoutMs: Math.max(1_000, durationMs(file.hooks?.timeout ?? '') ?? base.hooks.timeoutMs), atOnce: file.hooks?.at_once ?? base.hooks.atOnce },
    commits: { skipCi: file.commits?.skip_ci ?? base.commits.skipCi },
    projects: mapValues(file.projects ?? {}, projectOf),
    providers: Object.fromEntries(Object.entries(file.providers ?? {}).map(([name, provider]) => [name, providerOf(name, provider)])),
    schedules: file.schedules ?? base.schedules,
    extra: Object.fromEntries(Object.entries(file).filter(([key]) => !Object.hasOwn(fleetConfigSchema.shape, key))),
  };
}

/** Who shortens the ttl only gets a heartbeat and a grace that fit it (PROTOCOL P4). */
function timingsOf(said: NonNullable<FleetConfigFile['timings']>): Timings {
  const base = DEFAULT_CONFIG.timings;
  const ttlMs = durationMs(said.ttl ?? '') ?? base.ttlMs;
  const fitting: Timings = { ...base, ttlMs, heartbeatMs: Math.min(base.heartbeatMs, ttlMs / 3), graceMs: Math.min(base.graceMs, ttlMs / 6) };
  const entries = Object.entries(TIMING_KEYS).map(([key, name]) => [key, durationMs(said[name] ?? '') ?? fitting[key as keyof Timings]]);
  return Object.fromEntries(entries) as unknown as Timings;
}

function roleOf(role: { readonly write?: string[] | undefined; readonly except?: string[] | undefined; readonly add?: string[] | undefined }): RoleScope {
  return { write: role.write ?? [], except: role.except ?? [], add: role.add ?? [] };
}

function agentOf(agent: NonNullable<NonNullable<FleetConfigFile['agents']>[string]>, provider: string): AgentConfig {
  return {
    role: agent.role ?? 'worker', node: agent.node ?? '*', provider: agent.provider ?? provider, model: agent.model ?? null, fallback: agent.fallback ?? [],
    capabilities: agent.capabilities ?? [], constitution: agent.constitution ?? null, sandbox: agent.sandbox ?? 'auto', handle: agent.handle ?? null, stop: agent.stop ?? 'remind',
    ...(agent.usd_per_day === undefined ? {} : { usdPerDay: agent.usd_per_day }), ...(agent.tokens_per_day === undefined ? {} : { tokensPerDay: agent.tokens_per_day }),
  };
}

function projectOf(project: NonNullable<FleetConfigFile['projects']>[string]): ProjectConfig {
  return { url: project.url, branch: project.branch ?? 'main', return: project.return ?? 'review', setup: project.setup ?? [], copy: project.copy ?? [] };
}

function providerOf(name: string, { kind, command, env, base_url, models, scope }: NonNullable<NonNullable<FleetConfigFile['providers']>[string]>): ProviderConfig {
  const known = CLIENTS.find((client) => client === name);
  return { kind: kind ?? (known ?? 'command'), command: command ?? [], env: env ?? {}, baseUrl: base_url ?? null, models: models ?? {}, ...(scope === undefined ? {} : { scope }) };
}

function mapValues<From, To>(from: Readonly<Record<string, From>>, change: (value: From) => To): Readonly<Record<string, To>> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, change(value)]));
}

/** A misspelt key is not refused, for a newer version may know it, but nobody should wonder why it does nothing. */
function unknownKeys(file: FleetConfigFile, yaml: YamlValue): readonly ConfigProblem[] {
  const groups: (readonly [Path, object, readonly string[]])[] = [[[], file, Object.keys(fleetConfigSchema.shape)]];
  const add = (path: Path, value: object | null | undefined, keys: readonly string[]): void => void (value && groups.push([path, value, keys]));
  add(['timings'], file.timings, Object.values(TIMING_KEYS));
  add(['defaults'], file.defaults, ['provider', 'max_attempts', 'timeout_minutes']);
  add(['limits'], file.limits, ['agents_per_node', 'spawn_depth', 'thread_wakes', 'wakes_per_hour', 'request_rounds', 'prompt_tokens', 'usd_per_day', 'usd_per_task', 'usd_per_agent_day', 'tokens_per_day', 'tokens_per_task', 'same_failures', 'quiet_hours', 'min_free_memory_mb', 'min_free_disk_mb']);
  add(['landing'], file.landing, ['verify', 'on_edit']);
  add(['archive'], file.archive, ['after_days', 'ended_max', 'spawn_days']);
  add(['hooks'], file.hooks, ['timeout', 'at_once']);
  add(['commits'], file.commits, ['skip_ci']);
  for (const [name, role] of Object.entries(file.roles ?? {})) add(['roles', name], role, ['write', 'except', 'add']);
  for (const [name, agent] of Object.entries(file.agents ?? {})) add(['agents', name], agent, ['role', 'node', 'provider', 'model', 'fallback', 'capabilities', 'constitution', 'sandbox', 'handle', 'stop', 'usd_per_day', 'tokens_per_day']);
  for (const [name, project] of Object.entries(file.projects ?? {})) add(['projects', name], project, ['url', 'branch', 'return', 'setup', 'copy']);
  for (const [name, provider] of Object.entries(file.providers ?? {})) add(['providers', name], provider, ['kind', 'command', 'env', 'base_url', 'models', 'scope']);
  return groups.flatMap(([path, value, keys]) => Object.keys(value).filter((key) => !keys.includes(key) && !isOwnKey(key)).map((key) => ({
    ...yaml.placeOf([...path, key]), message: `The key \`${[...path, key].join('.')}\` is not known to this version; it is kept.`, hint: unknownKeyHint(key, keys),
  })));
}
