/** What agents and people say to each other: messages, whom they mention, and who is awake to answer them. Pure. */
import { isAgentId } from './ids.ts';
import type { AgentId, NodeName, Oid } from './ids.ts';

/** One file in a channel or an inbox (docs/formats.md). */
export interface Message {
  readonly path: string;
  /** The file's name without `.md`: a ULID where cambium wrote it, so names sort by time. */
  readonly id: string;
  /** `agent:<id>`, `human:<name>` or `node:<id>`. */
  readonly from: string;
  /** Null for a message to an inbox. */
  readonly channel: string | null;
  /** Empty for a message in a channel. */
  readonly to: readonly string[];
  /** Agents, `human`, `all` and `role:<role>`. */
  readonly mentions: readonly string[];
  /** ack and system never wake anybody. */
  readonly kind: 'say' | 'ack' | 'system';
  readonly replyTo: string | null;
  /** Agents woken so far on this thread of cause; none of them is woken again. */
  readonly chain: readonly AgentId[];
  /** How many spawns lie between this message and the person or the queue that began. */
  readonly hops: number;
  /** The message that began the thread; null where it is this one. */
  readonly thread: string | null;
  /** The spawn in which it was said; null for a person's. */
  readonly spawn: string | null;
  /** The ended spawn whose session is to answer; null for a fresh one. */
  readonly session: string | null;
  /** Stands in each message of one question that several agents are asked blind: they answer apart (orient/blind.ts). */
  readonly group?: string;
  /** Main commit on which it was asked: whoever answers is given the tree as it was then. */
  readonly asOf?: Oid;
  /** Ids of the messages that it settles for its speaker: they wake that agent no more. */
  readonly answers: readonly string[];
  /** A person asks a coordinator for work with it, and the nodes keep that agent informed until it is done (orient/requests.ts). */
  readonly request?: boolean;
  /** Of a node's message about a request: the tasks that it tells of, as `<task>@<epoch>:<state>`, so that none is told twice. */
  readonly tasks?: readonly string[];
  /** UTC ISO time, for people. */
  readonly at: string;
  readonly text: string;
}

/** Of messages and of spawns. */
export const MESSAGE_ID = /^[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}[0-9A-Za-z])?$/;
export const isMessageId = (value: string): boolean => MESSAGE_ID.test(value);

/** Where messages stand: a channel, or one agent's inbox. */
export type Place = { readonly channel: string } | { readonly inbox: AgentId };

/** All that can be read at a place, oldest first. */
export interface Conversation {
  readonly place: Place;
  readonly messages: readonly Message[];
}

export const placeFolder = (place: Place): string => ('channel' in place ? `agents/channels/${place.channel}` : `agents/${place.inbox}/inbox`);
export const placeName = (place: Place): string => ('channel' in place ? `#${place.channel}` : `@${place.inbox}`);

/** Ends an exchange: what an agent says to a person wakes no agent. */
export const HUMAN = 'human';
export const EVERYBODY = 'all';

const MENTION = /(?:^|[^\w@/.`-])@((?:role:)?[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)(?![\w@]|\.[a-z])/g;

/** More names than this are no address: they would fill the front matter past what is read. `@all` is one. */
const MENTIONS_MAX = 200;

/** Who is addressed in a text, each once, in order. What stands in code is code: `@property` is nobody. */
export function mentionsIn(text: string): readonly string[] {
  // Each fence is tried at its full length only: a line of 60,000 backticks would otherwise be tried at every length of it.
  const prose = text.replace(/^( {0,3})(`{3,}(?!`)|~{3,}(?!~))[^\n]*\n[\s\S]*?(?:^ {0,3}\2[^\n]*$|$(?![\s\S]))/gm, '').replace(/`[^`\n]*`/g, ' ');
  const names = [...prose.matchAll(MENTION)].map(([, name]) => name as string);
  return [...new Set(names)].filter(isMention).slice(0, MENTIONS_MAX);
}

export function isMention(name: string): boolean {
  return name === HUMAN || name === EVERYBODY || isAgentId(name.startsWith('role:') ? name.slice('role:'.length) : name);
}

/** Ids of the messages that an agent has settled at a place. */
export function settledBy(agent: AgentId, messages: readonly Message[]): ReadonlySet<string> {
  return new Set(messages.filter((message) => agentSpeaking(message) === agent).flatMap(({ answers }) => answers));
}

/** The agent that says something, or null for a person or a node. */
export function agentSpeaking({ from }: Pick<Message, 'from'>): AgentId | null {
  return from.startsWith('agent:') ? from.slice('agent:'.length) : null;
}

/** The request that a message makes or goes on with: a person's or a node's names it as its thread, or answers it. Null for what agents say. */
export function requestOf(message: Pick<Message, 'id' | 'from' | 'request' | 'thread' | 'replyTo'>, requests: ReadonlySet<string>): string | null {
  if (agentSpeaking(message) !== null) return null;
  return [message.id, message.thread, message.replyTo].find((id) => id !== null && requests.has(id)) ?? null;
}

/** Ids of the messages by which people ask for work. */
export const requestsAmong = (messages: readonly Message[]): ReadonlySet<string> => new Set(messages.filter((message) => message.request === true && agentSpeaking(message) === null).map(({ id }) => id));

/**
 * The right to answer as one agent at one place, held by one node at a time (`refs/cambium/wakes/<agent>/<channel>`): so two
 * nodes never pay for the same answer, and what is said meanwhile is answered together. A lost wake costs an answer's price;
 * that a message is answered once rests on main alone.
 */
export interface Wake {
  readonly schema: 'cambium.wake/1';
  readonly agent: AgentId;
  /** Null for the agent's inbox. */
  readonly channel: string | null;
  readonly node: NodeName;
  readonly incarnation: string;
  readonly spawn: string;
  readonly messages: readonly string[];
  readonly ttl_s: number;
  readonly op: string;
  /** UTC ISO time, for people. */
  readonly at: string;
  readonly [key: string]: unknown;
}

export interface HeldWake {
  readonly tip: Oid;
  readonly wake: Wake;
}

export const WAKES_PREFIX = 'refs/cambium/wakes/';
/** No channel can have this name: ids do not begin with `_`. */
const INBOX = '_inbox';
/** `<agent>/<channel>`: names a wake among all. */
export const wakeKey = (agent: AgentId, place: Place): string => `${agent}/${'channel' in place ? place.channel : INBOX}`;
export const wakeRef = (key: string): string => `${WAKES_PREFIX}${key}`;
