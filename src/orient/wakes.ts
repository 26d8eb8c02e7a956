/**
 * Which agents what was said calls for, and why not others. Loops cannot happen: a message carries the agents that its
 * thread of cause has woken, and none of them is woken again by it (of 25 messages that three agents once sent each other
 * after "complete", none would wake anybody). Pure.
 */
import { HUMAN, EVERYBODY, agentSpeaking, isMention, mentionsIn, requestOf, requestsAmong, wakeKey } from '../model/talk.ts';
import type { Conversation, Message, Place } from '../model/talk.ts';
import type { AgentId } from '../model/ids.ts';

/** Unanswered messages that call for one agent at one place: they are answered together. */
export interface DueWake {
  readonly key: string;
  readonly agent: AgentId;
  readonly place: Place;
  /** Oldest first. */
  readonly messages: readonly Message[];
  readonly thread: string;
  /** What the answer will carry: everybody whom these messages and their causes have called. */
  readonly chain: readonly AgentId[];
  readonly hops: number;
  /** The spawn that said the newest of them. */
  readonly parent: string | null;
  /** The request that all of them are about; null where they are about none. */
  readonly request: string | null;
}

/** A mention that wakes nobody, and why: for people to see. */
export interface Unwoken {
  readonly message: string;
  readonly place: Place;
  readonly name: string;
  readonly reason: string;
  /** The hour's budget keeps it back, and nothing else: it is woken later. */
  readonly waits?: true;
}

export interface WakeRules {
  /** Agents that can answer, with their roles. */
  readonly agents: ReadonlyMap<AgentId, { readonly role: string; readonly answers: boolean }>;
  readonly spawnDepth: number;
  readonly threadWakes: number;
  readonly wakesPerHour: number;
  /** Milliseconds since 1970: the budget of an hour is a limit on spending, so the wall clock serves. */
  readonly nowMs: number;
  /** Keys of the wakes that somebody holds: their answers are paid for already. */
  readonly awake: ReadonlySet<string>;
}

export interface Wakes {
  readonly due: readonly DueWake[];
  readonly unwoken: readonly Unwoken[];
  /** How many more may begin within this hour, beside those that are awake. */
  readonly room: number;
}

export function orientWakes(conversations: readonly Conversation[], rules: WakeRules): Wakes {
  const found = conversations.map((conversation) => orientedPlace(conversation, rules));
  const due = found.flatMap((wakes) => wakes.due).toSorted(byAge);
  const spent = found.reduce((sum, { answeredMs }) => sum + answeredMs.filter((ms) => ms > rules.nowMs - 3_600_000).length, 0);
  const room = Math.max(0, rules.wakesPerHour - spent - rules.awake.size);
  // Only what may begin is counted: agents that nobody runs now would else use up the hour of all others by waiting.
  const late = room > 0 ? [] : due.filter(({ key }) => !rules.awake.has(key));
  const waiting = late.flatMap(({ agent, place, messages }) => messages.map(({ id }): Unwoken => ({ message: id, place, name: agent, reason: `${rules.wakesPerHour} answers were given within the hour; it waits`, waits: true })));
  return { due: late.length === 0 ? due : due.filter((wake) => !late.includes(wake)), unwoken: [...found.flatMap((wakes) => wakes.unwoken), ...waiting], room };
}

