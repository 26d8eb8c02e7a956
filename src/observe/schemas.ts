/**
 * The formats of docs/formats.md as zod schemas: the source of the JSON Schemas that editors complete and check
 * with (schemas/). cambium.yaml is parsed by them; the files read on every command have hand-written twins (rules.ts),
 * held to the same verdict by a test. Objects are loose: keys of a newer minor version are kept.
 */
import { reviewWord } from '../model/reviewer.ts';
import { MESSAGE_ID, isMention } from '../model/talk.ts';
import { z } from 'zod';
import { CLAIM_KINDS } from '../model/claim.ts';
import { fleetConfigSchema } from './configSchema.ts';
import { eventSchema, lockSchema } from './lockSchemas.ts';
import { isText } from './rules.ts';
import { agentId, amount, argument, bareMessageId, bareText, id, key, known, line, maybe, oid, opId, orOne, text, token, treePath, whole, word } from './schemaTerms.ts';
import { TIMEOUT_MINUTES_MAX, isScript, utcTime } from './taskFields.ts';

export { fleetConfigSchema };
export type { FleetConfigFile } from './configSchema.ts';

export const instructionSchema = z.looseObject({
  schema: key(z.unknown().optional(), 'Format of this file', 'cambium.task/1'),
  title: key(maybe(line), 'What the task is called, one line; the first heading, else the file\'s name, when unsaid'),
  priority: key(maybe(whole(0, 4)), 'How urgent it is, from 0 (first) to 4 (last)', 2),
  assigned_to: key(maybe(agentId), 'Id of the one agent that may take it; any that fits when unsaid'),
  role: key(maybe(id), 'Role of the agents that may take it', 'worker'),
  requires: key(orOne(line), 'Capabilities that the agent must have; none when unsaid'),
  depends_on: key(orOne(id), 'Ids of tasks that must be done first; none when unsaid'),
  context_files: key(orOne(treePath), 'Files that are handed to the agent, by their paths in the repository; none when unsaid'),
  working_directory: key(maybe(treePath), 'Folder of the repository where the work happens; its top when unsaid'),
  project: key(maybe(id), 'Repository to work in, one of `projects` in cambium.yaml; this one when unsaid'),
  acceptance_criteria: key(orOne(z.string().refine(isText, 'must be text')), 'What must be true at the end, one sentence each; nothing more than `verify` when unsaid'),
  verify: key(maybe(z.union([word, z.array(word).min(1)]).refine(isScript, 'must be a script, or a list of at least one word')), 'Shell script, or list of a program and its arguments, that must exit with 0 before anything lands; nothing is run when unsaid'),
  review: key(maybe(z.union([z.string().refine((value) => reviewWord(value) !== null, 'must be `human`, an agent or `different_provider`'), z.strictObject({ agent: key(agentId, 'The agent that judges; nobody else when unsaid') }), z.strictObject({ role: key(id, 'The role of the agent that judges; any when unsaid') }), z.strictObject({ different_provider: key(z.literal(true), 'An agent of another model family than who did the work; any when unsaid') })])), 'Who must approve before it lands: `human`, an agent, a role, or an agent of another model family; nobody when unsaid'),
  provider: key(maybe(id), 'What runs it: only agents of this provider take it; the agent\'s own when unsaid'),
  model: key(maybe(argument), 'Model that the provider is asked for; the agent\'s own when unsaid'),
  max_attempts: key(maybe(whole(1, 100)), 'How many attempts it gets before it has failed; `defaults.max_attempts` of cambium.yaml (3) when unsaid'),
  timeout_minutes: key(maybe(z.number().gt(0).max(TIMEOUT_MINUTES_MAX)), 'Minutes one attempt may take; `defaults.timeout_minutes` of cambium.yaml (10) when unsaid'),
  budget_usd: key(maybe(amount), 'US dollars it may cost; no limit of its own when unsaid'),
  max_turns: key(maybe(whole(1, 100_000)), 'Turns an agent CLI may take in one attempt; the CLI\'s own limit when unsaid'),
  not_before: key(maybe(z.string().refine((value) => utcTime(value) !== null, 'must be a UTC time')), 'Date or time before which it waits, UTC where no zone is named; it waits for no time when unsaid'),
  parent: key(maybe(id), 'Id of the task that this one is a part of; none when unsaid'),
  request: key(maybe(bareMessageId), 'Message of the request that it is a part of; none when unsaid. The node writes it for tasks that an agent adds'),
  spawned_by: key(maybe(bareMessageId), 'Spawn whose agent added it; none when unsaid. The node writes it for tasks that an agent adds'),
  labels: key(orOne(line), 'Words to find it by; none when unsaid'),
  estimated_minutes: key(maybe(amount), 'Minutes its author expects it to take; nothing depends on it'),
}).meta({ title: 'Task', description: 'Front matter of an instruction file, tasks/<id>.md. Every key may be left out.' });

