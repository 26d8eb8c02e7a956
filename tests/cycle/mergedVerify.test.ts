/** `landing: { verify: merged }`: what was green on the worktree is tried once more on what would land, when main's code has moved. */
import { expect, test } from 'vitest';
import { createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions } from '../support/memoryFleet.ts';
import type { Job, Work } from '../support/memoryMachine.ts';

interface World {
  readonly fleet: MemoryFleet;
  readonly jobs: Job[];
  /** What stood in `a.txt` and `api.txt` each time verify ran. */
  readonly verified: (readonly (string | null)[])[];
}

/** An agent that writes `old` first, and what fits the newest main when it is told that something was wrong; green is an a.txt that fits api.txt. */
async function world(more: Partial<MemoryFleetOptions> = {}): Promise<World> {
  const [jobs, verified]: [Job[], (string | null)[][]] = [[], []];
  const work = (job: Job): Work => {
    jobs.push(job);
    return { afterMs: 5_000, files: { 'a.txt': job.feedback === null ? 'old\n' : 'new\n' } };
  };
  const verify = async (_task: string, read: (path: string) => Promise<string | null>): Promise<number> => {
    const seen = [await read('a.txt'), await read('api.txt')];
    verified.push(seen);
    return seen[0] === seen[1] ? 0 : 1;
  };
  const fleet = await createMemoryFleet({
    nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ verify: 'npm test' }), 'api.txt': 'old\n' }, provider: 'claude', config: 'landing: { verify: merged }\n', work, verify, ...more,
  });
  await fleet.node('vm-a').rest();
  return { fleet, jobs, verified };
}

async function finish(fleet: MemoryFleet): Promise<void> {
  await fleet.clock.advance(5_000);
  await fleet.node('vm-a').rest();
}

const ends = async (fleet: MemoryFleet): Promise<readonly string[]> => (await fleet.chain('a')).map(({ kind }) => kind);

test('work that no longer fits what landed meanwhile goes back to its agent before it lands', async () => {
  const { fleet, jobs, verified } = await world();
  await fleet.commit({ 'api.txt': 'new\n' });
  await finish(fleet);
  expect(verified).toEqual([['old\n', 'old\n'], ['old\n', 'new\n']]);
  expect(jobs.map(({ feedback }) => feedback)).toEqual([null, expect.stringContaining('`verify` was red once your work was merged with the newest main (exit 1)')]);
  expect(await fleet.file('a.txt')).toBeNull();
  await finish(fleet);
  expect(await ends(fleet)).toEqual(['claim', 'done']);
  expect(await fleet.file('a.txt')).toBe('new\n');
});

test('without the setting it lands as it was verified', async () => {
  const { fleet, verified } = await world({ config: '' });
  await fleet.commit({ 'api.txt': 'new\n' });
  await finish(fleet);
  expect([verified.length, await fleet.file('a.txt')]).toEqual([1, 'old\n']);
});

test('what the fleet itself writes is no code: tasks and results on main are no reason to verify again', async () => {
  const { fleet, verified } = await world();
  await fleet.commit({ 'tasks/b.md': task({ assigned_to: 'nobody-here' }), 'memory/notes.md': 'x\n' });
  await finish(fleet);
  expect([verified.length, await ends(fleet)]).toEqual([1, ['claim', 'done']]);
});

test('main moves again while it is verified: it is verified on each newest main, and lands on one that was green', async () => {
  const { fleet, verified } = await world();
  await fleet.commit({ 'other.txt': '1\n' });
  await fleet.clock.advance(5_000);
  for (let moves = 2; (await fleet.file('tasks/a.result.md')) === null && moves < 12; moves++) {
    await fleet.node('vm-a').pass();
    if (moves < 5) await fleet.commit({ 'other.txt': `${moves}\n` });
  }
  expect(verified.length).toBeGreaterThan(2);
  expect(await ends(fleet)).toEqual(['claim', 'done']);
  expect(await fleet.file('a.txt')).toBe('old\n');
});

test('a conflict is no matter of verify: it goes back as a conflict', async () => {
  const { fleet, jobs, verified } = await world();
  await fleet.commit({ 'a.txt': 'somebody else\'s\n' });
  await finish(fleet);
  expect(verified).toHaveLength(1);
  expect(jobs[1]?.feedback).toContain('the work conflicts with main in a.txt');
});
