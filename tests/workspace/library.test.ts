/** What a coordinator's and a worker's program do with a fleet, through the library. */
import { symlinkSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Workspace } from '../../src/index.ts';
import { CONFIG, errorOf, makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

let place: TestWorkspace;
let workspace: Workspace;

beforeEach(async () => {
  place = await makeWorkspace({ 'docs/api.md': '# API\n' });
  workspace = await place.open();
});
afterEach(() => place.remove());

const CRITERIA = '---\ncriteria:\n  - { text: greeting.txt says hello, met: true, evidence: "cat greeting.txt" }\n---\nWritten.\n';

describe('addTask', () => {
  test('takes the shape of a queue of numbered tasks as it is', async () => {
    place.commit({ 'tasks/_drafts/one.md': '# Endpoint\n\nDo it.\n' });
    const added = await workspace.addTask({
      id: 1731159000123, description: 'Create user authentication API endpoint', instruction_file: 'tasks/_drafts/one.md', context_files: ['docs/api.md'], assigned_to: 'worker-backend', status: 'pending',
      metadata: { working_directory: 'src/api', acceptance_criteria: ['Tests pass', 'Coverage > 80%'], estimated_minutes: 30, ticket: 'X-1' },
    });
    expect(added).toMatchObject({ task: 'task-1731159000123', path: 'tasks/task-1731159000123.md' });
    const { instruction, ...detail } = await workspace.showTask('task-1731159000123');
    expect(detail).toMatchObject({ title: 'Create user authentication API endpoint', state: 'ready', assigned_to: 'worker-backend', extra: { metadata: { ticket: 'X-1' } } });
    expect(instruction).toContain('Do it.');
    const text = place.onMain(added.path) ?? '';
    for (const line of ['working_directory: src/api', '- Tests pass', '- Coverage > 80%', 'estimated_minutes: 30', '- docs/api.md']) expect(text).toContain(line);
  });

  test('is authored by the person of the clone, or by the agent that acts', async () => {
    await workspace.addTask({ id: 'one', title: 'One' });
    await (await place.open({ agent: 'lead' })).addTask({ id: 'two', title: 'Two' });
    expect(place.log().slice(0, 2)).toEqual(['lead: two: add', 'Test Person: one: add']);
  });

  test('an instruction file that was saved in tasks/ is that task, and no second one', async () => {
    place.write({ 'tasks/flask-hello.md': '# Implement /hello\n\nAdd the route.\n' });
    const { task } = await workspace.addTask({ description: 'Implement the /hello endpoint', instruction_file: 'tasks/flask-hello.md', context_files: ['docs/api.md'] });
    expect(task).toBe('flask-hello');
    expect(readFileSync(join(place.root, 'tasks/flask-hello.md'), 'utf8')).toContain('context_files');
    await workspace.sync();
    expect((await workspace.queueStatus()).tasks.map(({ id }) => id)).toEqual(['flask-hello']);
  });

  test('an instruction file of another name in tasks/ moves into the task', async () => {
    place.write({ 'tasks/task-7-instructions.md': '# Do seven\n' });
    await workspace.addTask({ id: 7, description: 'Seven', instruction_file: 'tasks/task-7-instructions.md' });
    expect(existsSync(join(place.root, 'tasks/task-7-instructions.md'))).toBe(false);
    await workspace.sync();
    expect((await workspace.queueStatus()).tasks.map(({ id }) => id)).toEqual(['task-7']);
    expect((await workspace.showTask('task-7')).instruction).toContain('# Do seven');
  });

  test('one that a daemon has published meanwhile becomes the task as well, in one commit', async () => {
    place.write({ 'tasks/task-8-instructions.md': '# Do eight\n' });
    await workspace.sync();
    expect(place.onMain('tasks/task-8-instructions.md')).not.toBeNull();
    await workspace.addTask({ id: 8, description: 'Eight', instruction_file: 'tasks/task-8-instructions.md' });
    expect((await workspace.queueStatus()).tasks.map(({ id }) => id)).toEqual(['task-8']);
    expect(place.onMain('tasks/task-8-instructions.md')).toBeNull();
  });

  test('one that somebody works on already is not taken away from them', async () => {
    place.write({ 'tasks/task-9-instructions.md': '# Do nine\n' });
    await workspace.sync();
    await workspace.claimTask('worker-1');
    const error = await errorOf(workspace.addTask({ id: 9, description: 'Nine', instruction_file: 'tasks/task-9-instructions.md' }));
    expect([error.code, error.message]).toEqual(['id-used', 'task-9: tasks/task-9-instructions.md is being worked on already, as the task task-9-instructions.']);
  });

  test('what would only be set aside is refused, and nothing is published', async () => {
    symlinkSync('/tmp', join(place.root, 'link'));
    const cases = [
      [{ instruction: 'x' }, 'usage', 'no title'],
      [{ title: 'x', status: 'completed' }, 'usage', 'cannot be added as completed'],
      [{ title: 'x', instruction_file: 'tasks/none.md' }, 'usage', 'There is no instruction file tasks/none.md'],
      [{ title: 'x', instruction_file: '../../etc/passwd' }, 'usage', 'not a path inside the workspace'],
      [{ title: 'x', instruction_file: 'link/one.md' }, 'refused', 'leads through the symlink link'],
      [{ id: 'a..b', title: 'x' }, 'usage', 'no good task id'],
      [{ title: 'x', priority: 9 }, 'bad-file', 'priority'],
      [{ id: 'me', title: 'x', depends_on: ['me'] }, 'refused', 'depends on itself'],
    ] as const;
    for (const [task, code, words] of cases) {
      const error = await errorOf(workspace.addTask(task));
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)]);
    }
    expect(place.log()).toEqual(['Test Person: by hand']);
  });

  test('an id is never used twice', async () => {
    await workspace.addTask({ id: 'one', title: 'One' });
    expect((await errorOf(workspace.addTask({ id: 'one', title: 'Again' }))).code).toBe('id-used');
  });
});