const usage = z.looseObject({
  input: key(amount, 'Tokens read'), cached: key(amount, 'Tokens of these that came from the provider\'s cache'), output: key(amount, 'Tokens written'),
}).nullable();

const criteria = z.array(z.looseObject({
  text: key(text, 'The criterion'), met: key(z.boolean(), 'Whether it is met'), evidence: key(text, 'What shows it: a command and what it printed, a file and line'),
}));

const verifyRun = z.looseObject({
  command: key(text, 'What was run'), exit: key(z.int(), 'Its exit code'), seconds: key(amount, 'Seconds it took'),
});

export const resultSchema = z.looseObject({
  schema: key(known('cambium.result/1'), 'Format of this file'),
  outcome: key(z.enum(['done', 'failed', 'cancelled']), 'How the task ended'),
  epoch: key(whole(0), 'Number of the claim it ended under, 0 for a cancel without one'),
  claim: key(oid.nullable(), 'Tip of the claim chain before the end, null for a cancel without a claim'),
  attempts: key(whole(0), 'How many attempts there were'),
  agent: key(agentId.nullable(), 'Agent that did it, null when none had it'),
  node: key(id.nullable(), 'Node on which it ended, null when none had it'),
  provider: key(text.nullable(), 'Provider that ran the agent, null when unknown'),
  model: key(text.nullable(), 'Model that the provider used, null when unknown'),
  started: key(text.nullable(), 'When the last attempt began, UTC, null when there was none'),
  ended: key(text, 'When it ended, UTC'),
  usage: key(usage, 'Tokens it took, null when unknown'),
  cost_usd: key(amount.nullable(), 'What it cost in US dollars, null when unknown'),
  commits: key(z.array(oid), 'The agent\'s own commits'),
  criteria: key(criteria, 'The acceptance criteria as the agent judged them'),
  verify: key(verifyRun.nullable(), 'The last run of `verify`, null when there was none'),
  spawns: key(z.array(text), 'Ids of the spawns that worked on it'),
  project: key(z.looseObject({
    name: key(id, 'Name of the project in cambium.yaml'), branch: key(text, 'Branch that the work is on'), commit: key(oid, 'Commit that holds it'),
  }).nullish(), 'Where the work of a task in another repository is, null or absent for work in this one'),
}).meta({ title: 'Result', description: 'Front matter of tasks/<id>.result.md: how a task ended. Written by the fleet.' });

