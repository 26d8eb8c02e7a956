/** Nodes are killed and restarted while providers go and come: each task lands once, and no attempt is spent on a provider's fault. */
import { expect, test } from 'vitest';
import { createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryNode } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';
import { chanceOf, clearUp, cloudOver, stumble } from '../support/weather.ts';

const IDS = ['a', 'b', 'c', 'd'];
const FAULTS = ['rate_limit', 'overloaded', 'refused', 'auth'] as const;

const { STORM_SEED, STORM_COUNT = '3' } = process.env;
const seeds = STORM_SEED === undefined ? Array.from({ length: Number(STORM_COUNT) }, (_, at) => at + 1) : [Number(STORM_SEED)];

test.each(seeds)('storm %i', async (seed) => {
  const chance = chanceOf(seed);
  const isCalm = { now: false };
  const work = ({ task: id, provider }: Job): Work => {
    const good: Work = { afterMs: chance([[2, 0], [2, 4_000], [1, 20_000]]), files: { [`${id}.txt`]: `by ${provider}\n` } };
    if (isCalm.now) return good;
    return chance([[2, good], [3, { exit: 1, failure: chance(FAULTS.map((failure) => [1, failure] as const)), afterMs: chance([[1, 0], [1, 5_000]]), files: { [`${id}.half`]: `${provider}\n` } }]]);
  };
  const fleet = await createMemoryFleet({ seed, nodes: { 'vm-a': ['ann', 'abe'], 'vm-b': ['bob'], 'vm-c': ['cia'] }, provider: 'claude', agent: 'fallback: [codex, gemini]', config: 'providers:\n  codex: { scope: fleet }\n', files: Object.fromEntries(IDS.map((id) => [`tasks/${id}.md`, task()])), work });
  const nodes = ['vm-a', 'vm-b', 'vm-c'].map((name) => fleet.node(name));
  cloudOver(chance, nodes, []);
  for (let round = 0; round < 40; round++) {
    await Promise.all(nodes.map((node) => stumble(node)));
    aloneAtWork(nodes);
    await fleet.clock.advance(chance([[3, 5_000], [1, 70_000]]));
  }
  isCalm.now = true;
  await clearUp(fleet, nodes, []);
  // Credentials that were missing are there again, as a person says by new settings.
  await fleet.commit({ 'cambium.yaml': `${(await fleet.file('cambium.yaml')) ?? ''}  claude: { models: { daily: sonnet } }\n  gemini: { models: { daily: flash } }\n` });
  const isDone = async (): Promise<boolean> => (await Promise.all(IDS.map(async (id) => (await fleet.chain(id)).at(-1)?.kind))).every((kind) => kind === 'done');
  // Parks last an hour at most.
  for (let round = 0; round < 400 && !(round % 20 === 0 && (await isDone())); round++) {
    for (const node of nodes) await stumble(node);
    aloneAtWork(nodes);
    await fleet.clock.advance(15_000);
  }
  for (const id of IDS) {
    const chain = await fleet.chain(id);
    expect(chain.filter(({ kind }) => kind === 'done'), id).toHaveLength(1);
    expect(chain.at(-1)?.kind, id).toBe('done');
    // Nothing here was the work's fault.
    expect(chain.at(-1)?.attempt, id).toBe(1);
    expect(await fleet.file(`${id}.txt`)).toMatch(/^by (?:claude|codex|gemini)\n$/);
  }
});

/** Two agents never work on one task at the same time. */
function aloneAtWork(nodes: readonly MemoryNode[]): void {
  const tasks = nodes.flatMap(({ machine }) => machine.running()).map((run) => run.split('.')[0]);
  expect(tasks.toSorted()).toEqual([...new Set(tasks)].toSorted());
}