test('createTaskInstruction writes all sections to a file that is no task until it is added', async () => {
  const { path, text } = await workspace.createTaskInstruction(12, {
    objective: 'A user model', requirements: ['fields', 'validation'], context_files: ['docs/api.md'], steps: ['read', 'write'], expected_output: 'src/user.py', acceptance_criteria: ['it imports'],
  });
  expect(text.split('\n').filter((line) => line.startsWith('#'))).toEqual(['# Task: task-12', '## Objective', '## Requirements', '## Context', '## Steps', '## Expected output', '## Acceptance criteria']);
  await workspace.sync();
  expect((await workspace.queueStatus()).tasks).toEqual([]);
  await workspace.addTask({ id: 12, description: 'User model', instruction_file: path });
  expect(existsSync(join(place.root, path))).toBe(false);
  expect((await workspace.queueStatus()).counts.ready).toBe(1);
});

describe('a worker', () => {
  test('claims, is told all that it needs, and completes', async () => {
    await workspace.addTask({ id: 'greet', title: 'Greet', instruction: 'Write greeting.txt.', context_files: ['docs/api.md'], acceptance_criteria: ['greeting.txt says hello'] });
    const claim = await workspace.claimTask('worker-1');
    expect(claim).toMatchObject({ task: 'greet', epoch: 1, agent: 'worker-1', context: [{ path: 'docs/api.md', text: '# API\n' }], feedback: null });
    expect((await errorOf(workspace.completeTask('greet', 'worker-1', { epoch: 1, result: 'Done.' }))).message).toContain('not reported');
    expect(await workspace.completeTask('greet', 'worker-1', { epoch: 1, result: CRITERIA })).toMatchObject({ outcome: 'done', before: false });
    expect(await workspace.completeTask('greet', 'worker-1', { epoch: 1 })).toMatchObject({ outcome: 'done', before: true });
    expect((await workspace.queueStatus()).counts.done).toBe(1);
  });

  test('gets null when nothing is ready', async () => {
    expect(await workspace.claimTask('worker-1')).toBeNull();
  });

  test('joins the roster once', async () => {
    expect((await workspace.registerWorker('helper', { capabilities: ['node'] })).commit).not.toBeNull();
    expect((await workspace.registerWorker('helper', { capabilities: ['node'] })).commit).toBeNull();
    expect(await workspace.activeWorkers()).toContainEqual(expect.objectContaining({ id: 'helper', capabilities: ['node'], node: 'vm', status: 'idle', role: 'worker' }));
    expect((await errorOf(workspace.registerWorker('all'))).code).toBe('usage');
  });

  test('renews what it holds by its heartbeat, and learns what it has lost', async () => {
    await workspace.addTask({ id: 'a', title: 'A' });
    await workspace.addTask({ id: 'b', title: 'B' });
    await workspace.claimTask('worker-1', 'a');
    await workspace.claimTask('worker-1', 'b');
    await workspace.cancelTask('b', 'not needed');
    expect(await workspace.heartbeat('worker-1')).toMatchObject({ renewed: [{ task: 'a', epoch: 1 }], lost: [{ task: 'b', epoch: 1 }] });
    expect(await workspace.heartbeat('nobody')).toEqual({ worker: 'nobody', renewed: [], lost: [] });
    expect((await workspace.activeWorkers()).find(({ id }) => id === 'worker-1')).toMatchObject({ status: 'working', tasks: ['a'] });
  });

  test('goes on while it holds a task, while one is ready, and while it has not been idle for long', async () => {
    expect(await workspace.shouldWorkerContinue('worker-1', 10)).toMatchObject({ continue: true });
    expect(await workspace.shouldWorkerContinue('worker-1', 0)).toMatchObject({ continue: false });
    await workspace.addTask({ id: 'a', title: 'A' });
    expect(await workspace.shouldWorkerContinue('worker-1', 0)).toMatchObject({ continue: true, reason: '1 task is ready' });
    await workspace.claimTask('worker-1');
    expect(await workspace.shouldWorkerContinue('worker-1', 0)).toMatchObject({ continue: true, reason: 'worker-1 holds a' });
    await workspace.failTask('a', 'worker-1', { epoch: 1, reason: 'no dictionary' });
    expect(await workspace.shouldWorkerContinue('worker-1', 0)).toMatchObject({ continue: false });
    expect(await workspace.shouldWorkerContinue('worker-1')).toMatchObject({ continue: true });
  });

  test('a task that is meant for another one is no reason to go on', async () => {
    await workspace.addTask({ id: 'a', title: 'A', assigned_to: 'zoe' });
    expect((await workspace.shouldWorkerContinue('worker-1', 0)).continue).toBe(false);
  });

  test('is told to read an instruction again that was edited under its claim, and takes it', async () => {
    await workspace.addTask({ id: 'a', title: 'A' });
    await workspace.claimTask('worker-1');
    expect(await workspace.editTask('a', { fields: { priority: 0 }, body: 'In blue.' })).toMatchObject({ held_by: 'worker-1' });
    const error = await errorOf(workspace.completeTask('a', 'worker-1', { epoch: 1 }));
    expect([error.message, error.hint]).toEqual([expect.stringContaining('was changed after it was claimed'), expect.stringContaining('--accept-edit')]);
    await workspace.renewTask({ task: 'a', epoch: 1, agent: 'worker-1', acceptEdit: true });
    expect(await workspace.completeTask('a', 'worker-1', { epoch: 1 })).toMatchObject({ outcome: 'done' });
  });
});

