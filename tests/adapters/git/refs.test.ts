import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import type { Oid } from '../../../src/model/ids.ts';
import type { Store } from '../../../src/ports/store.ts';
import { commitOn } from '../../contracts/store.ts';
import { onlyFor, withGit } from '../../support/otherGit.ts';
import { gitIn, makeBareHub, refsOf, tempDir } from '../../support/repo.ts';

let temp: ReturnType<typeof tempDir>;
let gitDir: string;
let store: Store;
let first: Oid, second: Oid;
beforeEach(async () => {
  temp = tempDir('refs');
  gitDir = makeBareHub(join(temp.path, 'r.git'));
  store = await openGitStore({ gitDir });
  first = await commitOn(store, []);
  second = await commitOn(store, [first]);
});
afterEach(async () => {
  await store.close();
  temp.remove();
});

const A = 'refs/cambium/a';
const B = 'refs/cambium/b';

describe('git is ended in the middle of moving refs', () => {
  const once = (script: string): string => onlyFor('update-ref', `if mkdir '${join(temp.path, 'once')}' 2>/dev/null; then ${script}; else exec "$GIT" "$@"; fi`);
  /** All locks are taken, and nothing is committed. */
  const PREPARED = `sed -u '/^prepare$/q' | "$GIT" "$@"`;
  /** It commits, ends, and its last word is lost. */
  const COMMITTED = `sed -u '/^commit$/q' | "$GIT" "$@" | sed -u '/^commit: ok$/d'`;

  const moveBoth = (script: string): Promise<boolean> =>
    withGit(temp.path, script, () => store.updateRefs([{ ref: A, expect: null, to: first }, { ref: B, expect: null, to: second }], 'test'));

  test('before it committed: what it began is completed', async () => {
    expect(await moveBoth(once(PREPARED))).toBe(true);
    expect([...refsOf(gitDir)].toSorted()).toEqual([[A, first], [B, second]]);
  });

  test('after it committed and before it said so: it has happened', async () => {
    expect(await moveBoth(once(COMMITTED))).toBe(true);
    expect([...refsOf(gitDir)].toSorted()).toEqual([[A, first], [B, second]]);
  });

  test('and cannot be started again: it is an error that names the refs, not a lost race', async () => {
    const broken = onlyFor('update-ref', `if mkdir '${join(temp.path, 'once')}' 2>/dev/null; then ${PREPARED}; else exit 1; fi`);
    await expect(moveBoth(broken)).rejects.toMatchObject({ code: 'git-failed', message: expect.stringContaining(`${A}, ${B}`) as string, hint: expect.stringContaining('git fsck') as string });
    expect(await moveBoth('exec "$GIT" "$@"')).toBe(true);
  });
});

describe('what git says when it moves nothing', () => {
  const saying = (text: string): Promise<boolean> => withGit(temp.path, onlyFor('update-ref', `echo "${text}" >&2; exit 128`), () => store.updateRefs([{ ref: A, expect: null, to: first }], 'test'));

  test('of a full disk is told as that', async () => {
    await expect(saying('fatal: commit: No space left on device')).rejects.toMatchObject({ code: 'disk-full' });
  });

  test('of a write that failed, on a disk with room, is not', async () => {
    await expect(saying(`fatal: prepare: couldn't write ${gitDir}/refs/cambium/a.lock`)).rejects.toMatchObject({ code: 'git-failed' });
    expect(existsSync(join(gitDir, 'objects'))).toBe(true);
    expect(gitIn(gitDir, ['count-objects', '-v'])).toContain('garbage: 0');
  });

  test('of an object that is not there is told as that', async () => {
    await expect(store.updateRefs([{ ref: A, expect: null, to: 'd'.repeat(40) }], 'test')).rejects.toMatchObject({ code: 'object-missing' });
  });

  test('is looked at only when the refs are as expected: else the race is lost, whatever it said', async () => {
    gitIn(gitDir, ['update-ref', A, second]);
    expect(await saying('fatal: commit: No space left on device')).toBe(false);
  });
});

describe('the refs of this clone alone', () => {
  const OWN = 'refs/cambium/local/outbox/';

  test('are listed loose and packed, without locks, whichever way they were written', async () => {
    expect(await store.listRefs(OWN)).toEqual(new Map());
    await store.updateRefs([{ ref: `${OWN}x/1`, expect: null, to: first }, { ref: `${OWN}y`, expect: null, to: first }], 'test');
    gitIn(gitDir, ['pack-refs', '--all']);
    await store.updateRefs([{ ref: `${OWN}y`, expect: first, to: second }, { ref: `${OWN}z`, expect: null, to: second }], 'test');
    mkdirSync(join(gitDir, OWN), { recursive: true });
    writeFileSync(join(gitDir, OWN, 'w.lock'), '');
    expect([...(await store.listRefs(OWN))].toSorted()).toEqual([[`${OWN}x/1`, first], [`${OWN}y`, second], [`${OWN}z`, second]]);
    gitIn(gitDir, ['update-ref', '-d', `${OWN}x/1`]);
    expect([...(await store.listRefs(OWN)).keys()].toSorted()).toEqual([`${OWN}y`, `${OWN}z`]);
  });

  test('that a power cut has emptied are an error, not absent: an absent one would be made anew', async () => {
    await store.updateRefs([{ ref: `${OWN}x`, expect: null, to: first }], 'test');
    writeFileSync(join(gitDir, `${OWN}x`), '');
    await expect(store.listRefs(OWN)).rejects.toMatchObject({ code: 'git-failed', data: { ref: `${OWN}x` } });
    await expect(store.readRef(`${OWN}x`)).rejects.toMatchObject({ code: 'git-failed' });
  });
});

test('refs that cannot be read are an error, not absent', async () => {
  mkdirSync(join(gitDir, 'refs/cambium'), { recursive: true });
  symlinkSync('a', join(gitDir, A));
  await expect(store.readRef(A)).rejects.toMatchObject({ code: 'git-failed', message: expect.stringContaining('ELOOP') as string });
  rmSync(join(gitDir, 'packed-refs'), { force: true });
  mkdirSync(join(gitDir, 'packed-refs'));
  await expect(store.readRef(B)).rejects.toMatchObject({ code: 'git-failed', message: expect.stringContaining('packed refs') as string });
});

test('a ref that another process has damaged is named when a fleet\'s refs are listed', async () => {
  await store.updateRefs([{ ref: A, expect: null, to: first }], 'test');
  writeFileSync(join(gitDir, B), 'no oid\n');
  await expect(store.listRefs('refs/cambium/')).rejects.toMatchObject({ code: 'git-failed', data: { ref: B } });
});
