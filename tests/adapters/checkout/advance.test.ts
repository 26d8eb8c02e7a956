import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openDesk } from './desk.ts';
import type { Desk, DeskOptions } from './desk.ts';

const desks: Desk[] = [];
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.close();
});

async function open(options?: DeskOptions): Promise<Desk> {
  const desk = await openDesk(options);
  desks.push(desk);
  return desk;
}

const reasons = (skipped: readonly { path: string; reason: string }[]): Record<string, string> => Object.fromEntries(skipped.map(({ path, reason }) => [path, reason]));

test('work tree, index and branch move together: status is empty and log shows the target', async () => {
  const desk = await open({ files: { 'tasks/one.md': 'one\n', 'src/app.ts': 'app\n', 'src/old.ts': 'old\n' } });
  const target = await desk.landed({ 'tasks/one.result.md': 'done\n', 'src/app.ts': 'better\n', 'src/old.ts': null, 'docs/deep/new.md': 'new\n' });
  expect(await desk.advance(target)).toEqual({ moved: true, synced: desk.tree(target), skipped: [], displaced: [] });
  expect([desk.read('tasks/one.result.md'), desk.read('src/app.ts'), desk.read('src/old.ts'), desk.read('docs/deep/new.md')]).toEqual(['done\n', 'better\n', null, 'new\n']);
  expect(desk.status()).toBe('');
  expect(desk.git('log', '-1', '--format=%H')).toBe(target);
  expect(desk.git('symbolic-ref', 'HEAD')).toBe('refs/heads/main');
  expect(desk.git('reflog', '-1', '--format=%gs')).toBe('cambium: advance');
  expect(desk.git('diff-files')).toBe('');
  expect(existsSync(join(desk.gitDir, 'index.lock'))).toBe(false);
  expect(readdirSync(join(desk.gitDir, 'cambium'))).toEqual(['passes']);
});

test('afterwards commit -a, stash and pull --ff-only of the person behave as always', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.result.md': 'done\n' });
  await desk.advance(target);
  desk.write('src/app.ts', 'mine\n');
  desk.git('stash');
  expect(desk.read('src/app.ts')).toBe('app\n');
  desk.git('stash', 'pop');
  desk.git('commit', '-qam', 'mine');
  expect(desk.git('diff', '--name-status', target, 'HEAD')).toBe('M\tsrc/app.ts');
  const next = await desk.landed({ 'tasks/two.md': 'two\n' });
  desk.git('update-ref', 'refs/heads/published', next);
  desk.git('pull', '--quiet', '--ff-only', '.', 'published');
  expect([desk.git('rev-parse', 'HEAD'), desk.status()]).toEqual([next, '']);
});

test('a file with edits stays, and nothing looks staged', async () => {
  const desk = await open();
  const synced = desk.tree();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n', 'src/app.ts': 'better\n' });
  desk.write('tasks/one.md', 'mine\n');
  const { moved, skipped, synced: now } = await desk.advance(target);
  expect([moved, reasons(skipped)]).toEqual([true, { 'tasks/one.md': 'it is edited here and changed at the hub' }]);
  expect([desk.read('tasks/one.md'), desk.read('src/app.ts'), desk.status()]).toEqual(['mine\n', 'better\n', 'M tasks/one.md']);
  expect(desk.git('diff', '--cached', '--name-only')).toBe('');
  // The skipped path keeps its old entry in the synced tree.
  expect(desk.git('rev-parse', `${now}:tasks/one.md`)).toBe(desk.git('rev-parse', `${synced}:tasks/one.md`));
  expect(desk.git('rev-parse', `${now}:src/app.ts`)).toBe(desk.git('rev-parse', `${target}:src/app.ts`));
});

test('a path that was skipped is taken up when the person gives up the edit, on the same commit', async () => {
  const desk = await open();
  const old = desk.tree();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  desk.write('tasks/one.md', 'mine\n');
  const first = await desk.advance(target, old);
  desk.write('tasks/one.md', 'one\n');
  expect(await desk.advance(target, first.synced)).toEqual({ moved: true, synced: desk.tree(target), skipped: [], displaced: [] });
  expect([desk.read('tasks/one.md'), desk.status()]).toEqual(['theirs\n', '']);
});

test('an edit that has been published is adopted', async () => {
  const desk = await open();
  desk.write('tasks/one.md', 'mine\n');
  const target = await desk.landed({ 'tasks/one.md': 'mine\n' });
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [], synced: desk.tree(target) });
  expect(desk.status()).toBe('');
});

