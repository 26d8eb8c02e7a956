/** `cambium upgrade` over real repositories: an upstream with two releases, and workspaces that grew from the first. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isUpstreamUrl } from '../../src/adapters/git/upstream.ts';
import { CambiumError } from '../../src/errors.ts';
import { packageFile } from '../../src/adapters/system/version.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { inSession } from '../../src/workspace/session.ts';
import { upgradeWorkspace } from '../../src/workspace/upgrade.ts';
import type { UpgradeOptions } from '../../src/workspace/upgrade.ts';
import type { UpgradeReport } from '../../src/workspace/upgradeReport.ts';
import { gitIn, tempDir } from '../support/repo.ts';

const folder = tempDir('upgrade');
const [upstream, pristine, made] = ['upstream', 'pristine', 'made'].map((name) => join(folder.path, name)) as [string, string, string];
afterAll(() => folder.remove(), 60_000);

type Files = Readonly<Record<string, string | null>>;

function write(root: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    if (text === null) rmSync(join(root, path));
    else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
}

function commit(root: string, files: Files, message: string): string {
  write(root, files);
  gitIn(root, ['add', '--all']);
  gitIn(root, ['commit', '--quiet', '-m', message]);
  return gitIn(root, ['rev-parse', 'HEAD']);
}

const identify = (root: string): void => ['user.name=Maria', 'user.email=maria@example.org'].forEach((setting) => void gitIn(root, ['config', ...setting.split('=')]));
const packageJson = (version: string): string => `${JSON.stringify({ name: 'cambium', version }, null, 2)}\n`;
const lines = (...text: readonly string[]): string => `${text.join('\n')}\n`;

const FIRST = {
  'package.json': packageJson('0.1.0'), 'src/cli.ts': 'cli 1\n', 'src/act.ts': lines('one', 'two', 'three', 'four', 'five', 'six', 'seven'), 'src/old.ts': 'old\n', '.gitignore': '.cambium/\n',
  'cambium.yaml': 'schema: cambium.fleet/1\n', 'tasks/README.md': 'tasks 1\n', 'tasks/example.md': '# Example\n', 'templates/task.md': 'template 1\n', 'templates/other.md': 'other 1\n', 'hooks/README.md': 'hooks 1\n', 'self-model.md': 'self 1\n',
};
const SECOND = {
  'package.json': packageJson('0.2.0'), 'src/cli.ts': 'cli 2\n', 'src/act.ts': lines('one', 'two', 'three', 'four', 'five', 'six', 'SEVEN'), 'src/old.ts': null, 'src/new.ts': 'new\n',
  'cambium.yaml': 'schema: cambium.fleet/1\nlimits: { agents_per_node: 1 }\n', 'tasks/README.md': 'tasks 2\n', 'tasks/added.md': '# Added upstream\n', 'templates/task.md': 'template 2\n', 'templates/other.md': 'other 2\n', 'hooks/README.md': 'hooks 2\n', 'self-model.md': 'self 2\n', 'memory/upstream.md': 'x\n',
};

beforeAll(() => {
  gitIn('.', ['init', '--quiet', '--initial-branch=main', upstream]);
  identify(upstream);
  commit(upstream, FIRST, 'first');
  gitIn(upstream, ['tag', '-a', 'v0.1.0', '-m', 'first']);
  commit(upstream, SECOND, 'second');
  gitIn(upstream, ['tag', 'v0.2.0']);
  gitIn(upstream, ['tag', 'v0.10.0-rc.1']);
  gitIn('.', ['clone', '--quiet', upstream, pristine]);
  identify(pristine);
  gitIn(pristine, ['reset', '--quiet', '--hard', 'v0.1.0']);
  gitIn('.', ['init', '--quiet', '--initial-branch=main', made]);
  identify(made);
  commit(made, { 'README.md': 'my project\n' }, 'mine');
  commit(made, { 'cambium.yaml': 'schema: cambium.fleet/1\n', 'templates/task.md': 'the template of an older version\n', '.gitignore': '.cambium/\n' }, 'cambium: init workspace');
}, 60_000);

let number = 0;
let work = '';

/** A used clone of the first release: state of its own, hub embedded. */
beforeEach(() => {
  work = join(folder.path, `work-${++number}`);
  cpSync(pristine, work, { recursive: true });
});

