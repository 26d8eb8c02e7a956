/**
 * The Gemini CLI's `-o stream-json`, line by line: `init`, `message` (the answer in pieces), `tool_use`, `tool_result`,
 * `error` (mostly warnings) and at last `result`, whose `status` decides. What goes wrong before a session exists
 * (credentials, a session that is not there) stands on standard error only, as text.
 */
import type { FailureKind } from '../../model/spawn.ts';
import type { SpawnEvent } from '../../model/spawnEvent.ts';
import type { Usage } from '../../model/task.ts';
import { failureOf, resetTime } from './failures.ts';
import { aboutCall, countOf, jsonLine, objectOf, ownOf, textOf, textOrNull } from './jsonLine.ts';
import type { Json } from './jsonLine.ts';
import { uncolored } from './plainReader.ts';

const OUTPUT_CHARS_MAX = 8 * 1024;
const ABOUT = ['command', 'file_path', 'dir_path', 'path', 'pattern', 'query', 'prompt', 'url', 'agent_name', 'name'];

interface Memory {
  /** What the model has said since its last call of a tool: at the end, its final words. */
  final: string;
  /** The part of it that is no whole line yet. */
  held: string;
  ended: boolean;
  /** What each call is about, by its id: a refusal names the id alone. */
  readonly calls: Map<string, string>;
  readonly status: number | null;
}

type Reader = (said: Json, memory: Memory) => readonly SpawnEvent[];

const KINDS: Readonly<Partial<Record<string, Reader>>> = {
  init: (said) => [{ kind: 'start', session: textOrNull(said['session_id']), model: textOrNull(said['model']) }],
  message, tool_use: toolUse, tool_result: toolResult, error: errorLine, result,
};

/** `status`: the HTTP status of the service's last answer where the exit of the CLI has told it already. */
export function geminiReader(status: number | null = null): (line: string) => readonly SpawnEvent[] {
  const memory: Memory = { final: '', held: '', ended: false, calls: new Map(), status };
  return (line) => {
    if (memory.ended) return [];
    const said = jsonLine(line);
    return said === null ? plainLine(line) : (ownOf(KINDS, textOf(said['type']))?.(said, memory) ?? []);
  };
}

/** Pieces are handed on by whole lines: a word each would be a line each in a log. */
function message(said: Json, memory: Memory): readonly SpawnEvent[] {
  if (said['role'] !== 'assistant') return [];
  memory.final += textOf(said['content']);
  memory.held += textOf(said['content']);
  const cut = memory.held.lastIndexOf('\n') + 1;
  const whole = memory.held.slice(0, cut);
  memory.held = memory.held.slice(cut);
  return textEvents(whole);
}

const textEvents = (text: string): readonly SpawnEvent[] => (text.trim() === '' ? [] : [{ kind: 'text', text: text.trim() }]);

function rest(memory: Memory): readonly SpawnEvent[] {
  const text = memory.held;
  memory.held = '';
  return textEvents(text);
}

function toolUse(said: Json, memory: Memory): readonly SpawnEvent[] {
  const id = textOrNull(said['tool_id']);
  const name = textOf(said['tool_name']);
  const input = aboutCall(objectOf(said['parameters']), ABOUT);
  if (id !== null) memory.calls.set(id, `${name}${input === '' ? '' : ` (${input})`}`);
  const before = rest(memory);
  memory.final = '';
  return [...before, { kind: 'tool', id, name, input }];
}

/** The model was told so and went on: a reason to look, and no failure. */
const REFUSED_TOOL = /not found\. Did you mean|requires user confirmation|denied by policy|not in workspace|outside the allowed workspace/i;
const REFUSED_TYPES: readonly string[] = ['tool_not_registered', 'policy_violation', 'permission_denied', 'path_not_in_workspace'];

function toolResult(said: Json, memory: Memory): readonly SpawnEvent[] {
  const id = textOrNull(said['tool_id']);
  const error = objectOf(said['error']);
  const output = textOrNull(said['output']) ?? textOf(error['message']);
  const ok = said['status'] === 'success';
  const refused = !ok && (REFUSED_TYPES.includes(textOf(error['type'])) || REFUSED_TOOL.test(output));
  const about = memory.calls.get(id ?? '') ?? 'A tool';
  return [{ kind: 'tool_result', id, ok, output: output.slice(0, OUTPUT_CHARS_MAX) }, ...(refused ? [{ kind: 'error', failure: null, text: `${about} was refused: ${output}` } as const] : [])];
}

/** An answer that the CLI could not use ends the run with it; a loop that it broke off, or a hook that stopped it, does not. */
function errorLine(said: Json, memory: Memory): readonly SpawnEvent[] {
  const text = textOf(said['message']);
  return [...rest(memory), { kind: 'error', failure: said['severity'] === 'error' ? unusable(text) : null, text }];
}

function unusable(text: string): FailureKind {
  if (/empty (?:text )?response|no final response/i.test(text)) return 'empty';
  return /session turns/i.test(text) ? 'timeout' : 'refused';
}

