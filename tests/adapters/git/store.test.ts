import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import type { TreeEdit } from '../../../src/model/git.ts';
import type { Oid } from '../../../src/model/ids.ts';
import type { Store } from '../../../src/ports/store.ts';
import { SOMEONE, STEPS, asEdits, blobEntry, commitOn, readFiles, storeContract, writeFiles } from '../../contracts/store.ts';
import { gitIn, makeBareHub } from '../../support/repo.ts';
import { tempDir, until } from '../../support/temp.ts';
import type { TempDir } from '../../support/temp.ts';

const template = tempDir('store-template');
makeBareHub(join(template.path, 'r.git'));
afterAll(() => template.remove());

function copyRepository(to: string): string {
  cpSync(join(template.path, 'r.git'), to, { recursive: true, filter: (path) => !path.endsWith('.sample') });
  return to;
}

storeContract('git store, sha1', async () => {
  const temp = tempDir('store');
  const store = await openGitStore({ gitDir: copyRepository(join(temp.path, 'r.git')) });
  return {
    store,
    async remove() {
      await store.close();
      temp.remove();
    },
  };
}, { runs: 6 });

let temp: TempDir;
let gitDir: string;
let store: Store;
beforeEach(async () => {
  temp = tempDir('store');
  gitDir = copyRepository(join(temp.path, 'r.git'));
  store = await openGitStore({ gitDir });
});
afterEach(async () => {
  await store.close();
  temp.remove();
});

const text = async (oid: Oid): Promise<string> => Buffer.from(await store.readBlob(oid)).toString();
const fsck = (): string => gitIn(gitDir, ['fsck', '--strict', '--full', '--no-dangling', '--no-progress']);
const loose = (oid: Oid): string => join(gitDir, 'objects', oid.slice(0, 2), oid.slice(2));

/** Looks at /proc. */
const onLinux = test.skipIf(!existsSync('/proc/self/task'));

/** Process ids of the git helpers of this repository, by what they run. */
function helpers(command: string): number[] {
  return readdirSync(`/proc/${process.pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${process.pid}/task/${thread}/children`, 'utf8').trim().split(' '))
    .filter((pid) => pid !== '' && existsSync(`/proc/${pid}/cmdline`))
    .filter((pid) => {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return argv.includes(gitDir) && argv.includes(command);
    })
    .map(Number);
}