async function upgrade(options: UpgradeOptions = {}, agent?: string): Promise<UpgradeReport> {
  const clone = await openClone({ cwd: work });
  try {
    return await inSession(clone, { needsHub: true, agent }, (session) => upgradeWorkspace(session, options));
  } finally {
    await clone.close();
  }
}

async function refusal(options: UpgradeOptions = {}, agent?: string): Promise<CambiumError> {
  const error = await upgrade(options, agent).then(() => null, (thrown: unknown) => thrown);
  if (error instanceof CambiumError) return error;
  throw new Error(`it was not refused: ${String(error)}`);
}

const hubMain = (): string => gitIn(join(work, '.git/cambium/hub.git'), ['rev-parse', 'main']);
const onMain = (path: string): string | null => {
  try {
    return `${gitIn(join(work, '.git/cambium/hub.git'), ['show', `main:${path}`])}\n`;
  } catch {
    return null;
  }
};
const read = (path: string): string => readFileSync(join(work, path), 'utf8');

describe('a used clone of the framework', () => {
  test('gets the newest release\'s code, and keeps its state', async () => {
    commit(work, { 'tasks/mine.md': '# Mine\n', 'memory/me.md': 'mine\n', 'cambium.yaml': 'schema: cambium.fleet/1\n# mine\n', 'tasks/example.md': null }, 'used');
    const before = gitIn(work, ['rev-parse', 'HEAD']);
    const report = await upgrade();
    expect(report).toMatchObject({ mode: 'code', from: '0.1.0', to: '0.2.0', merged: [], kept: [], conflicts: [] });
    expect(report.changed).toEqual(['hooks/README.md', 'package.json', 'src/act.ts', 'src/cli.ts', 'src/new.ts', 'src/old.ts', 'templates/other.md', 'templates/task.md']);
    expect(gitIn(work, ['diff', '--name-only', before, hubMain(), '--', 'tasks', 'agents', 'memory', 'cambium.yaml', 'self-model.md'])).toBe('');
    expect([onMain('src/cli.ts'), onMain('src/old.ts'), onMain('src/new.ts')]).toEqual(['cli 2\n', null, 'new\n']);
    expect([read('src/cli.ts'), read('src/new.ts'), gitIn(work, ['status', '--porcelain'])]).toEqual(['cli 2\n', 'new\n', '']);
  });

  test('has the upgrade as one commit of the person\'s, with the release as its second parent and a trailer that says from where to where', async () => {
    const [base, target] = ['v0.1.0^{commit}', 'v0.2.0^{commit}'].map((name) => gitIn(upstream, ['rev-parse', name]));
    commit(work, { 'memory/me.md': 'mine\n' }, 'used');
    const before = gitIn(work, ['rev-parse', 'HEAD']);
    const report = await upgrade();
    const [parents, author, message] = ['%P', '%an', '%B'].map((format) => gitIn(work, ['log', '-1', `--format=${format}`, report.commit as string]));
    expect(parents).toBe(`${before} ${target}`);
    expect(author).toBe('Maria');
    expect(message).toContain(`cambium: upgrade 0.1.0 to 0.2.0\n`);
    expect(message).toContain(`Upgrade: ${base}..${target}`);
  });

  test('that has it already is told so, and nothing is committed', async () => {
    await upgrade();
    const main = hubMain();
    expect(await upgrade()).toMatchObject({ commit: null, changed: [] });
    expect(await upgrade({ to: 'v0.1.0' })).toMatchObject({ commit: null, changed: [] });
    expect(hubMain()).toBe(main);
  });

  test('may look first: --check changes nothing', async () => {
    commit(work, { 'src/cli.ts': 'mine\n' }, 'edit');
    const before = gitIn(work, ['for-each-ref', 'refs/heads']);
    const report = await upgrade({ check: true });
    expect(report).toMatchObject({ commit: null, conflicts: ['src/cli.ts'], to: '0.2.0' });
    expect([gitIn(work, ['for-each-ref', 'refs/heads']), read('src/cli.ts')]).toEqual([before, 'mine\n']);
    expect((await upgrade({ check: true, keep: ['src/cli.ts'] })).changed).toContain('src/act.ts');
  });

  test('keeps its own edits of framework files: they are merged', async () => {
    commit(work, { 'src/act.ts': lines('ONE', 'two', 'three', 'four', 'five', 'six', 'seven'), 'src/mine.ts': 'mine\n' }, 'edit');
    const report = await upgrade();
    expect(report.merged).toEqual(['src/act.ts']);
    expect(onMain('src/act.ts')).toBe(lines('ONE', 'two', 'three', 'four', 'five', 'six', 'SEVEN'));
    expect(onMain('src/mine.ts')).toBe('mine\n');
  });

  test('is refused where both sides changed a line, every such file named, and nothing is changed', async () => {
    commit(work, { 'src/cli.ts': 'mine\n', 'src/act.ts': lines('one', 'two', 'three', 'four', 'five', 'six', 'mine') }, 'edit');
    const error = await refusal();
    expect(error).toMatchObject({ code: 'refused', data: { conflicts: ['src/act.ts', 'src/cli.ts'] } });
    expect([onMain('src/cli.ts'), onMain('src/new.ts'), read('src/cli.ts')]).toEqual(['mine\n', null, 'mine\n']);
  });

  test('goes on after a conflict with --keep, or with theirs committed, and the next upgrade asks for neither again', async () => {
    commit(work, { 'src/cli.ts': 'mine\n', 'src/act.ts': lines('one', 'two', 'three', 'four', 'five', 'six', 'mine') }, 'edit');
    await refusal();
    gitIn(work, ['checkout', '--quiet', 'v0.2.0', '--', 'src/act.ts']);
    gitIn(work, ['commit', '--quiet', '-m', 'theirs']);
    const report = await upgrade({ keep: ['src/cli.ts'] });
    expect(report.kept).toMatchObject([{ path: 'src/cli.ts' }]);
    expect([onMain('src/cli.ts'), onMain('src/act.ts')]).toEqual(['mine\n', lines('one', 'two', 'three', 'four', 'five', 'six', 'SEVEN')]);
    expect(await upgrade()).toMatchObject({ commit: null });
  });

  test('is refused while a file that would change has edits in no commit', async () => {
    write(work, { 'src/act.ts': 'half done\n', 'src/new.ts': 'mine, untracked\n', 'src/mine.ts': 'in nobody\'s way\n' });
    expect(await upgrade({ check: true })).toMatchObject({ uncommitted: ['src/act.ts', 'src/new.ts'], commit: null });
    expect(await refusal()).toMatchObject({ code: 'refused', data: { uncommitted: ['src/act.ts', 'src/new.ts'] } });
    expect([onMain('src/cli.ts'), read('src/act.ts'), read('src/new.ts')]).toEqual(['cli 1\n', 'half done\n', 'mine, untracked\n']);
  });

  test('keeps a template and a hook that were edited or removed, and names those that the upstream changed too', async () => {
    commit(work, { 'templates/task.md': 'my template\n', 'hooks/README.md': null, 'hooks/mine.sh': 'echo\n' }, 'edit');
    const report = await upgrade();
    expect(report.kept.map(({ path }) => path)).toEqual(['hooks/README.md', 'templates/task.md']);
    expect([onMain('templates/task.md'), onMain('templates/other.md'), onMain('hooks/README.md'), onMain('hooks/mine.sh')]).toEqual(['my template\n', 'other 2\n', null, 'echo\n']);
  });

  test('that is a copy of the files, without their history, is compared with the release that its package.json names', async () => {
    gitIn(work, ['checkout', '--quiet', '--orphan', 'copy']);
    commit(work, { 'memory/me.md': 'mine\n', 'src/act.ts': lines('ONE', 'two', 'three', 'four', 'five', 'six', 'seven') }, 'a copy');
    gitIn(work, ['branch', '--quiet', '-M', 'copy', 'main']);
    const report = await upgrade();
    expect(report.merged).toEqual(['src/act.ts']);
    expect(onMain('src/act.ts')).toBe(lines('ONE', 'two', 'three', 'four', 'five', 'six', 'SEVEN'));
    expect(await upgrade()).toMatchObject({ commit: null });
  });

  test('takes a branch or a commit when asked for one', async () => {
    const head = gitIn(upstream, ['rev-parse', 'HEAD']);
    expect((await upgrade({ to: 'main', check: true })).to).toBe('0.2.0');
    expect((await upgrade({ to: head.slice(0, 12), check: true })).to).toBe('0.2.0');
    expect(await refusal({ to: 'v9.9.9' })).toMatchObject({ code: 'usage', data: { tags: expect.arrayContaining(['v0.1.0', 'v0.2.0']) } });
  });

  test('leaves no tag, branch or remote of the upstream in the clone', async () => {
    const names = (): string => [gitIn(work, ['tag']), gitIn(work, ['branch', '--all']), gitIn(work, ['remote'])].join('\n');
    gitIn(work, ['tag', '-d', 'v0.2.0']);
    const before = names();
    await upgrade();
    expect(names()).toBe(before);
  });

  test('remembers where it came from once that was named', async () => {
    gitIn(work, ['remote', 'remove', 'origin']);
    expect((await refusal()).code).toBe('usage');
    await upgrade({ from: upstream, to: 'v0.2.0' });
    expect(await upgrade()).toMatchObject({ commit: null, to: '0.2.0' });
  });

  test('is refused code of something else', async () => {
    const other = join(folder.path, `other-${number}`);
    gitIn('.', ['init', '--quiet', '--initial-branch=main', other]);
    identify(other);
    commit(other, { 'README.md': 'x\n' }, 'x');
    expect((await refusal({ from: other })).message).toContain('is not the code of cambium');
    expect((await refusal({ from: join(folder.path, 'nowhere') })).message).toContain('Nothing could be fetched');
  });

  test('is a person\'s to upgrade, not an agent\'s', async () => {
    expect(await refusal({}, 'worker-1')).toMatchObject({ code: 'refused' });
  });
});

