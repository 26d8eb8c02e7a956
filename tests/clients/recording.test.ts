/** The recordings of the real CLIs: readable by the providers' tests, and of no one machine. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const FOLDER = fileURLToPath(new URL('../fixtures/clients', import.meta.url));
const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
const text = (path: string): string => readFileSync(path, 'utf8');

test('every recorded stdout is lines of JSON, and says beside it how the CLI ended', () => {
  const recorded = files.filter((path) => path.endsWith('.jsonl'));
  expect(recorded.length).toBeGreaterThan(40);
  for (const path of recorded) {
    for (const line of text(path).split('\n').filter((one) => one !== '')) expect(() => JSON.parse(line) as unknown, `${path}: ${line.slice(0, 80)}`).not.toThrow();
    expect(JSON.parse(text(path.replace(/l$/, '')))).toMatchObject({ version: expect.any(String), timedOut: expect.any(Boolean) });
  }
});

test('nothing in them is of the machine that recorded them', () => {
  const own = [homedir(), hostname(), 'cambium-client', '.cache'].filter((word) => word.length > 3);
  const found = files.flatMap((path) => own.filter((word) => text(path).includes(word)).map((word) => `${path}: ${word}`));
  expect(found).toEqual([]);
});

test('a silent stderr is no file', () => {
  expect(files.filter((path) => path.endsWith('.stderr') && (text(path).trim() === '' || !existsSync(path.replace(/stderr$/, 'jsonl'))))).toEqual([]);
});
