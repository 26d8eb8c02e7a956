/** Channels as people look at them: what is there, what was said, who is called, and the answers to one message. */
import { CambiumError } from '../errors.ts';
import { withheldFrom } from '../orient/blind.ts';
import { namesIn, orientWakes } from '../orient/wakes.ts';
import type { Unwoken, Wakes } from '../orient/wakes.ts';
import { wakeRules } from '../orient/wakeRules.ts';
import { agentSpeaking, placeFolder, placeName } from '../model/talk.ts';
import type { Conversation, Message, Place } from '../model/talk.ts';
import { createTalkReader } from '../observe/talk.ts';
import type { Talk } from '../observe/talk.ts';
import type { Session } from './session.ts';

export interface ChannelSummary {
  /** `#design`, or `@prime` for an inbox. */
  readonly name: string;
  readonly messages: number;
  /** UTC ISO time of the newest; null where nothing was said. */
  readonly last: string | null;
  /** Agents that are called and have not answered. */
  readonly waiting: readonly string[];
  /** Agents that answer at this moment, with their nodes. */
  readonly awake: readonly { readonly agent: string; readonly node: string; readonly spawn: string }[];
}

/** Where nothing has been said there is nothing to list. */
export async function listChannels(session: Session): Promise<readonly ChannelSummary[]> {
  const talk = await readTalk(session);
  const { due } = wakesAmong(session, talk);
  return talk.conversations.map(({ place, messages }) => ({
    name: placeName(place), messages: messages.length, last: messages.at(-1)?.at ?? null,
    waiting: due.filter((wake) => placeFolder(wake.place) === placeFolder(place)).map(({ agent }) => agent),
    awake: awakeAt(talk, place),
  })).toSorted((a, b) => ((a.last ?? '') < (b.last ?? '') ? 1 : -1));
}

export interface ChannelView {
  readonly messages: readonly Message[];
  readonly awake: ChannelSummary['awake'];
  /** Mentions that wake nobody, and why. */
  readonly unwoken: readonly Unwoken[];
}

/** Oldest first. Throws `unknown-channel`. */
export async function readChannel(session: Session, place: Place): Promise<ChannelView> {
  const talk = await readTalk(session);
  const conversation = conversationAt(talk, place);
  if (conversation === undefined) throw new CambiumError('unknown-channel', `Nothing was said in ${placeName(place)} yet.`, { hint: channelHint(talk) });
  const { unwoken } = wakesAmong(session, talk);
  const withheld = withheldHere(session, talk);
  return { messages: conversation.messages.filter(({ id }) => !withheld.has(id)), awake: awakeAt(talk, place), unwoken: unwoken.filter((mention) => placeFolder(mention.place) === placeFolder(place)) };
}

function channelHint({ conversations }: Talk): string {
  const names = conversations.filter(({ place }) => 'channel' in place).map(({ place }) => placeName(place));
  return names.length === 0 ? 'Begin one: `cambium send \'#design what is next?\'`.' : `There is ${names.join(', ')}.`;
}

/** Whom a message calls, in this fleet: agents that it wakes, and names that wake nobody, with the reason. */
export interface Called {
  readonly agents: readonly string[];
  readonly unwoken: readonly Unwoken[];
}

export async function calledBy(session: Session, id: string): Promise<Called> {
  const { due, unwoken } = wakesAmong(session, await readTalk(session));
  return { agents: due.filter(({ messages }) => messages.some((message) => message.id === id)).map(({ agent }) => agent), unwoken: unwoken.filter(({ message }) => message === id) };
}

export interface Answers {
  readonly answers: readonly Message[];
  /** Agents that are still called or at work. */
  readonly waiting: readonly string[];
}

/** What has been answered to a message so far. */
export async function answersTo(session: Session, id: string, place: Place): Promise<Answers> {
  const talk = await readTalk(session);
  const messages = conversationAt(talk, place)?.messages ?? [];
  const answers = messages.filter((message) => message.answers.includes(id));
  const answered = new Set(answers.map(agentSpeaking));
  const { due } = wakesAmong(session, talk);
  const called = due.filter((wake) => wake.messages.some((message) => message.id === id)).map(({ agent }) => agent);
  const awake = [...talk.wakes.values()].filter(({ wake }) => wake.messages.includes(id)).map(({ wake }) => wake.agent);
  return { answers, waiting: [...new Set([...called, ...awake])].filter((agent) => !answered.has(agent)) };
}

/** Ids of what whoever looks may not read yet (orient/blind.ts): nothing, where a person looks. */
export function withheldHere({ agent }: Session, { conversations }: Talk): ReadonlySet<string> {
  return agent === undefined ? new Set() : withheldFrom(agent, conversations);
}

export async function readTalk({ clone }: Session): Promise<Talk> {
  return createTalkReader(clone.store).read(clone.mirror.known());
}

/** What `orientWakes` says for this fleet now. */
export function wakesAmong({ clone, fleet }: Session, talk: Talk): Wakes {
  return orientWakes(talk.conversations, wakeRules(fleet.config, talk.wakes.keys(), clone.clock.now().getTime()));
}

/** What was said to people and has had no word of one since: newest message of each thread that calls `@human`. */
export function saidToPeople({ conversations }: Talk): readonly { readonly place: Place; readonly message: Message }[] {
  return conversations.flatMap(({ place, messages }) => {
    const called = messages.findLast((message) => agentSpeaking(message) !== null && message.kind === 'say' && namesIn(message).includes('human'));
    const answered = called !== undefined && messages.some((message) => message.id > called.id && message.from.startsWith('human:'));
    return called === undefined || answered ? [] : [{ place, message: called }];
  });
}

function conversationAt({ conversations }: Talk, place: Place): Conversation | undefined {
  return conversations.find((conversation) => placeFolder(conversation.place) === placeFolder(place));
}

function awakeAt({ wakes }: Talk, place: Place): ChannelSummary['awake'] {
  const held = [...wakes.values()].filter(({ wake }) => ('channel' in place ? wake.channel === place.channel : wake.channel === null && wake.agent === place.inbox));
  return held.map(({ wake: { agent, node, spawn } }) => ({ agent, node, spawn }));
}
