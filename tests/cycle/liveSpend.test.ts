/** What running spawns have cost, read from logs that grow in pieces. */
import { expect, test } from 'vitest';
import { createLiveSpend } from '../../src/cycle/liveSpend.ts';
import type { SpawnEvent } from '../../src/model/spawnEvent.ts';
import type { Workshop } from '../../src/act/run/workshop.ts';

function desk(log: { text: string }, conversational = true): Pick<Workshop, 'node' | 'scratch' | 'providers'> {
  const provider = { conversational, reader: () => (line: string) => [JSON.parse(line) as SpawnEvent] };
  const readLog = async (_scratch: string, from: number): Promise<{ text: string; next: number }> => ({ text: log.text.slice(from), next: log.text.length });
  return { node: { supervisor: { readLog } }, scratch: (spawn: string) => spawn, providers: new Map([['p', provider]]) } as unknown as Pick<Workshop, 'node' | 'scratch' | 'providers'>;
}

const line = (event: SpawnEvent): string => `${JSON.stringify(event)}\n`;
const usage = (input: number, costUsd: number | null, cumulative = false): SpawnEvent => ({ kind: 'usage', usage: { input, cached: 0, output: 0 }, costUsd, cumulative });

test('a line that comes in two pieces is one event, and nothing is counted twice', async () => {
  const log = { text: '' };
  const live = createLiveSpend(desk(log));
  const [first, second] = [line(usage(10, 0.1)), line(usage(30, 0.3))];
  for (const text of [first.slice(0, 20), first, `${first}${second}`, `${first}${second}`]) {
    log.text = text;
    await live.read([{ spawn: 's', provider: 'p' }]);
  }
  expect(live.of('s')).toMatchObject({ usd: 0.3, tokens: 30 });
});

test('of a session that is gone on with, what it had cost before is not the spawn\'s own', async () => {
  const log = { text: `${line(usage(100, 1, true))}${line(usage(150, null, true))}` };
  const live = createLiveSpend(desk(log));
  await live.read([{ spawn: 's', provider: 'p', resume: { usage: { input: 80, cached: 0, output: 0 }, costUsd: 0.75 } }]);
  expect(live.of('s')).toEqual({ usd: 0.25, tokens: 70, usage: { input: 70, cached: 0, output: 0 }, turns: 0 });
});

test('a turn is what the model says between two things that it was told', async () => {
  const tool = (id: string): SpawnEvent => ({ kind: 'tool', id, name: 'bash', input: 'ls' });
  const told = (id: string): SpawnEvent => ({ kind: 'tool_result', id, ok: true, output: '' });
  const said: SpawnEvent = { kind: 'text', text: 'so' };
  const log = { text: [said, tool('1'), tool('2'), told('1'), told('2'), said, tool('3'), told('3'), said, said].map(line).join('') };
  const live = createLiveSpend(desk(log));
  await live.read([{ spawn: 's', provider: 'p' }]);
  expect(live.of('s')?.turns).toBe(3);
});

test('a spawn that is over is forgotten, and a runbook has nothing to tell', async () => {
  const live = createLiveSpend(desk({ text: line(usage(1, 1)) }));
  await live.read([{ spawn: 's', provider: 'p' }]);
  await live.read([]);
  expect(live.of('s')).toBeNull();
  const quiet = createLiveSpend(desk({ text: 'not json\n' }, false));
  await quiet.read([{ spawn: 's', provider: 'p' }]);
  expect(quiet.of('s')).toBeNull();
});
