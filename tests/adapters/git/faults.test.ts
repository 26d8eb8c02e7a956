/** Faults below the store: a git that dies, a disk that is full or not a disk, objects that are not what they should be. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createObjectCache } from '../../../src/adapters/git/objectCache.ts';
import { decodeCommit } from '../../../src/adapters/git/objects.ts';
import { hubFailure, redact } from '../../../src/adapters/git/pushReport.ts';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { onlyFor, withGit } from '../../support/otherGit.ts';
import { gitIn, makeBareHub, tempDir } from '../../support/repo.ts';

let temp: ReturnType<typeof tempDir>;
let gitDir: string;
let store: Store;
beforeEach(async () => {
  temp = tempDir('faults');
  gitDir = makeBareHub(join(temp.path, 'r.git'));
  store = await openGitStore({ gitDir });
});
afterEach(async () => {
  await store.close();
  temp.remove();
});

describe('a git that dies while it reads', () => {
  const reading = (script: string, oid: string): Promise<Uint8Array> => withGit(temp.path, onlyFor('cat-file', script), () => store.readBlob(oid));

  test('once is started again, and the answer comes', async () => {
    const oid = gitIn(gitDir, ['hash-object', '-w', '--stdin'], 'text\n');
    expect(Buffer.from(await reading(`mkdir '${temp.path}/once' 2>/dev/null && exit 1; exec "$GIT" "$@"`, oid)).toString()).toBe('text\n');
  });

  test('each time is an error with its last words, and no damage', async () => {
    const oid = gitIn(gitDir, ['hash-object', '-w', '--stdin'], 'text\n');
    await expect(reading('echo "fatal: out of memory" >&2; exit 128', oid)).rejects.toMatchObject({ code: 'git-failed', message: expect.stringContaining('fatal: out of memory') as string });
    await expect(reading('exit 1', oid)).rejects.toMatchObject({ code: 'git-failed' });
  });

  test('of damage it found tells of the object', async () => {
    await expect(reading('echo "error: inflate: data stream error" >&2; exit 128', 'a'.repeat(40))).rejects.toMatchObject({ code: 'object-corrupt' });
  });
});

describe('an object that cannot be written', () => {
  test('for another reason than space is told with that reason, and can be written when it is mended', async () => {
    const inTheWay = join(gitDir, 'objects', store.hashBlob(Buffer.from('text\n')).slice(0, 2));
    writeFileSync(inTheWay, '');
    await expect(store.writeBlob(Buffer.from('text\n'))).rejects.toMatchObject({ code: 'git-failed', message: expect.stringContaining('ENOTDIR') as string });
    expect(readdirSync(join(gitDir, 'objects')).filter((name) => name.startsWith('tmp_obj_'))).toEqual([]);
    rmSync(inTheWay);
    expect(await store.readBlob(await store.writeBlob(Buffer.from('text\n')))).toEqual(Buffer.from('text\n'));
  });

  test('on a full disk is told as that, leaves no half of itself, and is written when there is space', async ({ skip }) => {
    const disk = join(temp.path, 'disk');
    mkdirSync(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk]).status !== 0) return skip('a small file system cannot be mounted here (needs root)');
    const full = await openGitStore({ gitDir: makeBareHub(join(disk, 'r.git')) });
    try {
      try {
        writeFileSync(join(disk, 'balloon'), Buffer.alloc(600 * 1024));
      } catch { /* as full as it gets */ }
      await expect(full.writeBlob(Buffer.from('text\n'))).rejects.toMatchObject({ code: 'disk-full' });
      expect(readdirSync(join(disk, 'r.git/objects')).filter((name) => name.startsWith('tmp_obj_'))).toEqual([]);
      rmSync(join(disk, 'balloon'));
      expect(await full.readBlob(await full.writeBlob(Buffer.from('text\n')))).toEqual(Buffer.from('text\n'));
    } finally {
      await full.close();
      execFileSync('umount', [disk]);
    }
  });
});

test('the object cache keeps to its bytes: what was not used for longest goes first', () => {
  const cache = createObjectCache<string>(1_000);
  for (const name of ['a', 'b', 'c']) cache.put(name, name, 100);
  cache.get('a');
  cache.put('d', 'd', 100);
  expect(['a', 'b', 'c', 'd'].map((name) => cache.get(name))).toEqual(['a', undefined, 'c', 'd']);
  cache.put('huge', 'huge', 1_000);
  expect([cache.get('huge'), cache.get('d')]).toEqual([undefined, 'd']);
});

test('a commit in an encoding that nobody knows is read byte by byte', () => {
  const body = Buffer.concat([
    Buffer.from(`tree ${'a'.repeat(40)}\nauthor A <a@example.org> 1 +0000\ncommitter A <a@example.org> 1 +0000\nencoding no-such-thing\n\nGr`),
    Buffer.from([0xfc, 0xdf]), Buffer.from('e\n'),
  ]);
  expect(decodeCommit('b'.repeat(40), body).message).toBe('Grüße\n');
});

describe('what a failed fetch means', () => {
  const said = (stderr: string, timedOut = false): { code: string } => hubFailure({ code: 128, stdout: '', stderr, timedOut }, 'https://user:s3cret%zz@example.org/fleet.git');

  test.each([
    ['fatal: fsck error in packed object', 'object-corrupt'],
    ['error: remote did not send all necessary objects', 'object-corrupt'],
    ['fatal: SHA1 COLLISION FOUND WITH abc !', 'object-corrupt'],
    ['error: file write error: No space left on device', 'disk-full'],
    ['remote: No space left on device\nfatal: the remote end hung up', 'hub-away'],
    ['fatal: Authentication failed for https://example.org', 'hub-denied'],
    ['ssh: connect to host example.org port 22: Connection refused', 'hub-away'],
  ])('%s is %s', (stderr, code) => expect(said(stderr).code).toBe(code));

  test('no answer in time is a hub that is away, whatever was said before', () => {
    expect(said('Permission denied', true)).toMatchObject({ code: 'hub-away', message: expect.stringContaining('no answer in time') as string });
  });

  test('a password that is no proper percent-encoding is blanked out all the same', () => {
    expect(JSON.stringify(said('fatal: https://user:s3cret%zz@example.org/fleet.git: s3cret%zz is wrong'))).not.toContain('s3cret');
    expect(redact('token=s3cret%zz', 'https://user:s3cret%zz@example.org/x')).toBe('token=***');
  });
});
