/** cambium.yaml (docs/formats.md): the schema that fleetConfig.ts parses by and editors complete from. */
import { z } from 'zod';
import { agentId, amount, argument, bareText, id, key, known, line, treePath, whole, word } from './schemaTerms.ts';
import { CLIENTS } from '../model/config.ts';
import { isArgument, isLine } from './rules.ts';
import { isQuietHours } from '../model/quietHours.ts';
import { TIMEOUT_MINUTES_MAX } from './taskFields.ts';

/** `180s`, `100ms`, `10m`, `2h`. */
const duration = z.string().regex(/^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h)$/, 'must be a duration such as 180s, 100ms, 10m or 2h');
const command = z.array(word).min(1).refine((argv) => isArgument(argv[0] ?? '') && argv.every((part) => !part.includes('\0')), 'must be a program and its arguments');
const glob = z.string().refine((value) => isLine(value) && !value.startsWith('/') && !value.split('/').includes('..'), 'must be a glob over paths of the tree');
/** `ext::` runs a command of its author's, and a leading `-` is an option of git's. */
const gitUrl = z.string().refine((value) => isArgument(value) && !/^[a-z0-9+.-]+::/i.test(value), 'must be a git URL or path');
const branch = z.string().refine((value) => isArgument(value) && !/[\s~^:?*[\\]|\.\.|@\{|\/\/|^\/|[/.]$|\.lock(?:\/|$)|(?:^|\/)\./.test(value), 'must be a branch name');
bareText.add(branch, { bare: true });
/** The zone is a name that this machine's calendar knows. */
const quietHours = z.string().refine(isQuietHours, 'must be two times such as 22:00-07:00, and a time zone after them where it is not UTC');
const minutes = z.number().gt(0).max(TIMEOUT_MINUTES_MAX);

const timings = z.looseObject({
  ttl: key(duration, 'How long a claim whose owner is silent is honoured, as a duration', '180s'),
  heartbeat: key(duration, 'Time between two signs of life of a node, as a duration of at most a third of `ttl`', '60s'),
  fetch: key(duration, 'Time between two looks at the hub, as a duration', '5s'),
  rescan: key(duration, 'Time between two looks at all files, should a watcher have missed one, as a duration', '30s'),
  settle: key(duration, 'How long a saved file must stay unchanged before it is read, as a duration', '100ms'),
  half_saved: key(duration, 'How long an empty or cut-off file is taken for one that is still being saved, as a duration', '2s'),
  grace: key(duration, 'Time from the polite to the hard end of an agent, as a duration of at most a sixth of `ttl`', '10s'),
  silence: key(duration, 'How long an agent CLI may say nothing before it is taken for hung, as a duration', '3m'),
  idle: key(duration, 'How long `cambium up --idle` waits with nothing to do before it ends, as a duration', '10m'),
}).partial();

const defaults = z.looseObject({
  provider: key(id, 'Provider of agents that name none', 'runbook'),
  max_attempts: key(whole(1, 100), 'How many attempts a task gets before it has failed', 3),
  timeout_minutes: key(minutes, 'Minutes one attempt may take', 10),
}).partial();

const limits = z.looseObject({
  agents_per_node: key(whole(0, 10_000), 'How many agents one node runs at once', 4),
  thread_wakes: key(whole(0, 10_000), 'How many answers one message of a person may lead to', 16),
  wakes_per_hour: key(whole(0, 1_000_000), 'How many answers the fleet gives within an hour', 120),
  spawn_depth: key(whole(0, 100), 'How deep agents may start further agents, by messages and by tasks', 3),
  request_rounds: key(whole(0, 99), 'How often the coordinator is told how the tasks of one request stand', 8),
  prompt_tokens: key(whole(2_000, 10_000_000), 'Tokens that an agent is told at most on waking, at four characters each; what is beyond is cut, the task never', 60_000),
  usd_per_day: key(amount.nullable(), 'US dollars the fleet may spend in a UTC day, null for no limit', 20),
  usd_per_task: key(amount.nullable(), 'US dollars a task may cost where its own `budget_usd` says nothing; no limit when unsaid or null'),
  usd_per_agent_day: key(amount.nullable(), 'US dollars one agent may spend in a UTC day where its own `usd_per_day` says nothing; no limit when unsaid or null'),
  tokens_per_day: key(whole(0).nullable(), 'Tokens, read and written, that the fleet may use in a UTC day; no limit when unsaid or null'),
  tokens_per_task: key(whole(0).nullable(), 'Tokens, read and written, that a task may use; no limit when unsaid or null'),
  same_failures: key(whole(1, 100), 'How often in a row a task may fail in the same way before it waits for a person', 2),
  quiet_hours: key(quietHours.nullable(), 'Hours in which no agent is started: 22:00-07:00 in UTC, or with a time zone as in 22:00-07:00 Europe/Berlin; none when unsaid or null'),
  min_free_memory_mb: key(whole(0).nullable(), 'Megabytes of memory that a machine must have left for an agent to be started there; any when unsaid or null'),
  min_free_disk_mb: key(whole(0).nullable(), 'Megabytes of disk that a machine must have left for an agent to be started there; any when unsaid or null'),
}).partial();

const role = z.looseObject({
  write: key(z.array(glob), 'Globs of the paths that agents of this role may change; none when unsaid'),
  except: key(z.array(glob), 'Globs of paths that `write` does not cover after all; none when unsaid'),
  add: key(z.array(glob), 'Globs of paths where they may create files and change none, `{agent}` being the agent\'s id; none when unsaid'),
}).partial();

const agent = z.looseObject({
  role: key(id, 'Its role, one of `roles`', 'worker').optional(),
  node: key(z.union([z.literal('*'), id]), 'The node that runs it, `*` for every node', '*').optional(),
  provider: key(id, 'What runs it: `runbook`, `claude`, `codex`, `gemini`, `opencode`, or one of `providers`; `defaults.provider` when unsaid').optional(),
  model: key(argument.nullish(), 'Model that the provider is asked for; the provider\'s own choice when unsaid'),
  fallback: key(z.array(id), 'Providers to turn to, in this order, while the first cannot work; none when unsaid').optional(),
  usd_per_day: key(amount.nullish(), 'US dollars it may spend in a UTC day; `limits.usd_per_agent_day` when unsaid'),
  tokens_per_day: key(whole(0).nullish(), 'Tokens, read and written, that it may use in a UTC day; no limit of its own when unsaid'),
  capabilities: key(z.array(line), 'What it can do: tasks with `requires` go only to agents that have all of it; none when unsaid').optional(),
  constitution: key(line.nullish(), 'Name of the rules that it is given; none when unsaid'),
  sandbox: key(id, 'How it is confined', 'auto').optional(),
  handle: key(z.string().refine((value) => isArgument(value) && !/[<>\s]/.test(value), 'must be a name or an e-mail address').nullish(), 'Name or e-mail address under which its commits are authored; an address that never receives mail when unsaid'),
  stop: key(z.enum(['remind', 'drain']), 'What the stop hook does in a session that a person started: remind of a held task, or hand over the next one', 'remind').optional(),
});

const landing = z.looseObject({
  verify: key(z.enum(['worktree', 'merged']), 'Where `verify` must pass: in the worktree, or again on the merged tree', 'worktree'),
  on_edit: key(z.enum(['rebrief', 'stop']), 'What becomes of an agent whose instruction is edited under it: told of the new text, or stopped', 'rebrief'),
}).partial();

const archive = z.looseObject({
  after_days: key(amount, 'Days after its end at which a task moves to tasks/archive/', 7),
  ended_max: key(whole(0, 1_000_000), 'How many ended tasks stay in tasks/ at most: beyond it the oldest move, however young', 500),
  spawn_days: key(amount, 'Days after its end for which `cambium spawn cleanup` leaves the folder of a spawn, with its log, on its machine', 14),
}).partial();

const hooks = z.looseObject({
  timeout: key(duration, 'How long one of the fleet\'s hooks may take, as a duration', '30s'),
  at_once: key(whole(1, 16), 'How many of them run at once on a node', 2),
}).partial();

const project = z.looseObject({
  url: key(gitUrl, 'Git URL or path of the repository; `.` is this one'),
  branch: key(branch, 'Branch that work is based on', 'main').optional(),
  return: key(z.enum(['push', 'review', 'merge']), 'How work returns: to a branch of its own, to a branch open for review, or merged', 'review').optional(),
  setup: key(z.array(word), 'Shell scripts, run one after the other in a fresh worktree; none when unsaid').optional(),
  copy: key(z.array(treePath), 'Ignored files and folders that a fresh worktree is given from this machine, such as `.env`; none when unsaid').optional(),
});

const provider = z.looseObject({
  kind: key(z.enum(['command', ...CLIENTS]), 'Which CLI it speaks with: claude, codex, gemini or opencode in their own language, `command` for any other program; its own name where that is one of these, else `command`, when unsaid').optional(),
  command: key(command, 'Program and arguments; {prompt_file} {result_file} {worktree} {task} {agent} {epoch} {model} are filled in. Of a known CLI: what is started in place of its name').optional(),
  base_url: key(z.string().refine((value) => isArgument(value) && /^https?:\/\//u.test(value), 'must be an http or https address'), 'Address of the model service in place of the provider\'s own; its own when unsaid').optional(),
  scope: key(z.enum(['node', 'fleet']), 'Whether its rate limit is that of each node, or of one account that all nodes share', 'node').optional(),
  models: key(z.record(argument, argument), 'Model names by tier (`high`, `daily`, `fast`) or by any other name that agents use; the provider\'s own choice when unsaid').optional(),
  env: key(z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), word), 'Environment variables of the program; none when unsaid').optional(),
});

const schedule = z.looseObject({
  id: key(id, 'Id of the schedule, with which the ids of its tasks begin'),
  cron: key(line, 'When, in UTC, as five cron fields'),
});

export const fleetConfigSchema = z.looseObject({
  schema: key(known('cambium.fleet/1'), 'Format of this file'),
  branch: key(branch, 'Branch that the fleet lives on', 'main').optional(),
  timings: key(timings.nullish(), 'How often the fleet looks and how long it waits; one that shortens `ttl` alone gets a heartbeat and a grace that fit'),
  defaults: key(defaults.nullish(), 'What holds for tasks and agents that do not say otherwise'),
  limits: key(limits.nullish(), 'What the fleet never goes beyond'),
  roles: key(z.record(id, role).nullish(), 'What agents of each role may change, by role; worker, coordinator and reviewer as in docs/formats.md when unsaid'),
  protected: key(z.array(glob).nullish(), 'Globs of paths that no agent may change, whatever its role', ['cambium.yaml', 'hooks/**', '.claude/**', '.mcp.json', 'templates/**', 'AGENTS.md', 'CLAUDE.md']),
  agents: key(z.record(agentId, agent.nullable()).nullish(), 'Who works here, by agent id; nobody when unsaid'),
  landing: key(landing.nullish(), 'What happens before work reaches the branch'),
  archive: key(archive.nullish(), 'When ended tasks leave tasks/ for tasks/archive/'),
  hooks: key(hooks.nullish(), 'How the executables in hooks/ are run, on nodes whose `git config cambium.hooks` is true'),
  commits: key(z.looseObject({ skip_ci: key(z.boolean(), 'Whether commits that move only the fleet\'s own state say [skip ci]', false) }).partial().nullish(), 'How commits are written'),
  projects: key(z.record(id, project).nullish(), 'Further repositories that tasks may work in, by the name a task gives under `project`; none when unsaid'),
  providers: key(z.record(id, provider).nullish(), 'Agent CLIs by name, beside the built-in `runbook`; `claude`, `codex`, `gemini` and `opencode` are there when unsaid'),
  schedules: key(z.array(schedule).nullish(), 'Tasks that come back by the clock; none when unsaid'),
});

export type FleetConfigFile = z.infer<typeof fleetConfigSchema>;
