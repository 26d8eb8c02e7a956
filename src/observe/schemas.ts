/**
 * The formats of docs/formats.md as zod schemas: the source of the JSON Schemas that editors complete and check
 * with. cambium.yaml is parsed by them; the files read on every command have hand-written twins (rules.ts), held to
 * the same verdict by a test. Objects are loose: keys of a newer minor version are kept.
 */
import { z } from 'zod';
import { CLAIM_KINDS } from '../model/claim.ts';
import { isAgentId, isId } from '../model/ids.ts';
import { isArgument, isLine, isOid, isText } from './rules.ts';
import { TIMEOUT_MINUTES_MAX, isScript, isTreePath, utcTime } from './taskFields.ts';

/** The same grammar as model/ids.ts, spelled for editors; the refinement adds what a pattern cannot say. */
const ID_PATTERN = /^(?!\d+$)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;

const id = z.string().regex(ID_PATTERN).refine(isId, 'must not be a device name');
const agentId = z.string().regex(ID_PATTERN).refine(isAgentId, 'is a reserved name');
const oid = z.string().regex(/^[0-9a-f]{4,64}$/).refine(isOid);
const line = z.string().refine(isLine, 'must be one line of text');
const argument = z.string().refine(isArgument, 'must be one line of text that does not begin with `-`');
const treePath = z.string().refine(isTreePath, 'must be a path inside the tree: relative, without `..` or `.git`');
const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);
const amount = z.number().min(0);
const text = z.string();
const opId = text.min(1);

const orOne = <Item extends z.ZodType>(item: Item) => z.union([z.array(item), item]).nullish();
const maybe = <Value extends z.ZodType>(value: Value) => value.nullish();
const known = (schema: string) => z.literal(schema);

export const instructionSchema = z.looseObject({
  title: maybe(line).describe('One line; else the first heading, else the file name.'),
  priority: maybe(whole(0, 4)).describe('0 is the most urgent, 4 the least; 2 when unsaid.'),
  assigned_to: maybe(agentId).describe('Only this agent may take the task.'),
  role: maybe(id).describe('Only agents of this role may take it.'),
  requires: orOne(line).describe('Capabilities the agent must have.'),
  depends_on: orOne(id).describe('Ids of tasks that must be done first.'),
  context_files: orOne(treePath).describe('Files handed to the agent, as they stand in the tree.'),
  working_directory: maybe(treePath).describe('Folder of the tree where the work happens.'),
  project: maybe(id).describe('A repository named under `projects:` in cambium.yaml.'),
  acceptance_criteria: orOne(z.string().refine(isText)).describe('What must be true at the end.'),
  verify: maybe(z.union([z.string(), z.array(z.string()).min(1)]).refine(isScript)).describe('A shell script, or an argument vector; run by the node.'),
  review: maybe(z.union([z.literal('human'), agentId])).describe('Who must approve before it lands.'),
  provider: maybe(id),
  model: maybe(argument),
  max_attempts: maybe(whole(1, 100)),
  timeout_minutes: maybe(z.number().gt(0).max(TIMEOUT_MINUTES_MAX)),
  budget_usd: maybe(amount),
  max_turns: maybe(whole(1, 100_000)),
  not_before: maybe(z.string().refine((value) => utcTime(value) !== null, 'must be a UTC time')),
  parent: maybe(id),
  labels: orOne(line),
  estimated_minutes: maybe(amount),
});

export const resultSchema = z.looseObject({
  schema: known('cambium.result/1'),
  outcome: z.enum(['done', 'failed', 'cancelled']),
  epoch: whole(0),
  claim: oid.nullable(),
  attempts: whole(0),
  agent: agentId.nullable(),
  node: id.nullable(),
  provider: text.nullable(),
  model: text.nullable(),
  started: text.nullable(),
  ended: text,
  usage: z.looseObject({ input: amount, cached: amount, output: amount }).nullable(),
  cost_usd: amount.nullable(),
  commits: z.array(oid),
  criteria: z.array(z.looseObject({ text, met: z.boolean(), evidence: text })),
  verify: z.looseObject({ command: text, exit: z.int(), seconds: amount }).nullable(),
  spawns: z.array(text),
});

export const claimSchema = z.looseObject({
  schema: known('cambium.claim/1'),
  task: id,
  kind: z.enum(CLAIM_KINDS),
  epoch: whole(0),
  attempt: whole(0),
  agent: agentId.nullable(),
  node: id.nullable(),
  incarnation: text.nullable(),
  op: opId,
  instruction: z.looseObject({ blob: oid, commit: oid }).nullable(),
  ttl_s: amount,
  claimed_at: text,
  outcome: z.enum(['done', 'failed']).optional(),
  result: oid.optional(),
  reason: text.optional(),
  by: text.optional(),
  not_before: text.optional(),
  spent: z.boolean().optional(),
  branch: text.optional(),
  commit: oid.optional(),
  question: text.optional(),
});

