/** Two clones and a project over real git: its guest ref is swapped, never forced, and its landing is fenced by it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Node } from '../../../src/act/node.ts';
import { beginTenure } from '../../../src/act/project/begin.ts';
import type { Tenure } from '../../../src/act/project/guest.ts';
import { landWork } from '../../../src/act/project/landWork.ts';
import type { WorkEnd, WorkLanding } from '../../../src/act/project/landWork.ts';
import { createProjectDesk, troubleOf } from '../../../src/act/project/site.ts';
import type { ProjectSite } from '../../../src/act/project/site.ts';
import { openGitHub } from '../../../src/adapters/git/hub.ts';
import { openGitProjects } from '../../../src/adapters/git/projects.ts';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import { openWorktrees } from '../../../src/adapters/git/worktrees.ts';
import { createMemoryLocal } from '../../../src/adapters/memory/local.ts';
import { createSystemClock } from '../../../src/adapters/system/clock.ts';
import { CambiumError } from '../../../src/errors.ts';
import type { ProjectConfig } from '../../../src/model/config.ts';
import { FLEET_REF } from '../../../src/model/layout.ts';
import { openHubMirror } from '../../../src/observe/hubMirror.ts';
import type { Supervisor } from '../../../src/ports/process.ts';
import { makeProject } from '../../support/project.ts';
import type { TestProject } from '../../support/project.ts';
import { gitIn, makeBareHub, makeClone, setHook, tempDir, writeCommit } from '../../support/repo.ts';

const folder = tempDir('act-project');
const hub = join(folder.path, 'hub.git');
const closing: (() => Promise<void>)[] = [];
const OID = 'ab'.repeat(20);
let project: TestProject;
let config: ProjectConfig;
let [one, two] = [] as unknown as [ProjectSite, ProjectSite];

async function openSite(name: string): Promise<ProjectSite> {
  const gitDir = join(makeClone(join(folder.path, name), hub), '.git');
  const store = await openGitStore({ gitDir });
  const port = openGitHub({ gitDir, url: hub });
  const clock = createSystemClock();
  const mirror = await openHubMirror({ store, hub: port, local: createMemoryLocal(), branch: 'main', trackingRef: null });
  await mirror.refresh();
  const identity = { node: name, incarnation: name, machine: 'm', bootId: 'b', process: { boot_id: 'b', namespace: 'n', pid: closing.length + 1, start: 1 } };
  const node: Node = { identity, store, hub: port, mirror, clock, local: createMemoryLocal(), supervisor: { alive: async () => true } as unknown as Supervisor, version: '0', config: () => null };
  const root = join(folder.path, name);
  const projects = openGitProjects({ gitDir, commonDir: gitDir, root, stateDir: join(gitDir, 'cambium'), workDir: join(root, '.cambium'), store, hub: port, joined: { remote: 'origin', url: hub }, worktrees: openWorktrees(gitDir, join(root, '.cambium/worktrees')), clock });
  closing.push(() => projects.close(), () => store.close());
  return createProjectDesk({ node, projects: () => projects, config: () => ({ projects: { sums: config } }) }).open('sums');
}

beforeAll(async () => {
  makeBareHub(hub);
  project = makeProject(folder.path);
  config = { url: project.hub, branch: 'main', return: 'merge', setup: [], copy: [] };
  const founder = makeClone(join(folder.path, 'founder'), hub);
  const marker = writeCommit(founder, 'marker', { files: { 'fleet.json': `${JSON.stringify({ schema: 'cambium.hub/1', fleet: 'f-1', format: 1, generation: 1, branch: 'main', created: '2026-11-21T00:00:00Z' })}\n` } });
  gitIn(founder, ['push', '--quiet', hub, `${writeCommit(founder, 'main')}:refs/heads/main`, `${marker}:${FLEET_REF}`]);
  [one, two] = [await openSite('one'), await openSite('two')];
}, 60_000);

afterAll(async () => {
  for (const close of closing) await close();
  folder.remove();
});

const quiet = { say: () => undefined };
const tenure = (task: string, epoch: number, more: Partial<Tenure> = {}): Tenure => ({ task, epoch, agent: 'worker-1', claim: OID, instruction: OID, since: 0, ...more });

/** A file of its own on the project's newest branch, as its agent made it. */
async function land(site: ProjectSite, of: Tenure, base: string, more: Partial<WorkLanding> = {}, path = `${of.task}.txt`): Promise<WorkEnd> {
  const { store } = site.node;
  const { tree } = await store.readCommit(base);
  const made = await store.editTree(tree, new Map([[path, { mode: '100644', oid: await store.writeBlob(Buffer.from(`epoch ${of.epoch}\n`)) }]]));
  return landWork(site, { tenure: of, title: 'A title', base, work: { tree: made, head: null }, target: 'merge', fenced: true, verifiedOn: null, told: { report: 'Done.' }, ...more }, 5_000);
}

