/** Asking for work, handing it on and waiting for it, by the command line on a real clone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, cliJson, startCli } from '../support/cli.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

const SPAWN = '01JD0Z8M3N4P5Q6R7S8T9V0W1X';
const CONFIG = 'schema: cambium.fleet/1\nlimits: { spawn_depth: 2 }\nproviders:\n  mycli: { kind: command, command: ["true"] }\nagents:\n  worker-1: { role: worker }\n  rob: { role: coordinator }\n  zoe: { role: coordinator, provider: mycli }\n  lea: { role: coordinator, provider: mycli }\n';

describe('cambium request', () => {
  let workspace: TestWorkspace;
  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): ReturnType<typeof cli> => cli(args, { cwd: workspace.root, env });

  beforeAll(async () => { workspace = await makeWorkspace({ 'cambium.yaml': 'schema: cambium.fleet/1\nagents:\n  worker-1: { role: worker }\n' }); });
  afterAll(() => workspace.remove());

  it('says how to add a coordinator where there is none', async () => {
    expect(await run(['request', 'Build it.'])).toMatchObject({ exit: 2, stderr: expect.stringContaining('role coordinator') as string });
    expect((await run(['request', 'list'])).stdout).toContain('Nothing was asked for yet.');
  });

  it('asks the first coordinator that can answer, as the person', async () => {
    workspace.commit({ 'cambium.yaml': CONFIG });
    expect((await run(['sync'])).exit).toBe(0);
    const { data } = await cliJson<{ id: string; path: string; agent: string }>(['request', 'Build a small\nweb API.'], { cwd: workspace.root });
    expect(data).toMatchObject({ agent: 'lea', path: `agents/lea/inbox/${data.id}.md` });
    expect(workspace.onMain(data.path)).toMatch(/^from: human:[^]*^request: true$[^]*Build a small\nweb API\.$/m);
  });

  it('is listed, and shown by status while it is open', async () => {
    const { data } = await cliJson<{ requests: readonly object[] }>(['request', 'list'], { cwd: workspace.root });
    expect(data.requests).toMatchObject([{ agent: 'lea', state: 'asked', rounds: 0, tasks: [], words: [] }]);
    expect((await run(['request', 'list'])).stdout).toMatch(/asked\n {2}.+ asked lea at .+: Build a small web API\./);
    expect((await run(['status'])).stdout).toMatch(/Requests\n {2}\w{8} {2}lea: asked · Build a small web API\./);
  });

  it.each([
    ['an agent that is not there', ['request', 'Build it.', '--to', 'nobody'], {}, 2, 'names no agent nobody'],
    ['an agent that runs runbooks', ['request', 'Build it.', '--to', 'worker-1'], {}, 2, 'answers nobody'],
    ['nothing', ['request', ' '], {}, 2, 'empty'],
    ['no text at all', ['request'], {}, 2, 'What is to be done?'],
    ['an agent\'s own wish', ['request', 'Build it.'], { CAMBIUM_AGENT: 'worker-1' }, 1, 'is an agent'],
  ])('is refused for %s', async (_what, args, env, exit, words) => {
    expect(await run(args, env)).toMatchObject({ exit, stderr: expect.stringContaining(words) as string });
  });
});

describe('a task that is added from within a spawn', () => {
  let workspace: TestWorkspace;
  const add = (task: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string>> = {}): ReturnType<typeof cli> => cli(['task', 'add', '--from', '-'], { cwd: workspace.root, env, input: JSON.stringify({ description: 'A part', ...task }) });
  const within = (task: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({ CAMBIUM_AGENT: 'worker-1', CAMBIUM_SPAWN: SPAWN, CAMBIUM_TASK: task, ...more });

  beforeAll(async () => { workspace = await makeWorkspace({ 'cambium.yaml': CONFIG, 'tasks/top.md': '# Top\n' }); });
  afterAll(() => workspace.remove());

  it('has the spawn\'s task for its parent, and the request that is answered', async () => {
    expect((await add({ id: 'child' }, within('top', { CAMBIUM_REQUEST: SPAWN }))).exit).toBe(0);
    expect(workspace.onMain('tasks/child.md')).toContain(`parent: top\nrequest: ${SPAWN}\nspawned_by: ${SPAWN}\n`);
    expect((await add({ id: 'plain' })).exit).toBe(0);
    expect(workspace.onMain('tasks/plain.md')).not.toMatch(/parent|spawned_by/);
  });

  it('is refused with exit 1 where it would stand too deep, and where it would be its own ancestor', async () => {
    expect((await add({ id: 'grandchild' }, within('child'))).exit).toBe(0);
    expect(await add({ id: 'too-deep' }, within('grandchild'))).toMatchObject({ exit: 1, stderr: expect.stringContaining('would stand 3 deep, and limits.spawn_depth is 2') as string });
    expect(await add({ id: 'circle', parent: 'circle' }, within('top'))).toMatchObject({ exit: 1, stderr: expect.stringContaining('its own ancestor') as string });
    expect([workspace.onMain('tasks/too-deep.md'), workspace.onMain('tasks/circle.md')]).toEqual([null, null]);
  });

  it('and by a person may stand as deep as he likes, but never above itself', async () => {
    expect((await add({ id: 'deep', parent: 'grandchild' })).exit).toBe(0);
    expect((await add({ id: 'round', parent: 'round' })).exit).toBe(1);
  });
});

describe('cambium task wait', () => {
  let workspace: TestWorkspace;
  const run = (args: readonly string[]): ReturnType<typeof cli> => cli(args, { cwd: workspace.root });
  beforeAll(async () => { workspace = await makeWorkspace({ 'cambium.yaml': CONFIG, 'tasks/a.md': '# A\n', 'tasks/b.md': '# B\n', 'tasks/c.md': '---\ndepends_on: [nothing]\n---\n# C\n' }); });
  afterAll(() => workspace.remove());

  it('ends with the task, with its outcome and its reason', async () => {
    const waiting = startCli(['task', 'wait', 'a', '--timeout', '50s', '--reports'], { cwd: workspace.root });
    await run(['task', 'cancel', 'a', '--reason', 'not needed']);
    const ended = await waiting.ended;
    expect(ended).toMatchObject({ exit: 1, stderr: '' });
    expect(ended.stdout).toMatch(/^a: cancelled\n {4}[^]*not needed/);
  });

  it('tells a task that no daemon can help at once, and one that goes on when time is up', async () => {
    expect(await run(['task', 'wait', 'c'])).toMatchObject({ exit: 1, stdout: expect.stringContaining('c: blocked, and needs somebody: depends on nothing, which does not exist') as string });
    expect(await run(['task', 'wait', 'a', 'b', '--timeout', '1s'])).toMatchObject({ exit: 75, stdout: 'a: cancelled\nTime is up; still going on:\n  b: ready\n' });
    expect(await run(['task', 'wait', 'nowhere'])).toMatchObject({ exit: 1, stderr: expect.stringContaining('There is no task nowhere.') as string });
  });
});
