/**
 * Answers within a pass: what was said is looked at, wakes are won for what calls for this node's agents, agents are started
 * and watched, and their messages land. A second pass over what was answered does nothing.
 */
import { askedSession } from '../act/answer/session.ts';
import { closeAnswer } from '../act/answer/close.ts';
import { answerMember, answerMemberKey } from '../act/answer/land.ts';
import { openAnswer, saveAnswer, startAnswer } from '../act/answer/start.ts';
import { dropWakeMember, wakeMember, wakeMemberKey } from '../act/answer/wake.ts';
import type { WakeRequest, WakeWon } from '../act/answer/wake.ts';
import { watchAnswer } from '../act/answer/watch.ts';
import { publish } from '../act/publish.ts';
import type { Member, Published } from '../act/publish.ts';
import { chooseProviderFor } from '../act/run/choose.ts';
import type { Chosen, NoProvider } from '../act/run/choose.ts';
import { decideWakes } from '../decide/wakes.ts';
import type { Answer } from '../model/answer.ts';
import { fenceDeadlineMs, isLapsed, watchLeases } from '../model/lease.ts';
import type { HeldClaim } from '../model/lease.ts';
import type { Fleet } from '../model/snapshot.ts';
import { placeFolder, placeName, settledBy, wakeRef } from '../model/talk.ts';
import type { Conversation, HeldWake } from '../model/talk.ts';
import type { Talk } from '../observe/talk.ts';
import { mayStart, waitText } from '../orient/limits.ts';
import { orientWakes } from '../orient/wakes.ts';
import type { Wakes } from '../orient/wakes.ts';
import { wakeRules } from '../orient/wakeRules.ts';
import type { Loop } from './loop.ts';
import { observe } from './observe.ts';

/** Reads what was said, and times the wakes of other nodes; called after each look at the hub. */
export async function hear({ shop, state, talk }: Loop, fleet: Fleet): Promise<void> {
  state.talk = await talk.read(shop.node.mirror.known());
  const { incarnation } = shop.node.identity;
  const held = [...state.talk.wakes].filter(([, { wake }]) => wake.incarnation !== incarnation).map(([key, { tip, wake }]): HeldClaim => {
    const heartbeat = fleet.nodes.get(wake.node)?.heartbeat ?? null;
    return { task: key, claim: tip, heartbeat: heartbeat?.record.incarnation === wake.incarnation ? heartbeat.oid : null, ttlMs: wake.ttl_s * 1000 };
  });
  state.wakeLeases = watchLeases(state.wakeLeases, held, shop.node.clock.bootMs());
}

/** What was said, oriented: also for status and `channel list`. */
export function wakesOf({ shop, state }: Loop, fleet: Fleet): Wakes {
  return orientWakes(state.talk.conversations, wakeRules(fleet.config, state.talk.wakes.keys(), shop.node.clock.now().getTime()));
}

/** Wakes that are not ours any more end their answers: nothing of them lands. */
export async function fenceLostAnswers({ shop, state }: Loop): Promise<void> {
  for (const answer of state.answers.values()) {
    const held = state.talk.wakes.get(answer.key);
    const taken = held !== undefined && held.tip !== answer.wake;
    if (answer.phase === 'fenced' || (!taken && (answer.phase === 'landing' || !isSettled(state.talk, answer)))) continue;
    shop.say('answer fenced', { agent: answer.agent, place: placeName(answer.place), node: held?.wake.node });
    state.answers.set(answer.key, await saveAnswer(shop, { ...answer, phase: 'fenced' }));
  }
}

/** Another node has answered all of it, and its wake is gone: an agent would be paid for nothing. */
function isSettled({ conversations }: Talk, answer: Answer): boolean {
  const settled = settledBy(answer.agent, conversationOf(conversations, answer).messages);
  return answer.messages.every((id) => settled.has(id));
}

/** After a good heartbeat, on a view read after it: wakes that are still ours live on (PROTOCOL P4.4). */
export async function renewAnswers({ shop, state }: Loop, startedMs: number): Promise<void> {
  const { refs } = shop.node.mirror.known();
  for (const answer of state.answers.values()) {
    const tip = refs.get(wakeRef(answer.key));
    if (tip !== undefined && tip !== answer.wake) continue;
    state.wakeRenewed.set(answer.key, startedMs);
    if (answer.phase === 'working') await shop.node.supervisor.setDeadline(shop.scratch(answer.spawn), fenceDeadlineMs(startedMs, answer.ttlMs));
  }
}

