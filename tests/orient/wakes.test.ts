import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideWakes } from '../../src/decide/wakes.ts';
import { agentSpeaking, mentionsIn } from '../../src/model/talk.ts';
import type { Conversation, Message, Place } from '../../src/model/talk.ts';
import { orientWakes } from '../../src/orient/wakes.ts';
import type { DueWake, WakeRules } from '../../src/orient/wakes.ts';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');
const DESIGN: Place = { channel: 'design' };
const idOf = (at: number): string => `01JD${String(at).padStart(22, '0')}`;

function said(at: number, text: string, more: Partial<Message> = {}): Message {
  const id = more.id ?? idOf(at);
  return {
    path: `agents/channels/design/${id}.md`, id, from: 'human:maria', channel: 'design', to: [], mentions: [], kind: 'say', replyTo: null, chain: [], hops: 0, thread: null, spawn: null, session: null, answers: [],
    at: '2026-11-21T11:59:00Z', text, ...more,
  };
}

/** What a node posts for a wake that is due (act/answer/land.ts). */
function answerTo({ agent, chain, hops, thread, messages }: DueWake, at: number, text: string): Message {
  return said(at, text, { from: `agent:${agent}`, chain, hops: hops + 1, thread, mentions: mentionsIn(text), replyTo: messages.at(-1)?.id ?? null, answers: messages.map(({ id }) => id) });
}

function rulesFor(agents: readonly string[], more: Partial<WakeRules> = {}): WakeRules {
  return { agents: new Map(agents.map((id) => [id, { role: 'worker', answers: true }])), spawnDepth: 3, threadWakes: 16, wakesPerHour: 1_000, nowMs: NOW_MS, awake: new Set(), ...more };
}

const at = (messages: readonly Message[], place: Place = DESIGN): readonly Conversation[] => [{ place, messages }];
const dueIn = (messages: readonly Message[], rules: WakeRules): readonly string[] => orientWakes(at(messages), rules).due.map(({ agent }) => agent);
const reasons = (messages: readonly Message[], rules: WakeRules): readonly string[] => orientWakes(at(messages), rules).unwoken.map(({ name, reason }) => `${name}: ${reason}`);

/** Answers whatever is due, one at a time in the order that `pick` says, until nothing is. */
function played(first: readonly Message[], rules: WakeRules, pick: (from: number) => number, textOf: () => string): { readonly messages: readonly Message[]; readonly wakes: readonly DueWake[] } {
  let messages = first;
  const wakes: DueWake[] = [];
  for (let turn = 0; ; turn++) {
    expect(turn, 'it ends').toBeLessThan(500);
    const { due } = orientWakes(at(messages), rules);
    const wake = due[pick(due.length)];
    if (wake === undefined) return { messages, wakes };
    wakes.push(wake);
    messages = [...messages, answerTo(wake, 100 + turn, textOf())];
  }
}

const AGENTS = ['a', 'b', 'c', 'd', 'e', 'f'];
const mention = fc.constantFrom(...AGENTS.map((agent) => `@${agent}`), '@all', '@role:worker', '@nobody');
const text = fc.array(mention, { maxLength: 5 }).map((names) => `Done. ${names.join(' ')}`);
const game = fc.record({ agents: fc.integer({ min: 1, max: 6 }), threadWakes: fc.integer({ min: 1, max: 20 }), spawnDepth: fc.integer({ min: 1, max: 6 }), opening: text, texts: fc.array(text, { minLength: 1, maxLength: 30 }), picks: fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }) });

describe('whatever agents answer, and in whatever order', () => {
  const play = ({ agents, opening, texts, picks, ...limits }: { agents: number; threadWakes: number; spawnDepth: number; opening: string; texts: readonly string[]; picks: readonly number[] }) => {
    let [picked, spoken] = [0, 0];
    return played([said(1, opening)], rulesFor(AGENTS.slice(0, agents), limits), (from) => (picks[picked++ % picks.length] as number) % Math.max(1, from), () => texts[spoken++ % texts.length] as string);
  };

  test('one sentence of a person wakes no more than the thread allows, at most that deep, and it ends', () => {
    fc.assert(fc.property(game, (given) => {
      const { wakes } = play(given);
      expect(wakes.length).toBeLessThanOrEqual(given.threadWakes);
      expect(Math.max(0, ...wakes.map(({ hops }) => hops))).toBeLessThan(given.spawnDepth);
    }));
  });

  test('no agent is woken twice along a line of cause', () => {
    fc.assert(fc.property(game, (given) => {
      const { messages, wakes } = play(given);
      const byId = new Map(messages.map((message) => [message.id, message]));
      const line = (message: Message): readonly string[] => (agentSpeaking(message) === null ? [] : [agentSpeaking(message) as string, ...message.answers.flatMap((id) => line(byId.get(id) as Message))]);
      for (const wake of wakes) for (const message of wake.messages) expect(line(message)).not.toContain(wake.agent);
    }));
  });

  test('agents that call everybody are woken once each', () => {
    fc.assert(fc.property(game, (given) => {
      const { wakes } = play({ ...given, opening: '@all begin', texts: ['@all done'] });
      expect(wakes.length).toBe(Math.min(given.agents, given.threadWakes));
    }));
  });

  test('the order in which files are read changes nothing', () => {
    fc.assert(fc.property(game, fc.array(fc.nat(), { minLength: 40, maxLength: 40 }), (given, keys) => {
      const { messages } = play(given);
      const open = messages.slice(0, 1 + (given.picks[0] as number) % messages.length);
      const shuffled = open.map((message, index) => ({ message, key: keys[index % keys.length] as number })).toSorted((a, b) => a.key - b.key).map(({ message }) => message);
      const rules = rulesFor(AGENTS.slice(0, given.agents), { threadWakes: given.threadWakes, spawnDepth: given.spawnDepth });
      expect(orientWakes(at(shuffled), rules)).toEqual(orientWakes(at(open), rules));
    }));
  });
});

