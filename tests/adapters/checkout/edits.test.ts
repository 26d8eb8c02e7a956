import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openDesk, SETTLE_MS } from './desk.ts';
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

const NOTHING = { edits: [], unsettled: [], refused: [] };
const pathsOf = (found: { edits: readonly { path: string }[] }): string[] => found.edits.map(({ path }) => path).toSorted();

test('an untouched checkout has no edits', async () => {
  const desk = await open();
  expect(await desk.edits()).toEqual(NOTHING);
});

test('a changed, a new and a deleted state file are edits, with their blobs in the store', async () => {
  const desk = await open({ files: { 'tasks/one.md': 'one\n', 'memory/project/active.md': 'a\n', 'cambium.yaml': 'x\n' } });
  desk.write('tasks/one.md', 'one, better\n');
  desk.write('tasks/web/two.md', 'two\n');
  rmSync(join(desk.root, 'memory/project/active.md'));
  const { edits } = await desk.edits();
  expect(edits.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: 'memory/project/active.md', mode: null, oid: null },
    { path: 'tasks/one.md', mode: '100644', oid: desk.git('hash-object', 'tasks/one.md') },
    { path: 'tasks/web/two.md', mode: '100644', oid: desk.git('hash-object', 'tasks/web/two.md') },
  ]);
  expect(desk.git('cat-file', '-p', edits.find(({ path }) => path === 'tasks/web/two.md')?.oid ?? '')).toBe('two');
});

test('files outside the state paths are no edits', async () => {
  const desk = await open();
  desk.write('src/app.ts', 'changed\n');
  desk.write('tasks.md', 'x');
  expect(await desk.edits()).toEqual(NOTHING);
});

test('edits are told from the synced tree, not from HEAD: a landed result the person has not got is no deletion', async () => {
  const desk = await open();
  const synced = desk.tree();
  const landed = await desk.landed({ 'tasks/one.result.md': 'done\n' });
  desk.git('update-ref', 'refs/remotes/hub/main', landed);
  expect(await desk.edits(synced)).toEqual(NOTHING);
  desk.commit({ 'tasks/one.md': 'committed by hand\n' });
  expect(pathsOf(await desk.edits(synced))).toEqual(['tasks/one.md']);
});

test('a file counts only when two looks, apart by the settling time, saw the same', async () => {
  const desk = await open();
  const synced = desk.tree();
  desk.write('tasks/one.md', 'v1\n');
  expect(await desk.checkout.edits(synced, false)).toMatchObject({ edits: [], unsettled: ['tasks/one.md'] });
  desk.write('tasks/one.md', 'v22\n');
  desk.passTime(SETTLE_MS);
  expect(await desk.checkout.edits(synced, false)).toMatchObject({ edits: [], unsettled: ['tasks/one.md'] });
  desk.passTime(SETTLE_MS);
  expect(await desk.checkout.edits(synced, false)).toMatchObject({ edits: [{ path: 'tasks/one.md' }], unsettled: [] });
});

test('an emptied and a vanished file wait for the longer half-saved time', async () => {
  const desk = await open({ files: { 'tasks/one.md': 'one\n', 'tasks/two.md': 'two\n' } });
  const synced = desk.tree();
  desk.write('tasks/one.md', '');
  rmSync(join(desk.root, 'tasks/two.md'));
  await desk.checkout.edits(synced, false);
  desk.passTime(SETTLE_MS);
  const waiting = await desk.checkout.edits(synced, false);
  expect([waiting.edits, waiting.unsettled.toSorted()]).toEqual([[], ['tasks/one.md', 'tasks/two.md']]);
  desk.passTime(2000);
  expect(pathsOf(await desk.checkout.edits(synced, false))).toEqual(['tasks/one.md', 'tasks/two.md']);
});

test('a modification time in the future does not wait for ever', async () => {
  const desk = await open();
  desk.write('tasks/one.md', 'from tomorrow\n');
  const tomorrow = new Date(Date.now() + 86_400_000);
  utimesSync(join(desk.root, 'tasks/one.md'), tomorrow, tomorrow);
  expect(pathsOf(await desk.edits())).toEqual(['tasks/one.md']);
});

