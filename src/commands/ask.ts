/** `cambium ask`: several agents are asked, and what they say stands side by side. */
import { createSystemClock } from '../adapters/system/clock.ts';
import { readInput } from '../adapters/system/files.ts';
import { isHubAway } from '../errors.ts';
import { placeName } from '../model/talk.ts';
import { ask, opinionsOn, postOpinions } from '../workspace/ask.ts';
import type { Asked, Opinion } from '../workspace/ask.ts';
import { printable } from '../workspace/plain.ts';
import { withSession } from '../workspace/session.ts';
import { paint } from './output.ts';
import type { Answer } from './output.ts';
import { fitTable, lasting, madeBy, terminalWidth } from './spawnText.ts';

export interface AskOptions {
  readonly blind?: boolean | undefined;
  readonly channel?: string | undefined;
  /** Milliseconds to wait for the answers. */
  readonly wait?: number | undefined;
}

const WAIT_MS = 900_000;
const LOOK_MS = 500;

/** `words`: the agents, each with its `@`, and the question, `-` for standard input. */
export async function askCommand(words: readonly string[], { blind = false, channel, wait = WAIT_MS }: AskOptions): Promise<Answer> {
  const first = words.findIndex((word) => !/^@\S+$/.test(word));
  const names = (first < 0 ? words : words.slice(0, first)).map((word) => word.slice(1));
  const said = first < 0 ? '' : words.slice(first).join(' ');
  const text = said === '-' ? await readInput('-') : said;
  const asked = await withSession({ needsHub: true }, async (session) => {
    const sent = await ask(session, { names, text, blind, channel });
    session.note(askedText(sent, wait));
    return sent;
  });
  const opinions = await waitForOpinions(asked, wait);
  const waiting = opinions.filter(({ state }) => state === 'waiting').map(({ agent }) => agent);
  const late = waiting.length === 0 ? null : `No answer after ${rounded(wait)} from ${waiting.join(', ')}.`;
  const posted = blind && channel !== undefined ? await post(channel, asked, opinions, late) : null;
  const more = late === null ? [] : [paint(late, 33), `What they say then: ${waiting.map((agent) => `\`cambium channel read ${asked.group === null ? placeOf(asked) : `@${agent}`}\``).filter((command, at, all) => all.indexOf(command) === at).join(', ')}`];
  return {
    data: { group: asked.group, as_of: asked.asOf, question: asked.question, messages: asked.messages.map(({ agent, id, place }) => ({ agent, id, place: placeName(place) })), answers: opinions, waiting, posted },
    text: [opinionTable(opinions, terminalWidth()), ...more].join('\n'),
    exit: waiting.length > 0 ? 75 : opinions.every(({ state }) => state === 'answered') ? 0 : 1,
  };
}

const placeOf = ({ messages }: Asked): string => (messages[0] === undefined ? '' : placeName(messages[0].place).replace(/^#/, ''));

/** `15m`, where `lasting` says `15m00s`. */
const rounded = (ms: number): string => lasting(ms).replace(/(?<=[hm])00[ms]$/, '');

function askedText({ messages, asOf, daemon }: Asked, waitMs: number): string {
  const whom = messages.map(({ agent }) => agent).join(', ');
  const how = asOf === null ? `in ${placeName((messages[0] as Asked['messages'][number]).place)}` : `blind, on main as of ${asOf.slice(0, 10)}`;
  return `${whom} ${messages.length === 1 ? 'is' : 'are'} asked ${how}; waiting up to ${rounded(waitMs)}.${daemon ? '' : ' No daemon runs in this clone: who runs them on another node answers, or start one with `cambium up`.'}`;
}

/** Looks again and again: a daemon of this clone keeps its view fresh, so that looking asks no hub. */
async function waitForOpinions(asked: Asked, forMs: number): Promise<readonly Opinion[]> {
  const clock = createSystemClock();
  for (const untilMs = clock.bootMs() + forMs; ; await clock.sleep(LOOK_MS)) {
    const seen = await withSession({ needsHub: false }, (session) => opinionsOn(session, asked));
    if (seen.every(({ state }) => state !== 'waiting') || clock.bootMs() >= untilMs) return seen;
  }
}

/** The answers are in hand, whatever becomes of the post. */
function post(channel: string, asked: Asked, opinions: readonly Opinion[], late: string | null): Promise<string | null> {
  return withSession({ needsHub: true }, (session) => postOpinions(session, channel, asked, opinions, late)).catch((error: unknown) => {
    if (!isHubAway(error)) throw error;
    process.stderr.write(`cambium: the table is not posted: ${error.message}\n`);
    return null;
  });
}

/** Reasons are not cut: they go on in lines of their own. */
export function opinionTable(opinions: readonly Opinion[], width: number): string {
  const heads = opinions.map((opinion) => [opinion.agent, madeBy(opinion) || '–', opinion.state === 'answered' ? oneLine(opinion.verdict ?? '–') : opinion.state === 'failed' ? 'no answer' : 'waiting']);
  const taken = ['agent', 'model', 'verdict'].reduce((sum, head, at) => sum + Math.min(at === 2 ? VERDICT_MAX : Infinity, Math.max(head.length, ...heads.map((cells) => (cells[at] as string).length))) + 2, 0);
  const room = Math.max(REASON_LEAST, width - taken);
  const rows = opinions.flatMap(({ reason }, at) => folded(printable(reason), room).map((line, index) => (index === 0 ? [...(heads[at] as readonly string[]), line] : ['', '', '', line])));
  return fitTable([{ head: 'agent' }, { head: 'model', least: 8 }, { head: 'verdict', least: 8 }, { head: 'reason' }], rows, width);
}

const VERDICT_MAX = 40;
const REASON_LEAST = 24;

const oneLine = (text: string): string => printable(text).replace(/\s+/g, ' ').trim();

/** Lines of at most `width` characters, broken between words; at least one line. */
function folded(text: string, width: number): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '').flatMap((line) => {
    const broken: string[] = [];
    for (const word of line.split(/\s+/)) {
      const last = broken.at(-1);
      if (last === undefined || last.length + word.length + 1 > width) broken.push(word);
      else broken[broken.length - 1] = `${last} ${word}`;
    }
    return broken;
  });
  return lines.length === 0 ? [''] : lines;
}
