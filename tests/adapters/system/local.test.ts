import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openLocal } from '../../../src/adapters/system/local.ts';
import { localContract } from '../../contracts/local.ts';
import { distDir } from '../../support/build.ts';
import { startProgram } from '../../support/program.ts';
import { tempDir } from '../../support/temp.ts';

const folder = tempDir('local');
afterAll(() => folder.remove());
let made = 0;
const newHome = (): string => join(folder.path, String(made++));

localContract('files', () => {
  const home = newHome();
  return { open: () => openLocal(home) };
});

test('a record that a disk fault damaged is named, not taken for nothing', async () => {
  const home = newHome();
  const local = openLocal(home);
  await local.write('runs/a.1', 1);
  writeFileSync(join(home, 'runs/a.1.json'), '{"half":');
  await expect(local.read('runs/a.1')).rejects.toMatchObject({ code: 'bad-file', data: { path: join(home, 'runs/a.1.json') } });
});

test('a writer killed at any moment leaves the old value or the new one, never a part', async () => {
  const home = newHome();
  const source = `
    const { openLocal } = await import(${JSON.stringify(`${distDir()}/adapters/system/local.js`)});
    const local = openLocal(${JSON.stringify(home)});
    for (let n = 0; ; n++) { await local.write('big', { n, text: String(n).repeat(20000) }); if (n === 3) console.log('going'); }`;
  for (let round = 0; round < 4; round++) {
    const writer = startProgram(source);
    await writer.line();
    await writer.end('SIGKILL');
    const value = (await openLocal(home).read('big')) as { n: number; text: string };
    expect(value.text).toBe(String(value.n).repeat(20000));
  }
});

test('what a crash left half written is no record and is swept when it is old', async () => {
  const home = newHome();
  mkdirSync(join(home, 'runs'), { recursive: true });
  const [old, fresh] = [join(home, 'runs/.tmp-1-1-a.json'), join(home, 'runs/.tmp-2-1-a.json')];
  for (const path of [old, fresh]) writeFileSync(path, '{');
  utimesSync(old, 1, 1);
  const local = openLocal(home);
  expect(await local.list('')).toEqual([]);
  await local.write('runs/b', 1);
  expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
  expect(readdirSync(join(home, 'runs')).toSorted()).toEqual(['.tmp-2-1-a.json', 'b.json']);
});