export const messageSchema = z.looseObject({
  schema: key(known('cambium.message/1'), 'Format of this file'),
  id: key(z.string().regex(MESSAGE_ID, 'must be the file\'s name without `.md`'), 'Id of the message, the file\'s name without `.md`'),
  from: key(z.string().regex(/^(?:agent|human|node):\S(?:.*\S)?$/, 'must be agent:<id>, human:<name> or node:<id>'), 'Who says it: agent:<id>, human:<name> or node:<id>'),
  channel: key(maybe(id), 'Channel it is said in, the folder\'s name; none for a message to an inbox'),
  to: key(maybe(z.array(agentId)), 'Agents whose inbox it is for; none for a message in a channel'),
  mentions: key(maybe(z.array(z.string().refine(isMention, 'must be agents, `human`, `all` or `role:<role>`'))), 'Whom it calls: agents, `human`, `all` or `role:<role>`; read from the text when unsaid'),
  kind: key(maybe(z.enum(['say', 'ack', 'system'])), 'What it is; ack and system never wake anybody', 'say'),
  reply_to: key(maybe(word), 'Id of the message that it answers; none when unsaid'),
  chain: key(maybe(z.array(agentId)), 'Agents woken so far on this thread of cause, none of whom is woken again; none when unsaid'),
  hops: key(maybe(whole(0)), 'How many messages of agents led to it', 0),
  thread: key(maybe(z.string()), 'Id of the message that began the thread; its own when unsaid'),
  spawn: key(maybe(z.string()), 'Spawn in which it was said; none for a person\'s'),
  session: key(maybe(z.string()), 'Ended spawn whose session is to answer; a fresh one when unsaid'),
  group: key(maybe(z.string().regex(MESSAGE_ID, 'must be an id')), 'The same in each message of a question that several agents are asked blind; none when unsaid'),
  as_of: key(maybe(oid), 'Main commit on which it was asked, for whoever answers to see the tree as it was then; as it is when unsaid'),
  answers: key(maybe(z.array(z.string())), 'Ids of the messages that it settles for its speaker; none when unsaid'),
  request: key(maybe(z.boolean()), 'Whether it asks the coordinator for work, whose tasks the nodes then tell it of', false),
  tasks: key(maybe(z.array(z.string())), 'Of a node\'s message: the tasks that it tells of, as <task>@<epoch>:<state>; none when unsaid'),
  at: key(word, 'When it was said, UTC'),
}).meta({ title: 'Message', description: 'Front matter of a message in agents/channels/<channel>/ or agents/<agent>/inbox/.' });

export const claimSchema = z.looseObject({
  schema: key(known('cambium.claim/1'), 'Format of this record'),
  task: key(id, 'Id of the task'),
  kind: key(z.enum(CLAIM_KINDS), 'What this transition does'),
  epoch: key(whole(0), 'Fencing number: one more at each claim, 0 before the first'),
  attempt: key(whole(0), 'Number of the attempt, 0 before the first claim'),
  agent: key(agentId.nullable(), 'Agent that holds it, null when none does'),
  node: key(id.nullable(), 'Node that the agent runs on, null when none does'),
  incarnation: key(text.nullable(), 'Life of the node that the claim belongs to, null when none does'),
  op: key(opId, 'Op-id of the push, never used twice'),
  instruction: key(z.looseObject({ blob: key(oid, 'Object id of its text'), commit: key(oid, 'Commit of main it was read from') }).nullable(), 'Instruction file as it was when it was claimed, null when nobody claimed it'),
  ttl_s: key(amount, 'Seconds for which the claim is honoured while its owner is silent'),
  claimed_at: key(text, 'When it was claimed, UTC, for people'),
  outcome: key(z.enum(['done', 'failed']).optional(), 'How it ended, in done and failed'),
  result: key(oid.optional(), 'Commit of main that the transition came with, in done, failed, cancel and reopen'),
  reason: key(text.optional(), 'Why it was released, cancelled or reopened, or why a daemon gave the task to this agent'),
  by: key(text.optional(), 'Who wrote the transition, where that is not the owner'),
  not_before: key(text.optional(), 'Time before which it is not claimed again, UTC'),
  spent: key(z.boolean().optional(), 'Whether a release used up the attempt', false),
  feedback: key(z.boolean().optional(), 'Whether the reason of a release is meant for whoever claims next', false),
  branch: key(text.optional(), 'Branch that shows the work under review'),
  commit: key(oid.optional(), 'Commit under review'),
  question: key(text.optional(), 'What a person is asked'),
}).meta({ title: 'Claim', description: 'claim.json: one transition of a claim chain; tasks/<id>.claim.json shows the newest of a held task.' });

const heartbeatSchema = z.looseObject({
  schema: key(known('cambium.node/1'), 'Format of this record'),
  kind: key(z.literal('heartbeat'), 'A sign of life'),
  nonce: key(text, 'Makes each record another'),
  main: key(z.union([z.literal(''), oid]), 'Main as the node saw it last, empty before the first sight'),
  node: key(id, 'The node'), machine: key(text, 'The machine it runs on'), incarnation: key(text, 'This life of the node'), boot_id: key(text, 'This boot of the machine'),
  seq: key(whole(0), 'Counts the heartbeats of this life'),
  version: key(text, 'Version of cambium it runs'),
  claims: key(z.array(z.looseObject({ task: key(id, 'The task'), epoch: key(whole(0), 'The claim\'s epoch'), claim: key(oid, 'The claim commit') })), 'Claims that this heartbeat renews'),
  spawns: key(z.array(z.looseObject({
    id: key(text, 'The spawn'), agent: key(agentId, 'Its agent'), task: key(text.optional(), 'Task it works on'), channel: key(text.optional(), 'Channel it answers in'),
    provider: key(text.optional(), 'What runs it'), model: key(text.optional(), 'Its model'), parent: key(text.optional(), 'Spawn that caused it'), depth: key(whole(0).optional(), 'How many spawns stand above it'), since: key(text.optional(), 'When it began, UTC'),
  })), 'Spawns under way'),
});

