/** OpenAI Responses, as codex speaks it: `POST /v1/responses` with server-sent events. */
import { randomUUID } from 'node:crypto';
import type { Answer, Asked, Dialect, Failure, Incoming, Reply } from './script.ts';
import { USAGE } from './script.ts';
import { toolUse } from './tools.ts';
import { eventStream, json, lastRound, pieces, textOf, type Round } from './wire.ts';

interface Item {
  readonly type: string;
  readonly role?: string;
  readonly content?: unknown;
  readonly call_id?: string;
  readonly output?: unknown;
  readonly tools?: readonly Tool[];
}

interface Tool {
  readonly type: string;
  readonly name?: string;
  readonly description?: string;
  /** Of a namespace. */
  readonly tools?: readonly Tool[];
}

interface Body {
  readonly model?: string;
  readonly instructions?: string;
  readonly input?: readonly Item[];
  readonly tools?: readonly Tool[];
  readonly prompt_cache_key?: string;
}

const KINDS: Readonly<Record<number, string>> = { 400: 'invalid_request_error', 401: 'invalid_api_key', 403: 'forbidden', 429: 'rate_limit_exceeded', 500: 'server_error', 503: 'server_is_overloaded', 529: 'server_is_overloaded' };

export const openai: Dialect = {
  name: 'openai',
  matches: (path) => /^\/v1\/(responses(\/compact)?|models)$/.test(path),
  read,
  say: streamed,
  saySide: (asked) => (asked.side === 'models' ? json(200, { object: 'list', data: [], models: [] }) : streamed(asked, { text: 'ok', usage: { input: 1, output: 1 } })),
  fail,
};

/** Messages of the role `developer`, and those of the user that begin with a tag or heading of codex, are codex's own words. */
function read(incoming: Incoming): Asked {
  const body = incoming.body as Body;
  const items = body.input ?? [];
  const messages = items.filter(({ type }) => type === 'message');
  const system = [body.instructions ?? '', ...messages.filter(({ role }) => role === 'developer' || role === 'system').map(({ content }) => textOf(content))].join('\n').trim();
  const context = messages.filter((item) => item.role === 'user' && isContext(textOf(item.content))).map(({ content }) => textOf(content)).join('\n');
  return {
    dialect: 'openai', side: sideOf(incoming), method: incoming.method, path: incoming.path, headers: incoming.headers, body: incoming.body, model: body.model ?? '',
    conversation: incoming.headers['session-id'] ?? body.prompt_cache_key ?? '', system, context, ...lastRound(items.flatMap(roundsOf)),
    tools: offered(body).flatMap(namesOf), cwd: /<cwd>(.+?)<\/cwd>/.exec(context)?.[1] ?? null,
  };
}

/** Newer models get their tools in an item of the input, in namespaces. */
const offered = (body: Body): readonly Tool[] => [...(body.tools ?? []), ...(body.input ?? []).flatMap(({ type, tools = [] }) => (type === 'additional_tools' ? tools : []))].flatMap((tool) => (tool.type === 'namespace' && tool.name === 'functions' ? (tool.tools ?? []) : [tool]));

