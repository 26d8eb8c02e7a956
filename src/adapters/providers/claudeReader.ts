/**
 * Claude Code's `--output-format stream-json`, line by line. Lines are objects whose keys stand in any order: `system`
 * (init, api_retry, permission_denied), `assistant`, `user` (results of tools), `rate_limit_event`, `stream_event` and
 * at last `result`. `is_error` of the result decides, not its `subtype`, which says `success` of a failed service too.
 */
import type { SpawnEvent } from '../../model/spawnEvent.ts';
import type { Usage } from '../../model/task.ts';
import { failureOf, isoOfSeconds } from './failures.ts';
import { aboutCall, countOf, jsonLine, objectOf, ownOf, textOf, textOrNull } from './jsonLine.ts';
import type { Json } from './jsonLine.ts';

const objects = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(objectOf) : []);
const ABOUT = ['command', 'file_path', 'notebook_path', 'pattern', 'url', 'query', 'description', 'skill', 'prompt'];

const OUTPUT_CHARS_MAX = 8 * 1024;

interface Memory {
  /** One line about each call, by its id: a denial names the id alone. */
  readonly calls: Map<string, string>;
  /** Tokens of each answer so far, by message: a message comes in several lines, each with its counts so far. */
  readonly spent: Map<string, Usage>;
  /** Of the turns whose result has come: more than one where messages were waiting. */
  told: { readonly usage: Usage; readonly costUsd: number };
}

const NOTHING: Usage = { input: 0, cached: 0, output: 0 };

export function claudeReader(): (line: string) => readonly SpawnEvent[] {
  const memory: Memory = { calls: new Map(), spent: new Map(), told: { usage: NOTHING, costUsd: 0 } };
  return (line) => {
    const said = jsonLine(line);
    return said === null ? [] : (ownOf(KINDS, textOf(said['type']))?.(said, memory) ?? []);
  };
}

type Reader = (said: Json, memory: Memory) => readonly SpawnEvent[];

const KINDS: Readonly<Partial<Record<string, Reader>>> = {
  system, assistant, user, result, rate_limit_event: rateLimit, stream_event: streamed,
};

function system(said: Json, memory: Memory): readonly SpawnEvent[] {
  switch (said['subtype']) {
    case 'init':
      return [{ kind: 'start', session: textOrNull(said['session_id']), model: textOrNull(said['model']) }];
    case 'api_retry':
      return [retried(said)];
    case 'permission_denied':
      return [denial(textOf(said['tool_name']), memory.calls.get(textOf(said['tool_use_id'])) ?? '')];
    default:
      return [];
  }
}

/** The service did not answer, and is asked again: only where nothing comes after it was this the end. */
function retried(said: Json): SpawnEvent {
  const status = typeof said['error_status'] === 'number' ? said['error_status'] : null;
  const failure = failureOf(status, textOf(said['error'])) ?? 'refused';
  const line = `The service answered ${status === null ? 'nothing' : status} (${textOf(said['error']) || 'unknown'}); asked again, ${countOf(said['attempt'])} of ${countOf(said['max_retries'])} times.`;
  return failure === 'rate_limit' || failure === 'overloaded' ? { kind: 'limit', failure, resetAt: null, text: line } : { kind: 'error', failure, text: line };
}

const denial = (tool: string, input: string): SpawnEvent => ({ kind: 'error', failure: null, text: `${tool} was denied${input === '' ? '' : `: ${input}`}` });

function assistant(said: Json, memory: Memory): readonly SpawnEvent[] {
  const message = objectOf(said['message']);
  const blocks = objects(message['content']);
  // The CLI's own words, mostly about a failed request; the result says them again, with the status.
  if (message['model'] === '<synthetic>' && textOrNull(said['error']) === null) return [];
  if (said['is_api_error_message'] === true || message['model'] === '<synthetic>') return [apiError(said, blocks.map((block) => textOf(block['text'])).join('\n'))];
  // A subagent's words are for its caller; what it does and uses is the spawn's.
  const isSub = textOrNull(said['parent_tool_use_id']) !== null;
  return [...blocks.flatMap((block) => contentEvents(block, memory)).filter(({ kind }) => !isSub || kind !== 'text'), ...spending(textOrNull(message['id']), objectOf(message['usage']), memory)];
}

