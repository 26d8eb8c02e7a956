import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { appendLine, makeFolder, readInput, withTempFolder, writeNew } from '../../../src/adapters/system/files.ts';
import { distDir } from '../../support/build.ts';
import { cleanEnv } from '../../support/cli.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('files');
afterAll(() => folder.remove());

test('a person\'s file is never written over, not even by the same text', async () => {
  const path = join(folder.path, 'deep/below/AGENTS.md');
  expect(await writeNew(path, 'new\n')).toBe(true);
  writeFileSync(path, 'mine\n');
  expect(await writeNew(path, 'new\n')).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('mine\n');
});

test('a file that cannot be made is an error, not a file that is there', async () => {
    await expect(writeNew(join(folder.path, 'x'.repeat(300)), '')).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
});

test('a line joins a file that is there after a blank one, and begins one that is not', async () => {
  const path = join(folder.path, '.gitignore');
  await appendLine(path, '.cambium/');
  expect(readFileSync(path, 'utf8')).toBe('.cambium/\n');
  await appendLine(path, 'more');
  expect(readFileSync(path, 'utf8')).toBe('.cambium/\n\nmore\n');
});

test('a folder that is there already may be made', async () => {
  const path = join(folder.path, 'x/y');
  await makeFolder(path);
  await makeFolder(path);
  expect(existsSync(path)).toBe(true);
});

test('a temporary folder is gone afterwards, also when its use has failed', async () => {
  let used = '';
  await expect(withTempFolder(async (path) => {
    used = path;
    writeFileSync(join(path, 'half'), '');
    throw new Error('in the middle');
  })).rejects.toThrow('in the middle');
  expect(existsSync(used)).toBe(false);
  expect(await withTempFolder(async (path) => existsSync(path))).toBe(true);
});

test('input is a file or, for -, standard input; a file that is not there is named', async () => {
  const path = join(folder.path, 'report.md');
  writeFileSync(path, 'Grüße\n');
  expect(await readInput(path)).toBe('Grüße\n');
  await expect(readInput(`${path}.not`)).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('report.md.not') as string });
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', `const { readInput } = await import(${JSON.stringify(`${distDir()}/adapters/system/files.js`)}); process.stdout.write(await readInput('-'));`], { input: 'from a pipe\n', encoding: 'utf8', env: cleanEnv() });
  expect(ran.stdout).toBe('from a pipe\n');
});