describe('review', () => {
  const reviewed = async (who = 'human'): Promise<void> => {
    await workspace.addTask({ id: 'a', title: 'A', review: who });
    await workspace.claimTask('worker-1');
    expect(await workspace.completeTask('a', 'worker-1', { epoch: 1, result: 'Look at it.' })).toMatchObject({ outcome: 'review' });
    expect(await workspace.completeTask('a', 'worker-1', { epoch: 1 })).toMatchObject({ outcome: 'review', before: true });
  };

  test('holds finished work back until it is approved, and a rejection reaches the next claim', async () => {
    await reviewed();
    expect((await workspace.queueStatus()).counts).toMatchObject({ review: 1, done: 0 });
    await workspace.rejectTask('a', 'too loud');
    expect(await workspace.claimTask('worker-1')).toMatchObject({ epoch: 2, feedback: expect.stringContaining('Test Person rejected the earlier work: too loud') });
    await workspace.completeTask('a', 'worker-1', { epoch: 2 });
    expect(await workspace.approveTask('a')).toMatchObject({ judgement: 'approved', by: 'Test Person', epoch: 2 });
    expect((await errorOf(workspace.releaseTask({ task: 'a' }))).message).toContain('waits for review');
  });

  test('by an agent is that agent\'s, never the worker\'s own', async () => {
    await reviewed('rita');
    expect((await errorOf((await place.open({ agent: 'worker-1' })).approveTask('a'))).message).toContain('did the work');
    expect((await errorOf((await place.open({ agent: 'zoe' })).approveTask('a'))).message).toContain('is not the reviewer');
    expect(await (await place.open({ agent: 'rita' })).approveTask('a')).toMatchObject({ by: 'rita' });
  });

  test('names the commit that was looked at', async () => {
    await reviewed();
    expect((await errorOf(workspace.approveTask('a', { commit: 'deadbeef' }))).message).toContain('Another commit is under review');
    expect((await errorOf(workspace.rejectTask('a', ' '))).code).toBe('usage');
    expect((await errorOf(workspace.approveTask('none'))).code).toBe('unknown-task');
    const { chain } = await workspace.showTask('a');
    expect(chain[0]?.kind).toBe('review');
  });
});