function result(said: Json, memory: Memory): readonly SpawnEvent[] {
  memory.ended = true;
  const ok = said['status'] === 'success';
  const error = objectOf(said['error']);
  const words = textOf(error['message']);
  const trouble = ok || words === '' ? [] : [troubleOf(textOf(error['type']), words, textOf(said['timestamp']), memory.status)];
  return [...rest(memory), { kind: 'usage', usage: usageOf(objectOf(said['stats'])), costUsd: null, cumulative: false }, ...trouble, { kind: 'end', ok, text: ok ? memory.final.trim() : words, turns: null }];
}

/** `input_tokens` has the cached ones in it; thoughts are counted in the total alone, and paid as output. */
function usageOf(stats: Json): Usage {
  const input = countOf(stats['input_tokens']);
  return { input, cached: countOf(stats['cached']), output: Math.max(countOf(stats['output_tokens']), countOf(stats['total_tokens']) - input) };
}

/** The CLI's own errors by their type. A bound that we set ourselves counts as time that ran out. */
const TYPES: ReadonlyMap<string, FailureKind> = new Map([
  ['FatalTurnLimitedError', 'timeout'], ['FatalAuthenticationError', 'auth'], ['FatalCancellationError', 'crashed'], ['FatalUntrustedWorkspaceError', 'denied'],
]);

function troubleOf(type: string, words: string, at: string, status: number | null): SpawnEvent {
  // What follows the brackets is advice; it speaks of quota whatever the error was.
  const inside = /^\[API Error: ([\s\S]*?)\](?:\n|$)/.exec(words)?.[1];
  const answer = apiAnswer(inside ?? words);
  const failure = TYPES.get(type) ?? failureOf(answer.status ?? status, answer.text) ?? (inside === undefined ? 'crashed' : 'refused');
  return eventOf(failure, words, resetTime(answer.wait, at));
}

function eventOf(failure: FailureKind, text: string, resetAt: string | null): SpawnEvent {
  return failure === 'rate_limit' || failure === 'overloaded' ? { kind: 'limit', failure, resetAt, text } : { kind: 'error', failure, text };
}

interface ApiAnswer {
  readonly status: number | null;
  readonly text: string;
  /** The sentence that says how long to wait. */
  readonly wait: string;
}

/** The service's answer as it came, where the CLI passes it on, else what the CLI says of it. */
function apiAnswer(text: string): ApiAnswer {
  const error = objectOf(jsonLine(text)?.['error']);
  const delay = /"retryDelay"\s*:\s*"([\d.]+m?s)"/.exec(text)?.[1];
  const wait = delay === undefined ? text.replaceAll(/(\d[hm])(?=\d)/g, '$1 ') : `retry after ${delay}`;
  return { status: typeof error['code'] === 'number' ? error['code'] : null, text: `${textOf(error['status'])} ${textOrNull(error['message']) ?? text}`, wait };
}

/** Statuses of services that the CLI may end with: it exits with the status, of which a byte is left. */
const STATUSES: readonly number[] = [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 499, 500, 501, 502, 503, 504, 529];

/** Its own exits, for what goes wrong before there is a session to tell of it, and for bounds. */
const OWN_EXITS: ReadonlyMap<number | null, FailureKind> = new Map([[41, 'auth'], [42, 'refused'], [53, 'timeout'], [55, 'denied']]);

/** Null where the exit is the CLI's own. */
export function statusOfExit(exit: number | null): number | null {
  if (exit === null || exit <= 1 || OWN_EXITS.has(exit)) return null;
  return STATUSES.find((status) => status % 256 === exit) ?? null;
}

/** What an exit means where no line said it. */
export const failureOfExit = (exit: number | null): FailureKind | null => OWN_EXITS.get(exit) ?? null;

/** Standard error: most of it is chatter and stack traces. */
const SAYINGS: readonly (readonly [FailureKind, RegExp])[] = [
  ['auth', /^(?:Please set an Auth method|When using (?:Gemini API|Vertex AI), you must|Error authenticating:|Manual authorization is required)/],
  ['refused', /^Error (?:resuming|starting) session:/],
  ['denied', /^Gemini CLI is not running in a trusted directory/],
];

function plainLine(line: string): readonly SpawnEvent[] {
  const text = uncolored(line).trim();
  const attempt = /^Attempt \d+ failed(?: with status (\d{3}))?/.exec(text);
  // Only where nothing comes after it was this the end. How long it waits stands on a line of its own.
  if (/^Suggested retry after \d/.test(text)) return [eventOf('rate_limit', text, null)];
  if (attempt !== null) return [eventOf(failureOf(attempt[1] === undefined ? null : Number(attempt[1]), text) ?? 'refused', text, null)];
  const failure = SAYINGS.find(([, words]) => words.test(text))?.[0];
  return failure === undefined ? [] : [{ kind: 'error', failure, text }];
}
