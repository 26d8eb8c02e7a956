/** One record of each kind as an earlier release writes it, taken from a fleet that runs that release only. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli } from './cli.ts';
import type { Ran } from './cli.ts';
import { config, makeFleet, runbook } from './fleet.ts';
import type { Seat, TestFleet } from './fleet.ts';
import { gitIn, makeBareHub } from './repo.ts';

/** Bytes by the name of their fixture. */
export type OldRecords = ReadonlyMap<string, Buffer>;

const blob = (repository: string, object: string): Buffer => execFileSync('git', ['cat-file', 'blob', object], { cwd: repository });

async function done(seat: Seat, ...args: readonly string[]): Promise<void> {
  const ran = await seat.cambium(args);
  if (ran.exit !== 0) throw new Error(`cambium ${args.join(' ')} ended with ${ran.exit}:\n${ran.stdout}${ran.stderr}`);
}

export async function writeOldRecords(dist: string): Promise<OldRecords> {
  const fleet = await makeFleet({ config: config('{ ttl: 3s, heartbeat: 1s, fetch: 200ms, rescan: 5s }') });
  const records = new Map<string, Buffer>();
  try {
    const seat = await fleet.seat('vm-old', dist);
    await claimsByHand(fleet, seat, records);
    await aTakeover(fleet, seat, dist, records);
    await aWorkspace(fleet, dist, records);
    return records;
  } finally {
    await fleet.close();
  }
}

async function claimsByHand(fleet: TestFleet, seat: Seat, records: Map<string, Buffer>): Promise<void> {
  const keep = (name: string, task: string): void => void records.set(`claim.${name}.json`, blob(fleet.hub, `refs/cambium/claims/${task}:claim.json`));
  const result = (name: string, task: string): void => void records.set(`result.${name}.md`, blob(fleet.hub, `main:tasks/${task}.result.md`));
  const own = ['--agent', 'helper', '--epoch'];
  await done(seat, 'task', 'add', 'By hand', '--id', 'hand', '--criterion', 'out.txt is there');
  await done(seat, 'task', 'claim', 'hand', '--agent', 'helper');
  keep('claim', 'hand');
  await done(seat, 'task', 'renew', 'hand', ...own, '1');
  keep('renew', 'hand');
  await done(seat, 'task', 'release', 'hand', ...own, '1', '--reason', 'lunch');
  keep('release', 'hand');
  await done(seat, 'task', 'claim', 'hand', '--agent', 'helper');
  writeFileSync(join(seat.path, '.cambium/worktrees/hand-2/out.txt'), 'out\n');
  seat.write('.cambium/report.md', '---\ncriteria:\n  - { text: out.txt is there, met: true, evidence: "cat out.txt: out" }\n---\nDone by hand.\n');
  await done(seat, 'task', 'complete', 'hand', ...own, '2', '--result', '.cambium/report.md');
  keep('done', 'hand');
  result('done', 'hand');
  records.set('roster.json', blob(fleet.hub, 'main:agents/roster.json'));
  await done(seat, 'task', 'add', 'It fails', '--id', 'fails');
  await done(seat, 'task', 'claim', 'fails', '--agent', 'helper');
  await done(seat, 'task', 'fail', 'fails', ...own, '1', '--reason', 'no dictionary');
  keep('failed', 'fails');
  result('failed', 'fails');
  await done(seat, 'task', 'retry', 'fails');
  keep('reopen', 'fails');
  await done(seat, 'task', 'cancel', 'fails', '--reason', 'not needed');
  keep('cancel', 'fails');
  result('cancelled', 'fails');
}

/** A daemon dies with its machine, and another of the same release takes its task over. */
async function aTakeover(fleet: TestFleet, seat: Seat, dist: string, records: Map<string, Buffer>): Promise<void> {
  const gone = await fleet.seat('vm-gone', dist);
  const mark = join(fleet.root, 'started');
  fleet.push({ 'tasks/job.md': runbook('a job', `if [ "$CAMBIUM_EPOCH" = 1 ]; then touch '${mark}'; sleep 600; fi; echo done > job.txt`) });
  gone.up();
  await fleet.until('the job starts', () => existsSync(mark));
  const beat = (): Buffer => blob(fleet.hub, 'refs/cambium/nodes/vm-gone:node.json');
  const named = await fleet.until('a heartbeat names the claim', () => ((bytes: Buffer) => (JSON.parse(bytes.toString()) as { claims: unknown[] }).claims.length > 0 && bytes)(beat()));
  records.set('node.heartbeat.json', named);
  const daemon = seat.up();
  await gone.kill();
  await fleet.until('the break', () => (JSON.parse(beat().toString()) as { kind: string }).kind === 'break');
  records.set('node.break.json', beat());
  await fleet.until('the job lands', () => fleet.onMain('tasks/job.result.md'));
  daemon.child.kill('SIGTERM');
  await daemon.finished();
  const spawn = fleet.gitHub('ls-tree', '-r', '--name-only', 'main', 'agents/spawns/').split('\n').at(-1) ?? '';
  records.set('spawn.json', blob(fleet.hub, `main:${spawn}`));
}

async function aWorkspace(fleet: TestFleet, dist: string, records: Map<string, Buffer>): Promise<void> {
  const cwd = join(fleet.root, 'made');
  mkdirSync(cwd);
  gitIn(cwd, ['init', '--quiet', '--initial-branch=main']);
  for (const setting of ['user.name=Maria', 'user.email=maria@example.org']) gitIn(cwd, ['config', ...setting.split('=')]);
  const hub = makeBareHub(join(fleet.root, 'made.git'));
  const ends: Ran[] = [await cli(['init'], { cwd, dist }), await cli(['join', hub, '--node', 'vm-made'], { cwd, dist })];
  const failed = ends.find(({ exit }) => exit !== 0);
  if (failed !== undefined) throw new Error(failed.stderr);
  records.set('fleet.json', blob(hub, 'refs/cambium/fleet:fleet.json'));
  for (const path of ['cambium.yaml', 'templates/task.md']) records.set(path.replace('/', '.'), blob(hub, `main:${path}`));
}
