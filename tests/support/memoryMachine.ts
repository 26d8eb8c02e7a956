/**
 * A simulated machine: supervised agents, worktrees and providers without processes or files. It outlives the daemon
 * that uses it, as real supervisors do, and keeps time by the fleet's virtual clock.
 */
import type { ManualClock } from '../../src/adapters/memory/clock.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { TreeEdit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import type { SpawnEvent } from '../../src/model/spawnEvent.ts';
import type { Criterion, Usage } from '../../src/model/task.ts';
import type { Limits, ProcessIdentity, SpawnStatus, Supervisor } from '../../src/ports/process.ts';
import type { FailureKind, Provider, SpawnEnd, SpawnSpec } from '../../src/ports/provider.ts';
import type { Worktrees } from '../../src/ports/worktrees.ts';

/** What a simulated agent was asked to do. */
export interface Job {
  readonly task: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string;
  readonly node: string;
  readonly feedback: string | null;
  readonly provider: string;
  /** What it was told that it may cost. */
  readonly budgetUsd: number | null;
  readonly spawn: string;
  /** The instruction as it was told; the whole prompt of an agent that answers messages, whose task is empty. */
  readonly text: string;
}

/** What it does: by default it ends well at once and changes nothing. */
export interface Work {
  readonly files?: Readonly<Record<string, string | null>>;
  readonly exit?: number;
  /** Virtual milliseconds until it ends by itself. */
  readonly afterMs?: number;
  readonly report?: string;
  readonly failure?: FailureKind;
  readonly retryable?: boolean;
  readonly criteria?: readonly Criterion[];
  /** UTC ISO time that a failure names. */
  readonly resetAt?: string;
  readonly usage?: Usage;
  readonly costUsd?: number;
  /** What it says of its cost while it runs: totals so far, at virtual milliseconds after its start. */
  readonly spends?: readonly { readonly atMs: number; readonly usd: number | null; readonly tokens: number }[];
}

export interface MachineOptions {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly work: (job: Job) => Work;
  /** Exit status of a task's `verify`, given the files' texts of the folder it runs in. */
  readonly verify: (task: string, read: (path: string) => Promise<string | null>) => number | Promise<number>;
}

export interface Machine {
  readonly supervisor: Supervisor;
  readonly worktrees: Worktrees;
  readonly providers: ReadonlyMap<string, Provider>;
  /** Every agent that was started here, in order. */
  readonly started: readonly Job[];
  /** Agents that run at this moment of virtual time, as `task.epoch`. */
  running(): readonly string[];
  /** Spawns of agents that run at this moment of virtual time. */
  runningSpawns(): readonly string[];
  /** Writes files into a worktree, as an agent that is still at work does. */
  write(worktree: string, files: Readonly<Record<string, string | null>>): Promise<void>;
  /** Kills the supervisor of a task's agent: it leaves no record. */
  loseSpawn(task: string): void;
  /** A daemon process begins; the one before it is dead. */
  boot(): void;
}

interface Spawn {
  readonly job: Job | null;
  readonly work: Work;
  readonly folder: string;
  readonly startedMs: number;
  readonly limits: Limits;
  deadlineMs: number;
  stopped: { readonly atMs: number; readonly reason: 'fenced' | 'asked' } | null;
  lost: boolean;
  end: SpawnEnd | null;
  frozenSinceMs: number | null;
  frozenMs: number;
}

const ROOT = '/worktrees';

