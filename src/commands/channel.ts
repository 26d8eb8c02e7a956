/** `cambium send` and `cambium channel list|read|tail`. */
import { readInput } from '../adapters/system/files.ts';
import { CambiumError } from '../errors.ts';
import { placeName } from '../model/talk.ts';
import type { Message, Place } from '../model/talk.ts';
import { answersTo, calledBy, listChannels, readChannel } from '../workspace/channels.ts';
import { createSystemClock } from '../adapters/system/clock.ts';
import { writeMessage } from '../workspace/messages.ts';
import { plain } from '../workspace/plain.ts';
import { daemonRuns, withSession } from '../workspace/session.ts';
import type { Session } from '../workspace/session.ts';
import { paint, table } from './output.ts';
import type { Answer } from './output.ts';

export interface SendOptions {
  readonly channel?: string | undefined;
  readonly to?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly agent?: string | undefined;
  /** Milliseconds to wait for the answers; true waits for `WAIT_MS`. */
  readonly wait?: number | true | undefined;
}

const WAIT_MS = 900_000;
const LOOK_MS = 500;

/** `#design @prime …` names the channel first; `-` reads the text from standard input. */
export async function sendCommand(given: string, options: SendOptions): Promise<Answer> {
  const whole = given === '-' ? await readInput('-') : given;
  const leading = /^\s*#([a-z0-9][a-z0-9_-]*)(?:\s+|$)/.exec(whole);
  const named = options.channel === undefined && options.to === undefined ? leading : null;
  const text = named === null ? whole : whole.slice(named[0].length);
  const channel = options.channel ?? named?.[1];
  const place: Place = options.to === undefined ? { channel: channel ?? 'general' } : { inbox: options.to };
  const { replyTo, to } = options;
  const sent = await withSession({ needsHub: true }, async (session) => {
    const { id, path } = await writeMessage(session, options.agent, text, { ...(to === undefined ? { channel: channel ?? 'general' } : { to }), ...(replyTo === undefined ? {} : { replyTo }) });
    const fleet = await session.clone.fleets.read(session.clone.mirror.known());
    const called = await calledBy({ ...session, fleet }, id);
    return { id, path, called: called.agents, unwoken: called.unwoken, daemon: await daemonRuns(session.clone) };
  });
  const unwoken = sent.unwoken.map(({ name, reason }) => `  @${plain(name)}: ${plain(reason)}`);
  if (options.wait === undefined || sent.called.length === 0) return { data: sent, text: [`Said in ${placeName(place)}: ${sent.path}`, ...calledText(sent.called, sent.daemon), ...unwoken].join('\n') };
  const { answers, waiting } = await waitForAnswers(sent.id, place, options.wait === true ? WAIT_MS : options.wait);
  const lines = [...unwoken, ...answers.map((message) => messageText(message)), ...(waiting.length === 0 ? [] : [`No answer yet from ${waiting.join(', ')}: see \`cambium channel read ${'channel' in place ? place.channel : `@${place.inbox}`}\`.`])];
  return { data: { ...sent, answers, waiting }, text: lines.join('\n'), exit: waiting.length === 0 ? 0 : 75 };
}

function calledText(called: readonly string[], daemon: boolean): readonly string[] {
  if (called.length === 0) return [];
  return [`  It calls ${called.join(', ')}${daemon ? '.' : '; no daemon runs in this clone, so who runs them on another node answers (or start one: `cambium up`).'}`];
}

/** Looks again and again: a daemon of this clone keeps its view fresh, so that looking asks no hub. */
async function waitForAnswers(id: string, place: Place, forMs: number): Promise<{ readonly answers: readonly Message[]; readonly waiting: readonly string[] }> {
  const clock = createSystemClock();
  const untilMs = clock.bootMs() + forMs;
  for (;;) {
    const seen = await withSession({ needsHub: false }, (session) => answersTo(session, id, place));
    if (seen.waiting.length === 0 || clock.bootMs() >= untilMs) return seen;
    await clock.sleep(LOOK_MS);
  }
}

/** `design`, `#design` or `@prime` for an inbox. */
function placeNamed(name: string): Place {
  if (name.startsWith('@')) return { inbox: name.slice(1) };
  const channel = name.replace(/^#/, '');
  if (channel === '') throw new CambiumError('usage', 'Which channel?', { hint: 'Name it: `cambium channel read design`, or an inbox: `cambium channel read @worker-1`.' });
  return { channel };
}

export function channelsCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const channels = await listChannels(session);
    const rows = channels.map(({ name, messages, last, waiting, awake }) => [name, `${messages} message${messages === 1 ? '' : 's'}`, last ?? '', [...awake.map(({ agent, node }) => `${agent} answers on ${node}`), ...waiting.map((agent) => `${agent} is called`)].join(', ')].map(plain));
    return { data: { channels }, text: rows.length === 0 ? 'Nothing was said yet. Begin: `cambium send \'#design what is next?\'`' : table(rows) };
  });
}

export interface ReadOptions {
  readonly limit: number;
  readonly since?: string | undefined;
}

export function readCommand(name: string, { limit, since }: ReadOptions): Promise<Answer> {
  const place = placeNamed(name);
  return withSession({ needsHub: false }, async (session) => {
    const view = await readChannel(session, place);
    const messages = view.messages.filter(({ at }) => since === undefined || Date.parse(at) > Date.parse(since)).slice(-limit);
    const notes = view.unwoken.filter(({ message }) => messages.some(({ id }) => id === message)).map(({ name: whom, reason, message }) => `  ${message.slice(-6)} does not wake ${plain(whom)}: ${plain(reason)}`);
    return { data: { messages, awake: view.awake, unwoken: view.unwoken }, text: [...messages.map(messageText), ...view.awake.map(({ agent, node }) => `${agent} answers on ${node} …`), ...notes].join('\n') };
  });
}

/** Follows a channel until it is interrupted. */
export async function tailCommand(name: string, limit: number, json: boolean): Promise<Answer> {
  const place = placeNamed(name);
  const clock = createSystemClock();
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  let last: string | null = null;
  while (!stop.signal.aborted) {
    const messages = await withSession({ needsHub: false }, (session) => messagesOrNone(session, place));
    const fresh = last === null ? messages.slice(-limit) : messages.filter(({ id }) => id > (last as string));
    for (const message of fresh) process.stdout.write(json ? `${JSON.stringify(message)}\n` : `${messageText(message)}\n`);
    last = messages.at(-1)?.id ?? last ?? '';
    await clock.sleep(LOOK_MS, stop.signal);
  }
  return { data: {}, text: '' };
}

async function messagesOrNone(session: Session, place: Place): Promise<readonly Message[]> {
  try {
    return (await readChannel(session, place)).messages;
  } catch (error) {
    if (error instanceof CambiumError && error.code === 'unknown-channel') return [];
    throw error;
  }
}

/** Who, when, and the text below, indented. */
export function messageText({ from, at, kind, text }: Message): string {
  const who = from.replace(/^agent:/, '').replace(/^human:/, '');
  const head = `${paint(plain(who), kind === 'system' ? 33 : 1)}  ${paint(plain(at.slice(0, 19).replace('T', ' ')), 2)}`;
  return `${head}\n  ${plain(text.trim()).replaceAll('\n', '\n  ')}`;
}
