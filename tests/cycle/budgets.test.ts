/** Money, tokens, turns, hours and room: what is used up starts nothing, and an agent at its bound ends with its work kept. */
import { describe, expect, test } from 'vitest';
import { releaseMember } from '../../src/act/claim.ts';
import { createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Work } from '../support/memoryMachine.ts';

const one = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> => createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, provider: 'claude', files: { 'tasks/a.md': task(), 'tasks/b.md': task({ priority: 4 }) }, ...options });

const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch, attempt }) => `${kind} ${epoch}.${attempt}`);

async function pass(fleet: MemoryFleet, ms: number, step = 10_000): Promise<void> {
  for (let left = ms; left > 0; left -= step) {
    await fleet.node('vm-a').rest();
    await fleet.clock.advance(Math.min(step, left));
  }
  await fleet.node('vm-a').rest();
}

const cost = (costUsd: number, tokens = 100): Work => ({ costUsd, usage: { input: tokens, cached: 0, output: 0 } });

describe('a budget that is used up', () => {
  test('of the fleet\'s day: the next task waits for midnight, with the reason', async () => {
    const fleet = await one({ config: 'limits: { usd_per_day: 1 }\n', work: () => cost(1.25) });
    const report = await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'done 1.1']);
    expect(report.situation?.tasks.get('b')).toMatchObject({ state: 'waiting', due: '2026-11-22T00:00:00.000Z', reasons: ['the budget of $1.00 of the fleet for today is used up ($1.25 spent)', 'Raise it: limits.usd_per_day in cambium.yaml.'] });
    expect(report.idle).toBe(true);
    await pass(fleet, 20 * 3_600_000, 3_600_000);
    expect(fleet.node('vm-a').machine.started).toHaveLength(1);
    await pass(fleet, 6 * 3_600_000, 3_600_000);
    expect((await kinds(fleet, 'b')).at(-1)).toBe('done 1.1');
  });

  test('of an agent\'s day: another agent goes on', async () => {
    const fleet = await one({ nodes: { 'vm-a': ['ann', 'bob'] }, config: 'limits: { usd_per_agent_day: 1, agents_per_node: 1 }\n', files: Object.fromEntries(['a', 'b', 'c'].map((id) => [`tasks/${id}.md`, task()])), work: () => cost(1) });
    await pass(fleet, 30_000);
    expect(fleet.node('vm-a').machine.started.map(({ agent }) => agent).toSorted()).toEqual(['ann', 'bob']);
  });

  test('counts tokens where nobody knows the cost', async () => {
    const fleet = await one({ config: 'limits: { usd_per_day: 1, tokens_per_day: 500 }\n', work: () => ({ usage: { input: 400, cached: 0, output: 200 } }) });
    const report = await fleet.node('vm-a').rest();
    expect(report.situation?.tasks.get('b')?.reasons[0]).toBe('the budget of 500 tokens of the fleet for today is used up (600 tokens spent)');
  });

  test('counts attempts that did not land, before main tells of them', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ max_attempts: 5 }), 'tasks/b.md': task({ priority: 4 }) }, config: 'limits: { usd_per_day: 1 }\n', work: () => ({ ...cost(1.5), exit: 1, failure: 'crashed' }) });
    const report = await fleet.node('vm-a').rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1']);
    for (const id of ['a', 'b']) expect(report.situation?.tasks.get(id)).toMatchObject({ state: 'waiting', reasons: ['the budget of $1.00 of the fleet for today is used up ($1.50 spent)', expect.anything()] });
    expect((await fleet.node('vm-a').look()).ledger).toEqual([]);
    await pass(fleet, 120_000);
    expect(fleet.node('vm-a').machine.started).toHaveLength(1);
  });

  test('of a task asks a person, and goes on when it is raised', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ budget_usd: 2, max_attempts: 5 }) }, work: ({ epoch }) => (epoch === 3 ? { files: { 'a.txt': 'x\n' } } : { ...cost(1.5), exit: 1, failure: 'crashed', report: ['no tests', 'no build'][epoch - 1] ?? '?' }) });
    await pass(fleet, 120_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1', 'claim 2.2', 'input 2.2']);
    const seat = await fleet.seat('person');
    const { tip } = await fleet.tip('a');
    await seat.look();
    await seat.publish([releaseMember(seat.node, seat.reader, { task: 'a', tip, reason: 'go on' })]);
    await pass(fleet, 20_000);
    // Given back as it was: nothing has changed about its money.
    expect((await fleet.node('vm-a').rest()).situation?.tasks.get('a')).toMatchObject({ state: 'waiting', limited: true, reasons: ['the budget of $2.00 of task a is used up ($3.00 spent)', 'Raise it: budget_usd in tasks/a.md.'] });
    await fleet.commit({ 'tasks/a.md': task({ budget_usd: 10, max_attempts: 5 }) });
    await pass(fleet, 20_000);
    expect(fleet.node('vm-a').machine.started).toHaveLength(3);
  });
});

