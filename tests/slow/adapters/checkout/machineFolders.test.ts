/** The archive and the spawn records: left out of a clone's work tree, and looked at rarely where they are in it (PROTOCOL P11). */
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { leaveMachineFoldersOut } from '../../../../src/adapters/git/sparse.ts';
import { openDesk } from '../../../adapters/checkout/desk.ts';
import type { Desk, Files } from '../../../adapters/checkout/desk.ts';

const ARCHIVED = 'tasks/archive/2026-03/14/old.md';
const RESULT = 'tasks/archive/2026-03/14/old.result.md';
const SPAWN = 'agents/spawns/2026-03/14/01A.json';
const FILES: Files = { 'tasks/one.md': 'one\n', [ARCHIVED]: 'old\n', [RESULT]: 'done\n', 'agents/roster.json': '{}\n', [SPAWN]: '{}\n', 'src/app.ts': 'app\n' };
const RARELY_MS = 600_000;

const desks: Desk[] = [];
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.close();
});

async function open(files: Files = FILES): Promise<Desk> {
  const desk = await openDesk({ files });
  desks.push(desk);
  return desk;
}

async function openSparse(): Promise<Desk> {
  const desk = await open();
  await leaveMachineFoldersOut(desk.root);
  return desk;
}

const NOTHING = { edits: [], unsettled: [], refused: [] };
const modes = (found: { edits: readonly { path: string; mode: string | null }[] }): Record<string, string | null> => Object.fromEntries(found.edits.map(({ path, mode }) => [path, mode]));

test.each([['a clone that leaves them out', openSparse], ['a work tree that has them', open]])('an ordinary look opens none of them in %s', async (_, make) => {
  const desk = await make();
  const folders = [desk.git('rev-parse', 'HEAD:tasks/archive'), desk.git('rev-parse', 'HEAD:agents/spawns')];
  const readTree = vi.spyOn(desk.store, 'readTree');
  expect(await desk.edits()).toEqual(NOTHING);
  expect(readTree.mock.calls.map(([oid]) => oid).filter((oid) => folders.includes(oid))).toEqual([]);
  expect(readTree).toHaveBeenCalled();
});

describe('in a clone that leaves them out', () => {
  test('what is not there is no deletion', async () => {
    const desk = await openSparse();
    expect([desk.read(ARCHIVED), desk.read(SPAWN), desk.read('tasks/one.md')]).toEqual([null, null, 'one\n']);
    expect(await desk.edits(desk.tree(), true)).toEqual(NOTHING);
  });

  test('a deleted folder around them is told by its own files only', async () => {
    const desk = await openSparse();
    rmSync(join(desk.root, 'agents'), { recursive: true });
    rmSync(join(desk.root, 'tasks'), { recursive: true });
    expect(modes(await desk.edits(desk.tree(), true))).toEqual({ 'agents/roster.json': null, 'tasks/one.md': null });
  });

  test('a file put there by hand is an edit, and an old one that was fetched and changed', async () => {
    const desk = await openSparse();
    desk.write('tasks/archive/2026-03/14/note.md', 'a note\n');
    desk.write(ARCHIVED, 'old, corrected\n');
    expect(modes(await desk.edits())).toEqual({ 'tasks/archive/2026-03/14/note.md': '100644', [ARCHIVED]: '100644' });
    rmSync(join(desk.root, ARCHIVED));
    expect(modes(await desk.edits())).toEqual({ 'tasks/archive/2026-03/14/note.md': '100644' });
  });

  test('what lands there stays out, and git calls nothing deleted', async () => {
    const desk = await openSparse();
    const moved = { 'tasks/one.md': null, 'tasks/archive/2026-04/01/one.md': 'one\n', [RESULT]: 'done, truly\n', 'agents/spawns/2026-04/01/01B.json': '{}\n', 'src/app.ts': 'better\n' };
    const target = await desk.landed(moved);
    expect(await desk.advance(target)).toMatchObject({ moved: true, skipped: [], synced: desk.tree(target) });
    expect([desk.read('tasks/one.md'), desk.read('tasks/archive/2026-04/01/one.md'), desk.read(RESULT), desk.read('src/app.ts'), desk.status()]).toEqual([null, null, null, 'better\n', '']);
    expect(await desk.edits(desk.tree(), true)).toEqual(NOTHING);
  });

  test('what is brought back from there is written', async () => {
    const desk = await openSparse();
    await desk.advance(await desk.landed({ [ARCHIVED]: null, 'tasks/old.md': 'old\n' }));
    expect([desk.read('tasks/old.md'), desk.status()]).toEqual(['old\n', '']);
  });

  test('a file of the person that stands there is not written over', async () => {
    const desk = await openSparse();
    const synced = desk.tree();
    desk.write(ARCHIVED, 'mine\n');
    const { skipped } = await desk.advance(await desk.landed({ [ARCHIVED]: 'theirs\n', 'src/app.ts': 'better\n' }), synced);
    expect([skipped.map(({ path }) => path), desk.read(ARCHIVED), desk.read('src/app.ts')]).toEqual([[ARCHIVED], 'mine\n', 'better\n']);
  });

  test('whoever wants them has them by `git sparse-checkout disable`, and they are looked after from then on', async () => {
    const desk = await openSparse();
    await desk.advance(await desk.landed({ 'tasks/archive/2026-04/01/two.md': 'two\n' }));
    desk.git('sparse-checkout', 'disable');
    expect([desk.read(ARCHIVED), desk.read('tasks/archive/2026-04/01/two.md'), desk.status()]).toEqual(['old\n', 'two\n', '']);
    expect(await desk.edits(desk.tree(), true)).toEqual(NOTHING);
    await desk.advance(await desk.landed({ 'tasks/archive/2026-04/02/three.md': 'three\n' }));
    expect([desk.read('tasks/archive/2026-04/02/three.md'), desk.status()]).toEqual(['three\n', '']);
  });
});