/** One step for every answer. Returns true when any of them moved. */
export async function stepAnswers(loop: Loop): Promise<boolean> {
  const moved = await Promise.all([...loop.state.answers.values()].map((answer) => stepAnswer(loop, answer)));
  return moved.includes(true);
}

async function stepAnswer(loop: Loop, answer: Answer): Promise<boolean> {
  const { shop, state } = loop;
  if (answer.phase === 'fenced') {
    await shop.node.supervisor.stop(shop.scratch(answer.spawn), 'fenced');
    await forgetAnswer(loop, answer);
    return true;
  }
  const next = await nextOf(loop, answer);
  state.answers.set(answer.key, next);
  return next.phase !== answer.phase;
}

async function nextOf({ shop, state }: Loop, answer: Answer): Promise<Answer> {
  if (answer.phase === 'working') return watchAnswer(shop, answer);
  // A restarted daemon starts nothing before its first heartbeat has shown that the wake is still its own (P4.4).
  const renewedMs = state.wakeRenewed.get(answer.key);
  if (answer.phase !== 'preparing' || renewedMs === undefined || shop.limits().stop.fleet?.mode === 'freeze') return answer;
  const deadlineMs = fenceDeadlineMs(renewedMs, answer.ttlMs);
  // What would be stopped at once is not started: the next good heartbeat gives it time again.
  if (shop.node.clock.bootMs() >= deadlineMs) return answer;
  return startAnswer(shop, answer, conversationOf(state.talk.conversations, answer), deadlineMs);
}

function conversationOf(conversations: readonly Conversation[], { place }: Pick<Answer, 'place'>): Conversation {
  return conversations.find((conversation) => placeFolder(conversation.place) === placeFolder(place)) ?? { place, messages: [] };
}

/** What answers have to say to the hub, and the wakes that nobody needs any more. */
export function answerMembers(loop: Loop, fleet: Fleet): readonly Member<unknown>[] {
  const { shop, state, talk } = loop;
  const { incarnation } = shop.node.identity;
  const due = new Set(wakesOf(loop, fleet).due.map(({ key }) => key));
  const landing = [...state.answers.values()].filter(({ phase }) => phase === 'landing').map((answer) => answerMember(shop.node, talk, answer));
  // Those of a node that is no more are taken over by who answers; where nothing is to be answered any more, by whoever sees it.
  const isLeft = (key: string, held: HeldWake): boolean => (held.wake.incarnation === incarnation ? !state.answers.has(key) : !due.has(key) && isFree(loop, key, held));
  const left = [...state.talk.wakes].filter(([key, held]) => isLeft(key, held));
  return [...landing, ...left.map(([key, { tip }]) => dropWakeMember(key, tip))];
}

/** Takes the ends of a publish back into the answers. Returns true when any moved. */
export async function settleAnswers(loop: Loop, ends: ReadonlyMap<string, Published<unknown>>): Promise<boolean> {
  const { shop, state } = loop;
  let moved = false;
  for (const answer of state.answers.values()) {
    const end = ends.get(answerMemberKey(answer.key));
    if (end === undefined || end.state === 'unknown') continue;
    if (end.state === 'refused-by-policy') {
      shop.say('answer refused by the hub', { agent: answer.agent, place: placeName(answer.place), detail: end.detail });
      continue;
    }
    if (end.state === 'published') shop.say('answered', { agent: answer.agent, place: placeName(answer.place), messages: answer.messages.length });
    await forgetAnswer(loop, answer, end.state === 'published' && end.value === true);
    moved = true;
  }
  return moved;
}

async function forgetAnswer({ shop, state }: Loop, answer: Answer, landed = false): Promise<void> {
  await closeAnswer(shop, answer, landed);
  state.answers.delete(answer.key);
  state.wakeRenewed.delete(answer.key);
}

/** Wins wakes for what calls for this node's agents, and opens an answer for each that still holds on the main after it. */
export async function wakeMore(loop: Loop): Promise<boolean> {
  const { shop, state } = loop;
  if (!state.claiming || state.fleet === null || state.fleet.stop.fleet !== null) return false;
  const requests = await wakeable(loop, state.fleet);
  if (requests.length === 0) return false;
  const ends = await publish(shop.node, requests.map((request) => wakeMember(shop.node, request)), { trustKnown: true });
  const wins = requests.flatMap(({ due }) => {
    const end = ends.get(wakeMemberKey(due.key));
    return end?.state === 'published' ? [end.value] : [];
  });
  if (wins.length === 0) return false;
  const fleet = await observe(loop);
  await hear(loop, fleet);
  for (const won of wins) await beginAnswer(loop, fleet, won);
  return true;
}