describe('the budget of a thread', () => {
  const rules = rulesFor(AGENTS, { threadWakes: 2 });

  test('counts what is due and not answered yet', () => {
    expect(dueIn([said(1, '@all report')], rules)).toEqual(['a', 'b']);
    expect(reasons([said(1, '@a @b @c')], rules)).toEqual(['c: the thread has had 2 answers: a person\'s next message begins a new one']);
  });

  test('is not touched by what joins an answer that is due', () => {
    const [wake] = orientWakes(at([said(1, '@a one', { thread: null }), said(2, '@a two'), said(3, '@a three')]), rulesFor(['a'], { threadWakes: 1 })).due;
    expect(wake?.messages.map(({ id }) => id)).toEqual([idOf(1), idOf(2), idOf(3)]);
  });

  test('counts an answer for every thread that it answers', () => {
    const one = [said(1, '@a @b one'), said(2, '@a two')];
    const [first] = orientWakes(at(one), rulesFor(AGENTS, { threadWakes: 1 })).due;
    expect(first?.agent).toBe('a');
    expect(dueIn([...one, answerTo(first as DueWake, 3, 'both')], rulesFor(AGENTS, { threadWakes: 1 }))).toEqual([]);
  });
});

describe('the budget of an hour', () => {
  const call = said(9, '@a @b @c');
  const answered = [said(1, '@d'), said(2, 'done', { from: 'agent:d', answers: [idOf(1)], chain: ['d'] })];

  test('counts answers of the last hour and those under way; what waits is said', () => {
    const { due, room, unwoken } = orientWakes(at([...answered, call]), rulesFor(AGENTS, { wakesPerHour: 2, awake: new Set(['a/design']) }));
    expect([due.map(({ agent }) => agent), room]).toEqual([['a'], 0]);
    expect(unwoken.map(({ name, reason }) => `${name}: ${reason}`)).toEqual(['b: 2 answers were given within the hour; it waits', 'c: 2 answers were given within the hour; it waits']);
    expect(orientWakes(at([...answered, call]), rulesFor(AGENTS, { wakesPerHour: 2, nowMs: NOW_MS + 3_600_000 })).room).toBe(2);
  });

  test('is not used up by agents that nobody runs', () => {
    const wakes = orientWakes(at([said(1, '@a @b'), said(2, '@c')]), rulesFor(AGENTS, { wakesPerHour: 1 }));
    const choice = { due: wakes.due, agents: ['c'], answering: [], taken: new Set<string>(), room: 4, atWork: new Set<string>() };
    expect(decideWakes({ ...choice, budget: wakes.room }).map(({ agent }) => agent)).toEqual(['c']);
    expect(decideWakes({ ...choice, agents: ['a', 'c'], budget: wakes.room }).map(({ agent }) => agent)).toEqual(['a']);
    expect(decideWakes({ ...choice, budget: 0 })).toEqual([]);
    expect(decideWakes({ ...choice, answering: ['c/design'], budget: 9 })).toEqual([]);
    expect(decideWakes({ ...choice, answering: ['x/y'], room: 1, budget: 9 })).toEqual([]);
    expect(decideWakes({ ...choice, taken: new Set(['c/design']), budget: 9 })).toEqual([]);
  });
});

