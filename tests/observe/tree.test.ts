import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { FileMode } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import { diffTrees, entryAt, fileAt } from '../../src/observe/tree.ts';
import { usedStems } from '../../src/observe/usedIds.ts';

let store: MemoryStore;
beforeEach(() => {
  store = createMemoryStore();
});

async function treeOf(files: Readonly<Record<string, string>>, mode: FileMode = '100644'): Promise<Oid> {
  const edits = await Promise.all(Object.entries(files).map(async ([path, text]) => [path, { mode, oid: await store.writeBlob(Buffer.from(text)) }] as const));
  return store.editTree(await store.writeTree([]), new Map(edits));
}

describe('a path', () => {
  test.each([['a.md', true], ['docs/api/x.md', true], ['docs', true], ['docs/none.md', false], ['a.md/x', false], ['../a.md', false], ['docs/../a.md', false], ['/a.md', false], ['', false]])('%j is found: %s', async (path, found) => {
    const root = await treeOf({ 'a.md': 'a\n', 'docs/api/x.md': 'x\n' });
    expect((await entryAt(store, root, path)) !== null).toBe(found);
  });

  test('of a folder or a symlink is no file', async () => {
    const root = await treeOf({ 'docs/x.md': 'x\n' });
    expect(await fileAt(store, root, 'docs')).toBeNull();
    expect(await fileAt(store, await treeOf({ link: '/etc/passwd' }, '120000'), 'link')).toBeNull();
    expect((await fileAt(store, root, 'docs/x.md'))?.bytes.toString()).toBe('x\n');
  });
});

describe('the difference of two trees', () => {
  test('names each file that came, went or changed', async () => {
    const [before, after] = [await treeOf({ same: '1', gone: '1', 'd/changed': '1', 'd/same': '1' }), await treeOf({ same: '1', 'd/changed': '2', 'd/same': '1', 'd/e/new': '1' })];
    const changes = await diffTrees(store, before, after);
    expect(changes.map(({ path, before: old, after: now }) => `${old === null ? '+' : now === null ? '-' : '~'}${path}`)).toEqual(['~d/changed', '+d/e/new', '-gone']);
  });

  test('opens no folder that is the same on both sides', async () => {
    const [before, after] = [await treeOf({ 'big/a': '1', x: '1' }), await treeOf({ 'big/a': '1', x: '2' })];
    const big = (await entryAt(store, before, 'big'))?.oid;
    const opened: Oid[] = [];
    await diffTrees({ ...store, readTree: async (oid) => { opened.push(oid); return store.readTree(oid); } }, before, after);
    expect(opened).not.toContain(big);
  });

  test('tells a file that became a folder, and a mode that changed', async () => {
    const changes = await diffTrees(store, await treeOf({ a: '1', s: '1' }), await store.editTree(await treeOf({ 'a/b': '1' }), new Map([['s', { mode: '100755', oid: await store.writeBlob(Buffer.from('1')) }]])));
    expect(changes.map(({ path, before, after }) => [path, before?.mode ?? null, after?.mode ?? null])).toEqual([['a', '100644', null], ['a/b', null, '100644'], ['s', '100644', '100755']]);
  });
});

test('used ids are those of every file of a task, in subfolders and archive too', async () => {
  const root = await treeOf({ 'tasks/a.md': '1', 'tasks/web/b.md': '1', 'tasks/archive/2026-11/c.result.md': '1', 'tasks/archive/2026-11/21/g.md': '1', 'tasks/archive/2026-11/21/h.reopened.json': '{}', 'tasks/archive/2026-11/README.md': 'x', 'tasks/d.claim.json': '{}', 'tasks/e.png': '1', 'docs/f.md': '1' });
  const used = await usedStems(store, root);
  expect([...'abcdefgh'].filter((id) => used.has(id))).toEqual(['a', 'b', 'c', 'd', 'g', 'h']);
  expect(used.has('README')).toBe(false);
});