async function wakeable(loop: Loop, fleet: Fleet): Promise<readonly WakeRequest[]> {
  const { shop, state } = loop;
  const now = shop.node.clock.bootMs();
  const wakes = wakesOf(loop, fleet);
  const open = decideWakes({
    due: wakes.due.filter(({ agent }) => state.focus === null || (state.focus.task === null && state.focus.agent === agent)).filter(({ key }) => (state.wakeHeldOff.get(key) ?? 0) <= now && !state.talk.unreadable.has(key)),
    agents: loop.agents().map(({ id }) => id), answering: [...state.answers.keys()], room: fleet.config.limits.agentsPerNode, budget: wakes.room,
    atWork: new Set([...[...state.answers.values()].map(({ spawn }) => spawn), ...[...state.talk.wakes.values()].map(({ wake }) => wake.spawn)]),
    taken: new Set([...state.talk.wakes].filter(([key, held]) => !isFree(loop, key, held)).map(([key]) => key)),
  });
  const requests: WakeRequest[] = [];
  for (const due of open) {
    if ((await askedSession(shop, due)).kind === 'elsewhere') continue;
    const provider = await providerFor(loop, due.agent);
    if ('unavailable' in provider) {
      shop.say('provider away', { agent: due.agent, place: placeName(due.place), reason: provider.unavailable });
      state.wakeHeldOff.set(due.key, now + HOLD_OFF_MS);
    } else requests.push({ due, lapsed: state.talk.wakes.get(due.key)?.tip ?? null, ttlMs: fleet.config.timings.ttlMs });
  }
  return requests;
}

const HOLD_OFF_MS = 60_000;

/** An earlier life of this clone left it, or its node has been silent for longer than its lease. */
function isFree({ shop, state, pastIncarnations }: Loop, key: string, { tip, wake }: HeldWake): boolean {
  if (pastIncarnations.includes(wake.incarnation)) return true;
  const watch = state.wakeLeases.get(key);
  return watch?.claim === tip && isLapsed(watch, wake.ttl_s * 1000, state.fetchPeriodMs, shop.node.clock.bootMs());
}

async function beginAnswer(loop: Loop, fleet: Fleet, won: WakeWon): Promise<void> {
  const { shop, state } = loop;
  if (state.talk.wakes.get(won.due.key)?.tip !== won.tip) return;
  // Answered by whoever held the wake before, or no longer called for: given back by the next pass.
  const due = wakesOf(loop, fleet).due.find(({ key }) => key === won.due.key);
  const provider = await providerFor(loop, won.due.agent);
  if (due === undefined || 'unavailable' in provider) return;
  const asked = await askedSession(shop, due);
  const chosen = asked.kind === 'here' ? { ...provider, name: asked.provider } : provider;
  state.wakeRenewed.set(due.key, won.startedMs);
  state.answers.set(due.key, await openAnswer(shop, { ...won, due }, chosen, asked.kind === 'here' ? asked.resume : null));
  shop.say('woken', { agent: due.agent, place: placeName(due.place), messages: due.messages.length, by: due.messages.at(-1)?.from });
}

/** Who answers now, or why nobody may. */
async function providerFor({ shop }: Loop, agent: string): Promise<Chosen | NoProvider> {
  const asker = shop.agent(agent);
  const wait = asker === undefined ? null : mayStart(shop.limits(), asker, { task: null, provider: null }, shop.node.clock.now().toISOString());
  return wait === null ? chooseProviderFor(shop, { agent, task: null }) : { unavailable: waitText(wait), until: wait.until };
}

/** Drain: agents that answer are stopped, and what they were asked waits for whoever is next. */
export async function releaseAnswers(loop: Loop, graceMs: number): Promise<void> {
  const { shop, state } = loop;
  for (const answer of state.answers.values()) {
    if (answer.phase === 'landing') continue;
    await shop.node.supervisor.stop(shop.scratch(answer.spawn), 'asked', graceMs);
    await forgetAnswer(loop, answer);
  }
}