const breakSchema = z.looseObject({
  schema: key(known('cambium.node/1'), 'Format of this record'),
  kind: key(z.literal('break'), 'The end of claims whose owner was silent'),
  node: key(id, 'The node whose claims are ended'), by: key(id, 'The node that ended them'),
  breaks: key(z.array(z.looseObject({ task: key(id, 'The task'), epoch: key(whole(0), 'The epoch that is over') })), 'The claims that are ended'),
  op: key(opId, 'Op-id of the push'), reason: key(text.optional(), 'Why'),
});

export const nodeSchema = z.discriminatedUnion('kind', [heartbeatSchema, breakSchema])
  .meta({ title: 'Node', description: 'node.json on refs/cambium/nodes/<node>: a heartbeat, or a break by the node that took over.' });

export const fleetRecordSchema = z.looseObject({
  schema: key(known('cambium.hub/1'), 'Format of this record'),
  fleet: key(token, 'Id of the fleet'),
  format: key(whole(1), 'Arrangement of refs and files; a reader refuses a newer one'),
  generation: key(whole(1), 'Raised by each restore of the hub'),
  branch: key(token, 'Branch that the fleet lives on'),
  created: key(text, 'When the hub was made, UTC'),
}).meta({ title: 'Fleet', description: 'fleet.json on refs/cambium/fleet: the marker without which a remote is never pushed to.' });

export const spawnSchema = z.looseObject({
  schema: key(known('cambium.spawn/1'), 'Format of this file'),
  id: key(opId, 'Id of the spawn, the file\'s name without `.json`'),
  parent: key(text.nullable(), 'Spawn that started it, null when a node did'),
  depth: key(whole(0), 'How many spawns stand above it'),
  agent: key(agentId, 'Agent that ran'), node: key(id, 'Node that it ran on'),
  purpose: key(text, 'What it was for: task or verify'),
  task: key(id.nullable(), 'Task it worked on, null when none'),
  epoch: key(whole(0).nullable(), 'Epoch of the claim, null without a task'),
  attempt: key(whole(0).nullable(), 'Number of the attempt, null without a task'),
  channel: key(id.nullable(), 'Channel it answered in, null when none'),
  messages: key(z.array(text), 'Ids of the messages that it handled'),
  provider: key(text, 'Provider that ran it'), provider_version: key(text.nullable(), 'The provider\'s version, null when unknown'), model: key(text.nullable(), 'The model, null when unknown'),
  session: key(text.nullable(), 'Session of the agent CLI, null when unknown'),
  process: key(z.looseObject({
    boot_id: key(text, 'Boot of the machine'), pid: key(whole(0), 'Process id'), start: key(amount, 'Start time of the process in the unit of its system'),
  }).nullable(), 'Process of its supervisor, null when it never started'),
  start: key(text, 'When it began, UTC'), end: key(text, 'When it ended, UTC'),
  outcome: key(z.enum(['succeeded', 'failed', 'stopped', 'fenced', 'lost']), 'How it ended; lost is written by the node that took over'),
  failure: key(text.nullable(), 'Why it failed: auth, rate_limit, overloaded, refused, denied, hung, timeout, crashed or empty; null when it did not'),
  usage: key(usage, 'Tokens it took, null when unknown'),
  cost_usd: key(amount.nullable(), 'What it cost in US dollars, null when unknown'),
}).meta({ title: 'Spawn', description: 'agents/spawns/<yyyy-mm>/<dd>/<id>.json: one run of a provider. Written by the fleet, once, at its end.' });

