import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { endTree, signalExactly, spawnTree } from '../../../src/adapters/system/descendants.ts';
import { asIdentity, identify, liveness, machineId, selfIdentity } from '../../../src/adapters/system/identity.ts';
import { parseStat, readProcess } from '../../../src/adapters/system/processTable.ts';
import { parsePs } from '../../../src/adapters/system/processTablePs.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('identity');
afterAll(() => folder.remove());

async function sleeper(): Promise<{ readonly pid: number; end(): Promise<void> }> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  return { pid: child.pid ?? 0, end: async () => void (child.kill('SIGKILL'), await ended) };
}

test('a command name with spaces and parentheses does not shift the start time', async () => {
  const program = join(folder.path, 'a) R 1 (b');
  copyFileSync('/bin/sleep', program);
  const child = spawn(program, ['600'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const self = readProcess(process.pid);
  const row = readProcess(child.pid ?? 0);
  expect(row?.ppid).toBe(process.pid);
  expect(row?.start).toBeGreaterThanOrEqual(self?.start ?? Infinity);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a zombie is no live process', () => {
  const stat = `77 (sh) Z 1 ${'0 '.repeat(17)}4242 0`;
  expect(parseStat(stat)).toBeNull();
  expect(parseStat(stat.replace(' Z ', ' T '))).toEqual({ pid: 77, ppid: 1, start: 4242 });
});

test('the table of ps is read without zombies', () => {
  const text = '    1     0 Ss   Fri Nov 20 23:00:00 2026\n   41     1 Z    Fri Nov 20 23:00:01 2026\n   42    41 R+   Fri Nov 20 23:00:02 2026    \n';
  const rows = parsePs(text);
  expect(rows.map(({ pid, ppid }) => [pid, ppid])).toEqual([[1, 0], [42, 41]]);
  expect((rows[1]?.start ?? 0) - (rows[0]?.start ?? 0)).toBe(2);
});

test('a process is alive under its identity, and dead once it has ended', async () => {
  const child = await sleeper();
  const identity = identify(child.pid);
  expect(identity !== null && liveness(identity)).toBe('alive');
  await child.end();
  expect(identity !== null && liveness(identity)).toBe('dead');
});

test('a process that bears the pid of a dead one is not taken for it, and gets no signal meant for it', async () => {
  const child = await sleeper();
  const identity = identify(child.pid) ?? selfIdentity();
  const earlier = { ...identity, start: identity.start - 100 };
  expect(liveness(earlier)).toBe('dead');
  expect(signalExactly(earlier, 'SIGKILL')).toBe('gone');
  const tree = spawnTree('no-such-spawn', 0);
  tree.adopt(earlier);
  await endTree(tree, 0);
  expect(liveness(identity)).toBe('alive');
  expect(signalExactly(identity, 'SIGKILL')).toBe('sent');
  await child.end();
});

test('another boot is dead, another namespace cannot be seen', () => {
  expect(liveness({ ...selfIdentity(), boot_id: 'x' })).toBe('dead');
  expect(liveness({ ...selfIdentity(), namespace: 'x' })).toBe('unseen');
});

test('an identity read from a file is checked', () => {
  expect(asIdentity(JSON.parse(JSON.stringify(selfIdentity())))).toEqual(selfIdentity());
  for (const bad of [null, 7, {}, { ...selfIdentity(), pid: '7' }]) expect(asIdentity(bad)).toBeNull();
});

test('the machine id is stable and does not give the real one away', () => {
  expect(machineId()).toMatch(/^[0-9a-f]{16}$/);
  expect(machineId()).toBe(machineId());
});
