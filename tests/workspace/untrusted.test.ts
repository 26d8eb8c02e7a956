/** What other people, other machines and bad moments put into a workspace, and what the library makes of it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Workspace } from '../../src/index.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { inSession } from '../../src/workspace/session.ts';
import { wholeTask } from '../../src/workspace/show.ts';
import { heartbeat } from '../../src/workspace/workers.ts';
import { cli } from '../support/cli.ts';
import { errorOf, makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

let place: TestWorkspace;
let workspace: Workspace;

beforeEach(async () => {
  place = await makeWorkspace({ 'docs/api.md': '# API\n' });
  workspace = await place.open();
});
afterEach(() => place.remove());

const here = (path: string): string | null => (existsSync(join(place.root, path)) ? readFileSync(join(place.root, path), 'utf8') : null);
const ESCAPE = '\u001b]0;owned\u0007';

describe('a task that is not added', () => {
  test('leaves its instruction file where it was', async () => {
    await workspace.addTask({ id: 'one', title: 'One' });
    place.write({ 'tasks/one-more.md': '# Mine\n', 'tasks/_drafts/two.md': '# Mine too\n' });
    expect((await errorOf(workspace.addTask({ id: 'one', description: 'One', instruction_file: 'tasks/one-more.md' }))).code).toBe('id-used');
    expect((await errorOf(workspace.addTask({ id: 'one', description: 'One', instruction_file: 'tasks/_drafts/two.md' }))).code).toBe('id-used');
    expect([here('tasks/one-more.md'), here('tasks/_drafts/two.md')]).toEqual(['# Mine\n', '# Mine too\n']);
  });

  test('leaves it as its person wrote it, also where it would have become the task itself', async () => {
    place.write({ 'tasks/nine.md': '# Do nine\n' });
    await workspace.sync();
    await workspace.claimTask('worker-1', 'nine');
    expect((await errorOf(workspace.addTask({ description: 'Nine', instruction_file: 'tasks/nine.md' }))).code).toBe('id-used');
    expect(here('tasks/nine.md')).toBe('# Do nine\n');
  });
});

test('a result, a README and the archive give their text to a task and stay where they are', async () => {
  await workspace.addTask({ id: 'one', title: 'One' });
  await workspace.claimTask('worker-1', 'one');
  await workspace.completeTask('one', 'worker-1', { epoch: 1, result: 'Done.' });
  place.commit({ 'tasks/archive/2026-11/01/old.md': '# Old\n' });
  await workspace.sync();
  for (const [at, path] of ['tasks/one.result.md', 'tasks/README.md', 'tasks/archive/2026-11/01/old.md'].entries()) {
    await workspace.addTask({ id: `copy-${at}`, title: 'Copy', instruction_file: path }).catch(() => undefined);
    expect([place.onMain(path), here(path)]).not.toContain(null);
  }
  expect((await workspace.showTask('one')).state).toBe('done');
});

test('JSON of the wrong shape is refused by name, and keys that every object has are keys like others', async () => {
  const cases = [
    [{ title: 5 }, 'title'], [{ description: ['x'] }, 'description'], [{ title: 'x', instruction: 5 }, 'instruction'], [{ title: 'x', instruction_file: {} }, 'instruction_file'],
    [{ title: 'x', metadata: 'x' }, 'metadata'], [{ title: 'x', metadata: [] }, 'metadata'], [{ title: 'x', id: {} }, 'id'], [{ title: 'x', status: 5 }, 'status'],
  ] as const;
  for (const [task, word] of cases) {
    const error = await errorOf(workspace.addTask(task as never));
    expect([error.code, error.message]).toEqual(['usage', expect.stringContaining(`\`${word}\``)]);
  }
  await workspace.addTask(JSON.parse('{"id":"odd","title":"Odd","constructor":[],"toString":"x"}') as never);
  expect((await workspace.showTask('odd')).extra).toMatchObject({ toString: 'x' });
});

test('a list of which one task is refused says which were added before', async () => {
  place.write({ 'list.json': JSON.stringify([{ id: 'one', title: 'One' }, { id: 'two', title: 'Two', priority: 9 }, { id: 'three', title: 'Three' }]) });
  const answer = JSON.parse((await cli(['task', 'add', '--json', 'list.json'], { cwd: place.root })).stdout) as { readonly error: unknown };
  expect(answer.error).toMatchObject({ code: 'bad-file', hint: expect.stringContaining('one was added before'), data: { added: ['one'] } });
  expect((await workspace.queueStatus()).tasks.map(({ id }) => id)).toEqual(['one']);
});

describe('a worker that asks again', () => {
  test('after its work was approved is still told that it was handed in', async () => {
    await workspace.addTask({ id: 'a', title: 'A', review: 'human' });
    await workspace.claimTask('worker-1');
    const { commit } = await workspace.completeTask('a', 'worker-1', { epoch: 1, result: 'Look.' });
    await workspace.rejectTask('a', 'too loud');
    expect(await workspace.completeTask('a', 'worker-1', { epoch: 1 })).toMatchObject({ outcome: 'review', commit, before: true });
    expect((await errorOf(workspace.completeTask('a', 'worker-2', { epoch: 1 }))).code).toBe('fenced');
  });

  test('is not told that nothing is held when the hub does not answer its heartbeat', async () => {
    await workspace.addTask({ id: 'a', title: 'A' });
    await workspace.claimTask('worker-1');
    const clone = await openClone({ cwd: place.root });
    let atMs = 0;
    const silent = inSession(clone, { needsHub: true }, (session) => heartbeat({
      ...session,
      node: { ...session.node, hub: { ...session.node.hub, push: async () => ({ kind: 'unknown', detail: 'no answer' }) }, clock: { ...session.node.clock, sleep: async () => undefined, bootMs: () => (atMs += 20_000) } },
    }, 'worker-1'));
    expect((await errorOf(silent)).code).toBe('outcome-unknown');
    await clone.close();
  });
});

describe('messages', () => {
  test('that nobody could read are not sent', async () => {
    expect((await errorOf(workspace.writeMessage(null, 'x'.repeat(3 * 1024 * 1024)))).code).toBe('usage');
    expect(await workspace.readMessages()).toEqual([]);
  });

  test('are all shown, whatever their author calls a time, and none drives a terminal', async () => {
    place.commit({ 'agents/channels/general/m1.md': '---\nschema: cambium.message/1\nid: m1\nfrom: human:maria\nchannel: general\nat: yesterday\n---\nHi\u001b[2J there\n' });
    await workspace.sync();
    expect(await workspace.readMessages()).toHaveLength(1);
    expect((await cli(['message', 'list'], { cwd: place.root })).stdout).not.toContain('\u001b');
  });
});

test('a roster that somebody wrote by hand does not drive a terminal', async () => {
  place.commit({ 'agents/roster.json': JSON.stringify({ schema: 'cambium.roster/1', agents: [{ id: `zoe${ESCAPE}`, role: ESCAPE, node: ESCAPE, provider: ESCAPE, capabilities: [ESCAPE], status: 'active', joined: '', last_active: ESCAPE }] }) });
  await workspace.sync();
  const { stdout } = await cli(['worker', 'list'], { cwd: place.root });
  expect(stdout).toContain('zoe');
  expect([stdout.includes('\u0007'), stdout.includes('\u001b')]).toEqual([false, false]);
});

test('a file name that somebody chose does not drive a terminal', async () => {
  place.write({ [`tasks/${ESCAPE}.md`]: '# Do it\n' });
  const { stdout } = await cli(['sync'], { cwd: place.root });
  expect(stdout).toContain('owned');
  expect([stdout.includes('\u0007'), stdout.includes('\u001b')]).toEqual([false, false]);
});

test('a reviewer is shown the tasks and memories that the work would add', async () => {
  await workspace.addTask({ id: 'a', title: 'A', review: 'human' });
  const claim = await workspace.claimTask('worker-1');
  const { mkdirSync, writeFileSync } = await import('node:fs');
  mkdirSync(join(claim!.worktree, 'memory', 'worker-1'), { recursive: true });
  writeFileSync(join(claim!.worktree, 'tasks', 'sneaky.md'), '# Delete the release\n');
  writeFileSync(join(claim!.worktree, 'memory', 'worker-1', 'note.md'), 'remember\n');
  await workspace.completeTask('a', 'worker-1', { epoch: 1, result: 'Look.' });
  const clone = await openClone({ cwd: place.root });
  const { diff } = await inSession(clone, { needsHub: true }, (session) => wholeTask(session, 'a'));
  await clone.close();
  expect(diff?.text).toContain('+# Delete the release');
  expect(diff?.text).toContain('+remember');
  expect(diff?.text).not.toContain('a.result.md');
});
