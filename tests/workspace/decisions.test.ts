/** What a look tells (a dry cycle, explain, the log of decisions) in a real workspace, and that it changes nothing. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acquireDaemonLock } from '../../src/adapters/system/daemonLock.ts';
import { openDecisionLog } from '../../src/adapters/system/decisionLog.ts';
import type { Clone } from '../../src/workspace/clone.ts';
import { openClone } from '../../src/workspace/compose.ts';
import { planCycle, runCycle } from '../../src/workspace/cycle.ts';
import type { PlannedCycle } from '../../src/workspace/cycle.ts';
import { explain } from '../../src/workspace/explain.ts';
import type { ExplainedTask } from '../../src/workspace/explain.ts';
import { readDecisions } from '../../src/workspace/log.ts';
import { inSession } from '../../src/workspace/session.ts';
import { decided } from '../contracts/decisionLog.ts';
import { gitIn } from '../support/repo.ts';
import type { Workspace } from '../../src/index.ts';
import { errorOf, makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';

let place: TestWorkspace;
const JOB = '---\ntitle: A job\n---\n# Job\n\n```sh\ntrue\n```\n';

beforeEach(async () => {
  place = await makeWorkspace({ 'tasks/job.md': JOB, 'tasks/later.md': '---\ndepends_on: [job]\n---\n# Later\n' });
  // The embedded hub is made at the first look of all.
  await (await openClone({ cwd: place.root })).close();
});
afterEach(() => place.remove());

async function claim(workspace: Workspace): Promise<{ readonly epoch: number }> {
  const won = await workspace.claimTask('helper', 'job');
  if (won === null) throw new Error('nothing was ready');
  return won;
}

async function inClone<T>(body: (clone: Clone) => Promise<T>): Promise<T> {
  const clone = await openClone({ cwd: place.root });
  try {
    return await body(clone);
  } finally {
    await clone.close();
  }
}
const plan = (agents?: readonly string[]): Promise<PlannedCycle> => inClone((clone) => planCycle(clone, { node: 'vm', agents }));
const why = (id: string): Promise<ExplainedTask> => inClone((clone) => inSession(clone, { node: 'vm', needsHub: false }, (session) => explain(session, id)));
const log = (task?: string): Promise<readonly string[]> => inClone((clone) => inSession(clone, { node: 'vm', needsHub: false }, async (session) => (await readDecisions(session, { task, limit: 20 })).map(({ kind, task: id, epoch, reason }) => `${kind} ${id} ${epoch}: ${reason}`)));

/** Every file below a folder with the hash of its content, its mode and its time of change. */
function filesOf(root: string, skip: RegExp): Readonly<Record<string, string>> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => !skip.test(path) && statSync(join(root, path)).isFile());
  return Object.fromEntries(names.toSorted().map((path) => {
    const { mode, mtimeMs } = statSync(join(root, path));
    return [path, `${createHash('sha256').update(readFileSync(join(root, path))).digest('hex')} ${mode} ${mtimeMs}`];
  }));
}

