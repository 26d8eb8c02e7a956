/**
 * A fleet for end-to-end tests: one bare hub, clones with a git identity each, daemons as real processes. Whatever a
 * test started is ended by its pid when the fleet is closed, agents and their supervisors included.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { signalExactly, spawnTree } from '../../src/adapters/system/descendants.ts';
import { listProcesses, readProcess } from '../../src/adapters/system/processTable.ts';
import type { ProcessRow } from '../../src/adapters/system/processTable.ts';
import { readSupervisorRecord } from '../../src/adapters/system/spawnFiles.ts';
import { cli, cliJson, start, startCli } from './cli.ts';
import type { Ran, Reply, Running } from './cli.ts';
import { gitIn, makeBareHub, refsOf, tempDir } from './repo.ts';

export interface Daemon extends Running {
  /** Resolves with the exit when it has ended by itself; the test fails where that takes too long. */
  finished(timeoutMs?: number): Promise<Ran>;
}

export interface Seat {
  readonly name: string;
  readonly path: string;
  cambium(args: readonly string[], more?: { readonly env?: Readonly<Record<string, string>>; readonly input?: string }): Promise<Ran>;
  json<T = Record<string, unknown>>(args: readonly string[]): Promise<Reply<T>>;
  git(...args: readonly string[]): string;
  up(...args: readonly string[]): Daemon;
  write(path: string, text: string): void;
  read(path: string): string | null;
  /** Every live process of this machine: daemon, supervisors, agents with all that they started. */
  processes(): Promise<readonly ProcessRow[]>;
  /** The machine dies: nothing of it is left to say anything. */
  kill(): Promise<void>;
  /** The machine is suspended, and goes on. */
  freeze(): Promise<() => void>;
}

export interface Transition {
  readonly oid: string;
  readonly kind: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string | null;
  readonly node: string | null;
  readonly by?: string;
  readonly result?: string;
}

