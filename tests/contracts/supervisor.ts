/** What every Supervisor promises. Run it with a maker of supervisors that share their state only by the scratch folder. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Limits, SpawnStatus, Supervisor } from '../../src/ports/process.ts';
import type { SpawnEnd, SpawnSpec } from '../../src/ports/provider.ts';
import { tempDir, until } from '../support/temp.ts';

export interface SupervisorWorld {
  /** A supervisor as a freshly started daemon has it. */
  create(): Supervisor;
  bootMs(): number;
}

/** A child in a session of its own whose parent has gone: neither group nor parent chain leads to it. */
export const ESCAPEE = "setsid sh -c 'sh -c \"sleep 600\" & exit 0' </dev/null >/dev/null 2>&1";

/** Zombies have ended; only whoever is their parent has not heard of it yet. */
export function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

export function livingWithMark(id: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => lives(pid) && environOf(pid).includes(`\0CAMBIUM_SPAWN=${id}\0`));
}

/** For the end of a test: one that failed must not leave processes behind. Only those with the test's own mark. */
export function killMarked(id: string): void {
  for (const pid of livingWithMark(id)) process.kill(pid, 'SIGKILL');
}

function environOf(pid: number): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
  } catch {
    return '';
  }
}

export async function ended(supervisor: Supervisor, scratch: string): Promise<SpawnEnd> {
  const status = await until(async () => {
    const found = await supervisor.status(scratch);
    if (found.state === 'lost') throw new Error('the spawn is lost');
    return found.state === 'ended' ? found : null;
  });
  return status.end;
}

