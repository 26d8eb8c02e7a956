/**
 * Requests: what a person asks a coordinator for, the tasks that came of it, and what that agent is to be told. A request is a
 * message in the coordinator's inbox; its tasks name it (`request`), or have a parent that does. All of it is read from the
 * tree, so every node comes to the same: whichever is first writes the round, under the same id. Pure.
 *
 *   asked      the coordinator has not answered yet. It answers with tasks → working, or with `@human` → done
 *   working    some task goes on by itself. A task asks for a person, or nothing goes on any more → reporting
 *   reporting  a round tells the coordinator how the tasks stand. It adds tasks → working, or says `@human` → done, input
 *   input      nothing goes on, and the coordinator has called a person. Answered, a task goes on → working
 *   failed     the coordinator could not answer, or all rounds are used up: a person's word begins it anew → asked
 *   done       nothing is open, all was told, and the coordinator has called the person
 */
import { fnv1a } from '../model/hash.ts';
import type { AgentId, TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import { HUMAN, agentSpeaking, requestOf, requestsAmong } from '../model/talk.ts';
import type { Conversation, Message } from '../model/talk.ts';
import { movement } from './movement.ts';
import type { Situation, TaskSituation } from './situation.ts';
import { namesIn } from './wakes.ts';

export type RequestState = 'asked' | 'working' | 'reporting' | 'input' | 'failed' | 'done';

/** What the coordinator is to be told next. */
export interface RequestRound {
  /** Of the message: the same on every node, so that there is one. */
  readonly id: string;
  /** From 1. */
  readonly number: number;
  /** Tasks that have ended, ask for a person or are stuck, and of which it was not told. */
  readonly news: readonly TaskSituation[];
  /** Tasks that go on by themselves meanwhile. */
  readonly moving: readonly TaskSituation[];
}

export interface Request {
  readonly message: Message;
  readonly agent: AgentId;
  readonly state: RequestState;
  /** What is waited for, or went wrong; null where the state says it. */
  readonly reason: string | null;
  /** By when they were added, then by id. */
  readonly tasks: readonly TaskSituation[];
  /** What the coordinator has said to it, oldest first. */
  readonly words: readonly Message[];
  /** Rounds told so far. */
  readonly told: number;
  /** Due now, and not written yet. */
  readonly round: RequestRound | null;
}

/** Oldest first. */
export function orientRequests(fleet: Fleet, situation: Situation, conversations: readonly Conversation[]): readonly Request[] {
  const asked = conversations.flatMap((conversation) => ('inbox' in conversation.place ? [...requestsAmong(conversation.messages)].map((id) => ({ id, agent: (conversation.place as { readonly inbox: AgentId }).inbox, messages: conversation.messages })) : []));
  if (asked.length === 0) return [];
  const goesOn = movement(fleet, situation);
  const family = tasksByRequest(situation);
  return asked.map(({ id, agent, messages }) => orientRequest({ fleet, goesOn }, id, agent, messages, family.get(id) ?? [])).toSorted((a, b) => (a.message.id < b.message.id ? -1 : 1));
}

interface World {
  readonly fleet: Fleet;
  readonly goesOn: (task: TaskId) => boolean;
}

/** A task belongs to the request that it names, or that one of its parents does. */
function tasksByRequest({ tasks }: Situation): ReadonlyMap<string, readonly TaskSituation[]> {
  const byRequest = new Map<string, TaskSituation[]>();
  for (const situation of tasks.values()) {
    const request = requestOfTask(tasks, situation.task.id, new Set());
    if (request !== null) byRequest.set(request, [...(byRequest.get(request) ?? []), situation]);
  }
  return new Map([...byRequest].map(([id, all]) => [id, all.toSorted((a, b) => a.since - b.since || (a.task.id < b.task.id ? -1 : 1))]));
}

function requestOfTask(tasks: Situation['tasks'], id: TaskId, seen: Set<TaskId>): string | null {
  const task = tasks.get(id)?.task;
  if (task === undefined || seen.has(id)) return null;
  return task.request ?? (task.parent === undefined ? null : requestOfTask(tasks, task.parent, seen.add(id)));
}

function orientRequest(world: World, id: string, agent: AgentId, messages: readonly Message[], tasks: readonly TaskSituation[]): Request {
  const about = messages.filter((message) => requestOf(message, new Set([id])) === id);
  const ids = new Set(about.map((message) => message.id));
  const words = messages.filter((message) => agentSpeaking(message) === agent && message.answers.some((answered) => ids.has(answered)));
  const rounds = about.filter((message) => message.from.startsWith('node:'));
  const facts = { message: about.find((message) => message.id === id) as Message, agent, tasks, words, told: rounds.length, round: null };
  const answered = new Set(words.flatMap(({ answers }) => answers));
  const open = about.filter((message) => !answered.has(message.id));
  if (open.length > 0) return { ...facts, state: open.some(({ from }) => from.startsWith('node:')) ? 'reporting' : 'asked', reason: `${agent} has not answered yet` };
  const last = words.at(-1) as Message;
  if (last.kind === 'system') return { ...facts, state: 'failed', reason: last.text.trim() };
  const roundsMax = world.fleet.config.limits.requestRounds * about.filter((message) => message.from.startsWith('human:')).length;
  return { ...facts, ...standing(world, id, tasks, last, { rounds, roundsMax }) };
}

interface Rounds {
  readonly rounds: readonly Message[];
  /** `limits.request_rounds` for each word of a person: who asks again pays again. */
  readonly roundsMax: number;
}

function standing({ goesOn }: World, id: string, tasks: readonly TaskSituation[], last: Message, { rounds, roundsMax }: Rounds): Pick<Request, 'state' | 'reason' | 'round'> {
  const moving = tasks.filter(({ task }) => goesOn(task.id));
  const told = new Set(rounds.flatMap((message) => message.tasks ?? []));
  const news = tasks.filter((task) => !moving.includes(task) && !told.has(taskTag(task)));
  const hasCalled = namesIn(last).includes(HUMAN);
  const isDue = news.some(({ state }) => state === 'input' || state === 'review') || (moving.length === 0 && (news.length > 0 || !hasCalled));
  if (isDue && rounds.length < roundsMax) return { state: 'reporting', reason: null, round: { id: roundId(id, last), number: rounds.length + 1, news, moving } };
  if (isDue) return { state: 'failed', reason: `all ${rounds.length} rounds are used up (limits.request_rounds)`, round: null };
  if (moving.length > 0) return { state: 'working', reason: null, round: null };
  const stuck = tasks.filter(({ result }) => result === undefined);
  return stuck.length === 0 ? { state: 'done', reason: null, round: null } : { state: 'input', reason: stuck.map(({ task, state }) => `${task.id}: ${state}`).join(', '), round: null };
}

/** What a round tells of a task, so that the same is not told again: done again it has another epoch. */
export function taskTag({ task, state, chain, result }: TaskSituation): string {
  return `${task.id}@${result?.epoch ?? chain?.record.epoch ?? 0}:${state}`;
}

/** One round follows each word of the coordinator, so its id is made of that: it stands behind it in order. At most 64 characters. */
function roundId(request: string, { id }: Message): string {
  return `${id.slice(0, 50)}-${fnv1a(request).toString(16).padStart(8, '0')}`;
}

/** By agents of that role, the first by its id; null where there is none that can answer. */
export function coordinatorOf({ config }: Pick<Fleet, 'config'>): AgentId | null {
  return Object.keys(config.agents).filter((id) => config.agents[id]?.role === 'coordinator' && config.agents[id]?.provider !== 'runbook').toSorted()[0] ?? null;
}
