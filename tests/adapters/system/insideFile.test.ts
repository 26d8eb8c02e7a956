/** Files of a person's folder by their path inside it. */
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readInside, setAside, writeInside } from '../../../src/adapters/system/insideFile.ts';
import { tempDir } from '../../support/temp.ts';

let root: string;
let temp: ReturnType<typeof tempDir>;
beforeEach(() => {
  temp = tempDir('inside');
  root = temp.path;
});
afterEach(() => temp.remove());

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'none', (error: { readonly code?: string }) => String(error.code));

test('nothing is read or written through a symlink, nor outside', async () => {
  mkdirSync(join(root, 'real'));
  writeFileSync(join(root, 'real', 'x'), 'x');
  symlinkSync(join(root, 'real'), join(root, 'link'));
  symlinkSync(join(root, 'real', 'x'), join(root, 'file-link'));
  expect(await codeOf(readInside(root, 'link/x'))).toBe('refused');
  expect(await codeOf(readInside(root, 'file-link'))).toBe('refused');
  expect(await codeOf(writeInside(root, 'link/y', 'y'))).toBe('refused');
  for (const path of ['../x', '/etc/passwd', 'a//b', 'a/../../b']) expect(await codeOf(writeInside(root, path, 'x'))).toBe('usage');
  await writeInside(root, 'file-link', 'mine');
  expect(readFileSync(join(root, 'real', 'x'), 'utf8')).toBe('x');
  expect(readdirSync(join(root, 'real'))).toEqual(['x']);
});

test('what cannot be written is refused by name and leaves nothing half-written', async () => {
  mkdirSync(join(root, 'folder', 'inner'), { recursive: true });
  writeFileSync(join(root, 'plain'), 'x');
  expect(await codeOf(writeInside(root, 'folder', 'x'))).toBe('refused');
  expect(await codeOf(writeInside(root, 'plain/x', 'x'))).toBe('refused');
  expect(readdirSync(root).toSorted()).toEqual(['folder', 'plain']);
});

test('a folder, and what is not there, reads as nothing', async () => {
  mkdirSync(join(root, 'folder'));
  expect([await readInside(root, 'folder'), await readInside(root, 'none'), await readInside(root, 'none/x')]).toEqual([null, null, null]);
});

test('a file that is set aside comes back, or goes', async () => {
  mkdirSync(join(root, 'tasks'));
  for (const name of ['a.md', 'b.md']) writeFileSync(join(root, 'tasks', name), name);
  const [a, b] = [await setAside(root, 'tasks/a.md', Buffer.from('a.md')), await setAside(root, 'tasks/b.md', Buffer.from('b.md'))];
  expect(readdirSync(join(root, 'tasks')).every((name) => name.startsWith('.'))).toBe(true);
  expect(readFileSync(join(root, a!.path), 'utf8')).toBe('a.md');
  await a!.restore();
  await b!.discard();
  expect(readdirSync(join(root, 'tasks'))).toEqual(['a.md']);
});

test('one that was written anew meanwhile is not overwritten by what comes back, and neither is lost', async () => {
  writeFileSync(join(root, 'a.md'), 'old');
  const aside = await setAside(root, 'a.md', Buffer.from('old'));
  writeFileSync(join(root, 'a.md'), 'new');
  await aside!.restore();
  expect([readFileSync(join(root, 'a.md'), 'utf8'), readFileSync(join(root, aside!.path), 'utf8')]).toEqual(['new', 'old']);
});

test('one that holds other bytes by now is left where it is', async () => {
  writeFileSync(join(root, 'a.md'), 'new');
  expect(await setAside(root, 'a.md', Buffer.from('old'))).toBeNull();
  expect(existsSync(join(root, 'a.md'))).toBe(true);
});
