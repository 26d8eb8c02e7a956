/**
 * Agents that answer, as real processes on two machines: a cascade in which one asks another from inside its spawn, answers side by
 * side, what ends an exchange, an agent that hangs, and a daemon that dies while its agent answers.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFleet } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { tempDir } from '../support/repo.ts';

interface Said {
  readonly id: string;
  readonly from: string;
  readonly kind: string;
  readonly text: string;
  readonly answers: readonly string[];
  readonly chain: readonly string[];
  readonly hops: number;
}

interface Sent {
  readonly id: string;
  readonly called: readonly string[];
  readonly answers: readonly Said[];
  readonly waiting: readonly string[];
  readonly unwoken: readonly { readonly name: string; readonly reason: string }[];
}

const AGENTS = { ann: 'vm-a', bob: 'vm-b', cid: 'vm-b', dan: 'vm-b' };

/** Each agent is a shell script that the test gives it: its report is what it prints. */
const settings = (agent: string, silence: string): string => `schema: cambium.fleet/1
branch: main
timings: { ttl: 60s, heartbeat: 2s, fetch: 200ms, rescan: 5s, grace: 2s, silence: ${silence} }
limits: { agents_per_node: 4 }
providers:
  scripted: { command: [sh, "${agent}", "{agent}", "{result_file}", "{prompt_file}"] }
defaults: { provider: scripted, max_attempts: 1, timeout_minutes: 2 }
agents:
${Object.entries(AGENTS).map(([id, node]) => `  ${id}: { role: worker, node: ${node} }`).join('\n')}
`;

let fleet: TestFleet;
let [a, b] = [] as unknown as [Seat, Seat];
let desk: string;
let cleared: () => void = () => undefined;

/** Starts and ends of agents, a line each: `start ann 1795219200123`. */
const diary = (): readonly string[] => (existsSync(join(desk, 'diary')) ? readFileSync(join(desk, 'diary'), 'utf8').trim().split('\n') : []);
const starts = (agent: string): number => diary().filter((line) => line.startsWith(`start ${agent} `)).length;

function teach(agent: keyof typeof AGENTS, script: string): void {
  writeFileSync(join(desk, `${agent}.sh`), script);
}

async function open(silence = '60s'): Promise<void> {
  const dir = tempDir('agents');
  desk = dir.path;
  cleared = dir.remove;
  const agent = join(desk, 'agent.sh');
  writeFileSync(agent, `DESK='${desk}'\nsay() { echo "$1 $2 $(date +%s%3N)" >> "$DESK/diary"; }\nsay start "$1"\nPROMPT=$3\n. "$DESK/$1.sh" > "$DESK/$1.out"\ncat "$DESK/$1.out" > "$2"\nsay end "$1"\n`);
  writeFileSync(join(desk, 'diary'), '');
  fleet = await makeFleet({ config: settings(agent, silence) });
  [a, b] = [await fleet.seat('vm-a'), await fleet.seat('vm-b')];
}

afterEach(async () => {
  await fleet.close();
  cleared();
});

async function send(seat: Seat, text: string, ...more: readonly string[]): Promise<Sent> {
  const reply = await seat.json<Sent>(['send', text, ...more]);
  expect(reply.ok, JSON.stringify(reply)).toBe(true);
  return (reply as unknown as { data: Sent }).data;
}

async function channel(seat: Seat, name: string): Promise<readonly Said[]> {
  await seat.cambium(['sync']);
  const reply = await seat.json<{ messages: readonly Said[] }>(['channel', 'read', name, '--limit', '100']);
  return (reply as unknown as { data: { messages: readonly Said[] } }).data.messages;
}

const wakesLeft = (): readonly string[] => [...fleet.refs().keys()].filter((ref) => ref.startsWith('refs/cambium/wakes/'));
const nobodyLeft = async (...seats: readonly Seat[]): Promise<void> => {
  for (const seat of seats) await fleet.until(`no agent of ${seat.name} is left`, async () => (await seat.processes()).length <= 1);
};

