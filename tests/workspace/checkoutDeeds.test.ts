/** What a person does to the queue by plain file work in the checkout, and what the fleet makes of it. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import type { Workspace } from '../../src/index.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

let place: TestWorkspace;
let workspace: Workspace;

beforeEach(async () => {
  place = await makeWorkspace({ 'tasks/a.md': '# Do it\n', 'tasks/b.md': '---\ndepends_on: [a]\n---\n# Then that\n' });
  workspace = await place.open();
});
afterEach(() => place.remove());

const states = async (): Promise<Readonly<Record<string, string>>> => Object.fromEntries((await workspace.queueStatus()).tasks.map(({ id, state }) => [id, state]));
const done = async (id: string): Promise<void> => {
  const claim = await workspace.claimTask('worker-1', id);
  await workspace.completeTask(id, 'worker-1', { epoch: claim?.epoch ?? 0 });
};

test('deleting an instruction file cancels the task, and its dependant says so', async () => {
  rmSync(join(place.root, 'tasks/a.md'));
  await workspace.sync();
  expect(place.onMain('tasks/a.md')).toBeNull();
  expect((await workspace.showTask('b')).reasons[0]).toContain('a, which was cancelled');
});

test('deleting a result waits for a yes, and then reopens the task', async () => {
  await done('a');
  rmSync(join(place.root, 'tasks/a.result.md'));
  const asked = await cli(['sync', '--json'], { cwd: place.root });
  expect(JSON.parse(asked.stdout)).toMatchObject({ data: { held: [{ path: 'tasks/a.result.md', mend: expect.stringContaining('cambium sync --yes') as string }] } });
  expect(await states()).toEqual({ a: 'done', b: 'ready' });
  expect((await cli(['sync', '--yes'], { cwd: place.root })).exit).toBe(0);
  expect(await states()).toEqual({ a: 'ready', b: 'blocked' });
  expect(existsSync(join(place.root, 'tasks/a.result.md'))).toBe(false);
  expect((await workspace.showTask('a')).chain[0]).toMatchObject({ kind: 'reopen', by: 'Test Person', reason: 'the result file was deleted' });
});

test('an edited file is published as the person saved it', async () => {
  place.write({ 'tasks/a.md': '---\npriority: 0\n---\n# Do it now\n' });
  await workspace.sync();
  expect(await workspace.showTask('a')).toMatchObject({ priority: 0, title: 'Do it now' });
});

test('a task in a subfolder goes its whole way there', async () => {
  place.write({ 'tasks/web/login.md': '# Log in\n' });
  await workspace.sync();
  await done('login');
  expect(readFileSync(join(place.root, 'tasks/web/login.result.md'), 'utf8')).toContain('outcome: done');
  expect((await workspace.showTask('login')).path).toBe('tasks/web/login.md');
});

test('a task that is filed into a folder goes on: it is neither cancelled nor refused', async () => {
  mkdirSync(join(place.root, 'tasks/web'));
  renameSync(join(place.root, 'tasks/a.md'), join(place.root, 'tasks/web/a.md'));
  await workspace.sync();
  expect([place.onMain('tasks/a.md'), place.onMain('tasks/web/a.md')]).toEqual([null, '# Do it']);
  expect(await states()).toEqual({ a: 'ready', b: 'blocked' });
  await done('a');
  expect(await states()).toEqual({ a: 'done', b: 'ready' });
});

test('an ended task may be filed away with its result, and a place that is no good takes nothing away', async () => {
  await done('a');
  mkdirSync(join(place.root, 'tasks/web'));
  for (const name of ['a.md', 'a.result.md']) renameSync(join(place.root, 'tasks', name), join(place.root, 'tasks/web', name));
  renameSync(join(place.root, 'tasks/b.md'), join(place.root, 'tasks/web/b.md'));
  place.write({ 'tasks/web/b.md': '---\npriority: urgent\n---\n# Then that\n' });
  await workspace.sync();
  expect(await states()).toEqual({ a: 'done', b: 'ready' });
  expect([place.onMain('tasks/a.result.md'), place.onMain('tasks/b.md')]).toEqual([null, expect.stringContaining('Then that')]);
});
