/** `cambium clean --examples` over a real clone with its embedded hub. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { CambiumError } from '../../src/errors.ts';
import { claimTask } from '../../src/workspace/claimTask.ts';
import { EXAMPLES, cleanExamples } from '../../src/workspace/clean.ts';
import type { Cleaned } from '../../src/workspace/clean.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { inSession } from '../../src/workspace/session.ts';
import type { Session } from '../../src/workspace/session.ts';
import { cli, cliJson } from '../support/cli.ts';
import { gitIn, tempDir } from '../support/repo.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const folder = tempDir('clean');
afterAll(() => folder.remove(), 60_000);

let number = 0;
let work = '';

function commit(files: Readonly<Record<string, string | null>>): void {
  for (const [path, text] of Object.entries(files)) {
    if (text === null) rmSync(join(work, path));
    else writeFileSync(join(work, path), text);
  }
  gitIn(work, ['add', '--all']);
  gitIn(work, ['commit', '--quiet', '-m', 'by hand']);
}

/** A workspace with the examples as they come. */
beforeEach(() => {
  work = join(folder.path, `work-${++number}`);
  if (number > 1) return cpSync(join(folder.path, 'pristine'), work, { recursive: true });
  gitIn('.', ['init', '--quiet', '--initial-branch=main', work]);
  for (const setting of ['user.name=Maria', 'user.email=maria@example.org']) gitIn(work, ['config', ...setting.split('=')]);
  mkdirSync(join(work, 'tasks'));
  for (const { id } of EXAMPLES) copyFileSync(join(ROOT, `tasks/${id}.md`), join(work, `tasks/${id}.md`));
  commit({ 'cambium.yaml': 'schema: cambium.fleet/1\nagents: { worker-1: { provider: runbook } }\n', '.gitignore': '.cambium/\n', 'tasks/mine.md': '# Mine\n' });
  cpSync(work, join(folder.path, 'pristine'), { recursive: true });
});

async function within<T>(body: (session: Session) => Promise<T>): Promise<T> {
  const clone = await openClone({ cwd: work });
  try {
    return await inSession(clone, { needsHub: true }, body);
  } finally {
    await clone.close();
  }
}

const clean = (): Promise<Cleaned> => within(cleanExamples);
const tasksThere = (): readonly string[] => gitIn(work, ['ls-tree', '--name-only', 'HEAD', 'tasks/']).split('\n');

test('the shipped examples are those whose hashes are known: a new text is added to them, and the old ones stay', () => {
  const hash = (id: string): string => createHash('sha256').update(readFileSync(join(ROOT, `tasks/${id}.md`))).digest('hex');
  expect(EXAMPLES.filter(({ id, shipped }) => !shipped.includes(hash(id))).map(({ id }) => id)).toEqual([]);
});

describe('examples', () => {
  test('that nobody has run leave in one commit of the person\'s, and nothing else does', async () => {
    const before = gitIn(work, ['rev-parse', 'HEAD']);
    const { commit: made, removed, left } = await clean();
    expect(removed).toEqual(['tasks/example-hello.md', 'tasks/example-data.md', 'tasks/example-manifest.md']);
    expect(left).toEqual([]);
    expect(tasksThere()).toEqual(['tasks/mine.md']);
    expect(gitIn(work, ['log', '--format=%H %P %an', '-1'])).toBe(`${made} ${before} Maria`);
    expect(existsSync(join(work, 'tasks/example-hello.md'))).toBe(false);
    expect(await clean()).toEqual({ commit: null, removed: [], left: [] });
  });

  test('that were run leave with their results and what they made; what was changed since stays, and is named', async () => {
    commit({ 'tasks/mine.md': null });
    expect(await cli(['up', '--until-idle'], { cwd: work })).toMatchObject({ exit: 0 });
    commit({ 'examples/hello.txt': 'mine now\n' });
    gitIn(work, ['push', '--quiet', join(work, '.git/cambium/hub.git'), 'HEAD:main']);
    const { data, exit } = await cliJson<Cleaned>(['clean', '--examples'], { cwd: work });
    expect(exit).toBe(0);
    expect(data.removed).toHaveLength(8);
    expect(data.left).toEqual([{ path: 'examples/hello.txt', reason: 'it has been changed since the example made it' }]);
    expect(gitIn(work, ['ls-files', 'tasks', 'examples'])).toBe('examples/hello.txt');
    expect(gitIn(work, ['status', '--porcelain'])).toBe('');
  }, 60_000);

  test('stay gone: the fleet takes the missing files for neither a cancel nor a reopen', async () => {
    commit({ 'tasks/mine.md': null });
    await cli(['up', '--until-idle'], { cwd: work });
    await clean();
    const main = gitIn(work, ['rev-parse', 'HEAD']);
    const again = await cli(['up', '--until-idle'], { cwd: work });
    expect(again.exit).toBe(0);
    expect(gitIn(work, ['rev-parse', 'HEAD'])).toBe(main);
  }, 60_000);

  test('are not touched while one is being worked on', async () => {
    await within((session) => claimTask(session, { id: 'example-hello', agent: 'worker-1' }));
    const error = await clean().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CambiumError);
    expect((error as CambiumError).message).toContain('example-hello has been begun and has not ended');
    expect(tasksThere()).toContain('tasks/example-data.md');
  });

  test('that were edited and not done stay, with those that they build on', async () => {
    commit({ 'tasks/example-manifest.md': '---\ndepends_on: [example-hello]\n---\n# My own\n' });
    const { removed, left } = await clean();
    expect(removed).toEqual(['tasks/example-data.md']);
    expect(left).toEqual([{ path: 'tasks/example-hello.md', reason: 'example-manifest still needs it' }, { path: 'tasks/example-manifest.md', reason: 'it was edited here and has not been done' }]);
  });

  test('that a task of one\'s own still needs stay', async () => {
    commit({ 'tasks/mine.md': '---\ndepends_on: [example-data]\n---\n# Mine\n' });
    const { removed, left } = await clean();
    expect(removed).toEqual(['tasks/example-hello.md', 'tasks/example-manifest.md']);
    expect(left).toEqual([{ path: 'tasks/example-data.md', reason: 'mine still needs it' }]);
  });

  test('are the only thing that clean removes, and it must be told so', async () => {
    expect(await cliJson(['clean'], { cwd: work })).toMatchObject({ exit: 2, error: { code: 'usage' } });
  });
});