test('an untracked file where the target adds one: equal content is adopted, other content stays', async () => {
  const desk = await open();
  desk.write('tasks/same.md', 'same\n');
  desk.write('tasks/other.md', 'mine\n');
  desk.write('tasks/unknown.md', 'unknown\n');
  const { skipped } = await desk.advance(await desk.landed({ 'tasks/same.md': 'same\n', 'tasks/other.md': 'theirs\n' }));
  expect(Object.keys(reasons(skipped))).toEqual(['tasks/other.md']);
  expect([desk.read('tasks/other.md'), desk.read('tasks/unknown.md')]).toEqual(['mine\n', 'unknown\n']);
  expect(desk.status().split('\n')).toEqual(['M tasks/other.md', '?? tasks/unknown.md']);
});

test('a file the person deleted stays deleted when the target changes it', async () => {
  const desk = await open();
  rmSync(join(desk.root, 'tasks/one.md'));
  const { skipped } = await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }));
  expect(reasons(skipped)).toEqual({ 'tasks/one.md': 'it is deleted here and changed at the hub' });
  expect(desk.read('tasks/one.md')).toBe(null);
});

test('an edited file that the target deletes stays', async () => {
  const desk = await open();
  desk.write('tasks/one.md', 'mine\n');
  expect(Object.keys(reasons((await desk.advance(await desk.landed({ 'tasks/one.md': null }))).skipped))).toEqual(['tasks/one.md']);
  expect(desk.read('tasks/one.md')).toBe('mine\n');
});

test('an emptied folder goes, one with a file of the person stays', async () => {
  const desk = await open({ files: { 'a/x': 'x\n', 'b/y': 'y\n' } });
  desk.write('b/mine', 'm\n');
  await desk.advance(await desk.landed({ 'a/x': null, 'b/y': null, 'c': 'c\n' }));
  expect([existsSync(join(desk.root, 'a')), desk.read('b/mine')]).toEqual([false, 'm\n']);
});

test('the executable bit, symlinks and gitlinks of the target are made as git makes them', async () => {
  const desk = await open({ files: { 'run.sh': 'x\n', 'plain': 'y\n' } });
  const target = await desk.landed({
    'run.sh': { mode: '100755', text: 'x\n' }, 'link': { mode: '120000', text: 'plain' }, 'dangling': { mode: '120000', text: 'nowhere' },
    'sub': { mode: '160000', text: desk.git('rev-parse', 'HEAD') },
  });
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [] });
  expect([desk.read('link'), desk.read('dangling'), desk.status()]).toEqual(['-> plain', '-> nowhere', '']);
  const next = await desk.landed({ 'link': 'a file now\n', 'dangling': { mode: '120000', text: 'plain' }, 'plain': { mode: '120000', text: 'run.sh' } });
  expect(await desk.advance(next)).toMatchObject({ moved: true, skipped: [] });
  expect([desk.read('link'), desk.read('dangling'), desk.read('plain'), desk.status()]).toEqual(['a file now\n', '-> plain', '-> run.sh', '']);
});

test('a file becomes a folder, and a folder a file', async () => {
  const desk = await open({ files: { 'a': 'a\n', 'b/c/d': 'd\n' } });
  expect(await desk.advance(await desk.landed({ 'a': null, 'a/x': 'x\n', 'b/c/d': null, 'b': 'b\n' }))).toMatchObject({ moved: true, skipped: [] });
  expect([desk.read('a/x'), desk.read('b'), desk.status()]).toEqual(['x\n', 'b\n', '']);
});

test('where a folder of the person stands in the way of a file, the folder stays', async () => {
  const desk = await open({ files: { 'b/c': 'c\n' } });
  desk.write('b/mine', 'm\n');
  const { skipped, synced } = await desk.advance(await desk.landed({ 'b/c': null, 'b': 'b\n' }));
  expect(Object.keys(reasons(skipped))).toEqual(['b']);
  expect([desk.read('b/mine'), desk.git('ls-tree', '--name-only', synced)]).toEqual(['m\n', '']);
});

test('nothing is written through a symlink that leads out of the tree', async () => {
  const desk = await open({ files: { 'keep': 'k\n' } });
  mkdirSync(join(desk.root, '..', 'outside'));
  symlinkSync('../outside', join(desk.root, 'docs'));
  const { skipped } = await desk.advance(await desk.landed({ 'docs/new.md': 'new\n' }));
  expect(reasons(skipped)).toEqual({ 'docs/new.md': 'its folder docs is a symlink' });
  expect(readdirSync(join(desk.root, '..', 'outside'))).toEqual([]);
});

