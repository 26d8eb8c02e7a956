import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { bootMs } from '../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../../src/adapters/system/supervisor.ts';
import { ESCAPEE, ended, killMarked, lives, livingWithMark } from '../../contracts/supervisor.ts';
import { distDir } from '../../support/build.ts';
import { tempDir, until } from '../../support/temp.ts';

const folder = tempDir('supervisor-crash');
const ids: string[] = [];
afterEach(() => ids.forEach(killMarked));
afterAll(() => folder.remove());

const programs = programsOf(distDir());
const supervisor = createSupervisor({ programs });
const AGENT = `${ESCAPEE}; trap '' TERM; sleep 600 & echo up; while :; do sleep 0.2; done`;

function newId(name: string): string {
  const id = `${name}-${bootMs()}`;
  ids.push(id);
  return id;
}

const limitsIn = (ms: number) => ({ timeoutMs: 60_000, silenceMs: 60_000, graceMs: 300, deadlineBootMs: bootMs() + ms });
const specOf = (script: string) => ({ argv: ['sh', '-c', script], cwd: folder.path, env: {}, stdin: '', files: {} });
const pidIn = (scratch: string, who: 'process' | 'agent'): number => JSON.parse(readFileSync(join(scratch, 'supervisor.json'), 'utf8'))[who].pid;
const isUp = (scratch: string) => until(async () => (await supervisor.readFile(scratch, 'output.log'))?.includes('up') === true || null);

test('kill -9 of the supervisor is seen as lost and nudged, and stop ends the orphans by their mark', async () => {
  const id = newId('lost');
  const scratch = join(folder.path, id);
  let nudged = 0;
  supervisor.onChange(() => void nudged++);
  await supervisor.start(id, scratch, specOf(AGENT), limitsIn(60_000));
  await isUp(scratch);
  process.kill(pidIn(scratch, 'process'), 'SIGKILL');
  await until(() => nudged > 0 || null);
  expect(await supervisor.status(scratch)).toEqual({ state: 'lost' });
  expect(livingWithMark(id).length).toBeGreaterThanOrEqual(3);
  await supervisor.stop(scratch, 'asked');
  expect(livingWithMark(id)).toEqual([]);
  expect(await supervisor.status(scratch)).toEqual({ state: 'lost' });
});

test('a supervisor that was stopped (SIGSTOP) is alive, and stop makes it end its agent', async () => {
  const id = newId('stopped');
  const scratch = join(folder.path, id);
  await supervisor.start(id, scratch, specOf(AGENT), limitsIn(60_000));
  await isUp(scratch);
  process.kill(pidIn(scratch, 'process'), 'SIGSTOP');
  expect((await supervisor.status(scratch)).state).toBe('running');
  await supervisor.stop(scratch, 'fenced');
  expect(await supervisor.status(scratch)).toMatchObject({ state: 'ended', end: { stopped: 'fenced' } });
  expect(livingWithMark(id)).toEqual([]);
});

test('a child that cleared its environment is found by its parents', async () => {
  const id = newId('bare');
  const scratch = join(folder.path, id);
  const pidFile = join(folder.path, 'bare.pid');
  await supervisor.start(id, scratch, specOf(`env -i setsid sh -c 'echo $$ > ${pidFile}; echo up; exec sleep 600' & wait`), limitsIn(60_000));
  await isUp(scratch);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  expect([lives(pid), livingWithMark(id).includes(pid)]).toEqual([true, false]);
  await supervisor.stop(scratch, 'asked');
  expect(lives(pid)).toBe(false);
});

test('a scratch folder that is deleted fences its agent', async () => {
  const id = newId('deleted');
  const scratch = join(folder.path, id);
  await supervisor.start(id, scratch, specOf(AGENT), limitsIn(60_000));
  await isUp(scratch);
  // At one stroke, as the supervisor still writes into it: a removal file by file can meet a file that is new.
  renameSync(scratch, `${scratch}.gone`);
  rmSync(`${scratch}.gone`, { recursive: true, force: true, maxRetries: 5 });
  await until(() => livingWithMark(id).length === 0 || null);
  expect(await supervisor.status(scratch)).toEqual({ state: 'lost' });
});

test('stop before the supervisor is on record keeps the agent from starting', async () => {
  const id = newId('early');
  const scratch = join(folder.path, id);
  const touched = join(folder.path, 'early.touched');
  const starting = supervisor.start(id, scratch, specOf(`touch ${touched}`), limitsIn(60_000));
  // Without a pause: the supervisor's program needs longer to begin than this to see its folder.
  while ((await supervisor.status(scratch)).state !== 'starting') await new Promise((resolve) => void setImmediate(resolve));
  writeFileSync(join(scratch, 'stop'), 'fenced\n');
  await starting;
  expect(await ended(supervisor, scratch)).toMatchObject({ stopped: 'fenced', exit: null });
  expect(() => readFileSync(touched)).toThrow('ENOENT');
});
