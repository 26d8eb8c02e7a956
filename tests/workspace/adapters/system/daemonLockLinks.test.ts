/** A file system that has no hard links (exFAT, some network disks): the lock is still one daemon's. */
import type * as fs from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { acquireDaemonLock, daemonOwner } from '../../../../src/adapters/system/daemonLock.ts';
import { selfIdentity } from '../../../../src/adapters/system/identity.ts';
import { tempDir } from '../../../support/temp.ts';

const links = vi.hoisted(() => ({ code: '' }));
vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof fs>();
  const link: typeof real.link = async (from, to) => {
    if (links.code !== '') throw Object.assign(new Error(`${links.code}: made up`), { code: links.code });
    return real.link(from, to);
  };
  return { ...real, link };
});

const folder = tempDir('lock-links');
afterAll(() => folder.remove());
afterEach(() => {
  links.code = '';
});

test.each(['EPERM', 'ENOTSUP', 'ENOSYS'])('where links are refused with %s, it is taken, named to others, and given back', async (code) => {
  links.code = code;
  const dir = `${folder.path}/${code}`;
  const lock = await acquireDaemonLock(dir);
  expect(await acquireDaemonLock(dir)).toEqual({ heldBy: selfIdentity() });
  if ('release' in lock) await lock.release();
  expect(await daemonOwner(dir)).toBeNull();
  expect('release' in (await acquireDaemonLock(dir))).toBe(true);
});

test('of several at once one has it', async () => {
  links.code = 'EPERM';
  const dir = `${folder.path}/many`;
  const taken = await Promise.all(Array.from({ length: 6 }, () => acquireDaemonLock(dir)));
  expect(taken.filter((lock) => 'release' in lock)).toHaveLength(1);
});

test('a disk that fails is an error, and leaves no record', async () => {
  links.code = 'EIO';
  const dir = `${folder.path}/broken`;
  await expect(acquireDaemonLock(dir)).rejects.toMatchObject({ code: 'EIO' });
  expect(readdirSync(dir).filter((name) => name.startsWith('owner.'))).toEqual([]);
});