export interface TestFleet {
  readonly root: string;
  readonly hub: string;
  /** Address that clones use, and what their git needs for it. */
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** The clone that made the fleet. A person works there; it runs no daemon unless asked. */
  readonly home: Seat;
  /** `dist`: it runs another build, that of an earlier version. */
  seat(name: string, dist?: string): Promise<Seat>;
  /** The same clone under this version's build, as after an upgrade. */
  reopen(seat: Seat): Seat;
  /** A person's ordinary `git push` of files to main, from a clone that cambium knows nothing of. */
  push(files: Readonly<Record<string, string | null>>, message?: string): string;
  refs(): Map<string, string>;
  /** Content of a path of the hub's main, or null. */
  onMain(path: string): string | null;
  /** The transitions of a task's chain, oldest first. */
  chain(task: string): readonly Transition[];
  gitHub(...args: readonly string[]): string;
  until<T>(what: string, look: () => T | null | undefined | false | Promise<T | null | undefined | false>, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

export interface FleetOptions {
  /** cambium.yaml; by default one runbook worker on every node, at a pace for tests. */
  readonly config?: string;
  /** How clones reach the bare hub; by its path when unsaid. */
  readonly connect?: (bare: string) => Promise<Way>;
}

export interface Way {
  readonly url: string;
  /** Environment of every git of this fleet (GIT_SSH_COMMAND). */
  readonly env?: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export function config(timings = '{ ttl: 30s, fetch: 300ms, rescan: 5s }', agents = 'worker-1: { role: worker, node: "*" }'): string {
  return `schema: cambium.fleet/1\nbranch: main\ntimings: ${timings}\ndefaults: { provider: runbook, max_attempts: 3, timeout_minutes: 5 }\nagents:\n  ${agents}\n`;
}

/** An instruction file that runs the script. */
export function runbook(title: string, script: string, front: Readonly<Record<string, unknown>> = {}): string {
  const fields = Object.entries({ title, ...front }).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('');
  return `---\n${fields}---\n# ${title}\n\n\`\`\`sh\n${script.trim()}\n\`\`\`\n`;
}

export async function makeFleet(options: FleetOptions = {}): Promise<TestFleet> {
  const dir = tempDir('fleet');
  const root = dir.path;
  const hub = makeBareHub(join(root, 'hub.git'));
  const way = await options.connect?.(hub);
  const { url = hub, env = {} } = way ?? {};
  const seats: Seat[] = [];
  const running: Running[] = [];

  function openSeat(name: string, path: string, dist?: string): Seat {
    identify(path, name);
    const seat = makeSeat(name, path, env, (daemon) => void running.push(daemon), dist);
    seats.push(seat);
    return seat;
  }

  async function makeHome(): Promise<Seat> {
    const path = join(root, 'home');
    mkdirSync(path);
    gitIn(path, ['init', '--quiet', '--initial-branch=main']);
    const home = openSeat('home', path);
    await must(home, ['init']);
    home.write('cambium.yaml', options.config ?? config());
    home.git('commit', '--quiet', '--all', '-m', 'settings of the test');
    await must(home, ['join', url, '--node', 'home']);
    return home;
  }

  async function seat(name: string, dist?: string): Promise<Seat> {
    const path = join(root, name);
    const ran = await cli(['clone', url, path, '--node', name], { cwd: root, env, ...(dist === undefined ? {} : { dist }) });
    if (ran.exit !== 0) throw new Error(`cambium clone ended with ${ran.exit}: ${ran.stderr}`);
    return openSeat(name, path, dist);
  }

  const gitHub = (...args: readonly string[]): string => gitIn(hub, args);
  const home = await makeHome().catch(async (cause: unknown) => {
    await way?.close();
    dir.remove();
    throw cause;
  });
  const fleet: TestFleet = {
    root, hub, url, env, home, seat, gitHub,
    reopen: ({ name, path }) => openSeat(name, path),
    push: (files, message) => pushFiles(root, hub, files, message ?? 'files of a person'),
    refs: () => refsOf(hub),
    onMain: (path) => showOrNull(hub, `main:${path}`),
    chain: (task) => readChain(hub, task),
    until: (what, look, timeoutMs) => until(what, look, () => running.map((daemon, at) => `--- daemon ${at}\n${daemon.said()}`).join('\n'), timeoutMs),
    async close() {
      for (const { child } of running) child.kill('SIGKILL');
      for (const seat of seats) await seat.kill();
      await way?.close();
      dir.remove();
    },
  };
  return fleet;
}

function identify(path: string, name: string): void {
  gitIn(path, ['config', 'user.name', `Person ${name}`]);
  gitIn(path, ['config', 'user.email', `${name}@example.org`]);
}

async function must(seat: Seat, args: readonly string[]): Promise<void> {
  const ran = await seat.cambium(args);
  if (ran.exit !== 0) throw new Error(`cambium ${args.join(' ')} ended with ${ran.exit}:\n${ran.stdout}${ran.stderr}`);
}

function makeSeat(name: string, path: string, env: Readonly<Record<string, string>>, keep: (daemon: Running) => void, dist?: string): Seat {
  const place = { cwd: path, ...(dist === undefined ? {} : { dist }) };
  let daemon: Running | null = null;
  const live = async (): Promise<readonly ProcessRow[]> => {
    const own = daemon === null || daemon.child.exitCode !== null || daemon.child.signalCode !== null ? null : readProcess(daemon.pid);
    return [...(own === null ? [] : [own]), ...(await spawnProcesses(path))];
  };
  /** With the git commands that the daemon runs, but not what these have started: that is the hub, on a path transport. */
  const machine = async (): Promise<readonly ProcessRow[]> => {
    const children = daemon === null ? [] : listProcesses().filter(({ ppid }) => ppid === daemon?.pid);
    return [...new Map([...(await live()), ...children].map((row) => [row.pid, row])).values()];
  };
  const signalAll = async (signal: NodeJS.Signals): Promise<readonly ProcessRow[]> => {
    const rows = await machine();
    for (const row of rows) signalExactly(row, signal);
    return rows;
  };
  return {
    name, path,
    cambium: (args, more = {}) => cli(args, { ...place, env: { ...env, ...more.env }, ...(more.input === undefined ? {} : { input: more.input }) }),
    json: (args) => cliJson(args, { ...place, env }),
    git: (...args) => gitIn(path, args),
    up(...args) {
      const started = startCli(['up', ...args], { ...place, env });
      daemon = started;
      keep(started);
      return { ...started, finished: (timeoutMs = 120_000) => finished(started, name, timeoutMs) };
    },
    write(file, text) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    },
    read: (file) => (existsSync(join(path, file)) ? readFileSync(join(path, file), 'utf8') : null),
    processes: live,
    async kill() {
      // Until nothing is left: a supervisor may have started its agent between the look and the signal.
      for (let tries = 0; tries < 100 && (await signalAll('SIGKILL')).length > 0; tries++) await wait(20);
    },
    async freeze() {
      const frozen = new Map<string, ProcessRow>();
      for (let fresh = 1; fresh > 0; ) {
        const rows = (await signalAll('SIGSTOP')).filter(({ pid, start }) => !frozen.has(`${pid}.${start}`));
        for (const row of rows) frozen.set(`${row.pid}.${row.start}`, row);
        fresh = rows.length;
      }
      return () => [...frozen.values()].forEach((row) => void signalExactly(row, 'SIGCONT'));
    },
  };
}

/** Supervisors by their records, agents and all that they started by the mark in their environment. */
async function spawnProcesses(path: string): Promise<ProcessRow[]> {
  const folder = join(path, '.cambium/spawns');
  const spawns = existsSync(folder) ? readdirSync(folder) : [];
  const found = new Map<number, ProcessRow>();
  for (const spawn of spawns) {
    const supervisor = (await readSupervisorRecord(join(folder, spawn)))?.process;
    const row = supervisor === undefined ? null : readProcess(supervisor.pid);
    if (row !== null && row.start === supervisor?.start) found.set(row.pid, row);
    for (const agent of spawnTree(spawn, 0).find()) found.set(agent.pid, agent);
  }
  return [...found.values()];
}

async function finished(daemon: Running, name: string, timeoutMs: number): Promise<Ran> {
  const late = new AbortController();
  const timeout = wait(timeoutMs, null, { signal: late.signal }).catch(() => null);
  const ran = await Promise.race([daemon.ended, timeout]);
  late.abort();
  if (ran === null) throw new Error(`the daemon of ${name} has not ended after ${timeoutMs} ms:\n${daemon.said()}`);
  return ran;
}

async function until<T>(what: string, look: () => T | null | undefined | false | Promise<T | null | undefined | false>, told: () => string, timeoutMs = 60_000): Promise<T> {
  for (const end = performance.now() + timeoutMs; ; ) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`never came: ${what}\n${told()}`);
    await wait(50);
  }
}