/** All that a look may not change: the hub, the work tree, index, HEAD, branches, and what the node keeps of itself. */
function world(): unknown {
  return {
    hub: filesOf(join(place.root, '.git/cambium/hub.git'), /^$/),
    refs: gitIn(place.root, ['for-each-ref', '--format=%(refname) %(objectname)']).split('\n').filter((line) => !/^refs\/(?:hub|remotes|cambium\/local\/staging)\//.test(line)),
    tree: filesOf(place.root, /^\.git(?:\/|$)/),
    // Objects, the mirror and what was read of them may be kept.
    git: filesOf(join(place.root, '.git'), /^(?:objects|refs|logs)\/|^(?:packed-refs|FETCH_HEAD)$|^cambium\/(?:hub\.git|daemon)\/|^cambium\/local\/(?:task-index|config|ages|archive-marks)/),
  };
}

describe('a dry cycle', () => {
  test('tells what would be done and why, and changes neither the hub nor the clone', async () => {
    place.write({ 'tasks/mine.md': '# Mine\n', 'notes.txt': 'no state file\n' });
    const before = world();
    const planned = await plan();
    expect(planned).toMatchObject({
      node: 'vm', agents: ['worker-1', 'rita'], daemon: false, leaves: [{ kind: 'blocked', task: 'later', reason: 'waits for job' }],
      does: [
        { kind: 'publish', task: null, reason: expect.stringMatching(/^saved in your checkout: tasks\/mine\.md; /) },
        { kind: 'claim', task: 'job', agent: 'worker-1', epoch: 1, reason: 'priority 2, the only ready task that fits worker-1' },
      ],
    });
    expect(await plan()).toEqual(planned);
    expect(world()).toEqual(before);
    expect(existsSync(join(place.root, '.git/cambium/decisions'))).toBe(false);
  });

  test('keeps its hands off the runs of an earlier life, and tells what becomes of them', async () => {
    const record = join(place.root, '.git/cambium/local/runs/job.1.json');
    mkdirSync(join(record, '..'), { recursive: true });
    writeFileSync(record, JSON.stringify({ task: 'job', epoch: 1, agent: 'worker-1', incarnation: 'gone', phase: 'working', claim: 'c'.repeat(40), spawn: '', verifySpawn: '' }));
    const before = world();
    expect((await plan()).does).toMatchObject([{ kind: 'fence', task: 'job', reason: 'the claim is gone' }]);
    expect(world()).toEqual(before);
    expect(existsSync(join(place.root, '.git/cambium/decisions'))).toBe(false);
  });

  test('acts for the agents it is asked for', async () => {
    expect((await plan(['nina'])).does).toMatchObject([{ kind: 'claim', agent: 'nina' }]);
    expect(await plan([])).toMatchObject({ does: [], leaves: [{ task: 'job', reason: 'no agent runs on vm: cambium.yaml gives it none' }, { task: 'later' }] });
  });

  test('tells of a provider that cannot run here, and of one that nobody defined', async () => {
    place.commit({ 'cambium.yaml': 'schema: cambium.fleet/1\nproviders:\n  mycli: { command: [no-such-program-anywhere] }\nagents:\n  worker-1: { role: worker, provider: mycli }\n' });
    gitIn(place.root, ['push', '--quiet', '.git/cambium/hub.git', 'HEAD:main']);
    const { does, leaves } = await plan();
    expect(does).toEqual([]);
    expect(leaves[0]).toMatchObject({ task: 'job', reason: expect.stringMatching(/^its provider cannot run here: .*no-such-program-anywhere/) });
  });

  test('tells commits that are not on the hub, and what is held back', async () => {
    place.commit({ 'tasks/third.md': '# Third\n' });
    place.write({ 'tasks/bad.md': '---\npriority: 9\n---\n# Bad\n' });
    const { does, notes } = await plan();
    expect(does[0]?.reason).toContain('your commits that are not on the hub yet');
    expect(notes).toEqual([expect.stringMatching(/^tasks\/bad\.md:\d+ is held back: .*priority/)]);
  });

  test('leaves a checkout alone in which git is at work, and says so', async () => {
    writeFileSync(join(place.root, '.git/index.lock'), '');
    expect((await plan()).notes).toEqual(['a pass over your checkout was cut short: the next cycle finishes it first']);
    expect(existsSync(join(place.root, '.git/index.lock'))).toBe(true);
  });

  test('is told beside a daemon, where a cycle is refused', async () => {
    const lock = await acquireDaemonLock(join(place.root, '.git/cambium/daemon'));
    if ('heldBy' in lock) throw new Error('somebody else has the lock');
    try {
      expect((await plan()).daemon).toBe(true);
      expect(await errorOf(inClone((clone) => runCycle(clone, { node: 'vm' })))).toMatchObject({ code: 'daemon-running' });
    } finally {
      await lock.release();
    }
  });

  test('plans the repair of a deleted task, which takes two looks, and a cycle does it', async () => {
    const workspace = await place.open();
    await claim(workspace);
    await workspace.close();
    gitIn(place.root, ['rm', '--quiet', 'tasks/job.md']);
    place.commit({});
    gitIn(place.root, ['push', '--quiet', '--force', '.git/cambium/hub.git', 'HEAD:main']);
    expect((await plan([])).does.map(({ kind, task }) => `${kind} ${task}`)).toContain('cancel job');
    expect(await inClone((clone) => runCycle(clone, { node: 'vm', agents: [] }))).toMatchObject({ acted: true });
    expect(await log('job')).toContainEqual('cancel job 1: its instruction file was deleted, which asks for a cancel');
  });
});

describe('the log of decisions', () => {
  test('tells what the chains tell, and what this node alone knows, newest first', async () => {
    expect(await log()).toEqual([]);
    const workspace = await place.open();
    const { epoch } = await claim(workspace);
    await workspace.renewTask({ task: 'job', agent: 'helper', epoch });
    await workspace.close();
    openDecisionLog(join(place.root, '.git/cambium/decisions')).append(decided('2026-01-01T00:00:00.000Z', { kind: 'drain', task: null, agent: null, epoch: null, reason: 'the node was asked to stop' }));
    const lines = await log();
    expect(lines.map((line) => line.split(':')[0])).toEqual(['renew job 1', 'claim job 1', 'drain null null']);
    expect((await log('job')).map((line) => line.split(':')[0])).toEqual(['renew job 1', 'claim job 1']);
  });
});

describe('explain', () => {
  test('tells who holds a task that was claimed by hand, and how it ended', async () => {
    const workspace = await place.open();
    const { epoch } = await claim(workspace);
    const held = await why('job');
    expect(held).toMatchObject({ state: 'held', title: 'A job' });
    expect(held.why[0]).toMatch(/^helper on vm works on it: epoch 1, attempt 1, claimed \d+ s ago$/);
    await workspace.completeTask('job', 'helper', { epoch, result: '# Report\n\n```sh\ntrue\n```\n\nIt went well.\n' });
    await workspace.close();
    const done = await why('job');
    expect(done).toMatchObject({ state: 'done', why: [expect.stringMatching(/^done by helper on vm, epoch 1, after 1 attempt, at /), 'It went well.'], mend: ['To do it again: `cambium task reopen job --reason "…"`.'] });
    expect(done.decisions.map(({ kind }) => kind)).toEqual(['done', 'claim']);
  });

  test('tells a ready task without a daemon what would make it run', async () => {
    expect(await why('job')).toMatchObject({ state: 'ready', why: ['it is ready, and no daemon runs that could take it (worker-1 on vm: no daemon runs here)'], agents: [{ agent: 'worker-1', node: 'vm', fits: true }, { agent: 'rita', fits: false, why: 'it needs the role worker' }] });
    expect(await why('later')).toMatchObject({ state: 'blocked', why: ['waits for job', expect.stringMatching(/^job is ready, and no daemon runs/)] });
  });

  test('tells a file that was saved and not published, and one that cannot be', async () => {
    place.write({ 'tasks/fresh.md': '# Fresh\n', 'tasks/bad.md': '---\npriority: 9\n---\n# Bad\n' });
    const before = world();
    expect(await why('fresh')).toMatchObject({ state: 'unpublished', title: null, why: ['tasks/fresh.md is in your checkout and not on the hub yet'], mend: ['Publish it with `cambium sync`, or run `cambium up`.'] });
    expect(await why('bad')).toMatchObject({ state: 'unpublished', why: [expect.stringContaining('priority'), 'it is in your checkout, and is not published as it is'] });
    expect(world()).toEqual(before);
  });

  test('tells of files in the archive', async () => {
    const result = '---\nschema: cambium.result/1\noutcome: done\nepoch: 1\nclaim: null\nattempts: 1\nagent: helper\nnode: vm\nended: 2026-11-21T10:00:00Z\n---\n# Report\n\nIt went well.\n';
    place.commit({ 'tasks/archive/2026-11/21/old.md': JOB, 'tasks/archive/2026-11/21/old.result.md': result, 'tasks/archive/2026-11/21/odd.md': '# Odd\n' });
    gitIn(place.root, ['push', '--quiet', '.git/cambium/hub.git', 'HEAD:main']);
    const [old, odd] = [await why('old'), await why('odd')];
    expect(old).toMatchObject({ state: 'archived', mend: [expect.stringContaining('cambium task reopen old')] });
    expect(old.why.at(-1)).toBe('its files are in the archive: tasks/archive/2026-11/21/old.result.md');
    expect(odd).toMatchObject({ state: 'archived', why: ['it has ended', 'its files are in the archive: tasks/archive/2026-11/21/odd.md'] });
    expect(await log('old')).toEqual([]);
  });

  test('offers the ids that may have been meant', async () => {
    expect(await errorOf(why('jbo'))).toMatchObject({ code: 'unknown-task', hint: 'Did you mean job?' });
    expect(await errorOf(why('zzzzzzzz'))).toMatchObject({ code: 'unknown-task', hint: 'See `cambium task list`.' });
  });
});
