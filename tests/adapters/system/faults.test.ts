/** What is on a machine's disk may be damaged, in the way, or not fit: what each part then says and does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { acquireDaemonLock, daemonOwner } from '../../../src/adapters/system/daemonLock.ts';
import { writeWhole } from '../../../src/adapters/system/durable.ts';
import { selfIdentity } from '../../../src/adapters/system/identity.ts';
import { openLocal } from '../../../src/adapters/system/local.ts';
import { openOutputLog } from '../../../src/adapters/system/outputLog.ts';
import { readProcess } from '../../../src/adapters/system/processTable.ts';
import { psProcess, psProcesses } from '../../../src/adapters/system/processTablePs.ts';
import { readPlain } from '../../../src/adapters/system/spawnFiles.ts';
import { watchPlain } from '../../../src/adapters/system/watchPlain.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('system-faults');
afterAll(() => folder.remove());
let made = 0;
const newDir = (): string => {
  const path = join(folder.path, String(made++));
  mkdirSync(path);
  return path;
};

describe('a full disk', () => {
  test('is told as that; the old record stays whole, and nothing half-written beside it', async ({ skip }) => {
    const disk = newDir();
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status !== 0) return skip('a small file system cannot be mounted here (needs root)');
    try {
      const local = openLocal(disk);
      await local.write('runs/a', 'old');
      try {
        writeFileSync(join(disk, 'balloon'), Buffer.alloc(128 * 1024));
      } catch { /* as full as it gets */ }
      await expect(local.write('runs/a', 'new')).rejects.toMatchObject({ code: 'disk-full', message: expect.stringContaining('runs/a.json') as string });
      expect(await local.read('runs/a')).toBe('old');
      expect(readdirSync(join(disk, 'runs'))).toEqual(['a.json']);
      rmSync(join(disk, 'balloon'));
      await local.write('runs/a', 'new');
      expect(await local.read('runs/a')).toBe('new');
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test.skipIf(!existsSync('/dev/full'))('costs an agent its log, and neither its end nor the last lines', () => {
    const log = openOutputLog('/dev/full', 1_000, []);
    const sink = log.stream();
    sink(Buffer.from('one\ntwo\n'));
    expect(log.finish()).toBe('one\ntwo\n');
  });
});

describe('records of this clone', () => {
  test('none are listed where none was ever written', async () => {
    expect(await openLocal(join(newDir(), 'not/yet')).list('runs')).toEqual([]);
  });

  test('that cannot be read, removed or listed are errors, not absent: an absent one would be made anew', async () => {
    const home = newDir();
    mkdirSync(join(home, 'runs/a.json'), { recursive: true });
    const local = openLocal(home);
    await expect(local.read('runs/a')).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(local.remove('runs/a')).rejects.toThrow();
    const file = join(home, 'file');
    writeFileSync(file, '');
    await expect(openLocal(file).list('')).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test('are not replaced by half when the target cannot be written', async () => {
    const home = newDir();
    mkdirSync(join(home, 'a.json/in the way'), { recursive: true });
    await expect(writeWhole(join(home, 'a.json'), 'text')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(home)).toEqual(['a.json']);
  });
});

describe('the daemon\'s lock', () => {
  test.each(['', '{"machine":', 'null', '{"machine":"m","owner":7}'])('an owner record that holds %j is nobody\'s, and is taken over', async (text) => {
    const dir = newDir();
    writeFileSync(join(dir, 'owner.4.json'), text);
    expect(await daemonOwner(dir)).toBeNull();
    const lock = await acquireDaemonLock(dir);
    expect('heldBy' in lock).toBe(false);
    expect(await daemonOwner(dir)).toEqual(selfIdentity());
    expect(readdirSync(dir).filter((name) => name.startsWith('owner.'))).toEqual(['owner.5.json']);
    if ('release' in lock) await lock.release();
  });

  test('a folder that cannot be listed is an error: it must not look like a lock that is free', async () => {
    const file = join(newDir(), 'file');
    writeFileSync(file, '');
    await expect(daemonOwner(file)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});

describe('what an agent leaves in its folder', () => {
  test('is read only where it is a plain file: no link is followed, no pipe waited for', async () => {
    const dir = newDir();
    writeFileSync(join(dir, 'plain'), 'text');
    symlinkSync('/etc/hostname', join(dir, 'link'));
    mkdirSync(join(dir, 'folder'));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    expect(await Promise.all(['plain', 'link', 'folder', 'pipe', 'absent'].map((name) => readPlain(join(dir, name))))).toEqual(['text', null, null, null, null]);
  });
});

test('a folder that is not there is watched by nobody, and that is no error', () => {
  expect(watchPlain(join(folder.path, 'not/there'), () => undefined)).toBeNull();
});

describe('the process table by ps, where there is no /proc', () => {
  const hasPs = spawnSync('ps', ['-o', 'lstart=', '-p', String(process.pid)]).status === 0;

  test.skipIf(!hasPs)('knows this process, its parent and when it started, and nobody under a pid that is free', () => {
    const row = psProcess(process.pid);
    expect(row).toMatchObject({ pid: process.pid, ppid: process.ppid });
    expect(psProcess(process.pid)?.start).toBe(row?.start);
    expect(psProcess(2 ** 22 + 1)).toBeNull();
  });

  test.skipIf(!hasPs || !existsSync('/proc/self/stat'))('lists the same parents as /proc', () => {
    const rows = psProcesses();
    const self = rows.find(({ pid }) => pid === process.pid);
    expect(self?.ppid).toBe(readProcess(process.pid)?.ppid);
    expect(rows.some(({ pid }) => pid === 1)).toBe(readFileSync('/proc/1/stat', 'utf8').startsWith('1 '));
  });
});