describe('an agent that reaches its bound while it works', () => {
  const spends = (usd: readonly number[]): Work => ({ afterMs: 600_000, spends: usd.map((each, at) => ({ atMs: (at + 1) * 10_000, usd: each, tokens: each * 100 })) });

  test('is stopped within one step, its work kept, and a person is asked', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ budget_usd: 1 }) }, work: () => spends([0.3, 0.6, 0.9, 1.2, 1.5, 1.8]) });
    const node = fleet.node('vm-a');
    await node.rest();
    await node.machine.write('a-1', { 'half.txt': 'half\n' });
    await pass(fleet, 100_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'input 1.1']);
    expect((await fleet.tip('a')).record.question).toBe('the budget of $1.00 of task a is used up ($1.20 spent). Raise it: budget_usd in tasks/a.md. The work is kept on refs/cambium/wip/a/1.');
    expect(node.machine.running()).toEqual([]);
    expect([...fleet.hub.refs.keys()]).toContain('refs/cambium/wip/a/1');
  });

  test('of the day gives its claim back, and no attempt is spent', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task() }, config: 'limits: { tokens_per_day: 50 }\n', work: () => spends([0.3, 0.6]) });
    await pass(fleet, 60_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1']);
    expect((await fleet.tip('a')).record).toMatchObject({ reason: expect.stringContaining('the budget of 50 tokens of the fleet for today is used up') });
    expect((await fleet.tip('a')).record.spent).toBeUndefined();
  });

  test('by the CLI\'s own limit asks likewise, and is told what is left after what came before', async () => {
    const told: (number | null)[] = [];
    const fleet = await one({
      files: { 'tasks/a.md': task({ budget_usd: 2, max_attempts: 5 }) },
      work: ({ attempt, budgetUsd }) => {
        told.push(budgetUsd);
        return attempt === 1 ? { ...cost(0.75), exit: 1, failure: 'crashed' } : { ...cost(1.3), exit: 1, report: 'budget reached' };
      },
    });
    await pass(fleet, 60_000);
    expect(told).toEqual([2, 1.25]);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'release 1.1', 'claim 2.2', 'input 2.2']);
    expect((await fleet.tip('a')).record.question).toContain('the budget of $2.00 of task a is used up ($2.05 spent)');
  });

  test('begins no further turn', async () => {
    const fleet = await one({ files: { 'tasks/a.md': task({ budget_usd: 1, verify: 'make test' }) }, verify: () => 1, work: () => ({ ...cost(1.1), files: { 'x.txt': 'x\n' } }) });
    await pass(fleet, 20_000);
    expect(fleet.node('vm-a').machine.started).toHaveLength(1);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1.1', 'input 1.1']);
  });
});

describe('hours and room', () => {
  test('nothing is begun in quiet hours, and what runs goes on', async () => {
    // The fleet's clock begins at midnight.
    const fleet = await one({ config: 'limits: { quiet_hours: "00:10-00:40" }\n', work: ({ task: id }) => ({ afterMs: 900_000, files: { [`${id}.txt`]: 'x\n' } }), files: { 'tasks/a.md': task() } });
    const node = fleet.node('vm-a');
    await pass(fleet, 12 * 60_000, 15_000);
    await fleet.commit({ 'tasks/b.md': task() });
    await pass(fleet, 10 * 60_000, 15_000);
    expect([await kinds(fleet, 'a'), await kinds(fleet, 'b')]).toEqual([['claim 1.1', 'done 1.1'], []]);
    await pass(fleet, 20 * 60_000, 15_000);
    expect(node.machine.started.map(({ task: id }) => id)).toEqual(['a', 'b']);
  });

  test.each([['memory', 'min_free_memory_mb: 500', { memoryMb: 499 }, { memoryMb: 501 }], ['disk', 'min_free_disk_mb: 1000', { diskMb: 0 }, { diskMb: 1_000 }]] as const)('nothing is begun with too little %s', async (_name, limit, little, enough) => {
    const fleet = await one({ config: `limits: { ${limit} }\n` });
    const node = fleet.node('vm-a');
    node.room.set(little);
    await pass(fleet, 60_000);
    expect(node.machine.started).toEqual([]);
    node.room.set(enough);
    await node.rest();
    expect(node.machine.started).toHaveLength(2);
  });
});
