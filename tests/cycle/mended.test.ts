/** Things in the tree that somebody broke or moved, and clocks that jump: what a pass makes of them. */
import { describe, expect, test } from 'vitest';
import { cancelMember, reopenMember } from '../../src/act/close.ts';
import { createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet } from '../support/memoryFleet.ts';

const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const kinds = async (fleet: MemoryFleet): Promise<readonly string[]> => (await fleet.chain('a')).map(({ kind, epoch }) => `${kind} ${epoch}`);

describe('a projection that somebody broke', () => {
  const working = async (): Promise<MemoryFleet> => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: () => ({ afterMs: 60_000 }) });
    await fleet.node('vm-a').rest();
    await fleet.clock.advance(4_000);
    await fleet.node('vm-a').rest();
    return fleet;
  };

  test.each(['no json', '{"schema":"cambium.claim/1","epoch":"many"}', ''])('to %j is written anew from the chain', async (text) => {
    const fleet = await working();
    const shown = await fleet.file('tasks/a.claim.json');
    expect(JSON.parse(shown!)).toEqual((await fleet.tip('a')).record);
    await fleet.commit({ 'tasks/a.claim.json': text });
    for (let waited = 0; waited < 3; waited++) {
      await fleet.clock.advance(4_000);
      await fleet.node('vm-a').rest();
    }
    expect(await fleet.file('tasks/a.claim.json')).toBe(shown);
  });

  test.each(['no json', '[]', '{"agents":[7,null,{"id":"old","role":"worker"}]}'])('the roster %j does not stop a landing, and is a roster again', async (text) => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task(), 'agents/roster.json': text } });
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
    const roster = JSON.parse((await fleet.file('agents/roster.json'))!) as { agents: readonly { id: string }[] };
    expect(roster.agents.map(({ id }) => id)).toEqual(text.includes('old') ? ['ann', 'old'] : ['ann']);
  });
});

describe('an ended task whose files a person has moved into a subfolder', () => {
  const filedAway = async (): Promise<MemoryFleet> => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
    const desk = await fleet.seat('desk');
    await desk.look();
    await desk.publish([cancelMember(desk.node, desk.reader, { task: 'a', path: 'tasks/a.md', by: maria, reason: 'not now' })]);
    const result = (await fleet.file('tasks/a.result.md'))!;
    await fleet.commit({ 'tasks/a.md': null, 'tasks/a.result.md': null, 'tasks/web/a.md': task(), 'tasks/web/a.result.md': result });
    return fleet;
  };

  test('is still the task that ended: main and chain agree, nothing is repaired', async () => {
    const fleet = await filedAway();
    const before = fleet.hub.moves.length;
    await fleet.node('vm-a').rest();
    expect(fleet.hub.moves.slice(before).filter(({ ref }) => ref === 'refs/cambium/claims/a')).toEqual([]);
    expect((await fleet.node('vm-a').rest()).situation?.tasks.get('a')?.state).toBe('cancelled');
  });

  test('can be reopened where it is now, and is run again', async () => {
    const fleet = await filedAway();
    const desk = await fleet.seat('desk');
    await desk.look();
    const ends = await desk.publish([reopenMember(desk.node, desk.reader, { task: 'a', path: 'tasks/web/a.md', by: maria, reason: 'now', evenDone: false })]);
    expect([...ends.values()][0]).toMatchObject({ state: 'published' });
    for (let at = 0; at < 3; at++) await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual(['cancel 0', 'reopen 0', 'claim 1', 'done 1']);
    expect(await fleet.file('tasks/web/a.result.md')).toContain('outcome: done');
  });
});

describe('a wall clock that jumps against the boot clock', () => {
  const working = async (): Promise<MemoryFleet> => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, work: () => ({ afterMs: 1_000 }) });
    await fleet.node('vm-a').rest();
    await fleet.clock.advance(1_000);
    return fleet;
  };
  const said = (fleet: MemoryFleet): readonly string[] => fleet.node('vm-a').said.map(({ event }) => event);

  test.each([3_600_000, -3_600_000, 6_001])('by %i ms makes the lease doubtful: a heartbeat shows it again before anything lands (P4.5)', async (ms) => {
    const fleet = await working();
    const node = fleet.node('vm-a');
    fleet.clock.jumpWall(ms);
    const before = node.pushes.length;
    await node.rest();
    expect(said(fleet)).toContain('clock jumped');
    const pushed = node.pushes.slice(before).map(refsOf);
    expect(pushed.findIndex((refs) => refs.includes('nodes/vm-a'))).toBeGreaterThanOrEqual(0);
    expect(pushed.findIndex((refs) => refs.includes('nodes/vm-a'))).toBeLessThan(pushed.findIndex((refs) => refs.includes('main')));
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
  });

  test('by less than a tenth of the lease is nothing', async () => {
    const fleet = await working();
    fleet.clock.jumpWall(5_999);
    await fleet.node('vm-a').rest();
    expect(said(fleet)).not.toContain('clock jumped');
  });
});