describe('editing', () => {
  const COMMENTED = '---\n# how urgent\npriority: 3 # not very\nowner: me\n---\n\n# Do it\n';

  test('keeps comments, order and unknown keys', async () => {
    place.commit({ 'tasks/a.md': COMMENTED });
    await workspace.sync();
    await workspace.editTask('a', { fields: { priority: 1, depends_on: ['b'], owner: null } });
    expect(place.onMain('tasks/a.md')).toBe('---\n# how urgent\npriority: 1 # not very\ndepends_on: [ b ]\n---\n\n# Do it');
  });

  test('that says the same moves nothing; of an ended task, or into a bad text, is refused', async () => {
    await workspace.addTask({ id: 'a', title: 'A', priority: 1 });
    expect((await workspace.editTask('a', { fields: { priority: 1 } })).commit).toBeNull();
    expect((await errorOf(workspace.editTask('a', { fields: { priority: 9 } }))).code).toBe('bad-file');
    expect((await errorOf(workspace.editTask('a', { fields: { depends_on: ['a'] } }))).message).toContain('depends on itself');
    expect((await errorOf(workspace.editTask('none', { fields: {} }))).code).toBe('unknown-task');
    await workspace.cancelTask('a');
    expect((await errorOf(workspace.editTask('a', { fields: { priority: 0 } }))).message).toContain('it has ended');
  });

  test('a task that is done is reopened by a person only', async () => {
    await workspace.addTask({ id: 'a', title: 'A' });
    await workspace.claimTask('worker-1');
    await workspace.completeTask('a', 'worker-1', { epoch: 1 });
    expect((await errorOf(workspace.retryTask('a'))).hint).toContain('cambium task reopen a');
    expect((await errorOf((await place.open({ agent: 'lead' })).reopenTask('a'))).message).toContain('a person\'s to say');
    expect(await workspace.reopenTask('a', 'wrong dialect')).toMatchObject({ epoch: 1 });
    expect(await workspace.claimTask('worker-1')).toMatchObject({ epoch: 2, attempt: 1 });
  });
});

describe('messages', () => {
  test('are said in a channel or to an inbox, and read since a time', async () => {
    await workspace.writeMessage('worker-1', 'Which index, @rita? Not @@me.');
    const [first] = await workspace.readMessages();
    expect(first).toMatchObject({ from: 'agent:worker-1', channel: 'general', mentions: ['rita'], kind: 'say' });
    await workspace.writeMessage(null, 'The second one.', { to: 'worker-1', replyTo: first?.id as string });
    expect(await workspace.readMessages()).toHaveLength(1);
    expect(await workspace.readMessages({ inbox: 'worker-1', since: first?.at as string })).toMatchObject([{ from: 'human:test-person', to: ['worker-1'], replyTo: first?.id }]);
    expect(await workspace.readMessages({ since: '2999-01-01T00:00:00Z' })).toEqual([]);
    expect(place.log()[1]).toBe('worker-1: worker-1: message in general');
  });

  test('an empty one, a bad name and a bad time are refused', async () => {
    const errors = await Promise.all([workspace.writeMessage(null, ' '), workspace.writeMessage('A B', 'x'), workspace.writeMessage(null, 'x', { channel: '../x' }), workspace.writeMessage(null, 'x', { to: 'all' }), workspace.readMessages({ since: 'yesterday' })].map(errorOf));
    expect(errors.map(({ code }) => code)).toEqual(['usage', 'usage', 'usage', 'usage', 'usage']);
  });

  test('a file that is no message is left out', async () => {
    place.commit({ 'agents/channels/general/01A.md': 'no front matter\n' });
    await workspace.sync();
    expect(await workspace.readMessages()).toEqual([]);
  });
});

test('two questions at once are answered one after the other', async () => {
  const added = await Promise.all(['a', 'b', 'c'].map((id) => workspace.addTask({ id, title: id })));
  expect(added.map(({ task }) => task)).toEqual(['a', 'b', 'c']);
  expect(CONFIG).toContain('worker-1');
});
