/** What a person does in the very moment of an exchange: file-system calls of ours are held while they save. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { until } from '../../../support/temp.ts';
import { HALF_SAVED_MS, openDesk } from '../../../adapters/checkout/desk.ts';
import type { Desk, DeskOptions } from '../../../adapters/checkout/desk.ts';

type Call = 'renameSync' | 'linkSync' | 'openSync' | 'symlinkSync';
const moments = vi.hoisted(() => ({ before: (_call: string, _from: string, _to: string): void => undefined }));

vi.mock('node:fs', async (load) => {
  const real = await load<typeof fs>();
  const held = (call: Call) => (...args: unknown[]): unknown => {
    moments.before(call, String(args[0]), String(args[1]));
    return (real[call] as (...all: unknown[]) => unknown)(...args);
  };
  return { ...real, renameSync: held('renameSync'), linkSync: held('linkSync'), openSync: held('openSync'), symlinkSync: held('symlinkSync') };
});

const desks: Desk[] = [];
afterEach(async () => {
  moments.before = () => undefined;
  for (const desk of desks.splice(0)) await desk.close();
});

async function open(options?: DeskOptions): Promise<Desk> {
  const desk = await openDesk(options);
  desks.push(desk);
  return desk;
}

/** Runs `act` once, right before our call on that path of the work tree. */
function rightBefore(desk: Desk, call: Call, role: 'from' | 'to', path: string, act: () => void): void {
  let done = false;
  moments.before = (name, from, to) => {
    if (done || name !== call || (role === 'from' ? from : to) !== join(desk.root, path)) return;
    done = true;
    act();
  };
}

function saveByRename(desk: Desk, path: string, text: string): void {
  const at = join(desk.root, path);
  fs.writeFileSync(`${at}.new`, text);
  fs.renameSync(`${at}.new`, at);
}

test('a version saved right before the file is moved aside is put back', async () => {
  const desk = await open();
  rightBefore(desk, 'renameSync', 'from', 'tasks/one.md', () => saveByRename(desk, 'tasks/one.md', 'saved now\n'));
  const { moved, skipped } = await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }));
  expect([moved, skipped.map(({ path }) => path), desk.read('tasks/one.md')]).toEqual([true, ['tasks/one.md'], 'saved now\n']);
});

test('a version written in place right before the file is moved aside is put back, in the same inode', async () => {
  const desk = await open();
  const inode = fs.statSync(join(desk.root, 'tasks/one.md')).ino;
  rightBefore(desk, 'renameSync', 'from', 'tasks/one.md', () => desk.write('tasks/one.md', 'ONE\n'));
  await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }));
  expect([desk.read('tasks/one.md'), fs.statSync(join(desk.root, 'tasks/one.md')).ino]).toEqual(['ONE\n', inode]);
});

test('a file saved while its path is empty stays, and the exchange gives way', async () => {
  const desk = await open();
  rightBefore(desk, 'linkSync', 'to', 'tasks/one.md', () => desk.write('tasks/one.md', 'saved now\n'));
  const { skipped } = await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }));
  expect([skipped.map(({ path }) => path), desk.read('tasks/one.md')]).toEqual([['tasks/one.md'], 'saved now\n']);
});

test('a file created where the target adds one, in that moment, stays', async () => {
  const desk = await open();
  rightBefore(desk, 'linkSync', 'to', 'tasks/two.md', () => desk.write('tasks/two.md', 'mine\n'));
  const { skipped } = await desk.advance(await desk.landed({ 'tasks/two.md': 'theirs\n' }));
  expect([skipped.map(({ path }) => path), desk.read('tasks/two.md')]).toEqual([['tasks/two.md'], 'mine\n']);
});

test('two saves in one moment: the newer stays in place, the older is returned', async () => {
  const desk = await open();
  let saves = 0;
  moments.before = (call, from, to) => {
    const work = join(desk.root, 'tasks/one.md');
    if (call === 'renameSync' && from === work && saves++ === 0) fs.writeFileSync(work, 'first\n');
    if (call === 'linkSync' && to === work && from.includes('displaced')) fs.writeFileSync(work, 'second\n');
  };
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  const { synced } = await desk.advance(target);
  moments.before = () => undefined;
  expect(desk.read('tasks/one.md')).toBe('second\n');
  const { displaced } = await desk.advance(target, synced);
  expect(displaced.map(({ path }) => path)).toEqual(['tasks/one.md']);
  expect(Buffer.from(await desk.store.readBlob(displaced[0]?.oid ?? '')).toString()).toBe('first\n');
});

test('bytes written after the exchange by an editor that had the file open are returned by a later call', async () => {
  const desk = await open();
  const fd = fs.openSync(join(desk.root, 'tasks/one.md'), 'a');
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  const { synced } = await desk.advance(target);
  desk.passTime(HALF_SAVED_MS);
  // It is still open: however much time goes by, its inode is kept.
  expect((await desk.advance(target, synced)).displaced).toEqual([]);
  fs.writeSync(fd, 'appended late\n');
  fs.closeSync(fd);
  const { displaced } = await desk.advance(target, synced);
  expect(displaced.map(({ path }) => path)).toEqual(['tasks/one.md']);
  expect(Buffer.from(await desk.store.readBlob(displaced[0]?.oid ?? '')).toString()).toBe('one\nappended late\n');
  expect((await desk.advance(target, synced)).displaced).toEqual([]);
  expect(fs.readdirSync(join(desk.gitDir, 'cambium/passes'))).toEqual([]);
});

