import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CONSTITUTIONS, workspaceFiles } from '../../../src/workspace/workspaceFiles.ts';

const folder = fileURLToPath(new URL('../../../templates/constitutions/', import.meta.url));
const textOf = (name: string): string => readFileSync(`${folder}${name}.md`, 'utf8');

test('every constitution that comes with cambium comes into a new workspace', () => {
  expect(readdirSync(folder).toSorted()).toEqual(CONSTITUTIONS.map((name) => `${name}.md`).toSorted());
  for (const name of CONSTITUTIONS) expect(workspaceFiles('main').get(`templates/constitutions/${name}.md`)).toBe(textOf(name));
});

test.each(CONSTITUTIONS)('%s is short, says who one is, and when one is done', (name) => {
  const text = textOf(name);
  expect(text).toMatch(new RegExp(`^# ${name[0]?.toUpperCase()}${name.slice(1)}\n\nYou `));
  expect(text).toMatch(/\nYou are done (?:when|with|after) /);
  expect(text.split('\n').length).toBeLessThanOrEqual(25);
  expect(text.split('\n').every((line) => line.length <= 130)).toBe(true);
});

test('no two say the same', () => {
  const sentences = CONSTITUTIONS.flatMap((name) => [...textOf(name).matchAll(/\*\*[^*]+\*\*/g)].map(([title]) => title));
  expect(new Set(sentences).size).toBe(sentences.length);
  expect(sentences.length).toBeGreaterThanOrEqual(CONSTITUTIONS.length * 5);
});