test('files are written with the attributes of the target and of autocrlf, and status is clean', async () => {
  const desk = await open({ files: { 'a.txt': 'a\n' }, config: { 'filter.loud.smudge': 'tr a-z A-Z', 'filter.loud.clean': 'tr A-Z a-z' } });
  const target = await desk.landed({ '.gitattributes': '*.txt text eol=crlf\n*.loud filter=loud\n', 'a.txt': 'a\nb\n', 'x.loud': 'quiet\n' });
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [] });
  expect([desk.read('a.txt'), desk.read('x.loud'), desk.status()]).toEqual(['a\r\nb\r\n', 'QUIET\n', '']);
  expect(await desk.advance(await desk.landed({ 'a.txt': 'c\n', 'x.loud': 'calm\n' }))).toMatchObject({ moved: true, skipped: [] });
  expect([desk.read('a.txt'), desk.read('x.loud'), desk.status()]).toEqual(['c\r\n', 'CALM\n', '']);
});

test('a file whose required filter fails is skipped, the others are not', async () => {
  const desk = await open({ files: { '.gitattributes': '*.lfs filter=gone\n', 'a': 'a\n' }, config: { 'filter.gone.smudge': 'false', 'filter.gone.required': 'true' } });
  const { moved, skipped } = await desk.advance(await desk.landed({ 'a': 'b\n', 'm.lfs': 'pointer\n', 'z': 'z\n' }));
  expect([moved, Object.keys(reasons(skipped)), desk.read('a'), desk.read('z')]).toEqual([true, ['m.lfs'], 'b\n', 'z\n']);
});

test('what a sparse checkout leaves out stays out', async () => {
  const desk = await open({ files: { 'tasks/one.md': 'one\n', 'src/deep/app.ts': 'app\n' } });
  desk.git('sparse-checkout', 'set', 'tasks');
  const target = await desk.landed({ 'src/deep/app.ts': 'better\n', 'tasks/one.md': 'two\n' });
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [], synced: desk.tree(target) });
  expect([desk.read('src/deep/app.ts'), desk.read('tasks/one.md'), desk.status()]).toEqual([null, 'two\n', '']);
});

test('a chmod of the person is an edit', async () => {
  const desk = await open();
  chmodSync(join(desk.root, 'src/app.ts'), 0o755);
  expect(Object.keys(reasons((await desk.advance(await desk.landed({ 'src/app.ts': 'better\n' }))).skipped))).toEqual(['src/app.ts']);
});

test('odd names are exchanged like any other', async () => {
  const desk = await open();
  const names = ['tasks/ü ñ.md', 'tasks/a\nb.md', 'tasks/"q".md', 'tasks/-rf', 'tasks/a\tb'];
  const target = await desk.landed(Object.fromEntries(names.map((name) => [name, `${name}\n`])));
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [] });
  expect([names.map((name) => desk.read(name)), desk.status()]).toEqual([names.map((name) => `${name}\n`), '']);
});

test('a commit that does not descend from HEAD is a bug, not a move', async () => {
  const desk = await open();
  const aside = await desk.landed({ 'x': 'x\n' });
  desk.commit({ 'y': 'y\n' });
  await expect(desk.advance(aside)).rejects.toMatchObject({ code: 'internal' });
});

test('nothing is moved when the branch is not where it was, something is staged, or git holds the index', async () => {
  const desk = await open();
  const [head, synced] = [desk.git('rev-parse', 'HEAD'), desk.tree()];
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  desk.write('new', 'n');
  desk.git('add', 'new');
  expect(await desk.advance(target)).toMatchObject({ moved: false, synced });
  desk.git('reset', '-q', 'new');
  writeFileSync(join(desk.gitDir, 'index.lock'), 'of git');
  expect(await desk.advance(target)).toMatchObject({ moved: false });
  rmSync(join(desk.gitDir, 'index.lock'));
  const own = desk.commit({ 'src/app.ts': 'own\n' });
  expect(await desk.checkout.advance({ head, target, synced })).toMatchObject({ moved: false });
  expect([desk.git('rev-parse', 'HEAD'), desk.read('tasks/one.md')]).toEqual([own, 'one\n']);
});

test('the same trees on a newer commit only move the branch', async () => {
  const desk = await open();
  const target = await desk.landed({});
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [] });
  expect([desk.git('rev-parse', 'HEAD'), desk.status()]).toEqual([target, '']);
});

test('a second advance to the same commit has nothing to do', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.md': 'x\n' });
  const { synced } = await desk.advance(target);
  expect(await desk.advance(target, synced)).toEqual({ moved: true, synced, skipped: [], displaced: [] });
});

test('hundreds of files are moved in one pass', async () => {
  const desk = await open();
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`memory/m${at % 10}/f${at}.md`, `${at}\n`]));
  expect(await desk.advance(await desk.landed(files))).toMatchObject({ moved: true, skipped: [] });
  expect(desk.status()).toBe('');
  expect(await desk.advance(await desk.landed(Object.fromEntries(Object.keys(files).map((path) => [path, null]))))).toMatchObject({ moved: true, skipped: [] });
  expect([desk.status(), existsSync(join(desk.root, 'memory'))]).toEqual(['', false]);
});
