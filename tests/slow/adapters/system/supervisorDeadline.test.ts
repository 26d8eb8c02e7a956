import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { bootMs } from '../../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../../../src/adapters/system/supervisor.ts';
import { ESCAPEE, ended, killMarked, lives, livingWithMark } from '../../../contracts/supervisor.ts';
import { distDir } from '../../../support/build.ts';
import { startProgram } from '../../../support/program.ts';
import { tempDir, until } from '../../../support/temp.ts';

const folder = tempDir('supervisor-deadline');
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
const isUp = (scratch: string) => until(async () => (await supervisor.readFile(scratch, 'output.log'))?.includes('up') === true || null);

/** Another process that starts a spawn as the daemon does and then waits to be killed. */
async function startFromDaemon(id: string, deadlineMs: number): Promise<string> {
  const scratch = join(folder.path, id);
  const daemon = startProgram(`
    const { createSupervisor } = await import(${JSON.stringify(`${distDir()}/adapters/system/supervisor.js`)});
    await createSupervisor({ programs: ${JSON.stringify(programs)} })
      .start(${JSON.stringify(id)}, ${JSON.stringify(scratch)}, ${JSON.stringify(specOf(AGENT))}, ${JSON.stringify(limitsIn(deadlineMs))});
    console.log('started');
    setInterval(() => {}, 1000);`);
  expect(await daemon.line()).toBe('started');
  await isUp(scratch);
  await daemon.end('SIGKILL');
  return scratch;
}

test('kill -9 of the daemon leaves the agent running until its deadline, which then ends it', async () => {
  const id = newId('fenced');
  const scratch = await startFromDaemon(id, 4000);
  expect((await supervisor.status(scratch)).state).toBe('running');
  expect(livingWithMark(id).length).toBeGreaterThan(0);
  expect((await ended(supervisor, scratch)).stopped).toBe('fenced');
  expect(livingWithMark(id)).toEqual([]);
});

test('a restarted daemon adopts a running agent: it renews its deadline and stops it', async () => {
  const id = newId('adopted');
  const scratch = await startFromDaemon(id, 3000);
  const restarted = createSupervisor({ programs });
  expect((await restarted.status(scratch)).state).toBe('running');
  await restarted.setDeadline(scratch, bootMs() + 60_000);
  const pastMs = bootMs() + 3500;
  await until(() => bootMs() > pastMs || null);
  expect((await restarted.status(scratch)).state).toBe('running');
  await restarted.stop(scratch, 'asked');
  expect(await restarted.status(scratch)).toMatchObject({ state: 'ended', end: { stopped: 'asked' } });
  expect(livingWithMark(id)).toEqual([]);
});

test('a child that cleared its environment is still known after its parents have gone, once it was seen', async () => {
  const id = newId('orphan');
  const scratch = join(folder.path, id);
  const pidFile = join(folder.path, 'orphan.pid');
  const goFile = join(folder.path, 'orphan.go');
  const orphan = `env -i setsid sh -c 'echo $$ > ${pidFile}; exec sleep 600' & while [ ! -e ${goFile} ]; do sleep 0.1; done`;
  await supervisor.start(id, scratch, specOf(`(${orphan}); echo up; while :; do sleep 0.2; done`), limitsIn(60_000));
  const seenMs = bootMs() + 4500;
  await until(() => bootMs() > seenMs || null);
  writeFileSync(goFile, '');
  await isUp(scratch);
  expect(lives(Number(readFileSync(pidFile, 'utf8')))).toBe(true);
  await supervisor.stop(scratch, 'asked');
  expect(lives(Number(readFileSync(pidFile, 'utf8')))).toBe(false);
});
