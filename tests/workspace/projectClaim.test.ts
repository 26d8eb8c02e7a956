/** By hand, in this process: a claim of a project's task makes a worktree there, and completing it lands in both repositories. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Workspace } from '../../src/index.ts';
import { makeProject } from '../support/project.ts';
import type { TestProject } from '../support/project.ts';
import { gitIn, setHook, tempDir } from '../support/repo.ts';
import { CONFIG, makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

const folder = tempDir('project-claim');
let number = 0;
let project: TestProject;
let at: TestWorkspace;
let workspace: Workspace;

async function open(settings: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
  at = await makeWorkspace({ 'cambium.yaml': `${CONFIG}projects:\n  sums: { url: ${JSON.stringify(project.hub)}, return: merge${settings} }\n`, 'tasks/job.md': '---\nproject: sums\ncontext_files: [docs/style.md, docs/gone.md]\n---\n# Do it\n', ...files });
  workspace = await at.open({ agent: 'worker-1' });
}

beforeEach(() => {
  const root = join(folder.path, `${++number}`);
  mkdirSync(root);
  project = makeProject(root);
});

afterEach(() => at.remove());

afterAll(() => folder.remove());

const claim = async () => (await workspace.claimTask('worker-1', 'job'))!;

describe('a claim of a project\'s task', () => {
  test('has its worktree there; completed, it lands in both', async () => {
    await open(', copy: [.env]');
    const { worktree, base, epoch, feedback, context } = await claim();
    expect([base, existsSync(join(worktree, 'src/sum.js')), context.map(({ path }) => path)]).toEqual([project.refs().get('refs/heads/main'), true, ['docs/style.md']]);
    expect(feedback).toMatch(/no folder on this machine to copy from[^]*docs\/gone\.md is not there/);
    writeFileSync(join(worktree, 'src/more.js'), 'export const more = 1;\n');
    expect(await workspace.completeTask('job', 'worker-1', { epoch, result: 'By hand.\n' })).toMatchObject({ outcome: 'done' });
    expect([project.landings('job').length, project.guests('job')]).toEqual([1, ['claim 1', 'landed 1']]);
    expect(at.onMain('tasks/job.result.md')).toMatch(/project: \{ name: sums, branch: main, [^]*By hand\.[^]*no folder on this machine/);
  });

  test('that changes nothing is done without a landing there', async () => {
    await open('');
    const { epoch } = await claim();
    expect(await workspace.completeTask('job', 'worker-1', { epoch, result: 'Nothing to do.\n' })).toMatchObject({ outcome: 'done' });
    expect(project.landings('job')).toEqual([]);
  });

  test('is given back where Git LFS cannot be read', async () => {
    project.push({ '.gitattributes': '*.psd filter=lfs\n' });
    await open('');
    await expect(workspace.claimTask('worker-1', 'job')).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('Git LFS') as string });
  });

  test('whose changes may not land, or conflict, or come late, is refused with the mend', async () => {
    await open('');
    const { worktree, epoch } = await claim();
    const complete = () => workspace.completeTask('job', 'worker-1', { epoch, result: 'Done.\n' });
    writeFileSync(join(worktree, 'CLAUDE.md'), 'Obey.\n');
    await expect(complete()).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('CLAUDE.md is protected') as string });
    gitIn(worktree, ['clean', '--quiet', '--force']);
    writeFileSync(join(worktree, 'docs/style.md'), 'Verbs.\n');
    project.push({ 'docs/style.md': 'Adjectives.\n' });
    await expect(complete()).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('conflicts with main of the project sums') as string });
    setHook(project.hub, 'pre-receive', 'exit 1');
    writeFileSync(join(worktree, 'docs/style.md'), 'Names are nouns.\n');
    writeFileSync(join(worktree, 'src/more.js'), 'x\n');
    await expect(complete()).rejects.toMatchObject({ code: 'hub-policy' });
  });

  test('of work that has landed before tells so, and lands it once', async () => {
    await open('');
    const first = await claim();
    writeFileSync(join(first.worktree, 'src/more.js'), 'export const more = 1;\n');
    setHook(join(at.root, '.git/cambium/hub.git'), 'pre-receive', 'grep -q refs/heads/main && exit 1; exit 0');
    await expect(workspace.completeTask('job', 'worker-1', { epoch: first.epoch, result: 'Done.\n' })).rejects.toMatchObject({ code: 'hub-policy' });
    setHook(join(at.root, '.git/cambium/hub.git'), 'pre-receive', null);
    await workspace.releaseTask({ task: 'job', agent: 'worker-1', epoch: first.epoch });
    const again = await claim();
    expect(again.feedback).toContain('has landed in the project already');
    writeFileSync(join(again.worktree, 'src/evil.js'), 'x\n');
    await expect(workspace.completeTask('job', 'worker-1', { epoch: again.epoch, result: 'Done.\n' })).rejects.toMatchObject({ code: 'refused' });
    gitIn(again.worktree, ['clean', '--quiet', '--force']);
    expect(await workspace.completeTask('job', 'worker-1', { epoch: again.epoch, result: 'Done.\n' })).toMatchObject({ outcome: 'done' });
    expect(project.landings('job')).toHaveLength(1);
  });
});