describe('in a work tree that has them', () => {
  test('edits there are found by the first full look, and go on being seen until they are dealt with', async () => {
    const desk = await open();
    desk.write(ARCHIVED, 'old, corrected\n');
    desk.write('agents/spawns/2026-03/14/01C.json', '{}\n');
    rmSync(join(desk.root, RESULT));
    expect(modes(await desk.edits(desk.tree(), true))).toEqual({ [ARCHIVED]: '100644', 'agents/spawns/2026-03/14/01C.json': '100644', [RESULT]: null });
    expect(Object.keys(modes(await desk.edits()))).toHaveLength(3);
  });

  test('a later edit waits for the next look of that kind and is then not lost', async () => {
    const desk = await open();
    expect(await desk.edits(desk.tree(), true)).toEqual(NOTHING);
    desk.write(ARCHIVED, 'old, corrected\n');
    expect(await desk.edits(desk.tree(), true)).toEqual(NOTHING);
    desk.passTime(RARELY_MS);
    expect(modes(await desk.edits(desk.tree(), true))).toEqual({ [ARCHIVED]: '100644' });
  });

  test('an edit that nobody has seen yet is not written over', async () => {
    const desk = await open();
    const synced = desk.tree();
    await desk.edits(synced, true);
    desk.write(ARCHIVED, 'mine\n');
    const { skipped } = await desk.advance(await desk.landed({ [ARCHIVED]: 'theirs\n' }), synced);
    expect([skipped.map(({ path }) => path), desk.read(ARCHIVED)]).toEqual([[ARCHIVED], 'mine\n']);
  });

  test('an archive that was replaced by a symlink is not followed, and what stood in it is not deleted', async () => {
    const desk = await open();
    renameSync(join(desk.root, 'tasks/archive'), join(desk.root, '../elsewhere'));
    mkdirSync(join(desk.root, 'tasks/archive'));
    symlinkSync(join(desk.root, '../elsewhere/2026-03'), join(desk.root, 'tasks/archive/2026-03'));
    expect((await desk.edits(desk.tree(), true)).edits).toEqual([]);
  });

  test('names that git refuses are refused there too', async () => {
    const desk = await open();
    desk.write('tasks/archive/g\u200cit/x.md', 'x\n');
    desk.write('tasks/archive/.g\u200cit/x.md', 'x\n');
    const found = await desk.edits(desk.tree(), true);
    expect([Object.keys(modes(found)), found.refused.map(({ reason }) => reason)]).toEqual([['tasks/archive/g\u200cit/x.md'], ['its name is reserved by git']]);
  });
});