test('displaced files go at a later call when nothing was written into them', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  const { synced } = await desk.advance(target);
  expect(fs.readdirSync(join(desk.gitDir, 'cambium/passes'))).toHaveLength(1);
  desk.passTime(HALF_SAVED_MS);
  await desk.advance(target, synced);
  expect(fs.readdirSync(join(desk.gitDir, 'cambium/passes'))).toEqual([]);
});

test('a folder turned into a symlink in that moment is not written through', async () => {
  const desk = await open();
  const outside = join(desk.root, '..', 'outside');
  fs.mkdirSync(outside);
  // The lock is taken right after the pass was prepared.
  rightBefore(desk, 'linkSync', 'to', '.git/index.lock', () => fs.symlinkSync(outside, join(desk.root, 'docs')));
  const { skipped } = await desk.advance(await desk.landed({ 'docs/new.md': 'new\n' }));
  expect([skipped.map(({ path }) => path), fs.readdirSync(outside)]).toEqual([['docs/new.md'], []]);
});

test('a commit that slips in before the lock ends the pass with nothing moved', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  const work = join(desk.root, 'tasks/one.md');
  let [own, touches] = ['', 0];
  moments.before = (call, from, to) => {
    if (call === 'linkSync' && to === join(desk.gitDir, 'index.lock')) own = desk.commit({ 'src/app.ts': 'own\n' });
    if (call !== 'openSync' && (from === work || to === work)) touches++;
  };
  const synced = desk.tree();
  expect(await desk.advance(target, synced)).toMatchObject({ moved: false, synced });
  expect([desk.git('rev-parse', 'HEAD'), desk.read('tasks/one.md'), desk.status(), touches]).toEqual([own, 'one\n', '', 0]);
});

test('a branch moved by force in the middle of the exchange undoes the pass', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n', 'tasks/two.md': 'two\n', 'src/app.ts': null });
  const aside = await desk.landed({});
  rightBefore(desk, 'linkSync', 'to', 'tasks/two.md', () => void desk.git('update-ref', 'refs/heads/main', aside));
  expect(await desk.advance(target)).toMatchObject({ moved: false });
  expect([desk.read('tasks/one.md'), desk.read('tasks/two.md'), desk.read('src/app.ts')]).toEqual(['one\n', null, 'app\n']);
  expect([desk.git('rev-parse', 'HEAD'), desk.status()]).toEqual([aside, '']);
});

test('a branch moved by force after the last check puts the old index back', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n' });
  const aside = await desk.landed({});
  rightBefore(desk, 'renameSync', 'to', '.git/index', () => void desk.git('update-ref', 'refs/heads/main', aside));
  expect(await desk.advance(target)).toMatchObject({ moved: false });
  expect([desk.read('tasks/one.md'), desk.git('rev-parse', 'HEAD'), desk.status()]).toEqual(['one\n', aside, '']);
});

test('when a call of ours fails in the middle, everything is put back and the error is told', async () => {
  const desk = await open();
  const target = await desk.landed({ 'tasks/one.md': 'theirs\n', 'tasks/two.md': 'two\n' });
  rightBefore(desk, 'linkSync', 'to', 'tasks/two.md', () => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  });
  await expect(desk.advance(target)).rejects.toMatchObject({ code: 'disk-full' });
  expect([desk.read('tasks/one.md'), desk.read('tasks/two.md'), desk.status()]).toEqual(['one\n', null, '']);
  expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [] });
});

test('a checkout of the person that runs under the walk yields no edits', async () => {
  const desk = await open();
  const synced = desk.tree();
  const other = await desk.landed({ 'tasks/one.md': 'on the other branch\n' });
  desk.git('branch', 'other', other);
  await desk.checkout.edits(synced, false);
  rightBefore(desk, 'openSync', 'from', 'tasks/one.md', () => void desk.git('switch', '-q', 'other'));
  expect((await desk.checkout.edits(synced, true)).edits).toEqual([]);
});

test('an unchanged folder is not read again, except by a full look', async () => {
  const desk = await open({ files: Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`memory/m/${at}.md`, `${at}\n`])) });
  // Stamps of the last few milliseconds are not trusted: such files are read again.
  for (let at = 0; at < 50; at++) fs.lutimesSync(join(desk.root, `memory/m/${at}.md`), 1, 1);
  const touchedMs = Date.now();
  await until(() => Date.now() - touchedMs > 60 || null);
  const read = async (full: boolean): Promise<number> => {
    let count = 0;
    moments.before = (call, from) => void (count += call === 'openSync' && from.startsWith(join(desk.root, 'memory')) ? 1 : 0);
    await desk.checkout.edits(desk.tree(), full);
    return count;
  };
  expect([await read(false), await read(false), await read(true)]).toEqual([50, 0, 50]);
});
