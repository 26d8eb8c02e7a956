/**
 * opencode's `run --format json`, line by line: `step_start`, `text`, `tool_use`, `step_finish`, `error`; and of its log on
 * standard error the lines about the service, which it asks again without a word on standard output.
 * It has no terminal event of its own: a step that ends for another reason than calls of tools is the last one.
 */
import type { SpawnEvent } from '../../model/spawnEvent.ts';
import type { Usage } from '../../model/task.ts';
import { failureOf, resetTime } from './failures.ts';
import { aboutCall, countOf, jsonLine, objectOf, ownOf, textOf, textOrNull } from './jsonLine.ts';
import type { Json } from './jsonLine.ts';

const OUTPUT_CHARS_MAX = 8 * 1024;
const ABOUT = ['command', 'filePath', 'pattern', 'path', 'url', 'query', 'description', 'prompt'];
/** Reasons of a last step that has not said all: a local model's unknown one is taken for an end. */
const CUT_SHORT: readonly string[] = ['length', 'content-filter', 'error'];

interface Memory {
  started: boolean;
  /** What was said in this step; the last step's is the final message. */
  said: readonly string[];
  usage: Usage;
  costUsd: number;
}

type Reader = (said: Json, memory: Memory, at: string | null) => readonly SpawnEvent[];

/** `at` (ISO): when this was printed, for services that say how long to wait; null for a reader that follows a log and does not know. */
export function opencodeReader(at: string | null = null): (line: string) => readonly SpawnEvent[] {
  const memory: Memory = { started: false, said: [], usage: { input: 0, cached: 0, output: 0 }, costUsd: 0 };
  return (line) => {
    const said = jsonLine(line);
    if (said === null) return logged(line);
    const read = ownOf(KINDS, textOf(said['type']));
    return read === undefined ? [] : [...started(said, memory), ...read(said, memory, at)];
  };
}

/** Every line names the session; the first one tells it. */
function started(said: Json, memory: Memory): readonly SpawnEvent[] {
  const session = textOrNull(said['sessionID']);
  if (memory.started || session === null) return [];
  memory.started = true;
  return [{ kind: 'start', session, model: null }];
}

const KINDS: Readonly<Partial<Record<string, Reader>>> = {
  step_start: (_said, memory) => {
    memory.said = [];
    return [];
  },
  text: (said, memory) => {
    const text = textOf(objectOf(said['part'])['text']);
    if (text.trim() === '') return [];
    memory.said = [...memory.said, text];
    return [{ kind: 'text', text }];
  },
  tool_use: (said) => call(objectOf(said['part'])),
  step_finish: (said, memory) => finish(objectOf(said['part']), memory),
  error: (said, _memory, at) => failed(objectOf(said['error']), at),
};

/** A call comes whole, with its result. A command's own exit status is told, and ends nothing. */
function call(part: Json): readonly SpawnEvent[] {
  const state = objectOf(part['state']);
  const id = textOrNull(part['callID']);
  const name = textOf(part['tool']);
  const input = aboutCall(objectOf(state['input']), ABOUT);
  const exit = objectOf(state['metadata'])['exit'];
  const ok = state['status'] === 'completed' && (typeof exit !== 'number' || exit === 0);
  const output = (textOrNull(state['output']) ?? textOf(state['error'])).slice(0, OUTPUT_CHARS_MAX);
  const denied = state['status'] === 'error' && /rejected permission|rule which prevents|permission/i.test(textOf(state['error']));
  return [
    { kind: 'tool', id, name, input }, { kind: 'tool_result', id, ok, output },
    ...(denied ? [{ kind: 'error', failure: null, text: `${name} was denied${input === '' ? '' : `: ${input}`}` } as const] : []),
  ];
}

function finish(part: Json, memory: Memory): readonly SpawnEvent[] {
  const { input, cached, output } = memory.usage;
  const tokens = objectOf(part['tokens']);
  const cache = objectOf(tokens['cache']);
  // It counts what came from the cache, what went into it, and reasoning apart.
  memory.usage = {
    input: input + countOf(tokens['input']) + countOf(cache['read']) + countOf(cache['write']), cached: cached + countOf(cache['read']),
    output: output + countOf(tokens['output']) + countOf(tokens['reasoning']),
  };
  memory.costUsd += countOf(part['cost']);
  return [{ kind: 'usage', usage: memory.usage, costUsd: Math.round(memory.costUsd * 1e8) / 1e8, cumulative: false }, ...last(textOf(part['reason']), memory.said.join('\n\n'))];
}

function last(reason: string, text: string): readonly SpawnEvent[] {
  if (reason === 'tool-calls') return [];
  if (!CUT_SHORT.includes(reason)) return [{ kind: 'end', ok: true, text, turns: null }];
  const why = reason === 'length' ? 'Its answer was cut off at the longest that the model gives.' : `Its answer ended with \`${reason}\`.`;
  return [{ kind: 'error', failure: 'crashed', text: why }, { kind: 'end', ok: false, text, turns: null }];
}

function failed(error: Json, at: string | null): readonly SpawnEvent[] {
  const data = objectOf(error['data']);
  const text = textOrNull(data['message']) ?? textOrNull(error['name']) ?? 'opencode named no reason.';
  const status = typeof data['statusCode'] === 'number' ? data['statusCode'] : null;
  const name = textOf(error['name']);
  const end: SpawnEvent = { kind: 'end', ok: false, text, turns: null };
  if (/ContextOverflow|OutputLength|Aborted/.test(name)) return [{ kind: 'error', failure: 'crashed', text }, end];
  // What it says of an error of its own is that the log has it: the line before named the cause.
  if (status === null && /check server logs/i.test(text)) return [end];
  const failure = name === 'ProviderAuthError' ? 'auth' : (failureOf(status, `${text} ${textOf(data['responseBody'])}`) ?? 'refused');
  if (failure !== 'rate_limit' && failure !== 'overloaded') return [{ kind: 'error', failure, text }, end];
  return [{ kind: 'limit', failure, resetAt: at === null ? null : (retryTime(objectOf(data['responseHeaders']), at) ?? resetTime(text, at)), text }, end];
}

/** `retry-after` in seconds, or as a date. */
function retryTime(headers: Json, at: string): string | null {
  const said = textOf(headers['retry-after']);
  if (/^\d+(\.\d+)?$/.test(said)) return resetTime(`retry after ${said} s`, at);
  const date = said === '' ? Number.NaN : Date.parse(said);
  return Number.isNaN(date) ? null : resetTime(new Date(date).toISOString(), at);
}

/** `level=ERROR … message="stream error" … error.error="AI_APICallError: …"`; about titles nobody needs to hear. */
function logged(line: string): readonly SpawnEvent[] {
  if (!/\blevel=ERROR\b/.test(line) || /\bsmall=true\b/.test(line)) return [];
  const text = textOrNull(/\berror(?:\.error)?=("(?:[^"\\]|\\.)*"|\S+)/.exec(line)?.[1]?.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1'));
  if (text === null) return [];
  if (/ModelNotFound|ProviderNotFound|Model not found/i.test(text)) return [{ kind: 'error', failure: 'refused', text }];
  if (!/message="stream error"/.test(line)) return [];
  // It asks again only what may pass: what names no cause is the service's own trouble.
  const failure = failureOf(null, text) ?? 'overloaded';
  return failure === 'rate_limit' || failure === 'overloaded' ? [{ kind: 'limit', failure, resetAt: null, text }] : [{ kind: 'error', failure, text }];
}
