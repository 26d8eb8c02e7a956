/**
 * codex's `exec --json`, line by line: `thread.started`, `turn.*`, `item.*`, `error`; and of its standard error the lines
 * that say what was refused. `error` lines are no end: it waits and asks again. `turn.completed` and `turn.failed` are.
 * `item.completed` of the type `error` is a notice, whatever its name. Usage counts since the thread began.
 */
import type { SpawnEvent } from '../../model/spawnEvent.ts';
import { failureOf, resetTime } from './failures.ts';
import { aboutCall, countOf, jsonLine, objectOf, ownOf, textOf, textOrNull } from './jsonLine.ts';
import type { Json } from './jsonLine.ts';

const OUTPUT_CHARS_MAX = 8 * 1024;

/** Said under the names of items, so that a person and `changesFiles` know them. */
export const SHELL = 'shell';
export const PATCH = 'apply_patch';

/** When this was printed (ISO): a reset is told as a time of day in `zone`, the machine's own (IANA name). */
export interface CodexMoment {
  readonly at: string;
  readonly zone: string;
}

interface Memory {
  /** What the agent said last: its final message, once the turn is completed. */
  said: string;
  /** Ids of the calls that were told when they began. */
  readonly begun: Set<string>;
}

type Reader = (said: Json, memory: Memory, moment: CodexMoment | null) => readonly SpawnEvent[];

/** Without a moment no reset is told: a reader that follows a log does not know when a line was printed. */
export function codexReader(moment: CodexMoment | null = null): (line: string) => readonly SpawnEvent[] {
  const memory: Memory = { said: '', begun: new Set() };
  return (line) => {
    const said = jsonLine(line);
    return said === null ? refusals(line) : (ownOf(KINDS, textOf(said['type']))?.(said, memory, moment) ?? []);
  };
}

const KINDS: Readonly<Partial<Record<string, Reader>>> = {
  'thread.started': (said) => [{ kind: 'start', session: textOrNull(said['thread_id']), model: null }],
  'item.started': (said, memory) => item(objectOf(said['item']), false, memory),
  'item.completed': (said, memory) => item(objectOf(said['item']), true, memory),
  'turn.completed': (said, memory) => [...usage(said['usage']), { kind: 'end', ok: true, text: memory.said, turns: null }],
  'turn.failed': (said, _memory, moment) => {
    const text = plain(textOf(objectOf(said['error'])['message']));
    return [trouble(text, moment, true), { kind: 'end', ok: false, text, turns: null }];
  },
  error: (said, _memory, moment) => [trouble(plain(textOf(said['message'])), moment, false)],
};

/** A tool that was called wrongly, or that the sandbox refused before it ran, is told on standard error alone. */
function refusals(line: string): readonly SpawnEvent[] {
  const refused = /\bERROR codex_core::tools::router: error=(.+)$/.exec(line)?.[1];
  if (refused !== undefined) return [{ kind: 'error', failure: null, text: `A tool was refused: ${refused}` }];
  const helpers = /Refusing to create helper binaries.*/.exec(line)?.[0];
  return helpers === undefined ? [] : [{ kind: 'error', failure: null, text: `${helpers} ${SANDBOX_HINT}` }];
}

/** Errors of the service come as the JSON that it answered. */
function plain(message: string): string {
  const answer = jsonLine(message);
  return answer === null ? message : (textOrNull(objectOf(answer['error'])['message']) ?? message);
}

/** Without a known cause: the end of a turn is the service's refusal, and what it goes on after is a notice. */
function trouble(text: string, moment: CodexMoment | null, isEnd: boolean): SpawnEvent {
  // The prompt and what was read do not fit: the service is well, and the next task may fit.
  if (isEnd && /context window|too long|input exceeds/i.test(text)) return { kind: 'error', failure: 'crashed', text };
  const failure = /\bat capacity\b/i.test(text) ? 'overloaded' : (failureOf(null, text) ?? (/waiting for network/i.test(text) ? 'refused' : null));
  if (failure === 'rate_limit' || failure === 'overloaded') return { kind: 'limit', failure, resetAt: moment === null ? null : resetTime(`${text.replace(/[.\s]+$/, '')} (${moment.zone})`, moment.at), text };
  return { kind: 'error', failure: failure ?? (isEnd ? 'refused' : null), text: text === '' ? 'codex named no reason.' : text };
}