describe('what git sees', () => {
  test('random edits leave a repository that fsck --strict finds clean, with the trees of git write-tree', async () => {
    const env = { ...process.env, GIT_DIR: gitDir, GIT_INDEX_FILE: join(temp.path, 'index') };
    await fc.assert(fc.asyncProperty(STEPS, async (steps) => {
      rmSync(env.GIT_INDEX_FILE, { force: true });
      let root = await store.writeTree([]);
      for (const given of steps) {
        const { edits } = await asEdits(store, given);
        root = await store.editTree(root, edits);
        const known = execFileSync('git', ['ls-files', '-z'], { env, encoding: 'utf8' }).split('\0').filter((path) => path !== '');
        const gone = [...edits].filter(([, edit]) => edit === null).flatMap(([path]) => known.filter((file) => file === path || file.startsWith(`${path}/`)));
        const set = [...edits].filter((entry): entry is [string, NonNullable<TreeEdit>] => entry[1] !== null);
        const lines = [...gone.map((path) => `0 ${'0'.repeat(40)}\t${path}\0`), ...set.map(([path, { mode, oid }]) => `${mode} ${oid}\t${path}\0`)];
        execFileSync('git', ['update-index', '--replace', '-z', '--index-info'], { env, input: lines.join('') });
        expect(execFileSync('git', ['write-tree'], { env, encoding: 'utf8' }).trim()).toBe(root);
      }
      await commitOn(store, [], { tree: root });
    }), { numRuns: 6 });
    expect(fsck()).toBe('');
  });

  test('the empty tree is there once it was written, though git knows it anyway', async () => {
    expect(await store.readTree(gitIn(gitDir, ['hash-object', '-t', 'tree', '--stdin']))).toEqual([]);
    await store.updateRefs([{ ref: 'refs/heads/main', to: await commitOn(store, []) }], 'test');
    expect(fsck()).toBe('');
  });

  test('a commit has the oid that git commit-tree gives it', async () => {
    const tree = await writeFiles(store, { 'tasks/a.md': 'x' });
    const oid = await store.writeCommit({ tree, parents: [], author: SOMEONE, committer: SOMEONE, message: 'tâche\n' });
    const when = `${SOMEONE.seconds} ${SOMEONE.zone}`;
    const env = {
      ...process.env, GIT_DIR: gitDir, GIT_AUTHOR_NAME: SOMEONE.name, GIT_AUTHOR_EMAIL: SOMEONE.email, GIT_AUTHOR_DATE: when,
      GIT_COMMITTER_NAME: SOMEONE.name, GIT_COMMITTER_EMAIL: SOMEONE.email, GIT_COMMITTER_DATE: when,
    };
    expect(execFileSync('git', ['commit-tree', tree, '-m', 'tâche'], { env, encoding: 'utf8' }).trim()).toBe(oid);
  });

  test('signatures, merged tags and unknown headers of foreign commits are passed over', async () => {
    const tree = await store.writeTree([]);
    const parent = await commitOn(store, []);
    const foreign = [
      `tree ${tree}`, `parent ${parent}`, 'author A <a@b> 1 +0000', 'committer <> 2 -0000', 'encoding ISO-8859-1', 'x-unknown parent of nothing',
      'gpgsig -----BEGIN PGP SIGNATURE-----', ' ', ' parent deadbeef', ' -----END PGP SIGNATURE-----', '', 'M\xfcll\n\nbody\n',
    ].join('\n');
    const oid = execFileSync('git', ['hash-object', '-t', 'commit', '-w', '--stdin', '--literally'], { cwd: gitDir, input: Buffer.from(foreign, 'latin1'), encoding: 'utf8' }).trim();
    expect(await store.readCommit(oid)).toEqual({
      oid, tree, parents: [parent], message: 'Müll\n\nbody\n',
      author: { name: 'A', email: 'a@b', seconds: 1, zone: '+0000' }, committer: { name: '', email: '', seconds: 2, zone: '-0000' },
    });
  });

  test('a name that is not UTF-8 survives edits beside it', async () => {
    const { oid } = await blobEntry(store, 'x');
    const name = Buffer.from([0x66, 0xfc, 0xff, 0xed, 0xa0, 0x80, 0xe2, 0x82]);
    const input = Buffer.concat([Buffer.from(`100644 blob ${oid}\t`), name, Buffer.from([0])]);
    const tree = execFileSync('git', ['mktree', '-z'], { cwd: gitDir, input, encoding: 'utf8' }).trim();
    const edited = await store.editTree(tree, new Map([['fz', await blobEntry(store, 'y')]]));
    expect(gitIn(gitDir, ['ls-tree', '--name-only', edited])).toBe(`fz\n"f\\374\\377\\355\\240\\200\\342\\202"`);
    expect(await store.editTree(edited, new Map([['fz', null]]))).toBe(tree);
  });

  test('replacement objects are not followed', async () => {
    const [one, two] = [await commitOn(store, [], { message: 'one' }), await commitOn(store, [], { message: 'two' })];
    gitIn(gitDir, ['replace', one, two]);
    const fresh = await openGitStore({ gitDir });
    expect((await fresh.readCommit(one)).message).toBe('one');
    expect(await fresh.isAncestor(one, two)).toBe(false);
    await fresh.close();
  });

  test('a move of a branch is in its reflog with the reason', async () => {
    const [one, two] = [await commitOn(store, []), await commitOn(store, [], { message: 'two' })];
    await store.updateRefs([{ ref: 'refs/heads/main', to: one }], 'cambium: publish');
    await store.updateRefs([{ ref: 'refs/heads/main', to: two }], 'cambium: observe');
    expect(gitIn(gitDir, ['reflog', 'show', '--format=%gs', 'refs/heads/main'])).toBe('cambium: observe\ncambium: publish');
  });
});