/** Oldest first, and on every node the same order. */
function byAge(a: DueWake, b: DueWake): number {
  return compare(a.messages[0]?.id ?? '', b.messages[0]?.id ?? '') || compare(a.key, b.key);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface OrientedPlace extends Pick<Wakes, 'due' | 'unwoken'> {
  /** Times of the answers that were given here, as milliseconds since 1970. */
  readonly answeredMs: readonly number[];
}

/** What was said is never changed, and each pass asks: a place in which nothing new was said is not looked through again. */
const oriented = new WeakMap<Conversation, { readonly rules: string; readonly found: OrientedPlace }>();

function orientedPlace(conversation: Conversation, rules: WakeRules): OrientedPlace {
  const asked = JSON.stringify([[...rules.agents], rules.spawnDepth, rules.threadWakes]);
  const known = oriented.get(conversation);
  if (known?.rules === asked) return known.found;
  const found = orientPlace(conversation, rules);
  oriented.set(conversation, { rules: asked, found });
  return found;
}

function orientPlace({ place, messages: unsorted }: Conversation, rules: WakeRules): OrientedPlace {
  const messages = unsorted.toSorted((a, b) => compare(a.id, b.id));
  const threads = threadsOf(messages);
  const settled = new Set(messages.flatMap((message) => message.answers.map((id) => `${agentSpeaking(message)} ${id}`)));
  const waiting = new Map<AgentId, Message[]>();
  const begun = new Map<string, number>();
  const unwoken: Unwoken[] = [];
  for (const message of messages) {
    if (message.kind !== 'say') continue;
    for (const { agent, name } of calledBy(message, place, rules)) {
      if (agent !== null && settled.has(`${agent} ${message.id}`)) continue;
      const said = agent === null ? undefined : waiting.get(agent);
      const thread = threads.of(message);
      // What joins an answer that is due costs the thread no answer of its own.
      const spent = said === undefined ? threads.answersIn(thread) + (begun.get(thread) ?? 0) : 0;
      const reason = agent === null ? `nobody here is called ${name}` : whyNot(message, agent, threads, spent, rules);
      if (reason === SILENT) continue;
      if (agent === null || reason !== null) unwoken.push({ message: message.id, place, name, reason: reason ?? '' });
      else if (said !== undefined) said.push(message);
      else {
        waiting.set(agent, [message]);
        begun.set(thread, (begun.get(thread) ?? 0) + 1);
      }
    }
  }
  const requests = 'inbox' in place ? requestsAmong(messages) : new Set<string>();
  const due = [...waiting].map(([agent, said]) => dueWake(agent, place, oneMatter(said, requests).slice(0, TOGETHER_MAX), threads, rules, requests));
  return { due, unwoken, answeredMs: messages.filter(isAnswer).map(({ at }) => Date.parse(at)) };
}

/** Messages that are answered together: their ids must fit into the front matter of the answer. */
const TOGETHER_MAX = 200;

function isAnswer(message: Message): boolean {
  return message.answers.length > 0;
}

interface Called {
  readonly agent: AgentId | null;
  readonly name: string;
}

/** Each agent that a message calls for, once. A message in an inbox calls for its owner, whatever it says. */
function calledBy(message: Message, place: Place, { agents }: WakeRules): readonly Called[] {
  if ('inbox' in place) return [{ agent: agents.has(place.inbox) ? place.inbox : null, name: place.inbox }];
  const called = new Map<string, Called>();
  for (const name of namesIn(message)) {
    if (name === HUMAN) continue;
    const meant = name === EVERYBODY ? [...agents.keys()] : name.startsWith('role:') ? [...agents].filter(([, { role }]) => role === name.slice('role:'.length)).map(([id]) => id) : agents.has(name) ? [name] : [];
    if (meant.length === 0) called.set(name, { agent: null, name });
    for (const agent of meant) called.set(agent, { agent, name: agent });
  }
  return [...called.values()];
}

/** A file that a person dropped may leave the list to be read from the text. */
export function namesIn({ mentions, text }: Pick<Message, 'mentions' | 'text'>): readonly string[] {
  return mentions.length > 0 ? mentions.filter(isMention) : mentionsIn(text);
}

/** Nothing to tell anybody: of course nobody answers himself. */
const SILENT = '';

/** Why a message does not wake an agent; null when it does. */
function whyNot(message: Message, agent: AgentId, threads: Threads, spent: number, rules: WakeRules): string | null {
  const speaker = agentSpeaking(message);
  if (speaker === agent) return SILENT;
  if (rules.agents.get(agent)?.answers === false) return `${agent} runs runbooks only, and answers nobody`;
  if (speaker !== null && namesIn(message).includes(HUMAN)) return 'it was said to a person, who has the word now';
  if (speaker !== null && threads.endedBefore(message)) return 'a person was called in this thread, who has the word now';
  if (chainOf(message).includes(agent)) return `${agent} was woken in this chain before`;
  if (hopsOf(message) >= rules.spawnDepth) return `${hopsOf(message)} answers deep: limits.spawn_depth is ${rules.spawnDepth}`;
  if (spent >= rules.threadWakes) return `the thread has had ${rules.threadWakes} answers: a person's next message begins a new one`;
  return null;
}

/** An agent's message without provenance (a file that it dropped) is its own first link. */
function chainOf(message: Message): readonly AgentId[] {
  const speaker = agentSpeaking(message);
  return speaker === null || message.chain.includes(speaker) ? message.chain : [...message.chain, speaker];
}

function hopsOf(message: Message): number {
  return agentSpeaking(message) === null ? message.hops : Math.max(1, message.hops);
}

/**
 * What is about a request is answered by itself: the tasks that come of the answer are that request's, and no other's. So is
 * what is asked blind: its answer is given from another tree, and knows of nothing else.
 */
function oneMatter(said: readonly Message[], requests: ReadonlySet<string>): readonly Message[] {
  const head = said[0] as Message;
  if (head.group !== undefined) return [head];
  const first = requestOf(head, requests);
  return said.filter((message) => message.group === undefined && requestOf(message, requests) === first);
}

function dueWake(agent: AgentId, place: Place, said: readonly Message[], threads: Threads, rules: WakeRules, requests: ReadonlySet<string>): DueWake {
  const newest = said.at(-1) as Message;
  const called = said.flatMap((message) => calledBy(message, place, rules).flatMap(({ agent: other }) => other ?? []));
  return {
    key: wakeKey(agent, place), agent, place, messages: said, thread: threads.of(newest),
    // Who is no agent here cannot be woken, and a file may name thousands.
    chain: [...new Set([...said.flatMap(chainOf).filter((woken) => rules.agents.has(woken)), ...called, agent])], hops: Math.max(...said.map(hopsOf)), parent: newest.spawn, request: requestOf(newest, requests),
  };
}

interface Threads {
  of(message: Message): string;
  answersIn(thread: string): number;
  /** An agent has called a person in its thread before, and no person has spoken there since. */
  endedBefore(message: Message): boolean;
}

/** A person's message begins a thread, whatever it answers: with it the budgets begin anew. */
function threadsOf(messages: readonly Message[]): Threads {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const roots = new Map<string, string>();
  const rootOf = (message: Message, depth = 0): string => {
    const known = roots.get(message.id);
    if (known !== undefined) return known;
    const before = message.replyTo === null ? undefined : byId.get(message.replyTo);
    const root = agentSpeaking(message) === null && message.kind === 'say' ? message.id : (message.thread ?? (before === undefined || depth > 100 ? message.id : rootOf(before, depth + 1)));
    roots.set(message.id, root);
    return root;
  };
  const answers = new Map<string, number>();
  const ended = new Map<string, string>();
  for (const message of messages) {
    const root = rootOf(message);
    const asked = message.answers.flatMap((id) => byId.get(id) ?? []);
    if (isAnswer(message)) for (const thread of new Set([root, ...asked.map((each) => rootOf(each))])) answers.set(thread, (answers.get(thread) ?? 0) + 1);
    if (agentSpeaking(message) !== null && message.kind === 'say' && namesIn(message).includes(HUMAN) && !ended.has(root)) ended.set(root, message.id);
  }
  return {
    of: rootOf,
    answersIn: (thread) => answers.get(thread) ?? 0,
    endedBefore: (message) => {
      const end = ended.get(rootOf(message));
      return end !== undefined && end < message.id;
    },
  };
}