function pushFiles(root: string, hub: string, files: Readonly<Record<string, string | null>>, message: string): string {
  const path = join(root, 'plain-git');
  if (!existsSync(path)) {
    gitIn(root, ['clone', '--quiet', hub, path]);
    identify(path, 'visitor');
  }
  for (let tries = 1; ; tries++) {
    gitIn(path, ['fetch', '--quiet', 'origin', 'main']);
    gitIn(path, ['reset', '--quiet', '--hard', 'FETCH_HEAD']);
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      if (text === null) gitIn(path, ['rm', '--quiet', '--', file]);
      else writeFileSync(join(path, file), text);
    }
    gitIn(path, ['add', '--all']);
    gitIn(path, ['commit', '--quiet', '-m', message]);
    try {
      gitIn(path, ['push', '--quiet', 'origin', 'HEAD:main']);
      return gitIn(path, ['rev-parse', 'HEAD']);
    } catch (cause) {
      // The fleet moved main meanwhile, as it does for any person.
      if (tries === 20) throw cause;
    }
  }
}

function showOrNull(hub: string, object: string): string | null {
  try {
    return gitIn(hub, ['cat-file', 'blob', object]);
  } catch {
    return null;
  }
}

function readChain(hub: string, task: string): readonly Transition[] {
  const ref = `refs/cambium/claims/${task}`;
  if (!refsOf(hub).has(ref)) return [];
  // A landing has main as its second parent, a claim chain none but its own: `claim.json` tells them apart.
  const commits = gitIn(hub, ['rev-list', '--first-parent', '--reverse', ref]).split('\n');
  return commits.flatMap((oid) => {
    const text = showOrNull(hub, `${oid}:claim.json`);
    return text === null ? [] : [{ oid, ...(JSON.parse(text) as Omit<Transition, 'oid'>) }];
  });
}

/** What `git fsck --strict` has to complain about; unreachable objects are nobody's fault. */
export function fsck(path: string): string {
  try {
    return gitIn(path, ['fsck', '--strict', '--no-dangling', '--no-progress']);
  } catch (cause) {
    return String(cause);
  }
}

/** Runs any other program in a folder of the fleet. */
export const run = (file: string, args: readonly string[], cwd: string): Promise<Ran> => start(file, args, { cwd }).ended;