export function createMachine({ clock, store, work, verify }: MachineOptions): Machine {
  const spawns = new Map<string, Spawn>();
  const started: Job[] = [];
  const trees = createTrees(store);
  let pid = 100;

  const identity = (): ProcessIdentity => ({ boot_id: 'boot-1', namespace: 'host', pid, start: pid });
  const stoodMs = ({ frozenMs, frozenSinceMs }: Spawn): number => frozenMs + (frozenSinceMs === null ? 0 : clock.bootMs() - frozenSinceMs);
  const naturalMs = (spawn: Spawn): number => (spawn.frozenSinceMs === null ? spawn.startedMs + (spawn.work.afterMs ?? 0) + spawn.frozenMs : Infinity);
  const endMs = (spawn: Spawn): number => Math.min(naturalMs(spawn), spawn.deadlineMs, spawn.stopped?.atMs ?? Infinity, spawn.startedMs + stoodMs(spawn) + (spawn.limits.timeoutMs || Infinity));

  const running = (): readonly Job[] => [...spawns.values()].filter((spawn) => !spawn.lost && spawn.end === null && clock.bootMs() < endMs(spawn)).flatMap(({ job }) => job ?? []);

  async function endOf(spawn: Spawn): Promise<SpawnEnd> {
    if (spawn.end !== null) return spawn.end;
    const [atMs, wall] = [endMs(spawn), (ms: number): string => new Date(clock.now().getTime() - clock.bootMs() + ms).toISOString()];
    const natural = atMs === naturalMs(spawn);
    const stopped = natural ? null : atMs === spawn.stopped?.atMs ? spawn.stopped.reason : atMs === spawn.deadlineMs ? 'fenced' : 'timeout';
    if (natural) await trees.write(spawn.folder, spawn.work.files ?? {});
    const exit = !natural ? null : spawn.job === null ? await verify(spawn.folder, (path) => trees.read(spawn.folder, path)) : (spawn.work.exit ?? 0);
    spawn.end = { exit, signal: natural ? null : 'SIGTERM', stopped, startedAt: wall(spawn.startedMs), endedAt: wall(atMs), tail: '' };
    return spawn.end;
  }

  async function status(scratch: string): Promise<SpawnStatus> {
    const spawn = spawns.get(scratch);
    if (spawn === undefined || spawn.lost) return { state: 'lost' };
    if (spawn.end === null && clock.bootMs() < endMs(spawn)) return { state: 'running', supervisor: identity(), lastOutputBootMs: null };
    return { state: 'ended', end: await endOf(spawn), supervisor: identity() };
  }

  return {
    started,
    worktrees: trees,
    write: trees.write,
    providers: new Map([['runbook', providerOf('runbook', false)], ['claude', providerOf('claude', true)], ['codex', providerOf('codex', true)], ['gemini', providerOf('gemini', true)]]),
    running: () => running().map(({ task, epoch }) => `${task}.${epoch}`),
    runningSpawns: () => running().map(({ spawn }) => spawn),
    loseSpawn(task) {
      for (const spawn of spawns.values()) if (spawn.job?.task === task && spawn.end === null) spawn.lost = true;
    },
    boot: () => void (pid += 1),
    supervisor: {
      self: async () => ({ process: identity(), machine: 'machine-1' }),
      alive: async (other) => other.pid === pid,
      async start(_id, scratch, spec, limits) {
        const text = spec.files['job.json'];
        const job = text === undefined ? null : (JSON.parse(text) as Job);
        if (job !== null) started.push(job);
        const folder = spec.cwd.slice(ROOT.length + 1);
        spawns.set(scratch, { job, work: job === null ? {} : work(job), folder, startedMs: clock.bootMs(), limits, deadlineMs: limits.deadlineBootMs, stopped: null, lost: false, end: null, frozenSinceMs: null, frozenMs: 0 });
      },
      status,
      async setDeadline(scratch, deadlineBootMs) {
        const spawn = spawns.get(scratch);
        // What the supervisor has ended by the old deadline stays ended.
        if (spawn !== undefined && clock.bootMs() < spawn.deadlineMs) spawn.deadlineMs = deadlineBootMs;
      },
      async stop(scratch, reason) {
        const spawn = spawns.get(scratch);
        if (spawn === undefined || spawn.end !== null || clock.bootMs() >= endMs(spawn)) return;
        spawn.stopped = { atMs: clock.bootMs(), reason };
        await endOf(spawn);
      },
      async freeze(scratch, frozen) {
        const spawn = spawns.get(scratch);
        if (spawn === undefined || frozen === (spawn.frozenSinceMs !== null) || (frozen && clock.bootMs() >= endMs(spawn))) return;
        if (!frozen) spawn.frozenMs = stoodMs(spawn);
        spawn.frozenSinceMs = frozen ? clock.bootMs() : null;
      },
      async readLog(scratch, from) {
        const spawn = spawns.get(scratch);
        if (spawn === undefined) return { text: '', next: from };
        const ranMs = clock.bootMs() - spawn.startedMs - stoodMs(spawn);
        const said = (spawn.work.spends ?? []).filter(({ atMs }) => atMs <= ranMs).slice(from);
        return { text: said.map(({ usd, tokens }) => `${JSON.stringify({ usd, tokens })}\n`).join(''), next: from + said.length };
      },
      readFile: async (scratch, name) => (name === 'work.json' ? JSON.stringify(spawns.get(scratch)?.work ?? {}) : null),
      onChange: () => undefined,
    },
  };
}