function usage(value: unknown): readonly SpawnEvent[] {
  const counts = objectOf(value);
  if (Object.keys(counts).length === 0) return [];
  // Reasoning is part of the output, and what came from the cache part of the input.
  return [{ kind: 'usage', usage: { input: countOf(counts['input_tokens']), cached: countOf(counts['cached_input_tokens']), output: countOf(counts['output_tokens']) }, costUsd: null, cumulative: true }];
}

function item(said: Json, isDone: boolean, memory: Memory): readonly SpawnEvent[] {
  const type = textOf(said['type']);
  if (type === 'agent_message') return isDone ? spoken(textOf(said['text']), memory) : [];
  if (type === 'error') return isDone ? notice(textOf(said['message'])) : [];
  const call = callOf(type, said);
  if (call === null) return [];
  const id = textOrNull(said['id']);
  const tool: SpawnEvent = { kind: 'tool', id, ...call };
  if (!isDone) {
    if (id !== null) memory.begun.add(id);
    return [tool];
  }
  const ok = /^(completed|success)?$/.test(textOf(said['status'])) && (typeof said['exit_code'] !== 'number' || said['exit_code'] === 0);
  const output = outputOf(said).slice(0, OUTPUT_CHARS_MAX);
  return [...(id !== null && memory.begun.has(id) ? [] : [tool]), { kind: 'tool_result', id, ok, output }, ...(ok ? [] : sandboxed(output, call.input))];
}

function spoken(text: string, memory: Memory): readonly SpawnEvent[] {
  memory.said = text;
  return text.trim() === '' ? [] : [{ kind: 'text', text }];
}

/** How our own hooks run is our own wish, said back. */
const OWN_HOOKS = /--dangerously-bypass-hook-trust|^clamping \w+ hook timeout/;

function notice(text: string): readonly SpawnEvent[] {
  return text === '' || OWN_HOOKS.test(text) ? [] : [{ kind: 'error', failure: null, text }];
}

function callOf(type: string, said: Json): { readonly name: string; readonly input: string } | null {
  switch (type) {
    case 'command_execution':
      return { name: SHELL, input: oneLine(textOf(said['command'])) };
    case 'file_change':
      return { name: PATCH, input: oneLine((Array.isArray(said['changes']) ? said['changes'] : []).map(objectOf).map((change) => `${textOf(change['kind'])} ${textOf(change['path'])}`).join(', ')) };
    case 'mcp_tool_call':
      return { name: `${textOf(said['server'])}.${textOf(said['tool'])}`, input: aboutCall(objectOf(said['arguments']), []) };
    case 'web_search':
      return { name: 'web_search', input: oneLine(textOf(said['query'])) };
    default:
      return type.endsWith('_call') ? { name: textOrNull(said['tool']) ?? type, input: '' } : null;
  }
}

const oneLine = (text: string): string => aboutCall({ text }, ['text']);

function outputOf(said: Json): string {
  return textOrNull(said['aggregated_output']) ?? textOrNull(objectOf(said['error'])['message']) ?? textOf(said['error']);
}

export const SANDBOX_HINT = 'Where this machine cannot nest sandboxes, switch codex\'s own off: `providers: { codex: { env: { CAMBIUM_CODEX_SANDBOX: none } } }` in cambium.yaml.';

/** The exit status of codex stays 0, and the agent may take the refusal for the world. */
function sandboxed(output: string, input: string): readonly SpawnEvent[] {
  const broken = /^.*(?:\bbwrap: |codex-linux-sandbox|landlock|seccomp).*$/im.exec(output)?.[0];
  if (broken !== undefined) return [{ kind: 'error', failure: null, text: `The sandbox of codex failed: ${broken.trim()} ${SANDBOX_HINT}` }];
  const refused = /^.*(?:Read-only file system|Operation not permitted|EROFS|EPERM).*$/m.exec(output)?.[0];
  return refused === undefined ? [] : [{ kind: 'error', failure: null, text: `The sandbox refused \`${input}\`: ${refused.trim()}` }];
}
