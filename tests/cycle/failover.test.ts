/** Providers that cannot be asked: the work goes to the next at once, nobody spins, and nothing is lost or done twice. */
import { describe, expect, test } from 'vitest';
import type { ProvidersRecord } from '../../src/model/providers.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

const one = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, provider: 'claude', agent: 'fallback: [codex, gemini]', ...options });

const kinds = async (fleet: MemoryFleet, id = 'a'): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch, attempt }) => `${kind} ${epoch}.${attempt}`);
const tried = (node: MemoryNode): readonly string[] => node.machine.started.map(({ provider, attempt }) => `${provider} ${attempt}`);

/** One provider fails in its way, the others do the work. */
const failing = (which: readonly string[], failed: Work) => ({ provider, task: id }: Job): Work => (which.includes(provider) ? { exit: 1, ...failed } : { files: { [`${id}.txt`]: `by ${provider}\n` } });

async function parks(fleet: MemoryFleet, node = 'vm-a'): Promise<ProvidersRecord['parks']> {
  const text = await fleet.file(`agents/providers/${node}.json`);
  return text === null ? [] : (JSON.parse(text) as ProvidersRecord).parks;
}

const later = (fleet: MemoryFleet, ms: number): string => new Date(fleet.clock.now().getTime() + ms).toISOString();

/** Whole passes over virtual time. */
async function pass(fleet: MemoryFleet, names: readonly string[], ms: number, step = 10_000): Promise<void> {
  for (let left = ms; left > 0; left -= step) {
    for (const name of names) await fleet.node(name).rest();
    await fleet.clock.advance(Math.min(step, left));
  }
  for (const name of names) await fleet.node(name).rest();
}