const heartbeatSchema = z.looseObject({
  schema: known('cambium.node/1'), kind: z.literal('heartbeat'), nonce: text,
  main: z.union([z.literal(''), oid]), node: id, machine: text, incarnation: text, boot_id: text, seq: whole(0), version: text,
  claims: z.array(z.looseObject({ task: id, epoch: whole(0), claim: oid })),
  spawns: z.array(z.looseObject({ id: text, agent: agentId })),
});

const breakSchema = z.looseObject({
  schema: known('cambium.node/1'), kind: z.literal('break'), node: id, by: id,
  breaks: z.array(z.looseObject({ task: id, epoch: whole(0) })), op: opId, reason: text.optional(),
});

export const nodeSchema = z.discriminatedUnion('kind', [heartbeatSchema, breakSchema]);

export const fleetRecordSchema = z.looseObject({
  schema: known('cambium.hub/1'), fleet: argument, format: whole(1), generation: whole(1), branch: argument, created: text,
});

/** `180s`, `100ms`, `10m`, `2h`. */
const duration = z.string().regex(/^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h)$/, 'must be a duration such as 180s, 100ms, 10m or 2h');
const words = z.array(z.string());
const command = z.array(z.string()).min(1).refine((argv) => isArgument(argv[0] ?? '') && argv.every((word) => !word.includes('\0')), 'must be a program and its arguments');
const glob = z.string().refine((value) => isLine(value) && !value.startsWith('/') && !value.split('/').includes('..'), 'must be a glob over paths of the tree');
/** `ext::` runs a command of its author's, and a leading `-` is an option of git's. */
const gitUrl = z.string().refine((value) => isArgument(value) && !/^[a-z0-9+.-]+::/i.test(value), 'must be a git URL or path');
const branch = z.string().refine((value) => isArgument(value) && !/[\s~^:?*[\\]|\.\.|@\{|\/\/|^\/|[/.]$|\.lock(?:\/|$)|(?:^|\/)\./.test(value), 'must be a branch name');

const timings = z.looseObject({
  ttl: duration, heartbeat: duration, fetch: duration, rescan: duration, settle: duration, half_saved: duration, grace: duration, silence: duration, idle: duration,
}).partial();

const agent = z.looseObject({
  role: id.optional(),
  node: z.union([z.literal('*'), id]).optional(),
  provider: id.optional(),
  model: argument.nullish(),
  fallback: z.array(id).optional(),
  capabilities: z.array(line).optional(),
  constitution: line.nullish(),
  sandbox: id.optional(),
  handle: z.string().refine((value) => isArgument(value) && !/[<>\s]/.test(value), 'must be a name or an e-mail address').nullish(),
});

export const fleetConfigSchema = z.looseObject({
  schema: known('cambium.fleet/1'),
  branch: branch.optional(),
  timings: timings.nullish(),
  defaults: z.looseObject({ provider: id, max_attempts: whole(1, 100), timeout_minutes: z.number().gt(0).max(TIMEOUT_MINUTES_MAX) }).partial().nullish(),
  limits: z.looseObject({ agents_per_node: whole(0, 10_000), spawn_depth: whole(0, 100), usd_per_day: amount.nullable() }).partial().nullish(),
  roles: z.record(id, z.looseObject({ write: z.array(glob), except: z.array(glob), add: z.array(glob) }).partial()).nullish(),
  protected: z.array(glob).nullish(),
  agents: z.record(agentId, agent.nullable()).nullish(),
  landing: z.looseObject({ verify: z.enum(['worktree', 'merged']), on_edit: z.enum(['rebrief', 'stop']) }).partial().nullish(),
  archive: z.looseObject({ after_days: amount, ended_max: whole(0, 1_000_000) }).partial().nullish(),
  commits: z.looseObject({ skip_ci: z.boolean() }).partial().nullish(),
  projects: z.record(id, z.looseObject({ url: gitUrl, branch: branch.optional(), return: z.enum(['push', 'review', 'merge']).optional(), setup: words.optional(), copy: z.array(treePath).optional() })).nullish(),
  providers: z.record(id, z.looseObject({ command, env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional() })).nullish(),
  schedules: z.array(z.looseObject({ id, cron: line })).nullish(),
});

export type FleetConfigFile = z.infer<typeof fleetConfigSchema>;

const SCHEMAS = {
  'instruction.schema.json': instructionSchema,
  'result.schema.json': resultSchema,
  'claim.schema.json': claimSchema,
  'node.schema.json': nodeSchema,
  'fleet.schema.json': fleetRecordSchema,
  'cambium.schema.json': fleetConfigSchema,
} as const;

/** JSON Schemas (draft 2020-12) by file name, for editors: what may be written, so keys with a default are optional. */
export function jsonSchemas(): Readonly<Record<keyof typeof SCHEMAS, object>> {
  const entries = Object.entries(SCHEMAS).map(([name, schema]) => [name, { title: name.replace('.schema.json', ''), ...z.toJSONSchema(schema, { io: 'input' }) }]);
  return Object.fromEntries(entries) as Record<keyof typeof SCHEMAS, object>;
}
