/** A live daemon that loses the hub: its agent is ended within the lease, and nothing is lost when the hub is back. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { readProcess } from '../../src/adapters/system/processTable.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;

beforeEach(async () => {
  fleet = await makeFleet({ config: config('{ ttl: 6s, fetch: 200ms, grace: 1s }') });
}, 60_000);

afterEach(() => fleet.close());

it('the agent is ended before another node may take its task over, its claim given back and the task finished when the hub returns', async () => {
  const seat = await fleet.seat('vm-a');
  const started = join(fleet.root, 'started');
  fleet.push({ 'tasks/job.md': runbook('a job', `if [ ! -e '${started}' ]; then echo half > half.txt; touch '${started}'; sleep 600; fi\necho whole > job.txt`) });
  const daemon = seat.up('--until-idle');
  await fleet.until('the agent works', () => existsSync(started));

  const away = `${fleet.hub}.away`;
  renameSync(fleet.hub, away);
  await fleet.until('the agent is ended for want of a renewal', () => daemon.said().includes('the lease could not be renewed in time'));
  expect((await seat.processes()).filter(({ pid }) => pid !== daemon.pid && readProcess(pid)?.ppid !== daemon.pid)).toEqual([]);
  renameSync(away, fleet.hub);

  expect(await daemon.finished(60_000)).toMatchObject({ exit: 0 });
  expect(fleet.chain('job').map(({ kind, epoch, attempt }) => `${kind} ${epoch} ${attempt}`)).toEqual(['claim 1 1', 'release 1 1', 'claim 2 1', 'done 2 1']);
  expect(fleet.gitHub('cat-file', 'blob', 'refs/cambium/wip/job/1:half.txt')).toBe('half');
  expect(fleet.onMain('job.txt')).toBe('whole');
  expect(seat.git('status', '--porcelain')).toBe('');
});
