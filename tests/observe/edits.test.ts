import { beforeEach, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { Oid } from '../../src/model/ids.ts';
import { inspectEdit } from '../../src/observe/edits.ts';
import type { EditVerdict } from '../../src/observe/edits.ts';

let store: MemoryStore;
let main: Oid;

beforeEach(async () => {
  store = createMemoryStore();
  const files = { 'tasks/open.md': '# Open\n', 'tasks/ended.md': '# Ended\n', 'tasks/ended.result.md': '---\n---\n', 'tasks/archive/2026-11/old.md': '# Old\n', 'cambium.yaml': 'schema: cambium.fleet/1\n', 'memory/x.md': 'x\n' };
  const edits = await Promise.all(Object.entries(files).map(async ([path, text]) => [path, { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }] as const));
  main = await store.editTree(await store.writeTree([]), new Map(edits));
});

async function inspect(path: string, text: string | null, chains: readonly string[] = []): Promise<EditVerdict> {
  const edit = text === null ? { path, mode: null, oid: null } as const : { path, mode: '100644', oid: await store.writeBlob(Buffer.from(text)) } as const;
  return inspectEdit(store, main, edit, (task) => chains.includes(task));
}

test.each([
  ['a new task', 'tasks/new.md', '# New\n'],
  ['a task without front matter', 'tasks/plain.md', 'Do it.\n'],
  ['a changed task', 'tasks/open.md', '# Open, and more\n'],
  ['a note', 'memory/x.md', 'y\n'],
  ['a deleted note', 'memory/x.md', null],
  ['the instruction of an ended task, deleted', 'tasks/ended.md', null],
  ['an attachment of a task', 'tasks/open.png', 'PNG'],
  ['good settings', 'cambium.yaml', 'schema: cambium.fleet/1\nbranch: main\n'],
])('%s is published', async (_name, path, text) => {
  expect(await inspect(path, text)).toMatchObject({ kind: 'publish' });
});

test('a deleted instruction of a live task asks for a cancel', async () => {
  expect(await inspect('tasks/open.md', null)).toEqual({ kind: 'cancel', path: 'tasks/open.md' });
});

test('a deleted result asks for a reopen', async () => {
  expect(await inspect('tasks/ended.result.md', null)).toEqual({ kind: 'reopen', path: 'tasks/ended.result.md' });
});

test.each([
  ['a projection of a claim', 'tasks/open.claim.json', '{}', 'projection'],
  ['the roster', 'agents/roster.json', '{}', 'projection'],
  ['a result that nobody earned', 'tasks/open.result.md', '---\noutcome: done\n---\n', 'written by the fleet'],
  ['settings that are broken', 'cambium.yaml', 'schema: cambium.fleet/9\n', 'schema'],
  ['a task whose front matter is broken', 'tasks/new.md', '---\npriority: urgent\n---\n', ''],
  ['a task with a bad name', 'tasks/Bad Name.md', '# x\n', ''],
  ['the id of an archived task', 'tasks/old.md', '# Again\n', 'already used'],
  ['an id in another folder', 'tasks/web/open.md', '# Again\n', 'already used'],
  ['a file that is no state', 'src/a.ts', 'x\n', 'state folders'],
])('%s is held back, with the reason and the mend', async (_name, path, text, said) => {
  const verdict = await inspect(path, text);
  expect(verdict).toMatchObject({ kind: 'held', problem: { path } });
  const { reason, mend } = (verdict as Extract<EditVerdict, { kind: 'held' }>).problem;
  expect(`${reason} ${mend}`).toContain(said);
  expect(reason.length * mend.length).toBeGreaterThan(0);
});

test('the id of a task whose chain goes on is not used again, though its file is gone', async () => {
  expect(await inspect('tasks/gone.md', '# Back\n', ['gone'])).toMatchObject({ kind: 'held', problem: { reason: 'the id gone is already used' } });
});

test.each([
  ['changed', '# Another text\n'],
  ['deleted', null],
])('an archived task that was %s stays as it is: its name keeps the id', async (_how, text) => {
  expect(await inspect('tasks/archive/2026-11/old.md', text)).toMatchObject({ kind: 'held', problem: { mend: expect.stringContaining('cambium task reopen old') } });
});

test('a note of a person\'s own in the archive is published', async () => {
  expect(await inspect('tasks/archive/2026-11/why.txt', 'because\n')).toMatchObject({ kind: 'publish' });
});

test('a file that was set aside because its id is in the archive is only deleted, there is no task to cancel', async () => {
  main = await store.editTree(main, new Map([['tasks/old.md', { mode: '100644', oid: await store.writeBlob(Buffer.from('# Old again\n')) }]]));
  expect(await inspect('tasks/old.md', null)).toMatchObject({ kind: 'publish' });
  expect(await inspect('tasks/old.md', null, ['old'])).toEqual({ kind: 'cancel', path: 'tasks/old.md' });
});