/** What a prompt quotes as feedback. */
function feedbackIn(prompt: string): string | null {
  return /^<<<([0-9a-f]{16}) feedback\n([\s\S]*?)\n>>>\1$/m.exec(prompt)?.[2] ?? null;
}

function spendIn(line: string): readonly SpawnEvent[] {
  const { usd, tokens } = JSON.parse(line) as { readonly usd: number | null; readonly tokens: number };
  return [{ kind: 'usage', usage: { input: tokens, cached: 0, output: 0 }, costUsd: usd, cumulative: false }];
}

function providerOf(name: string, conversational: boolean): Provider {
  return {
    name, conversational, resumes: 'never', model: (asked) => asked, reader: () => spendIn,
    probe: async () => ({ version: '1.0' }),
    prepare: ({ spawn, task, epoch, attempt, agent, node, prompt, worktree, instruction, budgetUsd }): SpawnSpec => {
      const job: Job = { task: task?.id ?? '', epoch, attempt, agent, node, feedback: feedbackIn(prompt), provider: name, budgetUsd, spawn, text: task === null ? prompt : instruction };
      return { argv: ['agent'], cwd: worktree, env: {}, stdin: instruction, files: { 'job.json': JSON.stringify(job) } };
    },
    async interpret(_request, end, readFile) {
      const work = JSON.parse((await readFile('work.json')) ?? '{}') as Work;
      const ok = end.exit === 0 && work.failure === undefined;
      return {
        ok, failure: ok ? null : (work.failure ?? 'crashed'), report: work.report ?? 'It was done.', criteria: work.criteria ?? [], usage: work.usage ?? null, costUsd: work.costUsd ?? null, session: null,
        retryable: work.retryable ?? true, resetAt: work.resetAt ?? null, warnings: [], question: null,
      };
    },
  };
}

interface Trees extends Worktrees {
  write(name: string, files: Readonly<Record<string, string | null>>): Promise<void>;
  read(name: string, path: string): Promise<string | null>;
}

function createTrees(store: MemoryStore): Trees {
  const trees = new Map<string, { readonly head: Oid; readonly tree: Oid }>();
  const at = (name: string): { readonly head: Oid; readonly tree: Oid } => {
    const found = trees.get(name);
    if (found === undefined) throw new Error(`the worktree ${name} is gone`);
    return found;
  };
  return {
    path: (name) => `${ROOT}/${name}`,
    exists: async (name) => trees.has(name),
    async create(name, commit) {
      trees.set(name, { head: commit, tree: (await store.readCommit(commit)).tree });
      return `${ROOT}/${name}`;
    },
    capture: async (name) => at(name),
    remove: async (name) => void trees.delete(name),
    list: async () => [...trees.keys()],
    async write(name, files) {
      if (!trees.has(name)) return;
      const edits = await Promise.all(Object.entries(files).map(async ([path, text]): Promise<[string, TreeEdit]> => [path, text === null ? null : { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }]));
      trees.set(name, { ...at(name), tree: await store.editTree(at(name).tree, new Map(edits)) });
    },
    async read(name, path) {
      let tree = at(name).tree;
      for (const [depth, segment] of path.split('/').entries()) {
        const entry = (await store.readTree(tree)).find((candidate) => candidate.name === segment);
        if (entry === undefined) return null;
        if (depth === path.split('/').length - 1) return Buffer.from(await store.readBlob(entry.oid)).toString('utf8');
        tree = entry.oid;
      }
      return null;
    },
  };
}