describe('what others do meanwhile', () => {
  test('objects that another git fetched while the reader runs are seen', async () => {
    const other = makeBareHub(join(temp.path, 'other.git'));
    const oids = Array.from({ length: 130 }, (_, index) => gitIn(other, ['hash-object', '-w', '--stdin'], `${index}\n`));
    const tree = gitIn(other, ['mktree'], oids.map((oid, index) => `100644 blob ${oid}\tf${index}\n`).join(''));
    const commit = gitIn(other, ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit-tree', tree, '-m', 'x']);
    gitIn(other, ['update-ref', 'refs/heads/main', commit]);
    await expect(store.readCommit(commit)).rejects.toMatchObject({ code: 'object-missing' });
    expect(await store.has(oids[7] as Oid)).toBe(false);
    await expect(store.updateRefs([{ ref: 'refs/heads/main', to: commit }], 'test')).rejects.toMatchObject({ code: 'object-missing' });
    gitIn(gitDir, ['-c', 'fetch.unpackLimit=1', 'fetch', '--quiet', '--no-tags', other, commit]);
    expect(readdirSync(join(gitDir, 'objects/pack'))).not.toEqual([]);
    expect((await store.readCommit(commit)).tree).toBe(tree);
    expect(await text(oids[7] as Oid)).toBe('7\n');
    expect(await store.updateRefs([{ ref: 'refs/heads/main', expect: null, to: commit }], 'test')).toBe(true);
  });

  test('after a repack in another process everything is still read, and nothing is written twice', async () => {
    const blob = await store.writeBlob(Buffer.from('kept\n'));
    const tree = await store.writeTree([{ mode: '100644', name: 'f', oid: blob }]);
    const commit = await commitOn(store, [], { tree });
    await store.updateRefs([{ ref: 'refs/heads/main', to: commit }, { ref: 'refs/cambium/a', to: commit }], 'test');
    gitIn(gitDir, ['gc', '--quiet', '--prune=now']);
    expect(existsSync(loose(blob))).toBe(false);
    expect(existsSync(join(gitDir, 'refs/heads/main'))).toBe(false);
    expect(await text(blob)).toBe('kept\n');
    expect(await store.writeBlob(Buffer.from('kept\n'))).toBe(blob);
    expect(existsSync(loose(blob))).toBe(false);
    expect(await store.readRef('refs/heads/main')).toBe(commit);
    const next = await commitOn(store, [commit]);
    expect(await store.updateRefs([{ ref: 'refs/heads/main', expect: commit, to: next }, { ref: 'refs/cambium/a', expect: commit, to: null }], 'test')).toBe(true);
    expect(await store.readRef('refs/heads/main')).toBe(next);
    expect(await store.readRef('refs/cambium/a')).toBeNull();
  });

  test('an object that was pruned after it was written is written again', async () => {
    const blob = await store.writeBlob(Buffer.from('unreachable\n'));
    gitIn(gitDir, ['prune', '--expire=now']);
    expect(await store.has(blob)).toBe(false);
    await store.writeBlob(Buffer.from('unreachable\n'));
    expect(await text(blob)).toBe('unreachable\n');
  });

  test('of two stores that swap one ref from the same value one wins', async () => {
    const other = await openGitStore({ gitDir });
    const start = await commitOn(store, []);
    await store.updateRefs([{ ref: 'refs/cambium/a', to: start }], 'test');
    let tip = start;
    for (let round = 0; round < 10; round++) {
      const [mine, theirs] = [await commitOn(store, [tip], { message: 'mine' }), await commitOn(other, [tip], { message: 'theirs' })];
      const won = await Promise.all([
        store.updateRefs([{ ref: 'refs/cambium/a', expect: tip, to: mine }], 'test'), other.updateRefs([{ ref: 'refs/cambium/a', expect: tip, to: theirs }], 'test'),
      ]);
      expect(won.filter(Boolean)).toHaveLength(1);
      tip = won[0] ? mine : theirs;
      expect([await store.readRef('refs/cambium/a'), await other.readRef('refs/cambium/a')]).toEqual([tip, tip]);
    }
    await other.close();
  });

  onLinux('a lock that another process holds is waited for', async () => {
    const commit = await commitOn(store, []);
    const lock = join(gitDir, 'refs/cambium/a.lock');
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, '');
    const moving = store.updateRefs([{ ref: 'refs/cambium/a', expect: null, to: commit }], 'test');
    await until(() => (helpers('update-ref').length > 0 ? true : null));
    rmSync(lock);
    expect(await moving).toBe(true);
  });

  onLinux('a git that is killed while it moves refs has moved none, and is started again', async () => {
    const commit = await commitOn(store, []);
    const lock = join(gitDir, 'refs/cambium/a.lock');
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, '');
    const moving = store.updateRefs([{ ref: 'refs/cambium/a', expect: null, to: commit }], 'test');
    const [first] = await until(() => (helpers('update-ref').length > 0 ? helpers('update-ref') : null)) as [number];
    process.kill(first, 'SIGKILL');
    await until(() => (helpers('update-ref').some((pid) => pid !== first) ? true : null));
    rmSync(lock);
    expect(await moving).toBe(true);
    expect(await store.readRef('refs/cambium/a')).toBe(commit);
  });

  onLinux('helpers that are killed are started again', async () => {
    const blob = await store.writeBlob(Buffer.alloc(2_000_000, 'x'));
    const commit = await commitOn(store, []);
    await store.updateRefs([{ ref: 'refs/cambium/a', to: commit }], 'test');
    for (const pid of [...helpers('cat-file'), ...helpers('update-ref')]) process.kill(pid, 'SIGKILL');
    expect(await store.updateRefs([{ ref: 'refs/cambium/b', expect: null, to: commit }], 'test')).toBe(true);
    const reading = Promise.all(Array.from({ length: 20 }, () => store.readBlob(blob)));
    for (const pid of helpers('cat-file')) process.kill(pid, 'SIGKILL');
    expect((await reading).every((bytes) => bytes.length === 2_000_000)).toBe(true);
  });
});