export const rosterSchema = z.looseObject({
  schema: key(known('cambium.roster/1'), 'Format of this file'),
  agents: key(z.array(z.looseObject({
    id: key(agentId, 'The agent'), role: key(id, 'Its role'), node: key(id, 'Node that it was last seen on'),
    capabilities: key(z.array(text), 'What it can do'), provider: key(text, 'What runs it'),
    status: key(text, 'Whether it takes part: active, or another word once it does not'),
    joined: key(text, 'When it was first seen, UTC'), last_active: key(text, 'When a claim or result of its landed last, UTC'),
  })), 'Who takes part, by id'),
}).meta({ title: 'Roster', description: 'agents/roster.json: who takes part. Written by the fleet.' });

const wish = {
  by: key(text, 'Who wished it: human:<name>'), why: key(text.nullable(), 'Why, null when unsaid'), at: key(text, 'When, UTC, for people'),
};

export const stopSchema = z.looseObject({
  schema: key(known('cambium.stop/1'), 'Format of this record'),
  op: key(opId, 'Op-id of the push'),
  fleet: key(z.looseObject({ mode: key(z.enum(['drain', 'freeze']), 'Whether running agents finish, or stand still'), ...wish }).nullable(), 'Set while the fleet is stopped: nothing is claimed or started; null while it is not'),
  agents: key(z.record(z.string(), z.looseObject(wish)), 'Agents that are paused, by id'),
  providers: key(z.record(z.string(), z.looseObject(wish)), 'Providers that are paused, by name'),
  projects: key(z.record(z.string(), z.looseObject(wish)), 'Projects that are paused, by name'),
  resumed: key(z.record(z.string(), z.looseObject({ ...wish, op: key(text, 'Op-id of that resume') })), 'The last resume of each provider: parks made before it are over'),
}).meta({ title: 'Stop', description: 'stop.json on refs/cambium/stop: what people have stopped and paused.' });

export const providersSchema = z.looseObject({
  schema: key(known('cambium.providers/1'), 'Format of this file'),
  node: key(id, 'The node, which alone writes it'),
  parks: key(z.array(z.looseObject({
    provider: key(id, 'The provider'), node: key(id, 'The node'), failure: key(text, 'Why: auth, rate_limit, overloaded, refused, or how its spawns failed'), reason: key(text, 'What it said'),
    since: key(text, 'When it was parked, UTC'), until: key(text.nullable(), 'When it may be asked again, UTC; null until a person resumes it or its settings change'),
    times: key(whole(1), 'How often in a row'), scope: key(z.enum(['node', 'fleet']), 'Whether a rate limit holds for this node or for all'),
    resumed: key(text.nullable(), 'Op-id of the provider\'s last resume before that, null when there was none'), settings: key(text, 'Fingerprint of its settings then'),
  })), 'Providers that are not asked'),
}).meta({ title: 'Providers', description: 'agents/providers/<node>.json: what a node has parked and until when. Written by that node.' });

export const wakeSchema = z.looseObject({
  schema: key(known('cambium.wake/1'), 'Format of this record'),
  agent: key(agentId, 'The agent that answers'), channel: key(id.nullable(), 'The channel; null for the agent\'s inbox'),
  node: key(id, 'The node that answers as it'), incarnation: key(text, 'The life of that node: a wake of an earlier one is free'),
  spawn: key(text, 'Id of the first spawn'), messages: key(z.array(text), 'Ids of the messages that were to be answered when it was won'),
  ttl_s: key(whole(1), 'How long it is honoured without a heartbeat, in seconds'), op: key(opId, 'Op-id of the push'), at: key(text, 'When, UTC, for people'),
}).meta({ title: 'Wake', description: 'wake.json on refs/cambium/wakes/<agent>/<channel>: which node answers as an agent there.' });