test('a write that keeps size and modification time is seen', async () => {
  const desk = await open();
  const at = new Date(2020, 1, 1);
  desk.write('tasks/one.md', 'AAAA');
  utimesSync(join(desk.root, 'tasks/one.md'), at, at);
  const first = await desk.edits();
  desk.write('tasks/one.md', 'BBBB');
  utimesSync(join(desk.root, 'tasks/one.md'), at, at);
  const second = await desk.edits();
  expect(second.edits).toHaveLength(1);
  expect(second.edits[0]?.oid).not.toBe(first.edits[0]?.oid);
});

test.each([
  '.one.md.swp', '.one.md.swx', '4913', 'one.md~', '#one.md#', '.goutputstream-X1Y2Z3', 'one.md.tmp', 'one.part', '.DS_Store',
  'one.md___jb_tmp___', 'one.md.save', 'sedAb12Cd',
])('the editor file %s is no edit', async (name) => {
  const desk = await open();
  desk.write(`tasks/${name}`, 'x');
  expect(await desk.edits()).toEqual(NOTHING);
});

test('a synced file with the name of an editor file is a file like any other', async () => {
  const desk = await open({ files: { 'tasks/plan.tmp': 'x\n' } });
  desk.write('tasks/plan.tmp', 'y\n');
  expect(pathsOf(await desk.edits())).toEqual(['tasks/plan.tmp']);
});

test('new ignored files are no edits, a synced one that a pattern matches is', async () => {
  const desk = await open({ files: { 'tasks/kept.log': 'a\n' } });
  desk.write('.gitignore', '*.log\nbuild/\n');
  desk.write('tasks/kept.log', 'b\n');
  desk.write('tasks/new.log', 'c\n');
  desk.write('tasks/build/x.md', 'd\n');
  expect(pathsOf(await desk.edits())).toEqual(['tasks/kept.log']);
  desk.write('.gitignore', '');
  expect(pathsOf(await desk.edits())).toEqual(['tasks/build/x.md', 'tasks/kept.log', 'tasks/new.log']);
});

test('symlinks, pipes, folders named like files, nested repositories and files over 1 MB are refused with the reason', async () => {
  const desk = await open();
  writeFileSync(join(desk.root, '..', 'outside.md'), 'secret');
  symlinkSync('../../outside.md', join(desk.root, 'tasks/link.md'));
  symlinkSync('../..', join(desk.root, 'tasks/out'));
  mkdirSync(join(desk.root, 'tasks/folder.md'));
  desk.write('tasks/folder.md/inner.md', 'x');
  execFileSync('mkfifo', [join(desk.root, 'tasks/pipe.md')]);
  execFileSync('git', ['init', '-q', join(desk.root, 'tasks/nested')]);
  desk.write('tasks/big.md', 'x'.repeat(1_048_577));
  const { edits, refused } = await desk.edits();
  expect(edits).toEqual([]);
  expect(Object.fromEntries(refused.map(({ path, reason }) => [path, reason]))).toEqual({
    'tasks/link.md': expect.stringMatching(/symlink/), 'tasks/out': expect.stringMatching(/symlink/), 'tasks/folder.md': expect.stringMatching(/folder/),
    'tasks/pipe.md': expect.stringMatching(/no regular file/), 'tasks/nested': expect.stringMatching(/repository of its own/), 'tasks/big.md': expect.stringMatching(/1048577 bytes/),
  });
});

test('a state folder that was replaced by a symlink is not followed, and what stood in it is not deleted', async () => {
  const desk = await open();
  renameSync(join(desk.root, 'tasks'), join(desk.root, '..', 'tasks-elsewhere'));
  symlinkSync('../tasks-elsewhere', join(desk.root, 'tasks'));
  expect(await desk.edits()).toMatchObject({ edits: [], unsettled: [], refused: [{ path: 'tasks' }] });
});