describe('damage', () => {
  const content = Buffer.from('a task\n'.repeat(400));
  const other = Buffer.from('another\n');

  async function damaged(how: string): Promise<Oid> {
    const [oid, swap] = [await store.writeBlob(content), await store.writeBlob(other)];
    chmodSync(loose(oid), 0o644);
    if (how === 'empty') truncateSync(loose(oid), 0);
    if (how === 'cut short') truncateSync(loose(oid), 20);
    if (how === 'without a header') truncateSync(loose(oid), 3);
    if (how === 'garbage') writeFileSync(loose(oid), 'garbage garbage');
    if (how === 'followed by garbage') appendFileSync(loose(oid), 'garbage');
    if (how === 'another object') {
      rmSync(loose(oid));
      copyFileSync(loose(swap), loose(oid));
    }
    return oid;
  }

  test.each(['empty', 'cut short', 'without a header', 'garbage', 'another object'])('a loose object that is %s is named when read, and mended by writing it again', async (how) => {
    const oid = await damaged(how);
    await expect(store.readBlob(oid)).rejects.toMatchObject({ code: 'object-corrupt', hint: expect.stringContaining('git fsck') as string });
    expect(await text(await store.writeBlob(other))).toBe(other.toString());
    expect(await store.writeBlob(content)).toBe(oid);
    expect(await text(oid)).toBe(content.toString());
    expect(fsck()).toBe('');
  });

  test.each(['empty', 'cut short', 'without a header', 'garbage', 'another object', 'followed by garbage'])('a store that never saw it mends an object that is %s by writing it', async (how) => {
    const oid = await damaged(how);
    const fresh = await openGitStore({ gitDir });
    await fresh.writeBlob(content);
    expect(Buffer.from(await fresh.readBlob(oid)).equals(content)).toBe(true);
    await fresh.close();
    expect(fsck()).toBe('');
  });

  test('an object damaged in a pack is named when read, and mended by writing it again', async () => {
    const bytes = Buffer.from(Array.from({ length: 4_000 }, (_, index) => (index * index * 31) % 251));
    const blob = await store.writeBlob(bytes);
    await store.updateRefs([{ ref: 'refs/heads/main', to: await commitOn(store, [], { tree: await store.writeTree([{ mode: '100644', name: 'f', oid: blob }]) }) }], 'test');
    gitIn(gitDir, ['gc', '--quiet']);
    await store.close();
    const pack = join(gitDir, 'objects/pack', readdirSync(join(gitDir, 'objects/pack')).find((name) => name.endsWith('.pack')) as string);
    const spoiled = readFileSync(pack);
    spoiled.fill(0x55, Math.floor(spoiled.length / 2), Math.floor(spoiled.length / 2) + 40);
    chmodSync(pack, 0o644);
    writeFileSync(pack, spoiled);
    await expect(store.readBlob(blob)).rejects.toMatchObject({ code: 'object-corrupt' });
    await store.writeBlob(bytes);
    expect(Buffer.from(await store.readBlob(blob)).equals(bytes)).toBe(true);
  });

  test.each([['empty', ''], ['no oid', 'deadbeef\n']])('a ref whose file is %s is an error, never an absent ref', async (_, bytes) => {
    const commit = await commitOn(store, []);
    await store.updateRefs([{ ref: 'refs/heads/main', to: commit }], 'test');
    writeFileSync(join(gitDir, 'refs/heads/main'), bytes);
    await expect(store.readRef('refs/heads/main')).rejects.toMatchObject({ code: 'git-failed' });
    await expect(store.listRefs('refs/heads/')).rejects.toMatchObject({ code: 'git-failed' });
    await expect(store.updateRefs([{ ref: 'refs/heads/main', expect: null, to: commit }], 'test')).rejects.toMatchObject({ code: 'git-failed' });
    expect(await store.listRefs('refs/cambium/')).toEqual(new Map());
  });

  test('a folder that is no repository is an error', async () => {
    await expect(openGitStore({ gitDir: temp.path })).rejects.toMatchObject({ code: 'git-failed' });
  });
});

