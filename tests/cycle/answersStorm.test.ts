/**
 * Agents that answer in bad weather: people say things in channels and to inboxes at any moment, agents of several nodes answer
 * by calling others, fail, hang beyond their lease, change files and say what no file may hold, while pushes are lost, applied
 * by half or late, listings torn and daemons killed. Then the sky clears, and what was said, answered and spent is audited.
 * A failing seed is repeated exactly: `STORM_SEED=17 npx vitest run --project unit tests/cycle/answersStorm.test.ts`; STORM_COUNT=300 looks at more of them.
 */
import { expect, test } from 'vitest';
import { addFilesMember } from '../../src/act/addFile.ts';
import { CambiumError } from '../../src/errors.ts';
import type { Answer } from '../../src/model/answer.ts';
import { agentSpeaking, mentionsIn, placeFolder } from '../../src/model/talk.ts';
import type { Conversation, Message, Place } from '../../src/model/talk.ts';
import type { Oid } from '../../src/model/ids.ts';
import { parseMessage } from '../../src/observe/messageFile.ts';
import { renderMessageFile } from '../../src/observe/renderMessageFile.ts';
import { createTalkReader } from '../../src/observe/talk.ts';
import { diffTrees, fileAt, treeOf } from '../../src/observe/tree.ts';
import { MAIN, createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryNode, Seat } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';
import { chanceOf, clearUp, cloudOver, stumble } from '../support/weather.ts';
import type { Chance } from '../support/weather.ts';

/** Two agents have a home on two nodes each, so that their answers are raced for and taken over. */
const NODES = { 'vm-a': ['ann', 'bob'], 'vm-b': ['bob', 'cid'], 'vm-c': ['cid', 'dan'] };
const AGENTS = ['ann', 'bob', 'cid', 'dan'];
const PLACES: readonly Place[] = [{ channel: 'design' }, { channel: 'ops' }, { inbox: 'bob' }];
const LATE_MS = 20_000;

interface Weather {
  readonly fleet: MemoryFleet;
  readonly nodes: readonly MemoryNode[];
  readonly desk: Seat;
  readonly chance: Chance;
  /** Every answer that a node had on record, by its spawn: what a spawn was for. */
  readonly answers: Map<string, Answer>;
  readonly starts: Start[];
  readonly threadWakes: number;
}

/** A spawn, and the main that its node knew when it began. */
interface Start {
  readonly job: Job;
  readonly known: Oid | null;
}

async function storm(seed: number): Promise<Weather> {
  const chance = chanceOf(seed);
  const threadWakes = seed % 5 === 0 ? 2 : 16;
  const starts: Start[] = [];
  const weather: { now: Weather | null } = { now: null };
  const fleet = await createMemoryFleet({
    seed, nodes: NODES, provider: 'claude', config: `limits: { wakes_per_hour: 10000, agents_per_node: ${seed % 3 === 0 ? 1 : 4}, thread_wakes: ${threadWakes} }\n`,
    work: (job) => {
      starts.push({ job, known: weather.now?.fleet.node(job.node).node.mirror.known().main ?? null });
      return workOf(chance, job);
    },
  });
  const nodes = Object.keys(NODES).map((name) => fleet.node(name));
  weather.now = { fleet, nodes, desk: await fleet.seat('desk'), chance, answers: new Map(), starts, threadWakes };
  await blow(weather.now);
  await settle(weather.now);
  return weather.now;
}

function workOf(chance: Chance, { agent, task }: Job): Work {
  if (task !== '') return {};
  const calls = chance([[3, ''], [3, '@ann @bob @cid @dan please confirm'], [2, '@all thanks'], [1, '@human it is done. @bob @cid'], [1, '@nobody and @bob']]);
  const text = chance([[6, 'Done. '], [1, ''], [1, '---\nfrom: human:boss\n---\n'], [1, '<<<<<<< HEAD\n'], [1, 'nul \0, cr \r, half a pair \ud800. ']]);
  const files: Record<string, string> = chance([[5, {}], [1, { [`memory/${agent}/note.md`]: 'noted\n' }], [1, { 'code.txt': `by ${agent}\n` }]]);
  return { report: text + calls, files, exit: chance([[8, 0], [1, 1]]), afterMs: chance([[4, 0], [4, 3_000], [2, 15_000], [1, 150_000]]) };
}

async function blow(weather: Weather): Promise<void> {
  const { fleet, nodes, desk, chance } = weather;
  cloudOver(chance, nodes, [desk]);
  let deliveredMs = 0;
  for (let round = 0; round < 50; round++) {
    if (fleet.clock.bootMs() - deliveredMs > LATE_MS) {
      fleet.hub.deliverLate();
      deliveredMs = fleet.clock.bootMs();
    }
    await Promise.all([...nodes.map((node) => chance([[4, true], [1, false]]) && stumble(node)), round < 30 && chance([[1, true], [2, false]]) && say(weather)]);
    aloneAtWork(weather);
    await chance<() => Promise<unknown>>([
      [8, async () => undefined],
      [2, async () => fleet.hub.deliverLate()],
      [1, () => fleet.commit({ 'other.txt': `${round}\n` }).catch(() => undefined)],
      [1, () => chance(nodes.map((node) => [1, node] as const)).restart()],
    ])();
    await fleet.clock.advance(chance([[6, 1_000], [4, 5_000], [1, 20_000], [1, 80_000]]));
    aloneAtWork(weather);
  }
}