test('what an agent at work calls for has a place beyond the room for each answer that it is deep', () => {
  const messages = [said(1, '@a'), said(2, '@b', { from: 'agent:d', spawn: 'S1', chain: ['d'], hops: 1 }), said(3, '@c', { from: 'agent:e', spawn: 'S2', chain: ['d', 'e'], hops: 2 })];
  const { due, room: budget } = orientWakes(at(messages), rulesFor(AGENTS));
  const chosen = (answering: number, atWork: readonly string[], room = 2): readonly string[] =>
    decideWakes({ due, agents: AGENTS, answering: Array.from({ length: answering }, (_, index) => `x${index}/y`), taken: new Set(), room, budget, atWork: new Set(atWork) }).map(({ agent }) => agent);
  expect(chosen(2, [])).toEqual([]);
  expect(chosen(2, ['S1'])).toEqual(['b']);
  expect(chosen(2, ['S1', 'S2'])).toEqual(['b', 'c']);
  expect(chosen(3, ['S1', 'S2'])).toEqual(['c']);
  expect(chosen(4, ['S1', 'S2'])).toEqual([]);
  expect(chosen(0, ['S1', 'S2'])).toEqual(['a', 'b', 'c']);
});

describe('files that nobody of ours has written', () => {
  test('an inbox of nobody calls for nobody, and says so', () => {
    const { due, unwoken } = orientWakes(at([said(1, 'hello')], { inbox: 'ghost' }), rulesFor(['a']));
    expect([due, unwoken.map(({ reason }) => reason)]).toEqual([[], ['nobody here is called ghost']]);
  });

  test('a chain that names thousands is cut to who can be woken here, and a thousand mentions wake whom the thread allows', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `x${index}`);
    const { due, unwoken } = orientWakes(at([said(1, 'all of you', { mentions: [...many, ...AGENTS], chain: many })]), rulesFor(AGENTS, { threadWakes: 3 }));
    expect(due.map(({ agent }) => agent)).toEqual(['a', 'b', 'c']);
    expect(due.map(({ chain }) => chain)).toEqual([AGENTS, AGENTS, AGENTS]);
    expect(unwoken.length).toBe(1_003);
  });

  test('an agent settles for itself only', () => {
    expect(dueIn([said(1, '@a @b'), said(2, 'I answer for all', { from: 'agent:a', answers: [idOf(1)], chain: ['a', 'b'], hops: 1 })], rulesFor(AGENTS))).toEqual(['b']);
    expect(dueIn([said(1, '@a'), said(2, 'never mind', { from: 'human:maria', answers: [idOf(1)] })], rulesFor(AGENTS))).toEqual(['a']);
  });

  test('an agent that leaves out its provenance is its own first link, one answer deep', () => {
    const [wake] = orientWakes(at([said(1, '@b @a', { from: 'agent:a' })]), rulesFor(AGENTS)).due;
    expect(wake).toMatchObject({ agent: 'b', chain: ['a', 'b'], hops: 1 });
  });

  test('what an agent says to a person wakes nobody, nor does that thread until a person speaks', () => {
    const thread = [said(1, '@a'), said(2, '@human which? @b', { from: 'agent:a', thread: idOf(1), chain: ['a'], hops: 1, answers: [idOf(1)] }), said(3, '@b go on', { from: 'agent:c', thread: idOf(1), chain: ['c'], hops: 1 })];
    expect(dueIn(thread, rulesFor(AGENTS))).toEqual([]);
    expect(dueIn([...thread, said(4, '@b the first', { replyTo: idOf(2) })], rulesFor(AGENTS))).toEqual(['b']);
  });

  test('that an agent does not answer itself needs no telling', () => {
    expect(reasons([said(1, '@a I am done', { from: 'agent:a' })], rulesFor(AGENTS))).toEqual([]);
  });

  test('acknowledgements and notices wake nobody', () => {
    for (const kind of ['ack', 'system'] as const) expect(dueIn([said(1, '@a', { kind })], rulesFor(AGENTS))).toEqual([]);
  });

  test('hundreds of messages are answered in portions whose ids fit into one front matter', () => {
    const many = Array.from({ length: 450 }, (_, index) => said(index, '@a'));
    const [first] = orientWakes(at(many), rulesFor(['a'])).due;
    expect(first?.messages.length).toBe(200);
    expect(orientWakes(at([...many, answerTo(first as DueWake, 900, 'those')]), rulesFor(['a'])).due[0]?.messages[0]?.id).toBe(idOf(200));
  });
});

test('a place in which nothing was said since is not looked through again, unless the rules have changed', () => {
  const conversations = at([said(1, '@a')]);
  const [once, again] = [orientWakes(conversations, rulesFor(AGENTS)), orientWakes(conversations, rulesFor(AGENTS))];
  expect(again.due[0]).toBe(once.due[0]);
  expect(orientWakes(conversations, rulesFor(['b'])).due).toEqual([]);
});

test('a line of 300,000 backticks is read in a moment', () => {
  expect(mentionsIn(`${'`'.repeat(300_000)}\n@a`)).toEqual([]);
});
