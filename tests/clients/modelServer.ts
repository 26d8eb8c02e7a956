/**
 * A scripted model on loopback: Anthropic Messages, OpenAI Responses and Gemini on one port, so that one script drives
 * Claude Code, codex and the Gemini CLI (and opencode, by its Anthropic provider).
 *
 *   const server = await modelServer([{ tool: 'write', path: 'a.txt', text: 'a\n' }, { tool: 'bash', command: 'ls' }, { text: 'written' }]);
 *   … ANTHROPIC_BASE_URL=server.url | codex base_url=`${server.url}/v1` | GOOGLE_GEMINI_BASE_URL=server.url …
 *   server.turns()          what the agent asked, oldest first: prompt, system, tools, results
 *   server.answer(script)   another script from now on
 *   await server.asked(({ prompt }) => prompt.includes('b'))   the first such request, also one that is still to come
 *   server.outage({ fail: 503 })   from now on every request meets this, also those beside turns; null ends it
 *   await server.close()    ends hung requests too
 *
 * A step is a reply, a bare call or a fault; script.ts has their fields and says how a list is walked. What a CLI asks
 * beside its turns (titles, routing, token counts) is answered harmlessly and never by the script: `server.sides()`.
 * A request of no known API is answered 404 and stands in `server.strangers`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { anthropic } from './anthropic.ts';
import { gemini } from './gemini.ts';
import { openai } from './openai.ts';
import { isFault, replyOf, type Answer, type Asked, type Dialect, type Fault, type Script, type Step } from './script.ts';

export interface ModelServer {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  turns(): readonly Asked[];
  sides(): readonly Asked[];
  /** `GET /…` for each request of an API that no dialect knows. */
  readonly strangers: readonly string[];
  answer(script: Script): void;
  /** A fault of the whole API, over any script. Its `times` are not counted. */
  outage(fault: Fault | null): void;
  /** The first turn that fits, of those so far or to come. */
  asked(fits: (asked: Asked) => boolean): Promise<Asked>;
  close(): Promise<void>;
}

interface State {
  script: Script;
  outage: Fault | null;
  readonly requests: Asked[];
  readonly strangers: string[];
  /** How often a fault with `times` has been given, by conversation and place. */
  readonly given: Map<string, number>;
  readonly waiting: Set<(asked: Asked) => void>;
}

const DIALECTS: readonly Dialect[] = [anthropic, openai, gemini];

/** Listens until `close`; it keeps no process alive that would otherwise end. */
export async function modelServer(script: Script): Promise<ModelServer> {
  const state: State = { script, outage: null, requests: [], strangers: [], given: new Map(), waiting: new Set() };
  const server = createServer((request, response) => void handle(state, request, response).catch((error: unknown) => broken(response, error)));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const turns = (): readonly Asked[] => state.requests.filter(({ side }) => side === null);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    turns,
    sides: () => state.requests.filter(({ side }) => side !== null),
    strangers: state.strangers,
    answer: (next) => void (state.script = next),
    outage: (fault) => void (state.outage = fault),
    asked: (fits) => waitFor(state, turns(), fits),
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

/** A script that throws is a mistake of the test: 500 would be retried in silence, so its message goes out as a 400. */
function broken(response: ServerResponse, error: unknown): void {
  const message = `The script failed: ${String(error)}`;
  if (!response.headersSent) response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { type: 'invalid_request_error', message } }));
  else response.destroy();
}

function waitFor(state: State, turns: readonly Asked[], fits: (asked: Asked) => boolean): Promise<Asked> {
  const found = turns.find(fits);
  if (found !== undefined) return Promise.resolve(found);
  return new Promise((resolve) => {
    const look = (asked: Asked): void => {
      if (asked.side !== null || !fits(asked)) return;
      state.waiting.delete(look);
      resolve(asked);
    };
    state.waiting.add(look);
  });
}

async function handle(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://loopback').pathname;
  const method = request.method ?? 'GET';
  const text = await bodyOf(request);
  const dialect = DIALECTS.find(({ matches }) => matches(path));
  if (dialect === undefined) {
    state.strangers.push(`${method} ${path}`);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    return;
  }
  const asked = dialect.read({ method, path, headers: headersOf(request), body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) });
  state.requests.push(asked);
  const step = state.outage ?? (asked.side === null ? stepFor(state, asked) : null);
  for (const look of state.waiting) look(asked);
  if (step === null) return send(response, dialect.saySide(asked));
  if (!isFault(step)) return send(response, dialect.say(asked, replyOf(step)), replyOf(step).dribbleMs);
  if ('fail' in step) return send(response, dialect.fail(step));
  if ('drop' in step) return cut(response, dialect.say(asked, step.drop));
  // Hangs: the socket stays open until the client or `close` ends it.
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

const headersOf = (request: IncomingMessage): Readonly<Record<string, string>> => Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));

function stepFor(state: State, asked: Asked): Step {
  const chosen = typeof state.script === 'function' ? state.script(asked) : state.script;
  const steps = Array.isArray(chosen) ? (chosen as readonly Step[]) : [chosen as Step];
  let left = Array.isArray(chosen) ? asked.replies : 0;
  for (const [place, step] of steps.entries()) {
    if (isFault(step) && step.times !== undefined) {
      if (left === 0 && isDue(state, asked, step, place)) return step;
    } else if (left === 0) return step;
    else left -= 1;
  }
  return { text: 'done' };
}

/** Counts a fault as given; false once it has been given as often as it should. */
function isDue(state: State, asked: Asked, fault: Fault, place: number): boolean {
  const key = JSON.stringify([asked.dialect, asked.conversation, asked.prompts.length, place]);
  const given = state.given.get(key) ?? 0;
  if (given >= (fault.times ?? 0)) return false;
  state.given.set(key, given + 1);
  return true;
}

async function send(response: ServerResponse, answer: Answer, dribbleMs?: number): Promise<void> {
  response.writeHead(answer.status, answer.headers);
  for (const piece of answer.pieces) {
    response.write(piece);
    if (dribbleMs !== undefined) await new Promise((resolve) => void setTimeout(resolve, dribbleMs));
  }
  response.end();
}

function cut(response: ServerResponse, answer: Answer): void {
  const whole = answer.pieces.join('');
  response.writeHead(answer.status, answer.headers);
  response.write(whole.slice(0, Math.ceil(whole.length / 2)), () => void response.destroy());
}
