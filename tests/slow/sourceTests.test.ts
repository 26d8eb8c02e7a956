/**
 * The three tests of the document that this project grew from, with its own instruction files: one worker, three workers,
 * and a real application. The coordinator is a program that has only the library; workers have only the command line, and
 * of a task only what its claim says.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliPath, start } from '../support/cli.ts';
import type { Ran } from '../support/cli.ts';
import { makeFleet } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

const WORKER = fileURLToPath(new URL('../support/literalWorker.mjs', import.meta.url));
const fixture = (name: string): string => readFileSync(new URL(`../fixtures/source/${name}`, import.meta.url), 'utf8');
const hasFlask = spawnSync('python3', ['-c', 'import flask, pytest'], { stdio: 'ignore' }).status === 0;

interface Task {
  readonly description: string;
  readonly instruction_file: string;
  readonly [key: string]: unknown;
}

/** Runs a coordinator in a process of its own: it writes the instruction files, adds the tasks, and waits until all have ended. */
async function coordinate(fleet: TestFleet, files: Readonly<Record<string, string>>, tasks: readonly Task[]): Promise<Ran> {
  const script = `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { openWorkspace } from ${JSON.stringify(cliPath().replace(/cli\.js$/, 'index.js'))};
    const workspace = await openWorkspace();
    for (const [path, text] of Object.entries(${JSON.stringify(files)})) writeFileSync(path, text);
    for (const task of ${JSON.stringify(tasks)}) console.log('added', (await workspace.addTask(task)).task);
    const open = (counts) => counts.ready + counts.held + counts.blocked + counts.waiting;
    let status = await workspace.queueStatus();
    for (const end = Date.now() + 120_000; open(status.counts) > 0 && Date.now() < end; status = await workspace.queueStatus()) await new Promise((resolve) => setTimeout(resolve, 300));
    console.log(JSON.stringify({ counts: status.counts, workers: await workspace.activeWorkers() }));
    await workspace.close();
  `;
  return start(process.execPath, ['--input-type=module', '-e', script], { cwd: fleet.home.path, env: fleet.env }).ended;
}

const workers = (seats: readonly Seat[], agents: readonly string[], idle: string): readonly Promise<Ran>[] =>
  seats.map((seat, at) => start(process.execPath, [WORKER, cliPath(), agents[at] as string, idle], { cwd: seat.path }).ended);

const worked = (seat: Seat, agent: string): readonly string[] => (seat.read(`${agent}.log`) ?? '').trim().split('\n').filter((line) => line !== '');

describe('a single worker', () => {
  let fleet: TestFleet;
  let seat: Seat;
  let [coordinator, worker]: [Ran | null, Ran | null] = [null, null];

  beforeAll(async () => {
    fleet = await makeFleet();
    seat = await fleet.seat('vm-a');
    const names = [1, 2, 3].map((n) => `test-task-${n}-instructions.md`);
    const files = Object.fromEntries(names.map((name) => [`tasks/${name}`, fixture(name)]));
    const tasks = names.map((name, at): Task => ({
      id: `test-task-${at + 1}`, description: `Test task ${at + 1}`, instruction_file: `tasks/${name}`, context_files: [], assigned_to: 'worker-1', status: 'pending', metadata: { working_directory: 'test-output', estimated_minutes: 1 },
      ...(at === 2 ? { depends_on: ['test-task-1', 'test-task-2'] } : {}),
    }));
    const [running] = workers([seat], ['worker-1'], '5s');
    coordinator = await coordinate(fleet, files, tasks);
    worker = (await running) ?? null;
  }, 180_000);
  afterAll(() => fleet.close());

  it('does three tasks by the content of their instruction files alone', () => {
    expect(coordinator).toMatchObject({ exit: 0, stderr: '' });
    expect(coordinator?.stdout).toContain('"done":3');
    expect(fleet.onMain('test-output/hello.txt')).toBe('Hello from VPS!');
    expect(JSON.parse(fleet.onMain('test-output/data.json') ?? '')).toMatchObject({ test: true, timestamp: expect.stringMatching(/^\d{4}-/) as string });
    expect(fleet.onMain('test-output/manifest.txt')?.split('\n')).toEqual(['data.json', 'hello.txt']);
    expect(worked(seat, 'worker-1').toSorted()).toEqual(['test-task-1 0', 'test-task-2 0', 'test-task-3 0']);
    expect(worked(seat, 'worker-1').at(-1)).toBe('test-task-3 0');
  });

  it('shuts down by itself when it has been idle for long enough', () => {
    expect(worker).toMatchObject({ exit: 0, stderr: '' });
  });

  it('the instruction files became the tasks: there is no fourth one, and no copy is left', async () => {
    expect((await fleet.home.json<{ tasks: { id: string }[] }>(['task', 'list'])).data.tasks.map(({ id }) => id).toSorted()).toEqual(['test-task-1', 'test-task-2', 'test-task-3']);
    expect(fleet.home.read('tasks/test-task-1-instructions.md')).toBeNull();
  });
});