/** `spawn_agent` of a namespace is `collaboration.spawn_agent`; what only code mode can call is `exec.apply_patch`. */
function namesOf({ type, name, description, tools }: Tool): readonly string[] {
  if (tools !== undefined) return tools.map((tool) => `${name ?? type}.${tool.name ?? tool.type}`);
  const inCode = type === 'custom' && name === 'exec' ? [...(description ?? '').matchAll(/^### `(\w+)`/gm)].map(([, inner]) => `exec.${inner}`) : [];
  return [name ?? type, ...inCode];
}

const isContext = (text: string): boolean => /^\s*(<(environment_context|user_instructions|permissions instructions|skills_instructions|recommended_plugins)\b|# AGENTS\.md instructions)/.test(text);

function sideOf({ path, headers }: Incoming): string | null {
  if (path === '/v1/models') return 'models';
  const kind = /"request_kind":"([^"]+)"/.exec(headers['x-codex-turn-metadata'] ?? '')?.[1] ?? 'turn';
  return kind === 'turn' ? null : kind;
}

function roundsOf(item: Item): readonly Round[] {
  if (item.type.endsWith('_call_output')) return [{ kind: 'result', result: { id: item.call_id ?? '', text: textOf(item.output), isError: false } }];
  if (item.type.endsWith('_call') || (item.type === 'message' && item.role === 'assistant')) return [{ kind: 'reply' }];
  const text = textOf(item.content);
  return item.type === 'message' && item.role === 'user' && !isContext(text) ? [{ kind: 'prompt', text }] : [];
}

const plainId = (): string => randomUUID().replaceAll('-', '');

function message(text: string): Record<string, unknown> {
  return { type: 'message', id: `msg_${plainId()}`, role: 'assistant', status: 'completed', content: [{ type: 'output_text', text, annotations: [] }] };
}

function callItem(call: NonNullable<Reply['calls']>[number], asked: Asked): Record<string, unknown> {
  const { name, input, custom, namespace } = toolUse(call, asked);
  const call_id = `call_${plainId().slice(0, 24)}`;
  const tool = offered(asked.body as Body).find((one) => one.name === name);
  if (custom !== undefined && tool?.type === 'custom') return { type: 'custom_tool_call', id: `ctc_${plainId()}`, status: 'completed', call_id, name, input: custom };
  return { type: 'function_call', id: `fc_${plainId()}`, status: 'completed', call_id, name, ...(namespace === undefined ? {} : { namespace }), arguments: JSON.stringify(input) };
}

function streamed(asked: Asked, reply: Reply): Answer {
  const id = `resp_${plainId()}`;
  const output = [...(reply.text === undefined ? [] : [message(reply.text)]), ...(reply.calls ?? []).map((call) => callItem(call, asked))];
  const { input, output: out, cached = 0 } = reply.usage ?? USAGE;
  const usage = { input_tokens: input, input_tokens_details: { cached_tokens: cached }, output_tokens: out, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: input + out };
  const events = [
    { type: 'response.created', response: { id, object: 'response', status: 'in_progress', model: asked.model, output: [] } },
    ...output.flatMap((item, index) => itemEvents(item, index, reply)),
    { type: 'response.completed', response: { id, object: 'response', status: 'completed', model: asked.model, output, usage } },
  ];
  return eventStream(events.map((event, sequence_number) => ({ ...event, sequence_number })));
}

function itemEvents(item: Readonly<Record<string, unknown>>, output_index: number, reply: Reply): readonly { readonly type: string }[] {
  const item_id = item['id'];
  const done = { type: 'response.output_item.done', output_index, item };
  if (item['type'] !== 'message') return [{ type: 'response.output_item.added', output_index, item: { ...item, status: 'in_progress' } } as { readonly type: string }, done];
  const deltas = pieces(reply.text ?? '', reply).map((delta) => ({ type: 'response.output_text.delta', item_id, output_index, content_index: 0, delta }));
  return [{ type: 'response.output_item.added', output_index, item: { ...item, status: 'in_progress', content: [] } } as { readonly type: string }, ...deltas, done];
}

/** A spent quota is codex's `usage_limit_reached`, with the moment of the reset in seconds since 1970. */
function fail(failure: Failure): Answer {
  const kind = failure.exhausted === true ? 'usage_limit_reached' : (KINDS[failure.fail] ?? 'server_error');
  const seconds = failure.retryAfterS ?? 3600;
  const spent = failure.exhausted === true ? { plan_type: 'pro', resets_at: Math.floor(Date.now() / 1000) + seconds, resets_in_seconds: seconds } : {};
  const retry = failure.retryAfterS === undefined ? {} : { 'retry-after': String(failure.retryAfterS) };
  return json(failure.fail, { error: { type: kind, code: kind, message: failure.message ?? `scripted ${kind}`, param: null, ...spent } }, { 'x-request-id': 'req_scripted', ...retry });
}