describe('repositories of other shapes', () => {
  test('a linked worktree shares objects and refs, and keeps its own bisect refs', async () => {
    const commit = await commitOn(store, []);
    await store.updateRefs([{ ref: 'refs/heads/main', to: commit }], 'test');
    gitIn(gitDir, ['worktree', 'add', '--quiet', '--detach', join(temp.path, 'tree'), commit]);
    const linked = await openGitStore({ gitDir: join(gitDir, 'worktrees/tree') });
    const next = await commitOn(linked, [commit], { message: 'linked' });
    expect(await linked.updateRefs([{ ref: 'refs/heads/main', expect: commit, to: next }, { ref: 'refs/bisect/bad', to: next }], 'test')).toBe(true);
    expect(await store.readRef('refs/heads/main')).toBe(next);
    expect((await store.readCommit(next)).message).toBe('linked');
    expect([await linked.readRef('refs/bisect/bad'), await store.readRef('refs/bisect/bad')]).toEqual([next, null]);
    await linked.close();
  });

  test('a symbolic ref is read as what it names', async () => {
    const commit = await commitOn(store, []);
    await store.updateRefs([{ ref: 'refs/remotes/origin/main', to: commit }], 'test');
    gitIn(gitDir, ['symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/main']);
    expect(await store.readRef('refs/remotes/origin/HEAD')).toBe(commit);
  });

  test('a shallow clone ends its history where it was cut', async () => {
    const [root, middle] = [await commitOn(store, []), ''];
    const second = await commitOn(store, [root], { message: 'second' });
    const top = await commitOn(store, [second], { message: `top${middle}` });
    await store.updateRefs([{ ref: 'refs/heads/main', to: top }], 'test');
    gitIn('.', ['clone', '--quiet', '--bare', '--depth=2', `file://${gitDir}`, join(temp.path, 'shallow.git')]);
    const shallow = await openGitStore({ gitDir: join(temp.path, 'shallow.git') });
    expect((await shallow.log(top)).map(({ oid }) => oid)).toEqual([top, second]);
    expect(await shallow.isAncestor(second, top)).toBe(true);
    expect(await shallow.isAncestor(top, second)).toBe(false);
    await shallow.close();
  });
});

describe('merges by git', () => {
  test('a file renamed on one side keeps the edits of the other', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}\n`).join('');
    const base = await writeFiles(store, { 'a.md': lines });
    const [ours, theirs] = [await writeFiles(store, { 'b.md': lines }), await writeFiles(store, { 'a.md': `${lines}more\n` })];
    const { tree, conflicts } = await store.mergeTrees(base, ours, theirs);
    expect(conflicts).toEqual([]);
    expect(await readFiles(store, tree)).toEqual({ 'b.md': `${lines}more\n` });
  });

  test('a file added to a folder that the other side moved stays where it was put', async () => {
    const page = (name: string): string => Array.from({ length: 12 }, (_, index) => `${name} ${index}\n`).join('');
    const both = (prefix: string): Record<string, string> => ({ [`${prefix}/a.md`]: page('a'), [`${prefix}/b.md`]: page('b') });
    const base = await writeFiles(store, { ...both('tasks'), f: page('f') });
    const ours = await writeFiles(store, { ...both('done'), f: `first\n${page('f')}` });
    const theirs = await writeFiles(store, { ...both('tasks'), 'tasks/c.md': 'new\n', f: `${page('f')}last\n` });
    const { tree, conflicts } = await store.mergeTrees(base, ours, theirs);
    expect(conflicts).toEqual([]);
    expect(await readFiles(store, tree)).toEqual({ ...both('done'), 'tasks/c.md': 'new\n', f: `first\n${page('f')}last\n` });
  });

  test('merging the same trees twice leaves no new object behind', async () => {
    const [base, ours, theirs] = [await writeFiles(store, { f: '1\n' }), await writeFiles(store, { f: '2\n' }), await writeFiles(store, { f: '3\n' })];
    const count = (): string => gitIn(gitDir, ['count-objects']);
    const first = await store.mergeTrees(base, ours, theirs);
    const before = count();
    expect(await store.mergeTrees(base, ours, theirs)).toEqual(first);
    expect(count()).toBe(before);
    expect(fsck()).toBe('');
  });
});
