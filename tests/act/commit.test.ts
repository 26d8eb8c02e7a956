/** Messages and authors of the commits that nodes make. */
import { describe, expect, test } from 'vitest';
import { claimTasks } from '../../src/act/claim.ts';
import { commitOn } from '../../src/act/commit.ts';
import { agentSignature, nodeSignature } from '../../src/act/node.ts';
import type { Commit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { Task } from '../../src/model/task.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const SKIP_CI = 'commits: { skip_ci: true }\n';

async function commitsOfMain(fleet: MemoryFleet, not: Oid): Promise<readonly Commit[]> {
  const reader = await fleet.seat('reader');
  await reader.look();
  return reader.store.log(fleet.hub.refs.get(MAIN) as Oid, { not: [not], firstParent: true });
}

const subjects = (commits: readonly Commit[]): readonly string[] => commits.map(({ message }) => message.split('\n')[0] ?? '');

describe('[skip ci]', () => {
  test('stands at the end of every subject when a task leaves nothing but its result', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['worker-1'] }, config: SKIP_CI, files: { 'tasks/a.md': task() } });
    const start = fleet.hub.refs.get(MAIN) as Oid;
    await fleet.node('vm-a').rest();
    const said = subjects(await commitsOfMain(fleet, start));
    expect(said.length).toBeGreaterThanOrEqual(2);
    expect(said.filter((subject) => !subject.endsWith(' [skip ci]'))).toEqual([]);
    expect(said).toContain('a: done by worker-1 on vm-a [skip ci]');
  });

  test('is not on a landing with code, and is on the claim below it', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['worker-1'] }, config: SKIP_CI, files: { 'tasks/a.md': task() }, work: () => ({ files: { 'src/a.js': 'code\n' } }) });
    const start = fleet.hub.refs.get(MAIN) as Oid;
    await fleet.node('vm-a').rest();
    const said = subjects(await commitsOfMain(fleet, start));
    expect(said[0]).toBe('a: done by worker-1 on vm-a');
    expect(said.slice(1)).toEqual(['a: claim by worker-1 on vm-a [skip ci]']);
  });

  test('is not asked for by default', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['worker-1'] }, files: { 'tasks/a.md': task() } });
    const start = fleet.hub.refs.get(MAIN) as Oid;
    await fleet.node('vm-a').rest();
    expect(subjects(await commitsOfMain(fleet, start)).filter((subject) => subject.includes('skip ci'))).toEqual([]);
  });

  test('is not on a state commit that goes out on top of code: CI looks at the newest commit of a push', async () => {
    const fleet = await createMemoryFleet({ nodes: {}, config: `${SKIP_CI}`, files: { 'tasks/a.md': task() } });
    const seat = await fleet.seat('vm-a');
    const { main } = await seat.look();
    const parts = { author: nodeSignature(seat.node) };
    const code = await commitOn(seat.node, main.commit, new Map([['src/a.js', 'code\n']]), { ...parts, message: 'code\n' });
    const above = await commitOn(seat.node, code, new Map([['tasks/b.md', '# B\n']]), { ...parts, message: 'b: add\n' });
    const alone = await commitOn(seat.node, main.commit, new Map([['memory/x.md', 'x\n']]), { ...parts, message: 'x: add\n\nwhy\n' });
    const settings = await commitOn(seat.node, main.commit, new Map([['cambium.yaml', 'schema: cambium.fleet/1\n']]), { ...parts, message: 'settings\n' });
    const messages = await Promise.all([code, above, alone, settings].map(async (oid) => (await seat.store.readCommit(oid)).message));
    expect(messages).toEqual(['code\n', 'b: add\n', 'x: add [skip ci]\n\nwhy\n', 'settings\n']);
  });
});

describe('the author of what an agent does', () => {
  const AGENTS = '  prime: { role: worker, handle: prime@example.org }\n  hailot: { role: worker, handle: the-hailot }\n  plain: { role: worker }\n';

  async function authorOf(seat: Seat, fleet: MemoryFleet, agent: string, id: string): Promise<string> {
    const { tasks } = await seat.look();
    await fleet.drive(claimTasks(seat.node, seat.reader, [{ task: tasks.get(id) as Task, agent, ttlMs: 60_000, maxAttempts: 3 }]));
    const { author } = await seat.store.readCommit((await fleet.tip(id)).tip);
    return `${author.name} <${author.email}>`;
  }

  test('has the address of its handle: whole as it is, a name below the domain that gets no mail', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['worker-1'] }, config: AGENTS, files: { 'tasks/a.md': task(), 'tasks/b.md': task(), 'tasks/c.md': task() } });
    const seat = await fleet.seat('vm-b');
    expect([await authorOf(seat, fleet, 'prime', 'a'), await authorOf(seat, fleet, 'hailot', 'b'), await authorOf(seat, fleet, 'plain', 'c')]).toEqual([
      'prime <prime@example.org>', 'hailot <the-hailot@agents.cambium.invalid>', 'plain <plain@agents.cambium.invalid>',
    ]);
  });

  test('is nobody\'s address where the settings name no such agent, whatever its name', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['worker-1'] }, config: AGENTS });
    const seat = await fleet.seat('vm-b');
    expect(agentSignature(seat.node, 'prime').email).toBe('prime@agents.cambium.invalid');
    await seat.look();
    expect(agentSignature(seat.node, 'constructor').email).toBe('constructor@agents.cambium.invalid');
  });

  test('follows the settings when they change', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['worker-1'] }, config: AGENTS });
    const seat = await fleet.seat('vm-b');
    await seat.look();
    await fleet.commit({ 'cambium.yaml': 'schema: cambium.fleet/1\nagents: { prime: { handle: other@example.org } }\n' });
    await seat.look();
    expect(agentSignature(seat.node, 'prime').email).toBe('other@example.org');
  });
});