const begun = async (site: ProjectSite, of: Tenure): Promise<{ readonly base: string; readonly work: unknown }> => {
  const begin = await beginTenure(quiet, site, of);
  if (begin.state !== 'begun') throw new Error(begin.state);
  return begin;
};

describe('a guest ref', () => {
  test('of two epochs that begin at once ends at the higher one, and only that can land', async () => {
    const gate = join(folder.path, 'gate');
    mkdirSync(gate);
    // Both have read before either writes.
    setHook(project.hub, 'pre-receive', `touch '${gate}'/$$; n=0\nwhile [ "$(ls '${gate}' | wc -l)" -lt 2 ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n+1)); done`);
    const [low, high] = await Promise.all([beginTenure(quiet, one, tenure('race', 1)), beginTenure(quiet, two, tenure('race', 2))]);
    setHook(project.hub, 'pre-receive', null);
    expect(high.state).toBe('begun');
    expect(project.guests('race').at(-1)).toBe('claim 2');
    const base = project.refs().get('refs/heads/main') as string;
    if (low.state === 'begun') expect((await land(one, tenure('race', 1), base)).end).toMatchObject({ state: 'dropped', drop: { code: 'fenced' } });
    expect((await land(two, tenure('race', 2), base)).end.state).toBe('published');
    expect([project.landings('race').length, project.guests('race').at(-1)]).toEqual([1, 'landed 2']);
  });

  test('begun twice in one epoch is begun once', async () => {
    await begun(one, tenure('again', 1));
    await begun(one, tenure('again', 1));
    expect(project.guests('again')).toEqual(['claim 1']);
  });
});

describe('work that has landed', () => {
  test('is found by the next epoch with what was told of it, and landed again by nobody', async () => {
    const { base } = await begun(one, tenure('found', 1));
    const { end } = await land(one, tenure('found', 1), base);
    expect(end.state).toBe('published');
    const next = await begun(two, tenure('found', 2));
    expect(next.work).toMatchObject({ commit: project.landings('found')[0], branch: 'main', record: { kind: 'landed', epoch: 1, report: 'Done.' } });
    expect((await land(two, tenure('found', 2), next.base)).end).toMatchObject({ state: 'published', value: { commit: project.landings('found')[0] } });
    expect(project.landings('found')).toHaveLength(1);
    // After a reopen at epoch 2, and for another text, it does not count.
    expect((await begun(one, tenure('found', 3, { since: 2 }))).work).toBeNull();
    expect((await begun(one, tenure('found', 4, { instruction: 'cd'.repeat(20) }))).work).toBeNull();
  });

  test('is found by its trailers where the guest ref is gone', async () => {
    const { base } = await begun(one, tenure('lost', 1));
    await land(one, tenure('lost', 1), base);
    gitIn(project.hub, ['update-ref', '-d', 'refs/cambium/guests/f-1/lost']);
    expect((await begun(two, tenure('lost', 2))).work).toMatchObject({ commit: project.landings('lost')[0], record: null });
    // Another fleet's task of the same name is another task.
    expect((await begun(two, tenure('lost-not', 2))).work).toBeNull();
  });

  test('on a branch for review is found there, and also once its people have merged it', async () => {
    config = { ...config, return: 'review' };
    const { base } = await begun(one, tenure('shown', 1));
    expect((await land(one, tenure('shown', 1), base, { target: 'review' })).end).toMatchObject({ state: 'published', value: { branch: 'review/shown' } });
    expect((await begun(two, tenure('shown', 2))).work).toMatchObject({ branch: 'review/shown' });
    gitIn(project.home, ['fetch', '--quiet', 'origin', 'review/shown', 'main']);
    gitIn(project.home, ['checkout', '--quiet', '--detach', 'origin/main']);
    gitIn(project.home, ['merge', '--quiet', '--no-edit', '--no-ff', 'origin/review/shown']);
    gitIn(project.home, ['push', '--quiet', 'origin', 'HEAD:main', ':review/shown']);
    gitIn(project.home, ['checkout', '--quiet', 'main']);
    expect((await begun(one, tenure('shown', 3))).work).toMatchObject({ branch: 'review/shown' });
    expect(project.refs().has('refs/heads/review/shown')).toBe(false);
    config = { ...config, return: 'merge' };
  });

  test('whose branch was taken away half-way is brought back as it was', async () => {
    const { base } = await begun(one, tenure('half', 1));
    await land(one, tenure('half', 1), base, { target: 'push' });
    const commit = project.refs().get('refs/heads/cambium/half') as string;
    gitIn(project.hub, ['update-ref', '-d', 'refs/heads/cambium/half']);
    expect((await begun(two, tenure('half', 2))).work).toMatchObject({ commit, branch: 'cambium/half' });
    expect(project.refs().get('refs/heads/cambium/half')).toBe(commit);
  });
});