describe('two machines', () => {
  beforeEach(async () => {
    await open();
    a.up();
    b.up();
  }, 120_000);

  it('a person asks ann, who asks bob from inside her spawn and waits, and her answer has his in it', async () => {
    teach('ann', `cambium send '#design @bob which index?' --wait 60s > "$DESK/heard"; echo "bob says: $(grep -o 'the date' "$DESK/heard")"`);
    teach('bob', 'echo "Take the date."');
    const began = performance.now();
    const { answers, waiting } = await send(a, '#design @ann ask bob', '--wait', '60s');
    const tookMs = performance.now() - began;
    expect([answers.map(({ text }) => text.trim()), waiting]).toEqual([['bob says: the date'], []]);
    const said = await channel(a, 'design');
    expect(said.map(({ from, hops, chain }) => [from.replace(/^human:.*/, 'human'), hops, chain])).toEqual([['human', 0, []], ['agent:ann', 1, ['ann']], ['agent:bob', 2, ['ann', 'bob']], ['agent:ann', 1, ['ann']]]);
    const times = diary().map((line) => Number(line.split(' ')[2]));
    // From the person's word to ann's start, from hers to bob's, from his end to hers, from hers to the person.
    console.log(`a cascade of two answers on two machines: ${Math.round(tookMs)} ms; ann asked and bob began after ${times[1]! - times[0]!} ms, bob ended and ann after ${times[3]! - times[2]!} ms (one fetch period is 200 ms)`);
    expect([starts('ann'), starts('bob'), wakesLeft()]).toEqual([1, 1, []]);
    await nobodyLeft(a, b);
  });

  it('three that are called at once answer side by side; nobody is called by a name that nobody has', async () => {
    for (const agent of ['bob', 'cid', 'dan'] as const) teach(agent, `touch "$DESK/here-${agent}"; while [ ! -e "$DESK/here-bob" ] || [ ! -e "$DESK/here-cid" ] || [ ! -e "$DESK/here-dan" ]; do sleep 0.05; done; echo "@bob @cid @dan seen"`);
    const { answers, unwoken } = await send(a, '#design @bob @cid @dan @nobody which index?', '--wait', '60s');
    expect(answers.map(({ from }) => from).toSorted()).toEqual(['agent:bob', 'agent:cid', 'agent:dan']);
    expect(unwoken).toMatchObject([{ name: 'nobody', reason: 'nobody here is called nobody' }]);
    expect([starts('bob'), starts('cid'), starts('dan'), wakesLeft()]).toEqual([1, 1, 1, []]);
    await nobodyLeft(a, b);
  });

  it('what is said to a person ends it', async () => {
    teach('ann', 'echo "@human it is done. @bob @cid thank you"');
    const { answers } = await send(a, '#design @ann finish', '--wait', '60s');
    expect(answers.length).toBe(1);
    teach('dan', 'echo "still here"');
    await send(a, '#design @dan are you there?', '--wait', '60s');
    expect([starts('ann'), starts('bob'), starts('cid'), starts('dan')]).toEqual([1, 0, 0, 1]);
  });
});

it('an agent that hangs is ended with all it has started, tried once more, and then its place is told', async () => {
  await open('3s');
  b.up();
  teach('bob', 'sleep 600 & setsid sleep 600 & sleep 600');
  const { answers } = await send(b, '#design @bob hello', '--wait', '90s');
  expect(answers).toMatchObject([{ from: 'agent:bob', kind: 'system' }]);
  expect(answers[0]?.text).toMatch(/^bob could not answer: /);
  expect(starts('bob')).toBe(2);
  await nobodyLeft(b);
  expect(wakesLeft()).toEqual([]);
});

it('a daemon that is killed while its agent answers: the next one adopts it, and it answers once', async () => {
  await open();
  teach('ann', 'while [ ! -e "$DESK/go" ]; do sleep 0.05; done; echo "still here"');
  const before = a.up();
  const { id } = await send(a, '#design @ann hello');
  await fleet.until('ann works', () => starts('ann') === 1);
  before.child.kill('SIGKILL');
  await before.ended;
  const lastBeat = fleet.refs().get('refs/cambium/nodes/vm-a');
  const after = a.up();
  await fleet.until('the new daemon beats', () => fleet.refs().get('refs/cambium/nodes/vm-a') !== lastBeat);
  writeFileSync(join(desk, 'go'), '');
  await fleet.until('ann has answered', () => wakesLeft().length === 0);
  const said = await channel(a, 'design');
  expect(said.filter(({ answers }) => answers.includes(id)).map(({ text }) => text.trim())).toEqual(['still here']);
  expect(starts('ann')).toBe(1);
  after.child.kill('SIGINT');
  await after.finished();
  expect(await a.processes()).toEqual([]);
});