/** The status comes last in older versions, so the name of the error counts as a word. */
function apiError(said: Json, words: string): SpawnEvent {
  const status = typeof said['api_error_status'] === 'number' ? said['api_error_status'] : null;
  const failure = failureOf(status, `${textOf(said['error'])} ${words}`) ?? 'refused';
  return failure === 'rate_limit' || failure === 'overloaded' ? { kind: 'limit', failure, resetAt: null, text: words } : { kind: 'error', failure, text: words };
}

function contentEvents(block: Json, memory: Memory): readonly SpawnEvent[] {
  if (block['type'] === 'text') return textOf(block['text']).trim() === '' ? [] : [{ kind: 'text', text: textOf(block['text']) }];
  if (block['type'] !== 'tool_use') return [];
  const id = textOrNull(block['id']);
  const input = aboutCall(objectOf(block['input']), ABOUT);
  if (id !== null) memory.calls.set(id, input);
  return [{ kind: 'tool', id, name: textOf(block['name']), input }];
}

function user(said: Json): readonly SpawnEvent[] {
  return objects(objectOf(said['message'])['content']).flatMap((block): readonly SpawnEvent[] =>
    (block['type'] === 'tool_result' ? [{ kind: 'tool_result', id: textOrNull(block['tool_use_id']), ok: block['is_error'] !== true, output: outputOf(block['content']).slice(0, OUTPUT_CHARS_MAX) }] : []));
}

function outputOf(content: unknown): string {
  return typeof content === 'string' ? content : objects(content).map((block) => textOf(block['text'])).filter((part) => part !== '').join('\n');
}

/** Told where a subscription is used, with each change: most of them are no limit. */
function rateLimit(said: Json): readonly SpawnEvent[] {
  const info = objectOf(said['rate_limit_info']);
  if (info['status'] !== 'rejected' || info['isUsingOverage'] === true) return [];
  return [{ kind: 'limit', failure: 'rate_limit', resetAt: isoOfSeconds(info['resetsAt'], null), text: `The ${textOf(info['rateLimitType']).replaceAll('_', ' ') || 'usage'} limit is reached.` }];
}

/** Of the stream of an answer only its counts: what it says comes whole in `assistant` lines. */
function streamed(said: Json, memory: Memory): readonly SpawnEvent[] {
  const event = objectOf(said['event']);
  if (event['type'] !== 'message_delta') return [];
  return spending(textOrNull(said['api_message_id']), objectOf(event['usage']), memory);
}

/** The running sum over all answers, for a spawn that is ended before its result. Dollars stand in the result alone. */
function spending(id: string | null, usage: Json, memory: Memory): readonly SpawnEvent[] {
  if (id === null || Object.keys(usage).length === 0) return [];
  const known = memory.spent.get(id) ?? NOTHING;
  const now = tokensOf(usage);
  const most = { input: Math.max(known.input, now.input), cached: Math.max(known.cached, now.cached), output: Math.max(known.output, now.output) };
  if (most.input === known.input && most.cached === known.cached && most.output === known.output) return [];
  memory.spent.set(id, most);
  return [{ kind: 'usage', usage: sum([...memory.spent.values()]), costUsd: null, cumulative: false }];
}

/** Anthropic counts what came from a cache, and what went into one, apart from the rest of the input. */
function tokensOf(usage: Json): Usage {
  const cached = countOf(usage['cache_read_input_tokens']);
  return { input: countOf(usage['input_tokens']) + countOf(usage['cache_creation_input_tokens']) + cached, cached, output: countOf(usage['output_tokens']) };
}