describe('work that cannot land', () => {
  test('because it conflicts says where', async () => {
    const { base } = await begun(one, tenure('clash', 1));
    project.push({ 'clash.txt': 'theirs\n' });
    expect((await land(one, tenure('clash', 1), base)).end).toMatchObject({ state: 'dropped', drop: { code: 'conflict', detail: 'the work conflicts with main of the project sums in clash.txt' } });
  });

  test('because the branch is protected goes to review, told in the guest record too', async () => {
    const { base } = await begun(one, tenure('guarded', 1));
    setHook(project.hub, 'pre-receive', 'grep -q refs/heads/main && { echo protected >&2; exit 1; }; exit 0');
    const { end, notes } = await land(one, tenure('guarded', 1), base);
    setHook(project.hub, 'pre-receive', null);
    expect([end.state, notes]).toEqual(['published', [expect.stringMatching(/^The host of the project sums refuses pushes to main .*review\/guarded there/)]]);
    expect((await begun(two, tenure('guarded', 2))).work).toMatchObject({ branch: 'review/guarded', record: { notes } });
  });

  test('because its verify was green on an older branch waits', async () => {
    const { base } = await begun(one, tenure('older', 1));
    project.push({ 'meanwhile.txt': 'x\n' });
    expect((await land(one, tenure('older', 1), base, { verifiedOn: base })).end).toMatchObject({ state: 'dropped', drop: { code: 'not-ready' } });
    // A conflict is told first: there is no merge to verify.
    project.push({ 'older.txt': 'theirs\n' });
    expect((await land(one, tenure('older', 1), base, { verifiedOn: base })).end).toMatchObject({ state: 'dropped', drop: { code: 'conflict' } });
  });
});

test('a branch that the project does not have is named with the mend', async () => {
  config = { ...config, branch: 'trunk' };
  const elsewhere = await openSite('three');
  config = { ...config, branch: 'main' };
  await expect(beginTenure(quiet, elsewhere, tenure('nowhere', 1))).rejects.toMatchObject({ code: 'bad-config', message: 'The project sums has no branch trunk.' });
});

test.each([
  [new CambiumError('hub-away', 'away'), { state: 'passing', reason: 'away' }],
  [new CambiumError('bad-config', 'no such', { hint: 'Add it.' }), { state: 'lasting', reason: 'no such Add it.' }],
  [new CambiumError('disk-full', 'full'), null],
  [new Error('a bug'), null],
])('%s is told from what is no matter of a project', (error, trouble) => {
  expect(troubleOf(error)).toEqual(trouble);
});