describe('three workers on three machines', () => {
  let fleet: TestFleet;
  let seats: readonly Seat[];
  const agents = ['worker-1', 'worker-2', 'worker-3'];

  beforeAll(async () => {
    fleet = await makeFleet();
    seats = await Promise.all(['vm-1', 'vm-2', 'vm-3'].map((name) => fleet.seat(name)));
    const tasks = Array.from({ length: 10 }, (_, at): Task => ({ id: 1731159000100 + at, description: `Write part ${at}`, instruction_file: `tasks/task-${1731159000100 + at}-instructions.md`, context_files: at % 3 === 0 ? ['docs/spec.md'] : [] }));
    const files = Object.fromEntries(tasks.map(({ instruction_file: path }, at) => [path, `# Task: Write part ${at}\n\n## Steps\n1. Create file: parts/${at}.txt\n2. Content: part ${at} of ten\n`]));
    fleet.push({ 'docs/spec.md': '# Ten parts\n' });
    const running = workers(seats, agents, '6s');
    expect(await coordinate(fleet, files, tasks)).toMatchObject({ exit: 0, stdout: expect.stringContaining('"done":10') as string });
    for (const worker of running) expect(await worker).toMatchObject({ exit: 0, stderr: '' });
  }, 240_000);
  afterAll(() => fleet.close());

  it('complete all ten, and no task was claimed twice', () => {
    for (let at = 0; at < 10; at++) {
      expect(fleet.onMain(`parts/${at}.txt`)).toBe(`part ${at} of ten`);
      expect(fleet.chain(`task-${1731159000100 + at}`).map(({ kind, epoch }) => `${kind} ${epoch}`)).toEqual(['claim 1', 'done 1']);
    }
  });

  it('share the work', () => {
    const shares = seats.map((seat, at) => worked(seat, agents[at] as string).length);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(10);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  });
});

describe.skipIf(!hasFlask)(`a real application${hasFlask ? '' : ' (skipped: python3-flask and python3-pytest are not installed)'}`, () => {
  let fleet: TestFleet;

  beforeAll(async () => {
    fleet = await makeFleet();
    const seats = await Promise.all(['vm-1', 'vm-2'].map((name) => fleet.seat(name)));
    const names = ['flask-app-structure', 'flask-hello-endpoint', 'flask-time-endpoint', 'flask-test'];
    const files = Object.fromEntries(names.map((name) => [`tasks/${name}.md`, fixture(`${name}.md`)]));
    const app = { context_files: ['flask-demo/app.py'] };
    const tasks: Task[] = [
      { description: 'Create Flask App Structure', instruction_file: 'tasks/flask-app-structure.md' },
      { description: 'Implement /hello Endpoint', instruction_file: 'tasks/flask-hello-endpoint.md', ...app, depends_on: ['flask-app-structure'], metadata: { acceptance_criteria: ['/hello route added to app.py'] } },
      { description: 'Implement /time Endpoint', instruction_file: 'tasks/flask-time-endpoint.md', ...app, depends_on: ['flask-hello-endpoint'] },
      { description: 'Create Tests for Flask API', instruction_file: 'tasks/flask-test.md', ...app, depends_on: ['flask-time-endpoint'], verify: 'cd flask-demo && PYTHONDONTWRITEBYTECODE=1 python3 -m pytest -q -p no:cacheprovider', metadata: { acceptance_criteria: ['test_app.py created', 'Tests pass when run'] } },
    ];
    const running = workers(seats, ['worker-1', 'worker-2'], '6s');
    expect(await coordinate(fleet, files, tasks)).toMatchObject({ exit: 0, stdout: expect.stringContaining('"done":4') as string });
    await Promise.all(running);
  }, 240_000);
  afterAll(() => fleet.close());

  it('is built from four instruction files, and its own tests are green', () => {
    expect(fleet.onMain('tasks/flask-test.result.md')).toMatch(/exit: 0/);
    for (const file of ['app.py', 'requirements.txt', 'README.md', 'test_app.py']) expect(fleet.onMain(`flask-demo/${file}`), file).not.toBeNull();
  });

  it('both endpoints answer over HTTP', async () => {
    expect((await fleet.home.cambium(['sync'])).exit).toBe(0);
    const port = await freePort();
    const server = spawn('python3', ['-c', `import sys; sys.path.insert(0, 'flask-demo'); from app import app; app.run(host='127.0.0.1', port=${port})`], { cwd: fleet.home.path, stdio: 'ignore' });
    try {
      expect(await ask(`http://127.0.0.1:${port}/hello`)).toEqual({ message: 'Hello from Flask!', status: 'success' });
      expect(await ask(`http://127.0.0.1:${port}/time`)).toMatchObject({ timezone: 'UTC' });
    } finally {
      server.kill('SIGKILL');
    }
  }, 60_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

/** The server needs a moment to listen. */
async function ask(url: string): Promise<unknown> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(url)).json();
    } catch (error) {
      if (tries === 100) throw error;
      await wait(100);
    }
  }
}
