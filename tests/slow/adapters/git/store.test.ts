/** The git store under kills, races of processes and full disks. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGitStore } from '../../../../src/adapters/git/store.ts';
import type { Oid } from '../../../../src/model/ids.ts';
import { commitOn, storeContract, writeFiles } from '../../../contracts/store.ts';
import { distDir } from '../../../support/build.ts';
import { startProgram } from '../../../support/program.ts';
import { gitIn, makeBareHub } from '../../../support/repo.ts';
import { tempDir, until } from '../../../support/temp.ts';
import type { TempDir } from '../../../support/temp.ts';

storeContract('git store, sha256', async () => {
  const temp = tempDir('store');
  const store = await openGitStore({ gitDir: makeBareHub(join(temp.path, 'r.git'), 'sha256') });
  return {
    store,
    async remove() {
      await store.close();
      temp.remove();
    },
  };
}, { runs: 20 });

let temp: TempDir;
let gitDir: string;
beforeEach(() => {
  temp = tempDir('store');
  gitDir = makeBareHub(join(temp.path, 'r.git'));
});
afterEach(() => temp.remove());

const fsck = (dir = gitDir): string => gitIn(dir, ['fsck', '--strict', '--full', '--no-dangling', '--no-progress']);
const leftovers = (dir: string): string[] => readdirSync(join(dir, 'objects')).filter((name) => name.startsWith('tmp_obj_'));

const program = (body: string): string => `
  const { openGitStore } = await import(${JSON.stringify(`file://${distDir()}/adapters/git/store.js`)});
  const store = await openGitStore({ gitDir: process.env.GIT_REPOSITORY });
  const who = { name: 'a', email: 'a@b', seconds: 1, zone: '+0000' };
  const commit = async (message, parents, tree) => store.writeCommit({ tree, parents, author: who, committer: who, message });
  ${body}`;

const WRITER = program(`
  let tip = await store.readRef('refs/heads/main');
  let tree = tip === null ? await store.writeTree([]) : (await store.readCommit(tip)).tree;
  console.log('ready');
  for (let n = 0; ; n++) {
    const texts = Array.from({ length: 5 }, (_, i) => String(process.pid) + ' ' + n + ' ' + i + ' '.repeat(i * 9000));
    const oids = await Promise.all(texts.map((text) => store.writeBlob(Buffer.from(text))));
    tree = await store.editTree(tree, new Map(oids.map((oid, i) => ['d' + (n % 7) + '/' + i + '/f', { mode: '100644', oid }])));
    const next = await commit('n' + n, tip === null ? [] : [tip], tree);
    if (!(await store.updateRefs([{ ref: 'refs/heads/main', expect: tip, to: next }, { ref: 'refs/cambium/a', to: next }], 'write'))) throw new Error('lost');
    tip = next;
    console.log(tip);
  }`);

describe('kill -9', () => {
  test('of a writer at any moment leaves a repository that fsck finds clean, with all that was acknowledged', async () => {
    for (let round = 0; round < 25; round++) {
      const writer = startProgram(WRITER, { GIT_REPOSITORY: gitDir });
      let acknowledged: Oid | null = null;
      writer.child.stdout?.on('data', (chunk: Buffer) => {
        acknowledged = chunk.toString().trim().split('\n').findLast((line) => /^[0-9a-f]{40}$/.test(line)) ?? acknowledged;
      });
      await until(() => acknowledged);
      await new Promise((resolve) => void setTimeout(resolve, Math.random() * 60));
      await writer.end('SIGKILL');
      // The git helpers end with their input; what they still held they give back.
      await until(() => (spawnSync('git', ['update-ref', 'refs/cambium/probe', acknowledged as unknown as string], { cwd: gitDir }).status === 0 ? true : null));
      expect(fsck()).toBe('');
      expect(spawnSync('git', ['merge-base', '--is-ancestor', acknowledged as unknown as string, 'refs/heads/main'], { cwd: gitDir }).status).toBe(0);
      const locks = readdirSync(join(gitDir, 'refs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lock'));
      expect(locks).toEqual([]);
    }
  });
});

describe('processes', () => {
  test('that swap one ref from the same value: exactly one wins each round', async () => {
    const store = await openGitStore({ gitDir });
    const RIVAL = program(`
      const tree = await store.writeTree([]);
      for (let n = 0; n < 40; n++) {
        const go = 'refs/cambium/go/' + n;
        while ((await store.readRef(go)) === null) await new Promise((r) => setImmediate(r));
        const base = await store.readRef(go);
        const mine = await commit(process.pid + ' ' + n, [base], tree);
        const won = await store.updateRefs([{ ref: 'refs/cambium/prize', expect: base, to: mine }, { ref: 'refs/heads/r' + process.pid, to: mine }], 'race');
        console.log(won ? mine : 'lost');
      }
      await store.close();`);
    const rivals = [0, 1, 2].map(() => startProgram(RIVAL, { GIT_REPOSITORY: gitDir }));
    let tip = await commitOn(store, []);
    await store.updateRefs([{ ref: 'refs/cambium/prize', to: tip }], 'test');
    for (let round = 0; round < 40; round++) {
      await store.updateRefs([{ ref: `refs/cambium/go/${round}`, to: tip }], 'test');
      const said = await Promise.all(rivals.map((rival) => rival.line()));
      const winners = said.filter((line) => line !== 'lost');
      expect(winners).toHaveLength(1);
      tip = winners[0] as Oid;
      expect(await store.readRef('refs/cambium/prize')).toBe(tip);
    }
    expect(fsck()).toBe('');
    await store.close();
  });

  test('a program that used a store and did not close it ends by itself', async () => {
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program(`
      const tip = await commit('x', [], await store.writeTree([]));
      await store.updateRefs([{ ref: 'refs/heads/main', expect: null, to: tip }], 'test');
      console.log((await store.log(tip)).length, await store.readRef('refs/heads/main') === tip);`)],
    { env: { ...process.env, GIT_REPOSITORY: gitDir }, encoding: 'utf8', timeout: 20_000 });
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([0, '1 true\n', '']);
  });

  test('a lock that nobody gives back is named with what to do about it', async () => {
    const store = await openGitStore({ gitDir });
    const lock = join(gitDir, 'refs/cambium/a.lock');
    mkdirSync(join(gitDir, 'refs/cambium'), { recursive: true });
    writeFileSync(lock, '');
    const commit = await commitOn(store, []);
    await expect(store.updateRefs([{ ref: 'refs/cambium/a', expect: null, to: commit }], 'test')).rejects.toMatchObject({ code: 'git-failed', hint: expect.stringContaining(lock) as string });
    rmSync(lock);
    expect(await store.updateRefs([{ ref: 'refs/cambium/a', expect: null, to: commit }], 'test')).toBe(true);
    await store.close();
  });
});

describe('a full disk', () => {
  const mounted = (): string | null => {
    const path = join(temp.path, 'disk');
    mkdirSync(path);
    return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', path]).status === 0 ? path : null;
  };

  test('is said as disk-full, spoils nothing, and is over when there is space again', async ({ skip }) => {
    const disk = mounted();
    if (disk === null) return skip('a small file system cannot be mounted here (needs root)');
    try {
      for (const spareKiB of [0, 4, 8, 16, 24, 32, 48, 64, 96, 128]) {
        const dir = makeBareHub(join(disk, `${spareKiB}.git`));
        const store = await openGitStore({ gitDir: dir });
        const first = await commitOn(store, [], { tree: await writeFiles(store, { 'd/f': 'before\n' }) });
        expect(await store.updateRefs([{ ref: 'refs/heads/main', expect: null, to: first }], 'test')).toBe(true);
        const balloon = fill(disk, spareKiB);
        let tip = first;
        let failure: unknown = null;
        for (let n = 0; failure === null && n < 200; n++) {
          try {
            const noise = Buffer.from(Array.from({ length: 3_000 }, (_, index) => (index * 7919 * (n + 3)) >> 3));
            const blob = await store.writeBlob(noise);
            const tree = await store.editTree((await store.readCommit(tip)).tree, new Map([[`d/${n}/f`, { mode: '100644' as const, oid: blob }]]));
            const next = await commitOn(store, [tip], { tree });
            if (await store.updateRefs([{ ref: 'refs/heads/main', expect: tip, to: next }, { ref: `refs/cambium/n${n}`, to: next }], 'test')) tip = next;
          } catch (error) {
            failure = error;
          }
        }
        expect(failure, JSON.stringify(failure)).toMatchObject({ code: 'disk-full' });
        expect(leftovers(dir)).toEqual([]);
        expect(await store.readRef('refs/heads/main')).toBe(tip);
        rmSync(balloon);
        expect(fsck(dir)).toBe('');
        const after = await commitOn(store, [tip], { tree: await writeFiles(store, { 'd/g': 'after\n' }) });
        expect(await store.updateRefs([{ ref: 'refs/heads/main', expect: tip, to: after }], 'test')).toBe(true);
        expect(fsck(dir)).toBe('');
        await store.close();
        rmSync(dir, { recursive: true });
      }
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

/** A file that leaves only so much of the disk free. */
function fill(disk: string, spareKiB: number): string {
  const path = join(disk, 'balloon');
  const spare = join(disk, 'spare');
  writeFileSync(spare, Buffer.alloc(spareKiB * 1024));
  try {
    writeFileSync(path, Buffer.alloc(4 * 1024 * 1024));
  } catch { /* as full as it gets */ }
  rmSync(spare);
  return path;
}
