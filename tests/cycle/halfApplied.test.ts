/** Pushes of which only a part was applied are finished by whoever sees them (PROTOCOL P5.3). */
import { describe, expect, test } from 'vitest';
import { takeOver } from '../../src/act/takeover.ts';
import { claimRef } from '../../src/model/layout.ts';
import { MAIN, TTL_MS, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';

const two = (options: Partial<MemoryFleetOptions> = {}): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task() }, ...options });
const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);

describe('a landing that was applied by half', () => {
  const halved = async (which: 'chain' | 'main', work?: MemoryFleetOptions['work']): Promise<{ readonly fleet: MemoryFleet; readonly a: MemoryNode }> => {
    const fleet = await two({ work: work ?? (() => ({ files: { 'a.txt': 'by a\n' } })) });
    const a = fleet.node('vm-a');
    let cut = false;
    a.fault = (updates) => (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a') && !cut ? 'lose-reply' : 'ok');
    a.afterPush = async (updates) => {
      if (cut || !refsOf(updates).includes('main') || !refsOf(updates).includes('claims/a')) return;
      cut = true;
      const undo = updates.find(({ ref }) => (which === 'chain' ? ref === MAIN : ref === claimRef('a')))!;
      fleet.hub.force(undo.ref, undo.expect);
      // Main moves on meanwhile, so that the identical push cannot simply be completed.
      await fleet.commit({ 'README.md': `moved after ${which}\n` });
    };
    return { fleet, a };
  };

  test.each(['chain', 'main'] as const)('(only %s moved) is finished by its owner as its own success', async (which) => {
    const { fleet, a } = await halved(which);
    for (let at = 0; at < 4; at++) await a.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(await fleet.file('a.txt')).toBe('by a\n');
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: done');
    expect(a.said.map(({ event }) => event)).not.toContain('run fenced');
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.includes('stale'))).toEqual([]);
    expect(a.loop.state.runs.size).toBe(0);
  });

  test.each(['chain', 'main'] as const)('(only %s moved) is finished by the owner\'s next life', async (which) => {
    const { fleet, a } = await halved(which);
    const cutAndDie = a.afterPush!;
    a.afterPush = async (updates, outcome) => {
      await cutAndDie(updates, outcome);
      if (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a')) a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    expect((await kinds(fleet, 'a')).at(-1)).toBe(which === 'chain' ? 'done 1' : 'claim 1');
    a.afterPush = undefined;
    await a.restart();
    a.afterPush = undefined;
    a.fault = () => 'ok';
    for (let at = 0; at < 4; at++) await a.rest();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: done');
    expect(a.loop.state.runs.size).toBe(0);
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.includes('stale'))).toEqual([]);
  });

  test.each(['chain', 'main'] as const)('(only %s moved) by a node that died is finished by another, once it saw it twice', async (which) => {
    const { fleet, a } = await halved(which);
    const b = fleet.node('vm-b');
    const cutAndDie = a.afterPush!;
    a.afterPush = async (updates, outcome) => {
      await cutAndDie(updates, outcome);
      if (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a')) a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    await b.pass();
    const halfway = [await kinds(fleet, 'a'), await fleet.file('a.txt')];
    expect(halfway).toEqual(which === 'chain' ? [['claim 1', 'done 1'], null] : [['claim 1'], 'by a\n']);
    await b.pass();
    await b.pass();
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
    expect(await fleet.file('a.txt')).toBe('by a\n');
    expect(b.machine.started).toEqual([]);
  });

  test('only main moved, then taken over: the new owner starts nothing and ends the chain at its epoch', async () => {
    const { fleet, a } = await halved('main');
    const b = fleet.node('vm-b');
    const cutAndDie = a.afterPush!;
    a.afterPush = async (updates, outcome) => {
      await cutAndDie(updates, outcome);
      if (refsOf(updates).includes('main') && refsOf(updates).includes('claims/a')) a.kill();
    };
    await expect(a.rest()).rejects.toThrow('killed');
    // vm-b does not look at main's half: it takes the claim over in the same breath.
    const seen = await b.look();
    const request = { owner: 'vm-a', ownerTip: seen.nodes.get('vm-a')?.tip ?? null, claims: [{ id: 'a', blob: seen.tasks.get('a')!.blob, lapsed: seen.chains.get('a')!, agent: 'bob' }], ttlMs: TTL_MS };
    expect(await fleet.drive(takeOver(b.node, b.reader, request))).toMatchObject({ state: 'published' });
    for (let at = 0; at < 5; at++) await b.pass();
    expect(b.machine.started).toEqual([]);
    const chain = await fleet.chain('a');
    expect(chain.at(-1)).toMatchObject({ kind: 'done', epoch: 2, by: 'vm-b' });
    expect(await fleet.file('tasks/a.result.md')).toContain('epoch: 1');
  });
});
