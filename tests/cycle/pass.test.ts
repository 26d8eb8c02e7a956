import { expect, test } from 'vitest';
import { createMemoryFleet, task } from '../support/memoryFleet.ts';

test('a fleet does its tasks once and comes to rest', async () => {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task(), 'tasks/b.md': task({ depends_on: '[a]' }) }, work: (job) => ({ files: { [`${job.task}.txt`]: 'x\n' } }) });
  const report = await fleet.node('vm-a').rest(40);
  console.log(fleet.node('vm-a').said, report.idle, report.settled);
  expect((await fleet.chain('a')).map(({ kind, epoch }) => `${kind} ${epoch}`)).toEqual(['claim 1', 'done 1']);
  expect((await fleet.chain('b')).map(({ kind, epoch }) => `${kind} ${epoch}`)).toEqual(['claim 1', 'done 1']);
  expect(report).toMatchObject({ idle: true, progress: false, settled: true });
});
