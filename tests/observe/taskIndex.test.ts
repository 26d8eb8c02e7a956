import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { openGitStore } from '../../src/adapters/git/store.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { ClaimRecord } from '../../src/model/claim.ts';
import type { FileMode, TreeEdit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import { renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { renderResult } from '../../src/observe/resultFile.ts';
import { createTaskIndex } from '../../src/observe/taskIndex.ts';
import type { Store } from '../../src/ports/store.ts';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

let store: ReturnType<typeof createMemoryStore>;
let empty: Oid;
let reads: { readonly blobs: Oid[]; readonly trees: Oid[] };
let counted: Store;

beforeEach(async () => {
  store = createMemoryStore();
  empty = await store.writeTree([]);
  reads = { blobs: [], trees: [] };
  counted = {
    ...store,
    readBlob: (oid) => (reads.blobs.push(oid), store.readBlob(oid)),
    readTree: (oid) => (reads.trees.push(oid), store.readTree(oid)),
  };
});

async function tree(files: Readonly<Record<string, string | Uint8Array | null>>, base = empty, mode: FileMode = '100644'): Promise<Oid> {
  const edits = new Map<string, TreeEdit>();
  for (const [path, content] of Object.entries(files)) edits.set(path, content === null ? null : { mode, oid: await store.writeBlob(Buffer.from(content)) });
  return store.editTree(base, edits);
}

const CLAIM: ClaimRecord = {
  schema: 'cambium.claim/1', task: 'a', kind: 'claim', epoch: 1, attempt: 1, agent: 'worker-1', node: 'vm-a', incarnation: 'i', op: 'o', instruction: null, ttl_s: 180, claimed_at: '2026-11-21T00:48:00Z',
};
const RESULT = renderResult({
  task: 'b', outcome: 'done', epoch: 1, claim: null, attempts: 1, agent: null, node: null, provider: null, model: null, started: null, ended: '2026-11-21T00:51:40Z',
  usage: null, costUsd: null, commits: [], criteria: [], verify: null, spawns: [],
}, 'Done.');

test('tasks, results, projections and what is set aside come out of one tree', async () => {
  const root = await tree({
    'tasks/a.md': '# A\n', 'tasks/a.claim.json': renderClaimRecord(CLAIM), 'tasks/web/b.md': '# B\n', 'tasks/web/b.result.md': RESULT, 'tasks/bad.md': '---\npriority: 9\n---\n',
    'tasks/README.md': 'x', 'tasks/data.csv': 'x', 'tasks/_draft.md': 'x', 'tasks/archive/2026-10/old.md': '# Old\n', 'README.md': 'x',
  });
  const view = await createTaskIndex(store).read(root);
  expect([...view.tasks.values()].map(({ id, path, title }) => [id, path, title])).toEqual([['a', 'tasks/a.md', 'A'], ['b', 'tasks/web/b.md', 'B']]);
  expect(view.results.get('b')).toMatchObject({ task: 'b', outcome: 'done' });
  expect(view.projections.get('a')?.record).toEqual(CLAIM);
  expect(view.quarantine.map(({ path, line }) => [path, line])).toEqual([['tasks/bad.md', 2]]);
});

test('a tree without tasks is an empty view', async () => {
  const index = createTaskIndex(store);
  await index.read(await tree({ 'tasks/a.md': 'x' }));
  expect((await index.read(await tree({ 'README.md': 'x' }))).tasks.size).toBe(0);
});

test('an unchanged tree is answered with the same view and not walked again', async () => {
  const root = await tree({ 'tasks/a.md': '# A\n', 'tasks/web/b.md': '# B\n' });
  const index = createTaskIndex(counted);
  const view = await index.read(root);
  reads.trees.length = 0;
  expect(await index.read(await tree({ 'other.txt': 'x' }, root))).toBe(view);
  expect(reads.trees.length).toBe(1);
});

test('after an edit only the changed folders and the changed blob are read', async () => {
  const root = await tree({ 'tasks/a.md': '# A\n', 'tasks/web/b.md': '# B\n', 'tasks/ops/c.md': '# C\n' });
  const index = createTaskIndex(counted);
  await index.read(root);
  reads.blobs.length = 0;
  reads.trees.length = 0;
  const view = await index.read(await tree({ 'tasks/web/b.md': '# B2\n' }, root));
  expect([view.tasks.get('b')?.title, view.tasks.get('a')?.title]).toEqual(['B2', 'A']);
  expect([reads.blobs.length, reads.trees.length]).toEqual([1, 3]);
});

test('the same bytes under two names are read once and are two tasks', async () => {
  const index = createTaskIndex(counted);
  const view = await index.read(await tree({ 'tasks/a.md': 'Do it.\n', 'tasks/b.md': 'Do it.\n' }));
  expect([view.tasks.get('a')?.title, view.tasks.get('b')?.title]).toEqual(['a', 'b']);
  expect(reads.blobs.length).toBe(1);
});

test('two reads side by side read no blob twice', async () => {
  const root = await tree({ 'tasks/a.md': '# A\n' });
  const index = createTaskIndex(counted);
  const [one, two] = await Promise.all([index.read(root), index.read(root)]);
  expect(one).toBe(two);
  expect(reads.blobs.length).toBe(1);
});

test('a file that is deleted, moved or renamed is so in the view', async () => {
  const index = createTaskIndex(store);
  const root = await tree({ 'tasks/a.md': 'Do it.\n' });
  await index.read(root);
  const moved = await tree({ 'tasks/a.md': null, 'tasks/web/a.md': 'Do it.\n' }, root);
  expect((await index.read(moved)).tasks.get('a')?.path).toBe('tasks/web/a.md');
  expect([...(await index.read(await tree({ 'tasks/web/a.md': null, 'tasks/z.md': 'Do it.\n' }, moved))).tasks.keys()]).toEqual(['z']);
});

test('one stem in two folders is no task, and the others are', async () => {
  const view = await createTaskIndex(store).read(await tree({ 'tasks/a.md': '# 1\n', 'tasks/web/a.md': '---\nbroken', 'tasks/b.md': '# B\n' }));
  expect([...view.tasks.keys()]).toEqual(['b']);
  expect(view.quarantine.map(({ path }) => path)).toEqual(['tasks/a.md', 'tasks/web/a.md']);
});

test('a projection of another task, of a newer version or of nonsense is set aside and its task is not', async () => {
  const view = await createTaskIndex(store).read(await tree({
    'tasks/a.md': '# A\n', 'tasks/a.claim.json': renderClaimRecord({ ...CLAIM, task: 'other' }), 'tasks/b.md': '# B\n', 'tasks/b.claim.json': '{', 'tasks/c.claim.json': renderClaimRecord(CLAIM).replace('claim/1', 'claim/2'),
  }));
  expect([...view.tasks.keys()]).toEqual(['a', 'b']);
  expect(view.projections.size).toBe(0);
  expect(view.quarantine.map(({ path, reason }) => [path, reason.slice(0, 14)])).toEqual([
    ['tasks/a.claim.json', 'It speaks of t'], ['tasks/b.claim.json', 'claim.json can'], ['tasks/c.claim.json', 'schema-too-new'],
  ]);
});

test('a projection that keeps keys named like a fault is a projection', async () => {
  const odd = { ...CLAIM, reason: 'drained', mend: 'x', path: 'y', line: 1 };
  const view = await createTaskIndex(store).read(await tree({ 'tasks/a.md': '# A\n', 'tasks/a.claim.json': renderClaimRecord(odd) }));
  expect(view.projections.get('a')?.record).toEqual(odd);
  expect(view.quarantine).toEqual([]);
});

test('a huge file is set aside without being read', async () => {
  const view = await createTaskIndex(counted).read(await tree({ 'tasks/huge.md': Buffer.alloc(3_000_000, 'x'), 'tasks/a.md': '# A\n' }));
  expect([...view.tasks.keys()]).toEqual(['a']);
  expect(view.quarantine).toMatchObject([{ path: 'tasks/huge.md', reason: expect.stringContaining('3000000 bytes') }]);
  expect(reads.blobs.length).toBe(1);
});

test('folders without end are shown, not walked', async () => {
  const deep = `tasks/${'d/'.repeat(40)}x.md`;
  const view = await createTaskIndex(counted).read(await tree({ [deep]: '# X\n', 'tasks/a.md': '# A\n' }));
  expect([...view.tasks.keys()]).toEqual(['a']);
  expect(view.quarantine[0]?.reason).toContain('deeper');
  expect(reads.trees.length).toBeLessThan(20);
});

test('a missing object is an error of the store, and the next read tries again', async () => {
  const root = await tree({ 'tasks/a.md': '# A\n' });
  let away = true;
  const index = createTaskIndex({ ...store, readBlob: (oid) => (away ? Promise.reject(new Error('gone')) : store.readBlob(oid)) });
  await expect(index.read(root)).rejects.toThrow('gone');
  away = false;
  expect((await index.read(root)).tasks.size).toBe(1);
});

test('another process starts warm: it reads no blob, and sees the same', async () => {
  const root = await tree({ 'tasks/a.md': WHOLE, 'tasks/a.claim.json': renderClaimRecord(CLAIM), 'tasks/b.md': '# B\n', 'tasks/b.result.md': RESULT, 'tasks/bad.md': '---\nx' });
  const first = createTaskIndex(store);
  const view = await first.read(root);
  const second = createTaskIndex(counted, first.export());
  expect(await second.read(root)).toEqual(view);
  expect(reads.blobs).toEqual([]);
});

const WHOLE = '---\ntitle: A\ndue: 2026-11-20\nver: 1.10\nnan: .nan\ninf: .inf\nnegative: -0\nnothing: ~\ndeep: { a: [1, { b: c }] }\nverify: [a, b]\n---\n';

test.each(['', 'x', '{}', '[]', 'null', '{"version":0,"blobs":[]}', '{"version":1,"blobs":{}}', '{"version":1,"blobs":[["instruction x",null]]}', '{"version":1,"blobs":[1]}'])('a cache that says %j is ignored', async (text) => {
  const index = createTaskIndex(store, text);
  expect(index.import(text)).toBe(false);
  expect((await index.read(await tree({ 'tasks/a.md': '# A\n' }))).tasks.get('a')?.title).toBe('A');
});

test('what is exported is only what the last tree holds', async () => {
  const index = createTaskIndex(store);
  const root = await tree({ 'tasks/a.md': '# Old title\n' });
  await index.read(root);
  await index.read(await tree({ 'tasks/a.md': '# New title\n' }, root));
  expect(index.export()).toContain('New title');
  expect(index.export()).not.toContain('Old title');
});

test('with real git, symlinks, submodules and files of hostile names are set aside and nothing is followed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cambium-index-'));
  folders.push(folder);
  const git = (...args: string[]): string => execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { encoding: 'utf8' }).trim();
  git('init', '-q', '-b', 'main');
  mkdirSync(join(folder, 'tasks', 'web'), { recursive: true });
  writeFileSync(join(folder, 'tasks', 'good.md'), '# Good\n');
  writeFileSync(join(folder, 'tasks', 'Bad Name.md'), '# Bad\n');
  writeFileSync(join(folder, 'tasks', 'line\nbreak.md'), '# Bad\n');
  symlinkSync('/etc/passwd', join(folder, 'tasks', 'secret.md'));
  symlinkSync('/etc', join(folder, 'tasks', 'web', 'etc'));
  git('add', '-A');
  git('commit', '-q', '-m', 'x');
  git('update-index', '--add', '--cacheinfo', `160000,${git('rev-parse', 'HEAD')},tasks/module`);
  const root = git('write-tree');
  const real = await openGitStore({ gitDir: join(folder, '.git') });
  const view = await createTaskIndex(real).read(root);
  await real.close();
  expect([...view.tasks.keys()]).toEqual(['good']);
  expect(view.quarantine.map(({ path }) => path)).toEqual(['tasks/Bad Name.md', 'tasks/line\nbreak.md', 'tasks/module', 'tasks/secret.md', 'tasks/web/etc']);
});
