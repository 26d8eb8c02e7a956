/** Projects over git: a bare repository each, and the workspace's own hub for `.`. */
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGitHub } from '../../../../src/adapters/git/hub.ts';
import { openGitProjects } from '../../../../src/adapters/git/projects.ts';
import type { GitProjectsOptions } from '../../../../src/adapters/git/projects.ts';
import { openGitStore } from '../../../../src/adapters/git/store.ts';
import { openWorktrees } from '../../../../src/adapters/git/worktrees.ts';
import { createSystemClock } from '../../../../src/adapters/system/clock.ts';
import type { ProjectConfig } from '../../../../src/model/config.ts';
import type { Project, Projects } from '../../../../src/ports/projects.ts';
import type { Store } from '../../../../src/ports/store.ts';
import { gitIn, makeBareHub, makeClone, refsOf, setHook, tempDir } from '../../../support/repo.ts';
import { LIBRARY, makeProject } from '../../../support/project.ts';
import type { TestProject } from '../../../support/project.ts';

const folder = tempDir('projects');
let at = '';
let number = 0;
let project: TestProject;
let projects: Projects;
let store: Store;
let options: GitProjectsOptions;

const config = (url: string, more: Partial<ProjectConfig> = {}): ProjectConfig => ({ url, branch: 'main', return: 'merge', setup: [], copy: [], ...more });

beforeEach(async () => {
  at = join(folder.path, `${++number}`);
  mkdirSync(at);
  project = makeProject(at);
  const hub = makeBareHub(join(at, 'hub.git'));
  const clone = makeClone(join(at, 'clone'), hub);
  const gitDir = join(clone, '.git');
  writeFileSync(join(clone, 'a'), 'a\n');
  gitIn(clone, ['add', '--all']);
  gitIn(clone, ['commit', '--quiet', '-m', 'first']);
  store = await openGitStore({ gitDir });
  options = {
    gitDir, commonDir: gitDir, root: clone, stateDir: join(gitDir, 'cambium'), workDir: join(clone, '.cambium'), store, hub: openGitHub({ gitDir, url: hub, remote: 'origin' }),
    joined: { remote: 'origin', url: hub }, worktrees: openWorktrees(gitDir, join(clone, '.cambium/worktrees')), clock: createSystemClock(),
  };
  projects = openGitProjects(options);
});

afterEach(async () => {
  await projects.close();
  await store.close();
});

afterAll(() => folder.remove());

const tip = (): string => project.refs().get('refs/heads/main') as string;

async function fetched(opened: Project): Promise<string> {
  await opened.hub.fetch(new Map([['refs/heads/main', tip()]]));
  return tip();
}