test.each([
  ['/srv/git/cambium.git', true], ['https://example.org/cambium.git', true], ['git@example.org:cambium.git', true], ['../cambium', true],
  ['--upload-pack=touch x', false], ['ext::sh -c true', false], ['', false], ['https://example.org/\nx', false],
])('%j is an address to ask git for: %s', (url, is) => {
  expect(isUpstreamUrl(url)).toBe(is);
});

describe('a workspace that holds no code of the framework', () => {
  const shipped = packageFile('templates/task.md');

  beforeEach(() => {
    work = join(folder.path, `workspace-${number}`);
    cpSync(made, work, { recursive: true });
  });

  test('gets this package\'s shipped files where they are as they were laid down', async () => {
    const before = gitIn(work, ['rev-parse', 'HEAD']);
    expect(await upgrade({ check: true })).toMatchObject({ mode: 'files', commit: null });
    expect(hubMain()).toBe(before);
    const report = await upgrade();
    expect(report.changed).toContain('templates/task.md');
    expect(onMain('templates/task.md')).toBe(shipped);
    expect(read('templates/task.md')).toBe(shipped);
    expect(gitIn(work, ['diff', '--name-only', before, hubMain(), '--', 'README.md', 'cambium.yaml', 'tasks', 'agents', 'memory'])).toBe('');
    expect(await upgrade()).toMatchObject({ commit: null, changed: [], kept: [] });
  });

  test('keeps those that a person has edited or removed, and names them', async () => {
    commit(work, { 'templates/task.md': 'my own\n' }, 'edit');
    const edited = await upgrade();
    expect(edited.kept).toEqual([{ path: 'templates/task.md', reason: 'it was edited here' }]);
    expect(onMain('templates/task.md')).toBe('my own\n');
    commit(work, { 'templates/task.md': null }, 'remove');
    gitIn(work, ['push', '--quiet', join(work, '.git/cambium/hub.git'), 'HEAD:main']);
    expect((await upgrade()).kept).toEqual([{ path: 'templates/task.md', reason: 'it was removed here' }]);
  });

  test('updates again what an upgrade laid down', async () => {
    await upgrade();
    gitIn(work, ['pull', '--quiet', '--ff-only', join(work, '.git/cambium/hub.git'), 'main']);
    commit(work, { 'templates/task.md': 'of a version between\n' }, 'cambium: upgrade the shipped files to 0.1.5\n\nKind: upgrade');
    gitIn(work, ['push', '--quiet', join(work, '.git/cambium/hub.git'), 'HEAD:main']);
    expect((await upgrade()).changed).toEqual(['templates/task.md']);
  });

  test('has no use for a version or an address', async () => {
    expect((await refusal({ to: 'v0.2.0' })).code).toBe('usage');
  });
});
