import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createWatcher } from '../../../src/adapters/system/watcher.ts';
import { distDir } from '../../support/build.ts';
import { startProgram } from '../../support/program.ts';
import { tempDir, until } from '../../support/temp.ts';

const folder = tempDir('watch');
afterAll(() => folder.remove());
let made = 0;

function newRoot(): string {
  const root = join(folder.path, String(made++));
  mkdirSync(join(root, 'tasks'), { recursive: true });
  return root;
}

test('a change is nudged once it has settled, and a rescan comes without any', async () => {
  const root = newRoot();
  let nudges = 0;
  const quiet = createWatcher({ root, paths: ['tasks'], rescanMs: 3_600_000 });
  await quiet.start(() => void nudges++);
  writeFileSync(join(root, 'tasks/a.md'), 'x');
  await until(() => nudges > 0 || null);
  await quiet.close();

  nudges = 0;
  const rescanning = createWatcher({ root, paths: ['tasks'], rescanMs: 50 });
  await rescanning.start(() => void nudges++);
  await until(() => nudges >= 3 || null);
  await rescanning.close();
});

test('a folder with more entries than chokidar likes is watched all the same, with the folders in it', async () => {
  const root = newRoot();
  mkdirSync(join(root, 'tasks/sub'));
  for (let file = 0; file < 1100; file++) writeFileSync(join(root, `tasks/${file}.md`), '');
  let nudges = 0;
  const watcher = createWatcher({ root, paths: ['tasks'], rescanMs: 3_600_000 });
  await watcher.start(() => void nudges++);
  for (const path of ['tasks/7.md', 'tasks/sub/new.md']) {
    const before = nudges;
    writeFileSync(join(root, path), 'changed');
    await until(() => nudges > before || null);
  }
  await watcher.close();
});

test('a link that leads out of the tree is not followed', async () => {
  const root = newRoot();
  const outside = newRoot();
  symlinkSync(outside, join(root, 'tasks/link'));
  let nudges = 0;
  const watcher = createWatcher({ root, paths: ['tasks'], rescanMs: 3_600_000 });
  await watcher.start(() => void nudges++);
  writeFileSync(join(outside, 'tasks/x.md'), 'x');
  writeFileSync(join(outside, 'y.md'), 'y');
  await new Promise((resolve) => void setTimeout(resolve, 400));
  expect(nudges).toBe(0);
  await watcher.close();
});

test('a process whose watcher was closed right after an event ends by itself', async () => {
  const root = newRoot();
  const program = startProgram(`
    import { writeFileSync } from 'node:fs';
    const { createWatcher } = await import(${JSON.stringify(`${distDir()}/adapters/system/watcher.js`)});
    const watcher = createWatcher({ root: ${JSON.stringify(root)}, paths: ['tasks'] });
    await watcher.start(() => void watcher.close().then(() => console.log('closed')));
    writeFileSync(${JSON.stringify(join(root, 'tasks/new.md'))}, 'x');`);
  expect(await program.line()).toBe('closed');
  await until(() => program.child.exitCode === 0 || null);
});
