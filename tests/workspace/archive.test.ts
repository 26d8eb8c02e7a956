/** What a person does with the archive, in a real workspace with its embedded hub. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { archiveCommand } from '../../src/commands/taskArchive.ts';
import type { Workspace } from '../../src/index.ts';
import { archiveTasks } from '../../src/workspace/archive.ts';
import type { ArchiveReport, ArchiveRequest } from '../../src/workspace/archive.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { inSession } from '../../src/workspace/session.ts';
import { errorOf, makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

let place: TestWorkspace;
let workspace: Workspace;

beforeEach(async () => {
  place = await makeWorkspace({ 'tasks/a.md': '# Do A\n', 'tasks/b.md': '# Do B\n', 'tasks/c.md': '---\ndepends_on: [a]\n---\n# Do C\n' });
  workspace = await place.open();
});
afterEach(() => place.remove());

/** `laterMs`: as if the command came so much later. */
async function archive(request: Partial<ArchiveRequest>, laterMs = 0): Promise<ArchiveReport> {
  const clone = await openClone({ cwd: place.root });
  const clock = { ...clone.clock, now: () => new Date(Date.now() + laterMs) };
  try {
    return await inSession({ ...clone, clock }, { node: 'vm', needsHub: true }, (session) => archiveTasks(session, { ids: [], allEnded: false, ...request }));
  } finally {
    await clone.close();
  }
}

const QUARTER_MS = 15 * 60_000;

describe('the archive by hand', () => {
  test('takes what is named, all or nothing, and says why not', async () => {
    await workspace.cancelTask('a');
    await workspace.cancelTask('b');
    expect(await errorOf(archive({ ids: ['b', 'a'] }))).toMatchObject({ code: 'refused', message: 'a is not archived: c depends on it and has not ended.' });
    expect(await errorOf(archive({ ids: ['nothing'] }))).toMatchObject({ code: 'unknown-task' });
    expect(await archive({ ids: ['b'] })).toEqual({ archived: ['b'], folded: 1, collected: 0, waiting: 1 });
    expect(await archive({ ids: ['b'] })).toEqual({ archived: [], folded: 0, collected: 0, waiting: 1 });
  });

  test('takes what the janitor would when nothing is named: nothing young while there is room', async () => {
    await workspace.cancelTask('b');
    expect(await archive({})).toMatchObject({ archived: [] });
    expect(await archive({}, 8 * 24 * 3_600_000)).toEqual({ archived: ['b'], folded: 1, collected: 1, waiting: 0 });
  });

  test('shows an archived task as it was, its chain from the archive', async () => {
    await workspace.cancelTask('b', 'not needed');
    const before = await workspace.showTask('b');
    await archive({ allEnded: true }, QUARTER_MS);
    const { path, result, ...after } = await workspace.showTask('b');
    expect(path).toMatch(/^tasks\/archive\/\d{4}-\d{2}\/\d{2}\/b\.md$/);
    expect(after).toMatchObject({ title: before.title, state: 'cancelled', instruction: before.instruction, chain: before.chain, result_text: before.result_text });
    expect(result).toEqual(before.result);
  });

  test('is undone by a reopening, and the chain goes on', async () => {
    await workspace.cancelTask('b');
    await archive({ allEnded: true }, QUARTER_MS);
    expect(await workspace.reopenTask('b')).toMatchObject({ task: 'b', epoch: 0 });
    expect((await workspace.showTask('b')).chain.map(({ kind }) => kind)).toEqual(['reopen', 'cancel']);
    expect(place.onMain('tasks/b.md')).toContain('Do B');
    expect(await errorOf(workspace.addTask({ id: 'b', title: 'B' }))).toMatchObject({ code: 'id-used' });
    expect(await errorOf(workspace.reopenTask('nothing'))).toMatchObject({ code: 'unknown-task' });
  });
});

test('the command says what moved, what went from the hub and what stays a while', async () => {
  await workspace.cancelTask('b');
  const cwd = process.cwd();
  process.chdir(place.root);
  try {
    expect((await archiveCommand(['b'], {})).text).toBe('1 task is in tasks/archive now: b\n1 ref stays a while longer: its task has just ended.');
    expect((await archiveCommand([], { allEnded: true })).text).toContain('Nothing was to be archived.');
  } finally {
    process.chdir(cwd);
  }
});