describe('a provider that cannot be asked', () => {
  test.each([['rate_limit'], ['overloaded'], ['auth'], ['refused']] as const)('%s: the next one goes on at once, under the same claim and attempt', async (failure) => {
    const fleet = await one({ work: failing(['claude'], { failure }) });
    const node = fleet.node('vm-a');
    await node.rest();
    expect(tried(node)).toEqual(['claude 1', 'codex 1']);
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'done 1.1']);
    expect(await fleet.file('a.txt')).toBe('by codex\n');
    expect(await fleet.file('tasks/a.result.md')).toMatch(/attempts: 1\n[^]*provider: codex/);
    expect(await parks(fleet)).toMatchObject([{ provider: 'claude', failure, until: failure === 'auth' ? null : expect.any(String), times: 1, scope: 'node' }]);
  });

  test('the next one is told that another had begun, and finds its files', async () => {
    let half: string | null = null;
    const fleet = await one({ work: ({ provider }) => (provider === 'claude' ? { exit: 1, failure: 'rate_limit', files: { 'half.txt': 'half\n' } } : { files: { 'rest.txt': 'rest\n' } }) });
    const node = fleet.node('vm-a');
    await node.rest();
    half = await fleet.file('half.txt');
    expect([half, await fleet.file('rest.txt')]).toEqual(['half\n', 'rest\n']);
    expect(node.machine.started[1]?.feedback).toContain('Another provider (claude) had begun this task');
  });

  test('is left alone until the reset that it named, and asked again after it', async () => {
    const fleet = await one({ nodes: { 'vm-a': ['ann'] }, work: ({ provider, task: id }) => (provider === 'claude' && id !== 'z' ? { exit: 1, failure: 'rate_limit', resetAt: '2026-11-21T02:00:00.000Z' } : {}) });
    const node = fleet.node('vm-a');
    await node.rest();
    const [park] = await parks(fleet);
    expect(park?.until).toBe(Date.parse('2026-11-21T02:00:00.000Z') > fleet.clock.now().getTime() ? '2026-11-21T02:00:00.000Z' : expect.any(String));
    await fleet.commit({ 'tasks/b.md': task() });
    await node.rest();
    expect(tried(node)).toEqual(['claude 1', 'codex 1', 'codex 1']);
    await fleet.clock.advance(Date.parse(park?.until ?? '') - fleet.clock.now().getTime() + 1_000);
    await fleet.commit({ 'tasks/z.md': task() });
    await node.rest();
    expect(tried(node).at(-1)).toBe('claude 1');
    // It has worked: nobody is told of a park any more.
    expect(await parks(fleet)).toEqual([]);
  });

  test('without a reset it waits a minute, then two, to an hour', async () => {
    const fleet = await one({ agent: 'fallback: []', work: () => ({ exit: 1, failure: 'overloaded' }) });
    const node = fleet.node('vm-a');
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      await node.rest();
      const [park] = await parks(fleet);
      waits.push((Date.parse(park?.until ?? '') - Date.parse(park?.since ?? '')) / 60_000);
      await fleet.clock.advance(Date.parse(park?.until ?? '') - fleet.clock.now().getTime() + 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(node.machine.started).toHaveLength(8);
    expect((await kinds(fleet)).filter((kind) => kind.startsWith('claim')).every((kind) => kind.endsWith('.1'))).toBe(true);
  });

  test('all are parked: the claim is given back with the reason, and nothing is started until the first reset', async () => {
    const fleet = await one({ work: ({ provider }) => ({ exit: 1, failure: 'rate_limit', resetAt: later(fleet, provider === 'codex' ? 600_000 : 3_600_000) }) });
    const node = fleet.node('vm-a');
    const report = await node.rest();
    expect(tried(node)).toEqual(['claude 1', 'codex 1', 'gemini 1']);
    const { record } = await fleet.tip('a');
    expect(record).toMatchObject({ kind: 'release', reason: expect.stringMatching(/claude is parked on vm-a until .*codex is parked .*gemini is parked/) });
    expect(record.spent).toBeUndefined();
    expect(report.situation?.tasks.get('a')).toMatchObject({ state: 'waiting', due: expect.any(String), reasons: [expect.stringContaining('codex is parked on vm-a until 2026-11-21T00:10:00Z'), expect.stringContaining('cambium provider resume')] });
    const pushes = node.pushes.filter((updates) => updates.some(({ ref }) => ref.includes('claims/'))).length;
    await pass(fleet, ['vm-a'], 590_000 - 20_000);
    expect(node.machine.started).toHaveLength(3);
    expect(node.pushes.filter((updates) => updates.some(({ ref }) => ref.includes('claims/')))).toHaveLength(pushes);
    await pass(fleet, ['vm-a'], 60_000);
    expect(tried(node).at(3)).toBe('codex 1');
  });

  test('a login that is missing waits for a person, or for other settings', async () => {
    const fleet = await one({ agent: 'fallback: []', work: () => ({ exit: 1, failure: 'auth' }) });
    const node = fleet.node('vm-a');
    await node.rest();
    await pass(fleet, ['vm-a'], 7_200_000, 600_000);
    expect(node.machine.started).toHaveLength(1);
    const config = (await fleet.file('cambium.yaml')) ?? '';
    await fleet.commit({ 'cambium.yaml': `${config}providers:\n  claude: { models: { daily: sonnet } }\n` });
    await node.rest();
    expect(node.machine.started).toHaveLength(2);
  });

  test('a restarted daemon remembers what is parked', async () => {
    const fleet = await one({ agent: 'fallback: []', work: () => ({ exit: 1, failure: 'rate_limit', resetAt: later(fleet, 3_600_000) }) });
    await fleet.node('vm-a').rest();
    await fleet.node('vm-a').restart();
    await pass(fleet, ['vm-a'], 120_000);
    expect(fleet.node('vm-a').machine.started).toHaveLength(1);
  });

  test('also where main takes nothing that tells of it', async () => {
    const fleet = await one({ agent: 'fallback: []', work: () => ({ exit: 1, failure: 'rate_limit', resetAt: later(fleet, 3_600_000) }) });
    const node = fleet.node('vm-a');
    node.fault = (updates) => (updates.some(({ ref }) => ref === MAIN) ? 'decline' : 'ok');
    await node.rest();
    await node.restart();
    await pass(fleet, ['vm-a'], 120_000);
    expect(await fleet.file('agents/providers/vm-a.json')).toBeNull();
    expect(node.machine.started).toHaveLength(1);
  });

  test('is none of another node\'s business, unless one account serves all', async () => {
    const limited = ({ node }: Job): Work => (node === 'vm-a' ? { exit: 1, failure: 'rate_limit', resetAt: '2027-01-01T00:00:00.000Z' } : {});
    const own = await one({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, agent: 'fallback: []', work: limited });
    await pass(own, ['vm-a', 'vm-b'], 20_000);
    expect(own.node('vm-b').machine.started).toHaveLength(1);
    expect((await kinds(own)).at(-1)).toMatch(/^done/);
    const shared = await one({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, agent: 'fallback: []', work: limited, config: 'providers:\n  claude: { scope: fleet }\n' });
    await pass(shared, ['vm-a', 'vm-b'], 20_000);
    expect(shared.node('vm-b').machine.started).toHaveLength(0);
  });
});

