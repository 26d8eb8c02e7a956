import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkWorkspace } from '../../src/workspace/check.ts';
import type { CheckOptions } from '../../src/workspace/check.ts';
import { workspaceFiles } from '../../src/workspace/workspaceFiles.ts';
import { gitIn, tempDir } from '../support/repo.ts';

let root: string;
let remove: () => void;

beforeEach(() => {
  ({ path: root, remove } = tempDir('check'));
  gitIn(root, ['init', '--quiet', '--initial-branch=main']);
  put({ 'cambium.yaml': CONFIG });
});

afterEach(() => remove());

const CONFIG = `schema: cambium.fleet/1
agents:
  worker-1: { capabilities: [node] }
  lead: { role: coordinator }
projects:
  api: { url: ../api.git }
providers:
  mycli: { command: [mycli] }
`;

function put(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const front = (yaml: string): string => `---\n${yaml}\n---\nDo it.\n`;
const check = (options: Partial<CheckOptions> = {}) => checkWorkspace({ cwd: root, ...options });

/** What is said of one task beside which nothing is wrong: `line:column level code → mend`. */
async function said(yaml: string, more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  put({ 'tasks/x.md': front(yaml), ...more });
  const { errors, warnings } = await check({ paths: ['tasks/x.md'] });
  return [...errors, ...warnings].map(({ line, column, level, code, mend }) => `${line}:${column} ${level} ${code} → ${mend}`);
}

function result(id: string, outcome: string): string {
  return front(`schema: cambium.result/1\noutcome: ${outcome}\nepoch: 1\nclaim: null\nattempts: 1\nagent: null\nnode: null\nprovider: null\nmodel: null\nstarted: null\nended: ${id}\nusage: null\ncost_usd: null\ncommits: []\ncriteria: []\nverify: null\nspawns: []`);
}

test('a new workspace is good, and what it ships too, before anything is committed', async () => {
  put(Object.fromEntries(workspaceFiles('main')));
  expect(await check({ strict: true })).toEqual({ root, files: 1, errors: [], warnings: [], skipped: [] });
});

describe('a task that waits for what does not exist', () => {
  test.each([
    ['a dependency', 'depends_on: [apy, x-k3f9]', ['2:14 error unknown-dependency → Did you mean `api`?', '2:19 error unknown-dependency → Add tasks/x-k3f9.md, or take it out of depends_on.']],
    ['one without the end of its generated id', 'depends_on: design', ['2:1 error unknown-dependency → Did you mean `design-k3f9`?']],
    ['a parent', 'parent: apii', ['2:1 warning unknown-parent → Did you mean `api`?']],
    ['a context file', 'title: a\ncontext_files: [docs/api.md, ./docs//none.md]', ['3:30 error missing-context → Add it, or take it out of context_files.']],
    ['a folder as context', 'context_files: docs', ['2:1 error missing-context → Name the files themselves.']],
    ['a context file behind a link', 'context_files: [linked/api.md, link.md]', ['2:17 error missing-context → Add it, or take it out of context_files.', '2:32 error missing-context → Add it, or take it out of context_files.']],
    ['a context file that git ignores', 'context_files: [.env]', ['2:17 error missing-context → Take it out of .gitignore, or out of context_files.']],
    ['nothing: all is there', 'depends_on: [api, old-one]\ncontext_files: [docs/api.md]\nparent: design-k3f9', []],
  ])('%s', async (_, yaml, expected) => {
    symlinkSync(join(root, 'docs'), join(root, 'linked'));
    symlinkSync('docs/api.md', join(root, 'link.md'));
    put({ '.gitignore': '.env\n', '.env': 'SECRET=1', 'docs/api.md': 'API', 'tasks/api.md': '# API\n', 'tasks/design-k3f9.md': '# Design\n', 'tasks/archive/2026-11/01/old-one.result.md': result('old-one', 'done') });
    expect(await said(yaml)).toEqual(expected);
  });

  test('a context file that a dependency may still write is only a warning', async () => {
    expect(await said('depends_on: [api]\ncontext_files: [out/report.md]', { 'tasks/api.md': '# API\n' })).toEqual([expect.stringMatching(/^3:17 warning missing-context/)]);
    expect(await said('depends_on: [api]\ncontext_files: [out/report.md]', { 'tasks/api.result.md': result('api', 'done') })).toEqual([expect.stringMatching(/^3:17 error missing-context/)]);
  });

  test('what stands in another repository cannot be seen, what stands in this one can', async () => {
    const yaml = 'project: api\ncontext_files: [src/only-there.ts, workspace:cambium.yaml, workspace:none.md]';
    expect(await said(yaml, { 'tasks/y.md': front('context_files: [src/only-there.ts]') })).toEqual(['3:60 error missing-context → Add it, or take it out of context_files.']);
  });

  test('a dependency that is set aside is told of once, where it is wrong', async () => {
    expect(await said('depends_on: [api]', { 'tasks/api.md': front('priority: 9') })).toEqual([]);
    expect((await check()).errors.map(({ path }) => path)).toEqual(['tasks/api.md']);
  });

  test('a circle is shown at each of its tasks', async () => {
    put({ 'tasks/a.md': front('depends_on: [c, b]'), 'tasks/b.md': front('depends_on: a'), 'tasks/c.md': '# c\n' });
    expect((await check()).errors.map(({ path, line, column, code, message }) => [path, line, column, code, message])).toEqual([
      ['tasks/a.md', 2, 17, 'dependency-circle', '`a` depends on itself: a → b → a.'], ['tasks/b.md', 2, 1, 'dependency-circle', '`b` depends on itself: a → b → a.'],
    ]);
  });

  test('what has ended is left alone', async () => {
    expect(await said('depends_on: [gone]\nassigned_to: nobody\ncontext_files: [gone.md]', { 'tasks/x.result.md': result('x', 'failed') })).toEqual([]);
  });

  test('an id of the archive is not used again', async () => {
    expect(await said('title: again', { 'tasks/archive/2026-11/01/x.result.md': result('x', 'done') })).toEqual(['1:1 error duplicate-id → Give the file another name, or reopen the old task with `cambium task reopen x`.']);
  });

  test('an archived task that failed does not count as done, and one whose result cannot be read is none', async () => {
    const archived = { 'tasks/archive/2026-11/01/bad.result.md': 'torn', 'tasks/archive/2026-11/01/failed.result.md': result('failed', 'failed') };
    expect(await said('depends_on: [failed]\ncontext_files: [out.md]', archived)).toEqual([expect.stringMatching(/^3:17 warning/)]);
    expect(await said('depends_on: [bad]', archived)).toEqual([expect.stringMatching(/^2:14 error unknown-dependency/)]);
  });
});

describe('a task that nobody may take', () => {
  test.each([
    ['an agent that is not there', 'assigned_to: worker-2', ['2:1 warning unknown-agent → Did you mean `worker-1`?']],
    ['one that is near none', 'assigned_to: hailot', ['2:1 warning unknown-agent → Add it under `agents:` in cambium.yaml, or name one that is there.']],
    ['a role', 'role: reviewer', ['2:1 warning unknown-role → Give it to an agent in cambium.yaml.']],
    ['a misspelt role', 'role: cordinator', ['2:1 warning unknown-role → Did you mean `coordinator`?']],
    ['a capability', 'requires: [node, gpu]', ['2:18 warning unknown-capability → Add it to the `capabilities` of an agent in cambium.yaml.']],
    ['capabilities that no one agent has all of', 'assigned_to: lead\nrequires: [node]', ['3:1 warning no-agent-fits → Ask for less, or change an agent in cambium.yaml.']],
    ['a provider of no agent', 'provider: mycli', ['2:1 warning no-agent-fits → Ask for less, or change an agent in cambium.yaml.']],
    ['a role that another provider has', 'role: coordinator\nprovider: mycli', ['3:1 warning no-agent-fits → Ask for less, or change an agent in cambium.yaml.']],
    ['a provider that is not defined', 'provider: mycly', ['2:1 error unknown-provider → Did you mean `mycli`?']],
    ['a project', 'project: apis', ['2:1 error unknown-project → Did you mean `api`?']],
    ['a reviewer', 'review: leed', ['2:1 warning unknown-agent → Did you mean `lead`?']],
    ['nothing: somebody fits', 'role: coordinator\nreview: human', []],
  ])('%s', async (_, yaml, expected) => {
    expect(await said(yaml)).toEqual(expected);
  });

  test('who joined by claiming counts: the roster has them', async () => {
    const roster = JSON.stringify({ schema: 'cambium.roster/1', agents: [{ id: 'helper', role: 'worker', node: 'vm', capabilities: ['gpu'], provider: 'runbook', status: 'active', joined: 'a', last_active: 'b' }] });
    expect(await said('assigned_to: helper\nrequires: [gpu]', { 'agents/roster.json': roster })).toEqual([]);
  });

  test('where there are no agents yet, nobody is missed', async () => {
    expect(await said('requires: [gpu]', { 'cambium.yaml': 'schema: cambium.fleet/1\n' })).toEqual([]);
  });

  test('with a cambium.yaml that is bad, only that is told', async () => {
    expect(await said('assigned_to: nobody', { 'cambium.yaml': 'schema: cambium.fleet/1\nbranch: a..b\n' })).toEqual([]);
    expect((await check()).errors).toMatchObject([{ path: 'cambium.yaml', line: 2, column: 1 }]);
  });
});

test('cambium.yaml is held against itself', async () => {
  put({ 'cambium.yaml': 'schema: cambium.fleet/1\ndefaults: { provider: claud }\nagents:\n  a1: {}\n  a2: { provider: codxx, role: tester, fallback: [runbook, gemni] }\n', 'agents/a3.md': 'I am not in cambium.yaml.\n' });
  const { errors, warnings } = await check();
  expect([...errors, ...warnings].map(({ path, line, column, level, code }) => `${path}:${line}:${column} ${level} ${code}`)).toEqual([
    'cambium.yaml:2:13 error unknown-provider', 'cambium.yaml:5:9 error unknown-provider',
    'agents/a3.md:1:1 warning unknown-agent', 'cambium.yaml:5:26 warning unknown-role', 'cambium.yaml:5:60 warning unknown-provider',
  ]);
});

test('a constitution that is neither in the workspace nor comes with cambium is told', async () => {
  put({ 'cambium.yaml': 'schema: cambium.fleet/1\nagents:\n  a1: { constitution: grounder }\n  a2: { constitution: ours }\n  a3: { constitution: theirs }\n  a4: { constitution: ../../secret }\n', 'templates/constitutions/ours.md': '# Ours\n', 'secret.md': 'x' });
  expect((await check()).warnings.map(({ line, column, code }) => `${line}:${column} ${code}`)).toEqual(['5:9 unknown-constitution', '6:9 unknown-constitution']);
});

describe('which files are read', () => {
  test('those that git would commit: tracked, or new and not ignored; no editor\'s leftovers, no link is followed', async () => {
    put({ '.gitignore': 'tasks/private/\n', 'tasks/private/bad.md': front('priority: 9'), 'tasks/x.md~': 'old', 'tasks/.x.md.swp': 'swap', 'tasks/~$x.md': 'lock', 'tasks/tracked.md': '# a\n', 'tasks/gone.md': '# b\n', 'elsewhere/task.md': front('priority: 9') });
    gitIn(root, ['add', 'tasks/tracked.md', 'tasks/gone.md']);
    rmSync(join(root, 'tasks/gone.md'));
    put({ 'tasks/tracked.md': front('priority: 9') });
    symlinkSync('../elsewhere/task.md', join(root, 'tasks/link.md'));
    symlinkSync('../elsewhere', join(root, 'tasks/linked'));
    expect((await check()).errors.map(({ path, code }) => [path, code])).toEqual([['tasks/link.md', 'not-a-file'], ['tasks/linked', 'not-a-file'], ['tasks/tracked.md', 'bad-value']]);
  });

  test('a folder that became a link since it was committed is not looked through', async () => {
    put({ 'tasks/web/x.md': '# x\n', 'elsewhere/x.md': front('priority: 9') });
    gitIn(root, ['add', 'tasks']);
    rmSync(join(root, 'tasks/web'), { recursive: true });
    symlinkSync('../elsewhere', join(root, 'tasks/web'));
    expect((await check()).errors.map(({ path, code }) => [path, code])).toEqual([['tasks/web', 'not-a-file']]);
  });

  test('a repository inside of tasks/ is refused', async () => {
    put({ 'tasks/inner/x.md': '# x\n' });
    gitIn(join(root, 'tasks/inner'), ['init', '--quiet']);
    expect((await check()).errors.map(({ path, code }) => [path, code])).toEqual([['tasks/inner', 'not-a-file']]);
  });

  test('a pipe is not waited for, and a file of two megabytes is not read', async () => {
    put({ 'tasks/huge.md': 'x'.repeat(2_000_000) });
    execFileSync('mkfifo', [join(root, 'tasks/pipe.md')]);
    expect((await check({ paths: ['tasks'] })).errors.map(({ path, message }) => [path, /2000000 bytes/.test(message)])).toEqual([['tasks/huge.md', true]]);
    expect((await check({ paths: ['tasks/pipe.md'] })).skipped).toEqual(['tasks/pipe.md']);
  });

  test('with names, only those are spoken of, and yet all are read', async () => {
    put({ 'tasks/web/a.md': front('depends_on: [b]'), 'tasks/b.md': front('priority: 9'), 'docs/x.md': 'x', 'tasks/private.md': front('priority: 9'), '.gitignore': 'tasks/private.md\n' });
    expect(await check({ paths: ['tasks/web', 'docs/x.md'] })).toEqual({ root, files: 1, errors: [], warnings: [], skipped: ['docs/x.md'] });
    expect((await check({ cwd: join(root, 'tasks'), paths: ['b.md'] })).errors.map(({ path }) => path)).toEqual(['tasks/b.md']);
    expect((await check({ paths: ['.'] })).errors.map(({ path }) => path)).toEqual(['tasks/b.md']);
    // Who names a file wants to know, whatever git is told to ignore.
    expect((await check({ paths: [join(root, 'tasks/private.md')] })).errors.map(({ path }) => path)).toEqual(['tasks/private.md']);
  });

  test.each([['tasks/none.md', /There is no file/], ['../elsewhere.md', /outside the workspace/]])('%s is a mistake in the command', async (path, message) => {
    await expect(check({ paths: [path] })).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(message) });
  });

  test('where there is no workspace there is nothing to check', async () => {
    rmSync(join(root, 'cambium.yaml'));
    await expect(check()).rejects.toMatchObject({ code: 'not-a-workspace' });
    await expect(checkWorkspace({ cwd: dirname(root) })).rejects.toMatchObject({ code: 'not-a-workspace' });
  });
});

test('--strict makes errors of warnings', async () => {
  put({ 'tasks/x.md': front('colour: red') });
  expect(await check()).toMatchObject({ errors: [], warnings: [{ code: 'unknown-key', level: 'warning' }] });
  expect(await check({ strict: true })).toMatchObject({ errors: [{ code: 'unknown-key', level: 'error' }], warnings: [] });
});

test('findings come by place', async () => {
  put({ 'tasks/b.md': front('colour: red\npriority: 9'), 'tasks/a.md': front('priority: 9\nmodel: -x') });
  expect((await check({ strict: true })).errors.map(({ path, line }) => `${path}:${line}`)).toEqual(['tasks/a.md:2', 'tasks/a.md:3', 'tasks/b.md:2', 'tasks/b.md:3']);
});
