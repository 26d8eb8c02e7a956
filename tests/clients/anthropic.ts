/** Anthropic Messages, as Claude Code and opencode speak it: `POST /v1/messages`, streamed or whole, and its token counter. */
import { randomUUID } from 'node:crypto';
import type { Answer, Asked, Dialect, Failure, Incoming, Reply, ToolResult } from './script.ts';
import { USAGE } from './script.ts';
import { toolUse } from './tools.ts';
import { eventStream, json, lastRound, pieces, textOf, type Round } from './wire.ts';

interface Block {
  readonly type: string;
  readonly text?: string;
  readonly tool_use_id?: string;
  readonly content?: unknown;
  readonly is_error?: boolean;
}

interface Message {
  readonly role: string;
  readonly content: string | readonly Block[];
}

interface Body {
  readonly model?: string;
  readonly messages?: readonly Message[];
  readonly system?: unknown;
  readonly tools?: readonly { readonly name: string }[];
  readonly max_tokens?: number;
  readonly stream?: boolean;
}

const KINDS: Readonly<Record<number, string>> = {
  400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 429: 'rate_limit_error', 500: 'api_error', 529: 'overloaded_error',
};

export const anthropic: Dialect = {
  name: 'anthropic',
  matches: (path) => /^\/v1\/messages(\/count_tokens)?$/.test(path),
  read,
  say: (asked, reply) => ((asked.body as Body).stream === true ? streamed(asked, reply) : json(200, whole(asked, reply))),
  saySide: (asked) => (asked.side === 'tokens' ? json(200, { input_tokens: USAGE.input }) : anthropic.say(asked, { text: asked.side === 'title' ? '{"title": "Scripted session"}' : 'ok', usage: { input: 1, output: 1 } })),
  fail,
};

/** `role: system` messages and `<system-reminder>` blocks are Claude Code's own words. */
function read(incoming: Incoming): Asked {
  const body = incoming.body as Body;
  const messages = body.messages ?? [];
  const system = textOf(body.system);
  const contexts = messages.flatMap((message) => (message.role === 'system' ? [textOf(message.content)] : blocksOf(message).filter(isReminder).map(textOf)));
  const context = contexts.join('\n');
  return {
    dialect: 'anthropic', side: sideOf(incoming.path, body, system), method: incoming.method, path: incoming.path, headers: incoming.headers, body: incoming.body, model: body.model ?? '',
    conversation: incoming.headers['x-claude-code-session-id'] ?? incoming.headers['x-session-affinity'] ?? '', system, context, ...lastRound(messages.flatMap(roundsOf)),
    tools: (body.tools ?? []).map(({ name }) => name), cwd: /[wW]orking directory: (.+)/.exec(`${context}\n${system}`)?.[1]?.trim() ?? null,
  };
}

function sideOf(path: string, body: Body, system: string): string | null {
  if (path.endsWith('/count_tokens')) return 'tokens';
  if ((body.max_tokens ?? 0) === 1) return 'quota';
  return (body.tools ?? []).length === 0 && /\btitle\b/i.test(system) ? 'title' : null;
}

const blocksOf = (message: Message): readonly Block[] => (typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content);
const isReminder = (block: Block): boolean => block.type === 'text' && (block.text ?? '').trimStart().startsWith('<system-reminder>');

function roundsOf(message: Message): readonly Round[] {
  if (message.role === 'assistant') return [{ kind: 'reply' }];
  if (message.role !== 'user') return [];
  const blocks = blocksOf(message);
  const results: readonly ToolResult[] = blocks.filter(({ type }) => type === 'tool_result').map((block) => ({ id: block.tool_use_id ?? '', text: textOf(block.content), isError: block.is_error === true }));
  const said = blocks.filter((block) => block.type === 'text' && !isReminder(block)).map(textOf).join('\n');
  // A prompt after a killed run comes in one message with the results of the tools that never ended.
  return [...results.map((result) => ({ kind: 'result', result }) as const), ...(said === '' ? [] : [{ kind: 'prompt', text: said } as const])];
}

function content(asked: Asked, reply: Reply): readonly Record<string, unknown>[] {
  const calls = (reply.calls ?? []).map((call) => toolUse(call, asked)).map(({ name, input }) => ({ type: 'tool_use', id: `toolu_${randomUUID().replaceAll('-', '').slice(0, 24)}`, name, input }));
  return [...(reply.text === undefined ? [] : [{ type: 'text', text: reply.text }]), ...calls];
}

function usageOf({ usage = USAGE }: Reply): Record<string, unknown> {
  const cached = usage.cached ?? 0;
  return { input_tokens: usage.input - cached, cache_creation_input_tokens: 0, cache_read_input_tokens: cached, output_tokens: usage.output };
}

function whole(asked: Asked, reply: Reply): Record<string, unknown> {
  const id = `msg_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
  const stop = (reply.calls ?? []).length > 0 ? 'tool_use' : 'end_turn';
  return { id, type: 'message', role: 'assistant', model: asked.model, content: content(asked, reply), stop_reason: stop, stop_sequence: null, usage: usageOf(reply) };
}

function streamed(asked: Asked, reply: Reply): Answer {
  const message = whole(asked, reply);
  const usage = usageOf(reply);
  const blocks = (message['content'] as readonly Record<string, unknown>[]).flatMap((block, index) => blockEvents(block, index, reply));
  return eventStream([
    { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } },
    { type: 'ping' },
    ...blocks,
    { type: 'message_delta', delta: { stop_reason: message['stop_reason'], stop_sequence: null }, usage: { output_tokens: usage['output_tokens'] } },
    { type: 'message_stop' },
  ]);
}

function blockEvents(block: Readonly<Record<string, unknown>>, index: number, reply: Reply): readonly Record<string, unknown>[] {
  const empty = block['type'] === 'text' ? { type: 'text', text: '' } : { ...block, input: {} };
  const deltas = block['type'] === 'text' ? pieces(block['text'] as string, reply).map((text) => ({ type: 'text_delta', text })) : [{ type: 'input_json_delta', partial_json: JSON.stringify(block['input']) }];
  return [{ type: 'content_block_start', index, content_block: empty }, ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })), { type: 'content_block_stop', index }];
}

/** A spent quota is told in the `unified` headers, with the moment of the reset in seconds since 1970. */
function fail(failure: Failure): Answer {
  const kind = KINDS[failure.fail] ?? 'api_error';
  const retry = failure.retryAfterS === undefined ? {} : { 'retry-after': String(failure.retryAfterS) };
  const reset = String(Math.floor(Date.now() / 1000) + (failure.retryAfterS ?? 3600));
  const spent = failure.exhausted === true ? { 'anthropic-ratelimit-unified-status': 'rejected', 'anthropic-ratelimit-unified-reset': reset, 'anthropic-ratelimit-unified-representative-claim': 'five_hour', 'x-should-retry': 'false' } : {};
  return json(failure.fail, { type: 'error', error: { type: kind, message: failure.message ?? `scripted ${kind}` }, request_id: 'req_scripted' }, { ...retry, ...spent });
}