function modelTokensOf(usage: Json): Usage {
  const cached = countOf(usage['cacheReadInputTokens']);
  return { input: countOf(usage['inputTokens']) + countOf(usage['cacheCreationInputTokens']) + cached, cached, output: countOf(usage['outputTokens']) };
}

const sum = (parts: readonly Usage[]): Usage => parts.reduce((a, b) => ({ input: a.input + b.input, cached: a.cached + b.cached, output: a.output + b.output }), NOTHING);

function result(said: Json, memory: Memory): readonly SpawnEvent[] {
  const denied = objects(said['permission_denials']).map((one) => denial(textOf(one['tool_name']), aboutCall(objectOf(one['tool_input']), ABOUT)));
  const ok = said['is_error'] === false;
  const words = textOrNull(said['result']) ?? errorsOf(said['errors']);
  const turns = typeof said['num_turns'] === 'number' ? countOf(said['num_turns']) : null;
  // Another turn of this same process follows: a message was waiting.
  const goesOn = countOf(said['queued_turn_count']) > 0;
  return [...denied, ...total(said, memory), ...(ok ? [] : failure(said, words)), goesOn ? { kind: 'text', text: words } : { kind: 'end', ok, text: words, turns }];
}

/** Without its notes to its own developers. */
function errorsOf(errors: unknown): string {
  return Array.isArray(errors) ? errors.map(textOf).filter((line) => line !== '' && !line.startsWith('[ede_diagnostic]')).join('\n') : '';
}

/**
 * `model_usage_since_last_result` is this process's own, helpers and subagents counted in. Without it (older versions)
 * `modelUsage` and `total_cost_usd` count since the session began; `usage` leaves subagents out.
 */
function total(said: Json, memory: Memory): readonly SpawnEvent[] {
  const since = said['model_usage_since_last_result'];
  if (since !== undefined) {
    const models = Object.values(objectOf(since)).map(objectOf);
    memory.told = { usage: sum([memory.told.usage, ...models.map(modelTokensOf)]), costUsd: models.reduce((all, one) => all + countOf(one['costUSD']), memory.told.costUsd) };
    return [{ kind: 'usage', ...memory.told, cumulative: false }];
  }
  const models = Object.values(objectOf(said['modelUsage'])).map(objectOf);
  const costUsd = typeof said['total_cost_usd'] === 'number' ? countOf(said['total_cost_usd']) : null;
  return [{ kind: 'usage', usage: models.length === 0 ? tokensOf(objectOf(said['usage'])) : sum(models.map(modelTokensOf)), costUsd, cumulative: true }];
}

/** The bounds that we set ourselves count as time that ran out: no other provider would have had more of it. */
function failure(said: Json, words: string): readonly SpawnEvent[] {
  const subtype = textOf(said['subtype']);
  if (subtype === 'error_max_turns' || subtype === 'error_max_budget_usd') return [{ kind: 'error', failure: 'timeout', text: words || `It ended with ${subtype}.` }];
  const status = typeof said['api_error_status'] === 'number' ? said['api_error_status'] : null;
  const ended = [subtype === 'success' ? '' : subtype, textOf(said['terminal_reason'])].filter((part) => part !== '').join(', ') || 'an error';
  // Too much was asked of it: the service is well, and the next task may fit.
  if (said['terminal_reason'] === 'prompt_too_long') return [{ kind: 'error', failure: 'crashed', text: words || `It ended with ${ended}.` }];
  const kind = failureOf(status, words);
  if (kind === 'rate_limit' || kind === 'overloaded') return [{ kind: 'limit', failure: kind, resetAt: null, text: words }];
  return [{ kind: 'error', failure: kind ?? (status === null && subtype === 'error_during_execution' ? 'crashed' : 'refused'), text: words || `It ended with ${ended}.` }];
}