export const guestSchema = z.looseObject({
  schema: key(known('cambium.guest/1'), 'Format of this record'),
  fleet: key(id, 'Id of the fleet that the task belongs to'),
  task: key(id, 'Id of the task'),
  kind: key(z.enum(['claim', 'landed']), 'Whether an epoch began here, or its work has landed'),
  epoch: key(whole(1), 'Epoch of the claim in the fleet\'s hub'),
  op: key(opId, 'Op-id of the push'),
  agent: key(agentId, 'Agent that works on it'), node: key(id, 'Node that the agent runs on'),
  claim: key(oid, 'Tip of the claim chain in the fleet\'s hub'),
  instruction: key(oid, 'Object id of the instruction that the work follows'),
  base: key(oid, 'Commit of the project\'s branch when the epoch began here'),
  result: key(oid.optional(), 'Commit that holds the work, in landed'),
  branch: key(token.optional(), 'Branch that the work was pushed to, in landed'),
  report: key(text.optional(), 'What the agent reported, in landed'),
  criteria: key(criteria.optional(), 'The acceptance criteria as the agent judged them, in landed'),
  verify: key(verifyRun.nullish(), 'The last run of `verify`, null when there was none, in landed'),
  commits: key(z.array(oid).optional(), 'The agent\'s own commits, in landed'),
  notes: key(z.array(text).optional(), 'What else the result tells, in landed'),
}).meta({ title: 'Guest', description: 'guest.json on refs/cambium/guests/<fleet>/<task> in a project\'s hub: who works on a task there.' });

export const reopenedSchema = z.looseObject({
  schema: key(known('cambium.reopened/1'), 'Format of this file'),
  task: key(id, 'Id of the task'),
}).meta({ title: 'Reopened', description: 'tasks/archive/…/<id>.reopened.json: a task was taken out of the archive again. Only its name is read.' });

/** By file name: the schema, and the format whose name and major its `$id` is made of. */
const SCHEMAS = {
  'cambium.schema.json': [fleetConfigSchema.meta({ title: 'cambium.yaml', description: 'The fleet\'s settings. A bad edit keeps the last good version in force.' }), 'cambium.fleet/1'],
  'instruction.schema.json': [instructionSchema, 'cambium.task/1'],
  'result.schema.json': [resultSchema, 'cambium.result/1'],
  'message.schema.json': [messageSchema, 'cambium.message/1'],
  'claim.schema.json': [claimSchema, 'cambium.claim/1'],
  'node.schema.json': [nodeSchema, 'cambium.node/1'],
  'fleet.schema.json': [fleetRecordSchema, 'cambium.hub/1'],
  'spawn.schema.json': [spawnSchema, 'cambium.spawn/1'],
  'roster.schema.json': [rosterSchema, 'cambium.roster/1'],
  'wake.schema.json': [wakeSchema, 'cambium.wake/1'],
  'stop.schema.json': [stopSchema, 'cambium.stop/1'],
  'providers.schema.json': [providersSchema, 'cambium.providers/1'],
  'guest.schema.json': [guestSchema, 'cambium.guest/1'],
  'reopened.schema.json': [reopenedSchema, 'cambium.reopened/1'],
  'lock.schema.json': [lockSchema, 'cambium.lock/1'],
  'event.schema.json': [eventSchema, 'cambium.event/1'],
} as const satisfies Record<string, readonly [z.ZodType, string]>;

export type SchemaFile = keyof typeof SCHEMAS;

/** JSON Schemas (draft 2020-12) by file name, for editors: what may be written, so keys with a default are optional. */
export function jsonSchemas(): Readonly<Record<SchemaFile, object>> {
  const entries = Object.entries(SCHEMAS).map(([name, [schema, format]]) => {
    const { $schema, title, description, ...rest } = z.toJSONSchema(schema, { io: 'input', override: acceptBareText });
    return [name, { $schema, $id: `urn:${format.replace(/[./]/g, ':')}`, title, description, ...rest }];
  });
  return Object.fromEntries(entries) as Record<SchemaFile, object>;
}

/** Those of files that people write: a workspace holds them in templates/schemas/, where its editors find them without a network. */
export const EDITOR_SCHEMAS = ['cambium.schema.json', 'instruction.schema.json'] as const satisfies readonly SchemaFile[];

/** The bytes of each file of schemas/. */
export function schemaFiles(): ReadonlyMap<string, string> {
  return new Map(Object.entries(jsonSchemas()).map(([name, schema]) => [name, `${JSON.stringify(schema, null, 2)}\n`]));
}

type Override = NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>['override']>;

const acceptBareText: Override = ({ zodSchema, jsonSchema }) => {
  if (jsonSchema.type === 'string' && bareText.get(zodSchema as unknown as z.ZodType) !== undefined) jsonSchema.type = ['string', 'number', 'boolean'] as unknown as 'string';
};