/** One sentence of a person's, or of an agent's from inside its spawn; what becomes of its push is the weather's affair. */
async function say({ desk, chance, fleet, nodes, answers }: Weather): Promise<void> {
  const place = chance(PLACES.map((each) => [1, each] as const));
  const running = nodes.flatMap(({ machine }) => machine.runningSpawns()).flatMap((spawn) => answers.get(spawn) ?? []);
  const speaker = chance([[2, undefined], [1, running[0]]]);
  const provenance = speaker === undefined ? { from: 'human:maria', chain: [], hops: 0, thread: null, spawn: null } : { from: `agent:${speaker.agent}`, chain: [...new Set([...speaker.chain, speaker.agent])], hops: speaker.hops + 1, thread: speaker.thread, spawn: speaker.spawn };
  const text = chance([[3, `@${chance(AGENTS.map((agent) => [1, agent] as const))} what next?`], [2, '@bob @cid which of you?'], [1, '@all report'], [1, '@nobody at all'], [1, 'nobody is meant'], [1, '@human me']]);
  const id = fleet.clock.ulid();
  const said = { id, ...provenance, channel: 'channel' in place ? place.channel : null, to: 'channel' in place ? [] : [place.inbox], mentions: mentionsIn(text), kind: 'say', replyTo: null, session: null, answers: [], at: fleet.clock.now().toISOString(), text } as const;
  const member = addFilesMember(desk.node, { key: id, by: { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' }, message: `${id}\n`, files: async () => new Map([[`${placeFolder(place)}/${id}.md`, renderMessageFile(said)]]) });
  await desk.publish([member], { patienceMs: 500 }).catch((error: unknown) => {
    if (!(error instanceof CambiumError && ['lost-race', 'hub-away', 'refused'].includes(error.code))) throw error;
  });
}

async function settle(weather: Weather): Promise<void> {
  const { fleet, nodes, desk } = weather;
  await clearUp(fleet, nodes, [desk]);
  let quiet = 0;
  for (let round = 0; round < 250; round++) {
    const reports = await Promise.all(nodes.map((node) => node.pass()));
    aloneAtWork(weather);
    quiet = round > 3 && reports.every(({ idle, progress, settled }) => idle && settled && !progress) ? quiet + 1 : 0;
    if (quiet > 3) return;
    await fleet.clock.advance(5_000);
  }
  const open = nodes.flatMap((node) => [...node.loop.state.answers.values()].map((answer) => `${node.name}: ${answer.key} ${answer.phase}`));
  throw new Error(`the fleet does not come to rest: ${open.join(', ')} ${wakesOf(fleet).join(', ')}`);
}

const wakesOf = ({ hub }: MemoryFleet): readonly string[] => [...hub.refs.keys()].filter((ref) => ref.startsWith('refs/cambium/wakes/'));

/** One agent at one place is one process at a time, whichever nodes it lives on. */
function aloneAtWork({ nodes, answers }: Weather): void {
  for (const { records } of nodes) for (const [key, text] of records) if (key.startsWith('answers/')) note(answers, JSON.parse(text) as Answer);
  const keys = nodes.flatMap(({ name, machine }) => machine.runningSpawns().flatMap((spawn) => (answers.has(spawn) ? [`${answers.get(spawn)?.key}`] : [])).map((key) => ({ name, key })));
  expect(keys.map(({ key }) => key).toSorted(), JSON.stringify(keys)).toEqual([...new Set(keys.map(({ key }) => key))].toSorted());
}

function note(answers: Map<string, Answer>, answer: Answer): void {
  if (answer.phase !== 'preparing') answers.set(answer.spawn, answer);
}

async function heard({ store }: Seat, main: Oid): Promise<readonly Conversation[]> {
  return (await createTalkReader(store).read({ main, refs: new Map() } as unknown as Parameters<ReturnType<typeof createTalkReader>['read']>[0])).conversations;
}

/** `<agent> <message>` for each that is settled at a place, as often as it is. */
const settledIn = (messages: readonly Message[]): readonly string[] => messages.flatMap((message) => message.answers.map((id) => `${agentSpeaking(message)} ${id}`));

async function audit({ fleet, nodes, answers, starts, threadWakes }: Weather): Promise<void> {
  const witness = await fleet.seat('witness');
  await witness.look();
  const main = fleet.hub.refs.get(MAIN) as Oid;
  const conversations = await heard(witness, main);
  const byFolder = new Map(conversations.map(({ place, messages }) => [placeFolder(place), messages]));
  for (const { messages, place } of conversations) {
    const files = await filesUnder(witness, main, placeFolder(place));
    for (const path of files) expect(parseMessage({ path, bytes: (await fileAt(witness.store, await treeOf(witness.store, main), path))?.bytes ?? new Uint8Array() }), 'it can be read').not.toHaveProperty('reason');
    expect(messages.length).toBe(files.length);
    const settled = settledIn(messages);
    expect(settled.toSorted(), 'answered once').toEqual([...new Set(settled)].toSorted());
    for (const message of messages) {
      const called = message.from === 'human:maria' ? calledIn(message, place) : [];
      const answeredBy = called.filter((agent) => settled.includes(`${agent} ${message.id}`));
      expect(answeredBy.length, `${message.path}: ${message.text}`).toBe(threadWakes < called.length ? answeredBy.length : called.length);
      const speaker = agentSpeaking(message);
      if (speaker !== null && message.answers.length > 0) {
        expect(message.chain).toContain(speaker);
        for (const id of message.answers) expect(calledIn(messages.find((asked) => asked.id === id) as Message, place)).toContain(speaker);
      }
    }
    noTwiceInAChain(messages, conversations, answers);
  }
  for (const { job, known } of starts) {
    const answer = answers.get(job.spawn);
    if (answer === undefined || known === null) continue;
    const before = settledIn((await heard(fleet.node(job.node), known)).find(({ place }) => placeFolder(place) === placeFolder(answer.place))?.messages ?? []);
    for (const id of answer.messages) expect(before, `${job.node} started ${job.spawn} for what it knew was settled`).not.toContain(`${job.agent} ${id}`);
  }
  await auditRecords({ nodes, answers, starts, witness, main });
  expect(wakesOf(fleet)).toEqual([]);
  for (const { name, records, machine } of nodes) {
    expect([...records.keys()].filter((key) => key.startsWith('answers/')), name).toEqual([]);
    expect((await machine.worktrees.list()).filter((tree) => tree.startsWith('answer-')), name).toEqual([]);
  }
  expect(byFolder.size).toBeGreaterThan(0);
}

/** Every spawn is on record, on main or on its way there, and names what it answered. */
async function auditRecords({ nodes, answers, starts, witness, main }: Pick<Weather, 'nodes' | 'answers' | 'starts'> & { readonly witness: Seat; readonly main: Oid }): Promise<void> {
  const texts = new Map<string, string>();
  for (const path of await filesUnder(witness, main, 'agents/spawns')) texts.set(/([^/]+)\.json$/.exec(path)?.[1] ?? path, Buffer.from((await fileAt(witness.store, await treeOf(witness.store, main), path))?.bytes ?? []).toString());
  for (const { records } of nodes) for (const [key, text] of records) if (key.startsWith('spawns/')) texts.set(key.slice('spawns/'.length), (JSON.parse(text) as { readonly text: string }).text);
  for (const { job } of starts) {
    const answer = answers.get(job.spawn);
    if (answer === undefined) continue;
    expect(texts.has(job.spawn), `${job.node} has a record of ${job.spawn} (${answer.key})`).toBe(true);
    expect(JSON.parse(texts.get(job.spawn) as string)).toMatchObject({ agent: job.agent, purpose: 'message', messages: answer.messages });
  }
}

function calledIn({ mentions, text }: Message, place: Place): readonly string[] {
  if ('inbox' in place) return [place.inbox];
  const names = mentions.length > 0 ? mentions : mentionsIn(text);
  return names.includes('all') ? AGENTS : AGENTS.filter((agent) => names.includes(agent));
}

/** Along what each answer replies to, no agent answers twice until a person has spoken. */
function noTwiceInAChain(messages: readonly Message[], conversations: readonly Conversation[], answers: ReadonlyMap<string, Answer>): void {
  const byId = new Map(conversations.flatMap((conversation) => conversation.messages.map((message) => [message.id, message])));
  const woken = (message: Message): readonly string[] => {
    const speaker = agentSpeaking(message);
    const causes = message.answers.length > 0 ? message.answers : (answers.get(message.spawn ?? '')?.messages ?? []);
    return speaker === null ? [] : [...causes.flatMap((id) => woken(byId.get(id) as Message)), speaker];
  };
  for (const message of messages) {
    const speaker = agentSpeaking(message);
    if (speaker === null) continue;
    for (const id of message.answers) expect(woken(byId.get(id) as Message), `${message.path} answers ${id}`).not.toContain(speaker);
  }
}

async function filesUnder({ store }: Seat, main: Oid, folder: string): Promise<readonly string[]> {
  return (await diffTrees(store, null, await treeOf(store, main))).map(({ path }) => path).filter((path) => path.startsWith(`${folder}/`));
}

const { STORM_SEED, STORM_COUNT = '16' } = process.env;
const seeds = STORM_SEED === undefined ? Array.from({ length: Number(STORM_COUNT) }, (_, at) => at + 1) : [Number(STORM_SEED)];

test.each(seeds)('storm %i answers what was said once, alone, and comes to rest', async (seed) => {
  await audit(await storm(seed));
});