export function supervisorContract(name: string, world: SupervisorWorld): void {
  const folder = tempDir('supervisor-contract');
  let id = '';
  let scratch = '';
  let counter = 0;
  const sh = (script: string, more: Partial<SpawnSpec> = {}): SpawnSpec => ({ argv: ['sh', '-c', script], cwd: folder.path, env: {}, stdin: '', files: {}, ...more });
  const limits = (more: Partial<Limits> = {}): Limits => ({ timeoutMs: 60_000, silenceMs: 60_000, graceMs: 500, deadlineBootMs: world.bootMs() + 60_000, ...more });

  beforeEach(() => {
    counter += 1;
    id = `contract-${process.pid}-${counter}-${world.bootMs()}`;
    scratch = join(folder.path, id);
  });
  afterEach(() => killMarked(id));
  afterAll(() => folder.remove());

  describe(`a supervisor (${name})`, () => {
    test('reports exit code and output of an agent that ended by itself', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('echo out; echo err >&2; exit 3'), limits());
      const end = await ended(supervisor, scratch);
      expect(end).toMatchObject({ exit: 3, signal: null, stopped: null });
      expect(end.tail.split('\n').toSorted().join(' ').trim()).toBe('err out');
      expect(Date.parse(end.endedAt)).toBeGreaterThanOrEqual(Date.parse(end.startedAt));
    });

    test('reports the signal that ended an agent', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('kill -9 $$'), limits());
      expect(await ended(supervisor, scratch)).toMatchObject({ exit: null, signal: 'SIGKILL', stopped: null });
    });

    test('a command that does not exist is an end with the mend in its tail', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('', { argv: ['no-such-program-here'] }), limits());
      const end = await ended(supervisor, scratch);
      expect(end.exit).toBe(127);
      expect(end.tail).toContain('no-such-program-here was not found');
    });

    test('an argument over the system limit is an end, not a crash of the supervisor', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('', { argv: ['true', 'x'.repeat(200_000)] }), limits());
      expect((await ended(supervisor, scratch)).exit).toBe(126);
    });

    test('leaves no process behind when the agent ends, not even one that left its session', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh(`${ESCAPEE}; sleep 600 & exit 0`), limits());
      expect(await ended(supervisor, scratch)).toMatchObject({ exit: 0, stopped: null });
      expect(livingWithMark(id)).toEqual([]);
    });

    test.each([
      ['stop', 'asked', {}],
      ['timeout', 'timeout', { timeoutMs: 300 }],
      ['silence', 'silence', { silenceMs: 300 }],
      ['the deadline', 'fenced', { deadlineBootMs: -1 }],
    ] as const)('leaves no process behind at %s', async (_, stopped, more) => {
      const supervisor = world.create();
      const script = `${ESCAPEE}; trap '' TERM; sleep 600 & echo up; while :; do sleep 1; done`;
      await supervisor.start(id, scratch, sh(script), limits(more));
      if (stopped === 'asked') {
        await until(async () => (await supervisor.readFile(scratch, 'output.log'))?.includes('up') === true || null);
        await supervisor.stop(scratch, 'asked');
        // stop resolves when none is left, so there is nothing to wait for.
        expect(livingWithMark(id)).toEqual([]);
      }
      expect((await ended(supervisor, scratch)).stopped).toBe(stopped);
      expect(livingWithMark(id)).toEqual([]);
    });

    test('a command that runs as a tool is no silence, where the spec says so; nor is it hung when that has ended', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('echo tool; sleep 0.2; sleep 3; echo done', { waitsForTools: true }), limits({ silenceMs: 1_500 }));
      expect(await ended(supervisor, scratch)).toMatchObject({ exit: 0, stopped: null });
    });

    test.each([
      ['without a tool', 'sleep 600 & echo up; while :; do :; done', { waitsForTools: true }],
      ['in a plain command', 'echo up; sleep 600', {}],
    ] as const)('what hangs %s is ended by its silence', async (_, script, more) => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh(script, more), limits({ silenceMs: 1_500 }));
      expect(await ended(supervisor, scratch)).toMatchObject({ stopped: 'silence' });
      expect(livingWithMark(id)).toEqual([]);
    });

    test('an agent gets TERM and its grace before it is killed', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh(`trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done`), limits({ graceMs: 10_000 }));
      await until(async () => (await supervisor.readFile(scratch, 'output.log'))?.includes('up') === true || null);
      await supervisor.stop(scratch, 'fenced');
      const end = await ended(supervisor, scratch);
      expect(end).toMatchObject({ exit: 0, stopped: 'fenced' });
      expect(end.tail).toContain('bye');
    });

    test('a deadline that is renewed keeps the agent alive, and one that is not ends it', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('while :; do echo tick; sleep 0.05; done'), limits({ deadlineBootMs: world.bootMs() + 1500 }));
      await supervisor.setDeadline(scratch, world.bootMs() + 30_000);
      await until(async () => (world.bootMs() > 0 && ((await supervisor.readFile(scratch, 'output.log'))?.split('tick').length ?? 0) > 40) || null);
      expect((await supervisor.status(scratch)).state).toBe('running');
      await supervisor.setDeadline(scratch, world.bootMs());
      expect((await ended(supervisor, scratch)).stopped).toBe('fenced');
    });

    test('BUG-003: a prompt of 300 KB goes through standard input, which is then closed: a CLI that reads to its end does not hang', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('wc -c', { stdin: 'é'.repeat(150_000) }), limits());
      expect((await ended(supervisor, scratch)).tail.trim()).toBe('300000');
    });

    test('an agent that never reads its input neither hangs nor breaks the supervisor', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('exec 0<&-; echo done', { stdin: 'x'.repeat(300_000) }), limits());
      expect(await ended(supervisor, scratch)).toMatchObject({ exit: 0, tail: 'done\n' });
    });

    test('secrets are masked in the log and in the tail', async () => {
      const supervisor = world.create();
      const env = { MY_API_TOKEN: 'correct-horse-battery' };
      await supervisor.start(id, scratch, sh('echo "t=$MY_API_TOKEN k=sk-abcdefghijklmnopqrstuv"; echo "Authorization: Bearer abc.def.ghi.jkl"', { env }), limits());
      const end = await ended(supervisor, scratch);
      expect(end.tail).toBe('t=[redacted] k=[redacted]\nAuthorization: Bearer [redacted]\n');
      expect(await supervisor.readFile(scratch, 'output.log')).toBe(end.tail);
    });

    test('an agent gets what its spec adds and none of the credentials of the daemon', async () => {
      process.env['GITHUB_TOKEN_FOR_TEST'] = 'x1234567890';
      process.env['SSH_AUTH_SOCK'] ??= '/nowhere';
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('env', { env: { CAMBIUM_AGENT: 'worker-1' } }), limits());
      const { tail } = await ended(supervisor, scratch);
      delete process.env['GITHUB_TOKEN_FOR_TEST'];
      expect(tail).toContain('CAMBIUM_AGENT=worker-1\n');
      expect(tail).toContain(`CAMBIUM_SPAWN=${id}\n`);
      expect(tail).toContain('PATH=');
      expect(tail).not.toMatch(/GITHUB_TOKEN_FOR_TEST|SSH_AUTH_SOCK/);
    });

    test('files of the spec stand in the scratch folder before the start, and what the agent leaves can be read', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh(`cp ${scratch}/prompt.md ${scratch}/result.md; ln -s /etc/passwd ${scratch}/link; mkfifo ${scratch}/pipe`, { files: { 'prompt.md': 'hello' } }), limits());
      await ended(supervisor, scratch);
      expect(await supervisor.readFile(scratch, 'result.md')).toBe('hello');
      expect(await supervisor.readFile(scratch, 'absent.md')).toBeNull();
      // Neither led out of the folder nor kept waiting by what an agent put there.
      expect(await supervisor.readFile(scratch, 'link')).toBeNull();
      expect(await supervisor.readFile(scratch, 'pipe')).toBeNull();
      await expect(supervisor.readFile(scratch, '../x')).rejects.toMatchObject({ code: 'internal' });
    });

    test('one scratch folder is started once', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('exit 0'), limits());
      await expect(supervisor.start(id, scratch, sh('exit 0'), limits())).rejects.toMatchObject({ code: 'refused' });
      await ended(supervisor, scratch);
    });

    test('status shows a running agent with its last output, to another daemon too, and the end is nudged to both', async () => {
      const [first, second] = [world.create(), world.create()];
      let [firstNudged, secondNudged] = [0, 0];
      first.onChange(() => void firstNudged++);
      second.onChange(() => void secondNudged++);
      await first.start(id, scratch, sh(`echo hi; while [ ! -e ${scratch}/go ]; do sleep 0.05; done`), limits());
      const running = await until(async () => {
        const status: SpawnStatus = await second.status(scratch);
        return status.state === 'running' && status.lastOutputBootMs !== null ? status : null;
      });
      expect(running.supervisor !== null && (await second.alive(running.supervisor))).toBe(true);
      expect(running.lastOutputBootMs).toBeLessThanOrEqual(world.bootMs());
      writeFileSync(join(scratch, 'go'), '');
      await until(async () => (firstNudged > 0 && secondNudged > 0) || null);
      expect((await second.status(scratch)).state).toBe('ended');
    });

    test('a scratch folder in which nothing was started is lost, and stopping it is no error', async () => {
      const supervisor = world.create();
      expect(await supervisor.status(scratch)).toEqual({ state: 'lost' });
      await supervisor.stop(scratch, 'asked');
    });

    test('an identity is alive only as exactly that process: a reused pid is another one', async () => {
      const supervisor = world.create();
      const { process: self, machine } = await supervisor.self();
      expect(machine).toMatch(/\S/);
      expect(await supervisor.alive(self)).toBe(true);
      expect(await supervisor.alive({ ...self, start: self.start - 1 })).toBe(false);
      expect(await supervisor.alive({ ...self, boot_id: 'another-boot' })).toBe(false);
      expect(await supervisor.alive({ ...self, namespace: 'another-namespace' })).toBe(false);
    });
  });
}