test('a node whose providers are parked makes the work of a dead node ready again, and holds none of it', async () => {
  const work = ({ node, task: id }: Job): Work => (node === 'vm-b' ? { exit: 1, failure: 'rate_limit', resetAt: '2026-11-21T12:00:00.000Z' } : { afterMs: 900_000, files: { [`${id}.txt`]: 'x\n' } });
  const fleet = await one({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, agent: 'fallback: []', work });
  await fleet.node('vm-a').rest();
  await fleet.commit({ 'tasks/b.md': task({ assigned_to: 'bob' }) });
  await fleet.node('vm-b').rest();
  fleet.node('vm-a').kill();
  await pass(fleet, ['vm-b'], 200_000);
  expect(fleet.node('vm-b').machine.started.map(({ task: id }) => id)).toEqual(['b']);
  expect((await kinds(fleet)).at(-1)).toMatch(/^release/);
  expect(fleet.node('vm-b').loop.state.runs.size).toBe(0);
});

describe('who stands in for whom', () => {
  test('a task that names another provider than the agent\'s is not passed on', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ provider: 'claude' }), 'tasks/b.md': task({ provider: 'codex', priority: 4 }) }, work: failing(['claude'], { failure: 'rate_limit' }) });
    await fleet.node('vm-a').rest();
    expect(tried(fleet.node('vm-a'))).toEqual(['claude 1', 'codex 1']);
    expect(fleet.node('vm-a').machine.started.map(({ task: id }) => id)).toEqual(['a', 'a']);
  });

  test('a runbook never stands in', async () => {
    const fleet = await one({ agent: 'fallback: [runbook]', work: failing(['claude'], { failure: 'rate_limit' }) });
    await fleet.node('vm-a').rest();
    expect(tried(fleet.node('vm-a'))).toEqual(['claude 1']);
  });

  test('a failure of the work is no reason to ask another, and costs the attempt', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 1 }) }, work: failing(['claude'], { failure: 'crashed' }) });
    await fleet.node('vm-a').rest();
    expect(tried(fleet.node('vm-a'))).toEqual(['claude 1']);
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'failed 1.1']);
  });

  test('a connection that broke in the midst of an answer counts as the work\'s', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 1 }) }, work: failing(['claude'], { failure: 'refused', usage: { input: 10, cached: 0, output: 5 } }) });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'failed 1.1']);
  });
});

describe('a task that gets nowhere', () => {
  test('waits for a person when it has failed the same way twice, with attempts left', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 5 }) }, work: ({ attempt }) => ({ exit: 1, failure: 'crashed', report: `It broke at line ${attempt * 7} of /tmp/x${attempt}/y.ts.` }) });
    await pass(fleet, ['vm-a'], 60_000);
    expect(await kinds(fleet)).toEqual(['claim 1.1', 'release 1.1', 'claim 2.2', 'input 2.2']);
    expect((await fleet.tip('a')).record.question).toMatch(/it failed in the same way 2 times in a row: claude failed: It broke at line 14/);
  });

  test('goes on where each failure is another', async () => {
    const said = ['the tests are red', 'a file is missing', 'the build broke'];
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 3 }) }, work: ({ attempt }) => ({ exit: 1, failure: 'crashed', report: said[attempt - 1] ?? '' }) });
    await pass(fleet, ['vm-a'], 120_000);
    expect((await kinds(fleet)).at(-1)).toBe('failed 3.3');
  });

  test('a provider whose last spawns all failed alike, on several tasks, is parked for all', async () => {
    const files = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((id) => [`tasks/${id}.md`, task({ max_attempts: 1 })]));
    const fleet = await one({ files, agent: 'fallback: []', work: ({ task: id }) => ({ exit: 1, failure: 'empty', report: `nothing came of ${id}` }) });
    await pass(fleet, ['vm-a'], 30_000);
    expect(fleet.node('vm-a').machine.started).toHaveLength(3);
    expect(await parks(fleet)).toMatchObject([{ provider: 'claude', failure: 'empty', reason: expect.stringContaining('3 of its last spawns failed alike') }]);
  });
});