test('the executable bit is kept, and is an edit of its own', async () => {
  const desk = await open({ files: { 'hooks/on-done': 'echo\n' } });
  chmodSync(join(desk.root, 'hooks/on-done'), 0o755);
  expect((await desk.edits()).edits).toMatchObject([{ path: 'hooks/on-done', mode: '100755' }]);
});

test('with core.fileMode off the bit on disk means nothing', async () => {
  const desk = await open({ files: { 'hooks/on-done': 'echo\n' }, config: { 'core.fileMode': 'false' } });
  chmodSync(join(desk.root, 'hooks/on-done'), 0o755);
  expect((await desk.edits()).edits).toEqual([]);
  desk.write('hooks/on-done', 'echo again\n');
  expect((await desk.edits()).edits).toMatchObject([{ mode: '100644' }]);
});

test('content is what git would commit: line endings by attributes and by autocrlf', async () => {
  const desk = await open({ files: { '.gitattributes': '*.md text eol=crlf\n', 'tasks/one.md': 'one\n' } });
  desk.write('tasks/one.md', 'one\r\n');
  expect((await desk.edits()).edits).toEqual([]);
  desk.write('tasks/one.md', 'one\r\ntwo\r\n');
  const [edit] = (await desk.edits()).edits;
  expect(Buffer.from(await desk.store.readBlob(edit?.oid ?? '')).toString()).toBe('one\ntwo\n');
  const auto = await open({ config: { 'core.autocrlf': 'true' } });
  auto.write('tasks/one.md', 'one\r\nmore\r\n');
  const [converted] = (await auto.edits()).edits;
  expect(Buffer.from(await auto.store.readBlob(converted?.oid ?? '')).toString()).toBe('one\nmore\n');
});

test('a clean filter is applied as git applies it; where it fails, only that file is refused', async () => {
  const desk = await open({ config: { 'filter.shout.clean': 'tr a-z A-Z', 'filter.broken.clean': 'false', 'filter.broken.required': 'true' } });
  desk.write('.gitattributes', '*.loud filter=shout\n*.sad filter=broken\n');
  for (const path of ['tasks/a.loud', 'tasks/b.sad', 'tasks/c.md', 'tasks/d "odd"\n name.loud']) desk.write(path, 'text\n');
  const { edits, refused } = await desk.edits();
  const texts = await Promise.all(edits.map(async ({ path, oid }) => [path, oid === null ? '' : Buffer.from(await desk.store.readBlob(oid)).toString()]));
  expect(Object.fromEntries(texts)).toEqual({ 'tasks/a.loud': 'TEXT\n', 'tasks/c.md': 'text\n', 'tasks/d "odd"\n name.loud': 'TEXT\n' });
  expect(refused).toMatchObject([{ path: 'tasks/b.sad' }]);
});

test('a file that became a folder and a folder that became a file are told path by path', async () => {
  const desk = await open({ files: { 'memory/a': 'a\n', 'memory/b/c': 'c\n' } });
  rmSync(join(desk.root, 'memory/a'));
  desk.write('memory/a/deep', 'x\n');
  rmSync(join(desk.root, 'memory/b'), { recursive: true });
  desk.write('memory/b', 'y\n');
  const { edits } = await desk.edits();
  expect(Object.fromEntries(edits.map(({ path, mode }) => [path, mode]))).toEqual({ 'memory/a': null, 'memory/a/deep': '100644', 'memory/b/c': null, 'memory/b': '100644' });
});

test('what a sparse checkout leaves out is not deleted', async () => {
  const desk = await open({ files: { 'tasks/one.md': 'one\n', 'memory/project/active.md': 'a\n' } });
  desk.git('sparse-checkout', 'set', 'tasks');
  expect(desk.read('memory/project/active.md')).toBe(null);
  expect(await desk.edits()).toEqual(NOTHING);
});

test('a busy checkout has no edits', async () => {
  const desk = await open();
  const synced = desk.tree();
  desk.write('tasks/one.md', 'changed\n');
  desk.git('add', 'tasks/one.md');
  expect(await desk.edits(synced)).toEqual(NOTHING);
});
