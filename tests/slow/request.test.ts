/**
 * From one sentence to a running fleet: a person asks, a coordinator cuts it into the source's own instruction files, workers on
 * two machines carry them out, and the coordinator is told and reports. Coordinator and workers are programs, so that it is the same each time.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsck, makeFleet, run } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import type { Ran } from '../support/cli.ts';

const hasFlask = spawnSync('python3', ['-c', 'import flask, pytest'], { stdio: 'ignore' }).status === 0;
const script = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const FIXTURES = fileURLToPath(new URL('../fixtures/source', import.meta.url));
const PYTEST = 'cd flask-demo && PYTHONDONTWRITEBYTECODE=1 python3 -m pytest -q -p no:cacheprovider';

const config = (agents: string, providers: Readonly<Record<string, readonly string[]>>): string => [
  'schema: cambium.fleet/1', 'branch: main', 'timings: { ttl: 30s, fetch: 300ms, rescan: 5s }', 'defaults: { provider: worker, max_attempts: 1, timeout_minutes: 5 }', 'agents:', agents,
  `providers: ${JSON.stringify(Object.fromEntries(Object.entries(providers).map(([name, argv]) => [name, { kind: 'command', command: [process.execPath, ...argv] }])))}`, '',
].join('\n');

interface Told {
  readonly requests: readonly { readonly id: string; readonly state: string; readonly rounds: number; readonly tasks: readonly { readonly id: string; readonly state: string; readonly agent: string }[] }[];
}

describe('a small web API from one sentence, built on two machines', () => {
  let fleet: TestFleet;
  let asked: Ran;
  let b: Seat;

  beforeAll(async () => {
    fleet = await makeFleet({
      config: config('  lead: { role: coordinator, node: vm-a, provider: lead }\n  worker-1: { role: worker, node: vm-a }\n  worker-2: { role: worker, node: vm-b }', {
        lead: [script('literalCoordinator.mjs'), FIXTURES, hasFlask ? PYTEST : ''], worker: [script('literalAgent.mjs')],
      }),
    });
    const seats = await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)));
    b = seats[1] as Seat;
    for (const seat of seats) seat.up();
    asked = await fleet.home.cambium(['request', 'Build a small web API with /hello and /time, with tests.', '--wait', '150s']);
  }, 240_000);
  afterAll(() => fleet.close());

  it('the person sees each task added, claimed and done, and the coordinator\'s words, as they come', () => {
    expect(asked.stderr).toBe('');
    const lines = asked.stdout.split('\n');
    const at = (text: string): number => lines.findIndex((line) => line.includes(text));
    const order = ['lead is asked', 'lead: I have cut it into three tasks', 'flask-time: added', 'flask-hello: done by worker-2 on vm-b', 'flask-time: done by worker-1 on vm-a', 'flask-test: added', 'flask-test: done by', 'lead: @human The web API stands', 'Done: 4 tasks.'].map(at);
    expect(order, asked.stdout).not.toContain(-1);
    expect(order, asked.stdout).toEqual(order.toSorted((one, two) => one - two));
    expect(asked.exit).toBe(0);
  });

  it('every node says that it is done, after two rounds', async () => {
    await fleet.until('vm-b sees it', async () => (await b.json<Told>(['request', 'list'])).data.requests[0]?.state === 'done');
    const { data } = await b.json<Told>(['request', 'list']);
    expect(data.requests).toHaveLength(1);
    expect(data.requests[0]).toMatchObject({ state: 'done', rounds: 2 });
    expect(data.requests[0]?.tasks.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual(['flask-app-structure done', 'flask-hello done', 'flask-test done', 'flask-time done']);
    expect((await b.cambium(['status'])).stdout).not.toContain('Requests');
  });

  it('each task says which request and which spawn it comes from, and the tree of spawns shows it', async () => {
    const request = (await b.json<Told>(['request', 'list'])).data.requests[0]?.id;
    const spawns = ['flask-app-structure', 'flask-hello', 'flask-time', 'flask-test'].map((id) => {
      expect(fleet.onMain(`tasks/${id}.md`)).toMatch(new RegExp(`^request: ${request}$`, 'm'));
      return /^spawned_by: (\w{26})$/m.exec(fleet.onMain(`tasks/${id}.md`) ?? '')?.[1];
    });
    expect(new Set(spawns.slice(0, 3)).size).toBe(1);
    expect(spawns[3]).not.toBe(spawns[0]);
    const { data } = await b.json<{ chains: readonly { readonly id: string; readonly children: readonly { readonly task: string; readonly depth: number }[] }[] }>(['spawn', 'chain', spawns[0] as string]);
    expect(data.chains).toHaveLength(1);
    expect(data.chains[0]?.children.map(({ task, depth }) => `${task} ${depth}`).toSorted()).toEqual(['flask-app-structure 1', 'flask-hello 1', 'flask-time 1']);
  });

  it.skipIf(!hasFlask)('its own tests are green in a plain git clone', async () => {
    const path = join(fleet.root, 'deployed');
    await run('git', ['clone', '--quiet', fleet.hub, path], fleet.root);
    const ran = await run('sh', ['-c', PYTEST], path);
    rmSync(path, { recursive: true });
    expect(ran).toMatchObject({ exit: 0, stdout: expect.stringContaining('2 passed') as string });
    expect(fsck(fleet.hub)).toBe('');
  });
});

describe('an agent that hands on a part of its task and waits for it', () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await makeFleet({
      config: config('  worker-1: { role: worker, node: vm-a }\n  worker-2: { role: worker, node: vm-b }', { worker: ['--input-type=module', '-e', `
        import { spawnSync } from 'node:child_process';
        import { writeFileSync } from 'node:fs';
        const cambium = (...args) => spawnSync('cambium', args, { encoding: 'utf8' });
        const { CAMBIUM_TASK: task, CAMBIUM_RESULT_FILE: result } = process.env;
        if (task === 'whole') {
          const added = cambium('task', 'add', 'The part', '--id', 'part');
          const deeper = cambium('task', 'wait', 'part', '--timeout', '100s', '--reports');
          const bad = cambium('task', 'wait', 'nowhere');
          writeFileSync(result, [added.status, deeper.status, bad.status, deeper.stdout, bad.stderr].join('\\n'));
        } else writeFileSync(result, 'The part is done.');
      `] }),
    });
    const seats = await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)));
    fleet.push({ 'tasks/whole.md': '---\ntitle: The whole\nassigned_to: worker-1\n---\n# The whole\n' });
    for (const seat of seats) seat.up();
    await fleet.until('the whole has ended', () => fleet.onMain('tasks/whole.result.md'), 120_000);
  }, 180_000);
  afterAll(() => fleet.close());

  it('gets the outcome and the report of the part, which another machine did meanwhile', () => {
    const report = fleet.onMain('tasks/whole.result.md') ?? '';
    expect(report).toContain('\n0\n0\n1\n');
    expect(report).toContain('part: done by worker-2 on vm-b\n    The part is done.');
    expect(report).toContain('There is no task nowhere.');
    expect(report).toContain('A file in your worktree becomes a task when you end.');
  });

  it('is its parent, by the task and by the spawn', async () => {
    const spawn = /^spawns: \[\s*"?(\w+)"?\s*\]$/m.exec(fleet.onMain('tasks/whole.result.md') ?? '')?.[1];
    expect(fleet.onMain('tasks/part.md')).toContain(`parent: whole\nspawned_by: ${spawn}\n`);
    const { data } = await fleet.home.json<{ chains: readonly { readonly task: string; readonly children: readonly { readonly task: string; readonly depth: number }[] }[] }>(['spawn', 'chain', spawn as string]);
    expect(data.chains.map(({ task, children }) => [task, children.map((child) => `${child.task} ${child.depth}`)])).toEqual([['whole', ['part 1']]]);
  });

  it('exits 1 for what failed and 75 when time is up', async () => {
    fleet.push({ 'tasks/nobody.md': '---\ntitle: Nobody can\nrequires: [wings]\n---\n# Nobody can\n' });
    await fleet.home.cambium(['sync']);
    expect(await fleet.home.cambium(['task', 'wait', 'whole', 'nobody', '--timeout', '2s'])).toMatchObject({ exit: 75, stdout: expect.stringMatching(/^whole: done by worker-1 on vm-a\nTime is up; still going on:\n {2}nobody: ready/) as string });
    await fleet.home.cambium(['task', 'cancel', 'nobody']);
    expect(await fleet.home.json(['task', 'wait', 'whole', 'nobody'])).toMatchObject({ exit: 1, data: { tasks: [{ id: 'whole', state: 'done', settled: true }, { id: 'nobody', state: 'cancelled' }], waiting: [] } });
  });
});