describe('a project', () => {
  test('has a repository of its own in the git directory, made once, with worktrees beside the workspace\'s', async () => {
    const opened = await projects.open('sums', config(project.hub));
    expect([await opened.takesGuests(), opened.isOwnHub]).toEqual([true, false]);
    const path = await opened.worktrees.create('job-1', await fetched(opened));
    expect(path).toBe(options.worktrees.path('job-1'));
    expect(readFileSync(join(path, 'src/sum.js'), 'utf8')).toBe(LIBRARY['src/sum.js']);
    await opened.worktrees.remove('job-1');
    const [name] = readdirSync(join(options.stateDir, 'projects'));
    expect(name).toMatch(/^sums-[0-9a-f]{8}\.git$/);
    expect(gitIn(join(options.stateDir, 'projects', name as string), ['worktree', 'list', '--porcelain'])).not.toContain('job-1');
    expect(await projects.open('sums', config(project.hub, { return: 'review' }))).toBe(opened);
    // What waits to be pushed there must not go elsewhere when the address is edited.
    const other = makeProject(at, 'other');
    await projects.open('sums', config(other.hub));
    expect(readdirSync(join(options.stateDir, 'projects'))).toHaveLength(2);
  });

  test('is found by a path from the workspace\'s top', async () => {
    const opened = await projects.open('sums', config('../sums.git'));
    expect(await opened.hub.list()).toEqual(project.refs());
  });

  test('is probed once: the probe\'s refs are gone, and a second process asks nothing', async () => {
    expect(await (await projects.open('sums', config(project.hub))).takesGuests()).toBe(true);
    expect([...project.refs().keys()]).toEqual(['refs/heads/main']);
    setHook(project.hub, 'pre-receive', 'exit 1');
    const again = openGitProjects(options);
    expect(await (await again.open('sums', config(project.hub))).takesGuests()).toBe(true);
    await again.close();
  });

  test('of a host that takes no refs below refs/cambium/ has no guests, until it takes them', async () => {
    setHook(project.hub, 'pre-receive', 'grep -q refs/cambium/ && { echo "no refs of yours" >&2; exit 1; }; exit 0');
    expect(await (await projects.open('sums', config(project.hub))).takesGuests()).toBe(false);
    setHook(project.hub, 'pre-receive', null);
    const again = openGitProjects(options);
    expect(await (await again.open('sums', config(project.hub))).takesGuests()).toBe(true);
    await again.close();
  });

  test('of a host without atomic pushes is refused by name', async () => {
    gitIn(project.hub, ['config', 'receive.advertiseAtomic', 'false']);
    await expect((await projects.open('sums', config(project.hub))).takesGuests()).rejects.toMatchObject({ code: 'hub-unfit', message: expect.stringContaining('project sums') as string });
  });

  test('that was opened once is opened while its host is away: what is kept here must be reached', async () => {
    await projects.open('sums', config(project.hub));
    renameSync(project.hub, `${project.hub}.away`);
    const again = openGitProjects(options);
    const opened = await again.open('sums', config(project.hub));
    await expect(opened.takesGuests()).rejects.toMatchObject({ code: expect.stringMatching(/^hub-/) as string });
    renameSync(`${project.hub}.away`, project.hub);
    expect(await opened.takesGuests()).toBe(true);
    await again.close();
  });

  test('that is not there is away, and there when it has come', async () => {
    const url = join(at, 'later.git');
    await expect(projects.open('later', config(url))).rejects.toMatchObject({ code: expect.stringMatching(/^hub-/) as string });
    makeProject(at, 'later');
    expect(await (await projects.open('later', config(url))).takesGuests()).toBe(true);
  });

  test('without a commit is named as such', async () => {
    const url = makeBareHub(join(at, 'empty.git'));
    await expect(projects.open('empty', config(url))).rejects.toMatchObject({ code: 'bad-config' });
  });

  test('in sha256 gets a repository in sha256', async () => {
    const url = makeBareHub(join(at, 'wide.git'), 'sha256');
    const home = makeClone(join(at, 'wide-home'), url, 'sha256');
    gitIn(home, ['commit', '--quiet', '--allow-empty', '-m', 'first']);
    gitIn(home, ['push', '--quiet', 'origin', 'HEAD:refs/heads/main']);
    expect((await projects.open('wide', config(url))).store.objectFormat).toBe('sha256');
  });

  test.each([['.', '.'], ['the hub\'s own address', 'hub']])('at %s is the workspace\'s own hub', async (_name, url) => {
    const opened = await projects.open('code', config(url === 'hub' ? (options.joined?.url as string) : url));
    expect([opened.isOwnHub, opened.store, opened.hub]).toEqual([true, store, options.hub]);
  });

  test('at . is the clone itself while that has joined no hub', async () => {
    const alone = openGitProjects({ ...options, joined: null });
    const opened = await alone.open('code', config('.'));
    expect(await opened.hub.list()).toEqual(new Map([['refs/heads/main', gitIn(options.root, ['rev-parse', 'HEAD'])]]));
    const head = gitIn(options.root, ['rev-parse', 'HEAD']);
    expect(await opened.hub.push([{ ref: 'refs/heads/review/job', expect: null, to: head }])).toEqual({ kind: 'accepted' });
    // What a person has checked out is theirs: git refuses to move it, and that is a rule of the host's.
    expect(await opened.hub.push([{ ref: 'refs/heads/main', expect: head, to: await commitOn(head) }])).toMatchObject({ kind: 'refused', policy: true });
    expect(refsOf(options.root).get('refs/heads/main')).toBe(head);
  });
});

const who = { name: 'a', email: 'a@example.org', seconds: 0, zone: '+0000' };

async function commitOn(parent: string): Promise<string> {
  return store.writeCommit({ tree: (await store.readCommit(parent)).tree, parents: [parent], author: who, committer: who, message: 'x\n' });
}

describe('ignored files', () => {
  test('are skipped with a word where the project has no folder here', async () => {
    const bare = await projects.open('bare', config(project.hub));
    expect(await bare.outfit.copy(at, ['.env', 'node_modules'])).toEqual(['.env, node_modules: the project has no folder on this machine to copy from.']);
    expect(await bare.outfit.copy(at, [])).toEqual([]);
  });

  test('for a branch of the workspace\'s own repository come from the person\'s work tree', async () => {
    const own = await projects.open('code', config('.'));
    writeFileSync(join(options.root, '.gitignore'), '.env\n.cambium/\n');
    gitIn(options.root, ['add', '.gitignore']);
    gitIn(options.root, ['commit', '--quiet', '-m', 'ignore']);
    writeFileSync(join(options.root, '.env'), 'TOKEN=2\n');
    const path = await own.worktrees.create('code-1', gitIn(options.root, ['rev-parse', 'HEAD']));
    expect(await own.outfit.copy(path, ['.env'])).toEqual([]);
    expect(readFileSync(join(path, '.env'), 'utf8')).toBe('TOKEN=2\n');
  });

  test('come from the folder that the address names', async () => {
    const opened = await projects.open('sums', config(project.home));
    const worktree = await opened.worktrees.create('job-1', await fetched(opened));
    writeFileSync(join(project.home, '.env'), 'TOKEN=1\n');
    expect(await opened.outfit.copy(worktree, ['.env'])).toEqual([]);
    expect(readFileSync(join(worktree, '.env'), 'utf8')).toBe('TOKEN=1\n');
  });
});
