/** `cambium init`: in a new folder, in a repository, and on a branch of its own beside protected code. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { initCommand } from '../../src/commands/init.ts';
import { parseFleetConfig } from '../../src/observe/fleetConfig.ts';
import { findPlace } from '../../src/workspace/compose.ts';
import { initWorkspace } from '../../src/workspace/init.ts';
import { gitIn, tempDir } from '../support/repo.ts';

const folder = tempDir('init');
let repo = '';
let number = 0;

beforeEach(() => {
  repo = join(folder.path, `code-${++number}`);
  mkdirSync(repo);
  gitIn(repo, ['init', '--quiet', '--initial-branch=main']);
  gitIn(repo, ['config', 'user.name', 'Maria']);
  gitIn(repo, ['config', 'user.email', 'maria@example.org']);
});

afterAll(() => folder.remove());

function commitCode(): string {
  writeFileSync(join(repo, 'index.js'), 'export {};\n');
  gitIn(repo, ['add', '--all']);
  gitIn(repo, ['commit', '--quiet', '-m', 'code']);
  return gitIn(repo, ['rev-parse', 'HEAD']);
}

describe('beside protected code', () => {
  test('the workspace lives on an orphan branch in a work tree of its own; branch, index and files are as they were', async () => {
    const head = commitCode();
    writeFileSync(join(repo, 'staged.js'), 'half done\n');
    gitIn(repo, ['add', 'staged.js']);
    writeFileSync(join(repo, 'index.js'), 'being edited\n');
    const before = gitIn(repo, ['status', '--porcelain=v2', '--branch']);

    const made = await initWorkspace(repo, { branch: 'fleet' });
    expect(made).toMatchObject({ root: `${repo}-fleet`, branch: 'fleet', beside: 'main' });
    expect(gitIn(repo, ['status', '--porcelain=v2', '--branch'])).toBe(before);
    expect(gitIn(repo, ['rev-parse', 'main'])).toBe(head);
    expect(gitIn(repo, ['rev-list', '--count', 'fleet'])).toBe('1');
    expect(gitIn(`${repo}-fleet`, ['status', '--porcelain'])).toBe('');
    expect(gitIn(repo, ['ls-tree', '--name-only', 'fleet'])).not.toContain('index.js');
    const verdict = parseFleetConfig(readFileSync(join(`${repo}-fleet`, 'cambium.yaml')));
    expect('config' in verdict && verdict.config).toMatchObject({ branch: 'fleet', projects: { code: { url: '.', branch: 'main', return: 'review' } } });
  });

  test('cambium finds it from the folder of the code, and that folder is a plain one again when it is gone', async () => {
    commitCode();
    const { root } = await initWorkspace(repo, { branch: 'fleet' });
    expect(await findPlace(repo)).toMatchObject({ root, head: 'fleet' });
    expect(await findPlace(join(root, 'tasks'))).toMatchObject({ root, head: 'fleet' });
    gitIn(repo, ['worktree', 'remove', '--force', root]);
    expect(await findPlace(repo)).toMatchObject({ root: repo, head: 'main' });
  });

  test('made twice it is the same; a file that was deleted meanwhile is not a reason for a second', async () => {
    commitCode();
    await initWorkspace(repo, { branch: 'fleet' });
    const fleet = gitIn(repo, ['rev-parse', 'fleet']);
    const again = await initCommand(repo, { branch: 'fleet' });
    expect(again.text).toBe(`${repo}-fleet is a cambium workspace already: nothing was changed.`);
    expect(gitIn(repo, ['rev-parse', 'fleet'])).toBe(fleet);
  });

  test('a slash in the branch is none in the folder', async () => {
    commitCode();
    expect((await initWorkspace(repo, { branch: 'team/fleet' })).root).toBe(`${repo}-team-fleet`);
  });

  test('the next steps are printed with the folder', async () => {
    commitCode();
    const { text, data } = await initCommand(repo, { branch: 'fleet' });
    expect(text).toContain(`cd ${repo}-fleet && cambium up`);
    expect(text).toContain('Branch main and its files are as they were');
    expect(data).toMatchObject({ beside: 'main', created: expect.arrayContaining(['cambium.yaml', '.gitignore']) as string[] });
  });

  test.each([
    ['a branch of that name', () => gitIn(repo, ['branch', 'fleet']), 'refused', /branch fleet already/],
    ['a folder of that name', () => { mkdirSync(`${repo}-fleet`); writeFileSync(join(`${repo}-fleet`, 'x'), ''); }, 'refused', /is there already/],
    ['a detached HEAD', () => gitIn(repo, ['checkout', '--quiet', '--detach']), 'usage', /detached/],
  ])('%s is named, and nothing is made', async (_what, prepare, code, message) => {
    commitCode();
    prepare();
    const refs = gitIn(repo, ['for-each-ref']);
    await expect(initWorkspace(repo, { branch: 'fleet' })).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect([gitIn(repo, ['for-each-ref']), gitIn(repo, ['worktree', 'list']).split('\n').length]).toEqual([refs, 1]);
  });

  test('a repository without a commit has nothing to stand beside', async () => {
    await expect(initWorkspace(repo, { branch: 'fleet' })).rejects.toMatchObject({ code: 'usage', message: 'HEAD is on main, which has no commit yet.' });
  });

  test('a name that git refuses is no branch', async () => {
    commitCode();
    await expect(initWorkspace(repo, { branch: 'a..b' })).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('in the repository itself', () => {
  test('it is committed on the branch that HEAD is on, and twice changes nothing', async () => {
    const made = await initWorkspace(repo, {});
    expect(made).toMatchObject({ root: repo, branch: 'main', beside: null });
    expect(existsSync(join(repo, 'tasks/README.md'))).toBe(true);
    const head = gitIn(repo, ['rev-parse', 'HEAD']);
    expect((await initCommand(repo, { branch: 'main' })).text).toContain('nothing was changed');
    expect(gitIn(repo, ['rev-parse', 'HEAD'])).toBe(head);
  });

  test('staged work, a detached HEAD and a folder inside are refused', async () => {
    const head = commitCode();
    writeFileSync(join(repo, 'staged.js'), 'x\n');
    gitIn(repo, ['add', 'staged.js']);
    await expect(initWorkspace(repo, {})).rejects.toMatchObject({ code: 'refused' });
    gitIn(repo, ['commit', '--quiet', '-m', 'more']);
    await expect(initWorkspace(join(repo, 'inner'), {})).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('a folder inside the repository') as string });
    gitIn(repo, ['checkout', '--quiet', '--detach', head]);
    await expect(initWorkspace(repo, {})).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('detached') as string });
  });
});
