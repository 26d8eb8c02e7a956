/** Gemini, as the Gemini CLI speaks it: `POST /v1beta/models/<model>:streamGenerateContent?alt=sse` and `:generateContent`. */
import { createHash } from 'node:crypto';
import type { Answer, Asked, Dialect, Failure, Incoming, Reply } from './script.ts';
import { USAGE } from './script.ts';
import { toolUse } from './tools.ts';
import { eventStream, json, lastRound, pieces, textOf, type Round } from './wire.ts';

interface Part {
  readonly text?: string;
  readonly functionCall?: { readonly name: string };
  readonly functionResponse?: { readonly id?: string; readonly name: string; readonly response?: unknown };
}

interface Content {
  readonly role?: string;
  readonly parts?: readonly Part[];
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly string[];
}

interface Body {
  readonly contents?: readonly Content[];
  readonly systemInstruction?: Content;
  readonly tools?: readonly { readonly functionDeclarations?: readonly { readonly name: string }[] }[];
  readonly generationConfig?: { readonly responseMimeType?: string; readonly responseJsonSchema?: Schema; readonly responseSchema?: Schema };
}

const KINDS: Readonly<Record<number, string>> = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE', 529: 'UNAVAILABLE' };

export const gemini: Dialect = {
  name: 'gemini',
  matches: (path) => /^\/v1(beta)?\/models\/[^/]+:(streamGenerateContent|generateContent|countTokens)$/.test(path),
  read,
  say: (asked, reply) => (asked.path.endsWith(':streamGenerateContent') ? streamed(asked, reply) : json(200, chunk(asked, partsOf(asked, reply), reply, true))),
  saySide,
  fail,
};

/** The CLI's own words; a hook's context is in one part with the prompt, before or after it. */
const OWN_WORDS = /<(session_context|hook_context)>[^]*?<\/\1>\s*/g;

function read(incoming: Incoming): Asked {
  const body = incoming.body as Body;
  const contents = body.contents ?? [];
  const parts = contents.filter(({ role }) => role === 'user').flatMap((content) => content.parts ?? []);
  const context = parts.flatMap((part) => textOf(part).match(OWN_WORDS) ?? []).join('\n');
  const round = lastRound(contents.flatMap(roundsOf));
  const tools = (body.tools ?? []).flatMap(({ functionDeclarations = [] }) => functionDeclarations.map(({ name }) => name));
  return {
    dialect: 'gemini', side: sideOf(incoming.path, body, tools), method: incoming.method, path: incoming.path, headers: incoming.headers, body: incoming.body, model: /models\/([^:]+):/.exec(incoming.path)?.[1] ?? '',
    conversation: createHash('sha256').update(round.prompts[0] ?? '').digest('hex').slice(0, 16), system: textOf(body.systemInstruction?.parts), context, ...round, tools,
    cwd: /Workspace Directories:\**\s*\n\s*- (.+)/.exec(context)?.[1]?.trim() ?? null,
  };
}

/** Everything without tools is a question beside the turn: routing, who speaks next, a summary. */
function sideOf(path: string, body: Body, tools: readonly string[]): string | null {
  if (path.endsWith(':countTokens')) return 'tokens';
  if (tools.length > 0) return null;
  const asked = Object.keys(schemaOf(body)?.properties ?? {});
  if (asked.includes('complexity_score') || asked.includes('model_choice')) return 'router';
  return asked.includes('next_speaker') ? 'next speaker' : body.generationConfig?.responseMimeType === 'application/json' ? 'json' : 'text';
}

const schemaOf = (body: Body): Schema | undefined => body.generationConfig?.responseJsonSchema ?? body.generationConfig?.responseSchema;

function roundsOf(content: Content): readonly Round[] {
  if (content.role === 'model') return [{ kind: 'reply' }];
  const parts = content.parts ?? [];
  const results = parts.flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [{ kind: 'result', result: { id: functionResponse.id ?? functionResponse.name, text: JSON.stringify(functionResponse.response), isError: hasError(functionResponse.response) } } as const]));
  const said = parts.map((part) => textOf(part).replace(OWN_WORDS, '')).filter((text) => text.trim() !== '').join('\n');
  return [...results, ...(said === '' ? [] : [{ kind: 'prompt', text: said } as const])];
}

const hasError = (response: unknown): boolean => typeof response === 'object' && response !== null && 'error' in response;

function saySide(asked: Asked): Answer {
  if (asked.side === 'tokens') return json(200, { totalTokens: USAGE.input });
  const schema = schemaOf(asked.body as Body);
  return gemini.say(asked, { text: schema === undefined ? 'ok' : JSON.stringify(filled(schema)), usage: { input: 1, output: 1 } });
}

/** The least that a schema admits; nobody is asked to speak next but the user. */
function filled(schema: Schema): unknown {
  const kind = (schema.type ?? '').toLowerCase();
  if (kind === 'object') return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, of]) => [name, name === 'next_speaker' ? 'user' : filled(of)]));
  if (kind === 'integer' || kind === 'number') return 1;
  if (kind === 'boolean') return false;
  return kind === 'array' ? [] : (schema.enum?.[0] ?? 'scripted');
}

function partsOf(asked: Asked, reply: Reply): readonly Record<string, unknown>[] {
  const calls = (reply.calls ?? []).map((call) => toolUse(call, asked)).map(({ name, input }) => ({ functionCall: { name, args: input } }));
  return [...(reply.text === undefined ? [] : pieces(reply.text, reply).map((text) => ({ text }))), ...calls];
}

function chunk(asked: Asked, parts: readonly Record<string, unknown>[], reply: Reply, isLast: boolean): Record<string, unknown> {
  const { input, output, cached = 0 } = reply.usage ?? USAGE;
  const usageMetadata = { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output, ...(cached === 0 ? {} : { cachedContentTokenCount: cached }) };
  return { candidates: [{ index: 0, content: { role: 'model', parts }, ...(isLast ? { finishReason: 'STOP' } : {}) }], ...(isLast ? { usageMetadata } : {}), modelVersion: asked.model, responseId: 'scripted' };
}

function streamed(asked: Asked, reply: Reply): Answer {
  const parts = partsOf(asked, reply);
  return eventStream(parts.map((part, index) => chunk(asked, [part], reply, index === parts.length - 1)));
}

/** A spent quota names a daily limit: the CLI ends on that, and waits for a limit by the minute. */
function fail(failure: Failure): Answer {
  const quotaId = failure.exhausted === true ? 'GenerateRequestsPerDayPerProjectPerModel-FreeTier' : 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier';
  const quota = failure.fail === 429 ? [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaMetric: 'generativelanguage.googleapis.com/generate_content_requests', quotaId, quotaValue: '1' }] }] : [];
  const retry = failure.retryAfterS === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${failure.retryAfterS}s` }];
  const status = KINDS[failure.fail] ?? 'UNKNOWN';
  return json(failure.fail, { error: { code: failure.fail, message: failure.message ?? `scripted ${status}`, status, details: [...quota, ...retry] } });
}
