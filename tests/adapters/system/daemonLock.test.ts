import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { acquireDaemonLock, daemonOwner } from '../../../src/adapters/system/daemonLock.ts';
import { machineId, selfIdentity } from '../../../src/adapters/system/identity.ts';
import { distDir } from '../../support/build.ts';
import { startProgram } from '../../support/program.ts';
import type { Program } from '../../support/program.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('lock');
afterAll(() => folder.remove());
let made = 0;
const newDir = (): string => join(folder.path, String(made++));

/** A daemon of its own that tries for the lock at each line it is told, and prints `held` or the owner's pid. */
function contender(dir: string): Program {
  return startProgram(`
    const { acquireDaemonLock } = await import(${JSON.stringify(`${distDir()}/adapters/system/daemonLock.js`)});
    const lock = await acquireDaemonLock(${JSON.stringify(dir)});
    console.log('heldBy' in lock ? lock.heldBy.pid : 'held');
    setInterval(() => {}, 1000);`);
}

async function take(dir: string): Promise<{ release(): Promise<void> }> {
  const lock = await acquireDaemonLock(dir);
  if ('heldBy' in lock) throw new Error(`held by ${lock.heldBy.pid}`);
  return lock;
}

test('a lock is held by one, who is named to the next and to whoever asks', async () => {
  const dir = newDir();
  expect(await daemonOwner(dir)).toBeNull();
  const lock = await take(dir);
  expect(await acquireDaemonLock(dir)).toEqual({ heldBy: selfIdentity() });
  expect(await daemonOwner(dir)).toEqual(selfIdentity());
  await lock.release();
  await lock.release();
  expect(await daemonOwner(dir)).toBeNull();
});

test('a released lock can be taken again, any number of times, and leaves one record', async () => {
  const dir = newDir();
  for (let turn = 0; turn < 5; turn++) await (await take(dir)).release();
  expect(readdirSync(dir).filter((name) => name.startsWith('owner.'))).toEqual(['owner.5.json']);
});

test('the lock of a killed daemon is taken over at once', async () => {
  const dir = newDir();
  const daemon = contender(dir);
  expect(await daemon.line()).toBe('held');
  expect(await daemonOwner(dir)).toMatchObject({ pid: daemon.pid });
  await daemon.end('SIGKILL');
  expect(await daemonOwner(dir)).toBeNull();
  await (await take(dir)).release();
});

test('a stopped daemon (SIGSTOP) keeps its lock, however old its heartbeat', async () => {
  const dir = newDir();
  const daemon = contender(dir);
  expect(await daemon.line()).toBe('held');
  daemon.child.kill('SIGSTOP');
  utimesSync(join(dir, 'daemon.lock'), 1, 1);
  expect(await acquireDaemonLock(dir)).toMatchObject({ heldBy: { pid: daemon.pid } });
  await daemon.end('SIGKILL');
});

test('of many who see a dead owner at the same time one takes over', async () => {
  for (let round = 0; round < 5; round++) {
    const dir = newDir();
    mkdirSync(dir);
    writeFileSync(join(dir, 'owner.3.json'), JSON.stringify({ machine: machineId(), owner: { ...selfIdentity(), start: 1 } }));
    const contenders = Array.from({ length: 5 }, () => contender(dir));
    const answers = await Promise.all(contenders.map((each) => each.line()));
    const winner = contenders[answers.indexOf('held')];
    expect(answers.filter((answer) => answer === 'held')).toHaveLength(1);
    expect(answers.filter((answer) => answer === String(winner?.pid))).toHaveLength(4);
    await Promise.all(contenders.map((each) => each.end('SIGKILL')));
  }
});

test('the owner in another container is believed as long as its heartbeat is fresh', async () => {
  const dir = newDir();
  const elsewhere = { ...selfIdentity(), namespace: 'pid:[1]' };
  mkdirSync(join(dir, 'daemon.lock'), { recursive: true });
  writeFileSync(join(dir, 'owner.1.json'), JSON.stringify({ machine: machineId(), owner: elsewhere }));
  expect(await acquireDaemonLock(dir)).toEqual({ heldBy: elsewhere });
  utimesSync(join(dir, 'daemon.lock'), 1, 1);
  expect(await daemonOwner(dir)).toBeNull();
  await (await take(dir)).release();
});

test('a lock folder deleted under its holder throws nothing', async () => {
  const dir = newDir();
  const lock = await take(dir);
  rmSync(dir, { recursive: true });
  await lock.release();
});
