/** What every Supervisor promises of a spawn that is held still. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Limits } from '../../src/ports/process.ts';
import type { SpawnSpec } from '../../src/ports/provider.ts';
import { tempDir, until } from '../support/temp.ts';
import { ESCAPEE, ended, killMarked, livingWithMark } from './supervisor.ts';
import type { SupervisorWorld } from './supervisor.ts';

/** `T`: stopped by a signal. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
  } catch {
    return '';
  }
}

export function freezeContract(name: string, world: SupervisorWorld): void {
  const folder = tempDir('freeze-contract');
  let id = '';
  let scratch = '';
  let counter = 0;
  const sh = (script: string): SpawnSpec => ({ argv: ['sh', '-c', script], cwd: folder.path, env: {}, stdin: '', files: {} });
  const limits = (more: Partial<Limits> = {}): Limits => ({ timeoutMs: 60_000, silenceMs: 60_000, graceMs: 500, deadlineBootMs: world.bootMs() + 60_000, ...more });
  const still = (least: number): Promise<true> => until(() => {
    const pids = livingWithMark(id);
    return pids.length >= least && pids.every((pid) => stateOf(pid) === 'T') ? true : null;
  });
  const passes = (ms: number): Promise<true> => {
    const from = world.bootMs();
    return until(() => (world.bootMs() - from >= ms ? true : null));
  };

  beforeEach(() => {
    counter += 1;
    id = `freeze-${process.pid}-${counter}-${world.bootMs()}`;
    scratch = join(folder.path, id);
  });
  afterEach(() => killMarked(id));
  afterAll(() => folder.remove());

  describe(`a frozen spawn of the ${name} supervisor`, () => {
    test('stands still with all that it has started, also for a daemon that was started later, and goes on', async () => {
      const [first, second] = [world.create(), world.create()];
      await first.start(id, scratch, sh(`${ESCAPEE}\nwhile [ ! -e ${scratch}/go ]; do sleep 0.05; done; echo went on`), limits());
      await until(() => (livingWithMark(id).length >= 2 ? true : null));
      await first.freeze(scratch, true);
      await still(2);
      writeFileSync(join(scratch, 'go'), '');
      expect((await second.status(scratch)).state).toBe('running');
      await second.freeze(scratch, false);
      const end = await ended(second, scratch);
      expect([end.exit, end.stopped, end.tail]).toEqual([0, null, 'went on\n']);
      expect(livingWithMark(id)).toEqual([]);
    });

    test('spends neither its time nor its silence', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh(`echo hi; while [ ! -e ${scratch}/go ]; do sleep 0.05; done`), limits({ timeoutMs: 2_500, silenceMs: 2_500 }));
      await until(() => (existsSync(join(scratch, 'output.log')) ? true : null));
      await supervisor.freeze(scratch, true);
      await still(1);
      await passes(4_000);
      expect((await supervisor.status(scratch)).state).toBe('running');
      writeFileSync(join(scratch, 'go'), '');
      await supervisor.freeze(scratch, false);
      expect(await ended(supervisor, scratch)).toMatchObject({ exit: 0, stopped: null });
    });

    test('is ended at its deadline all the same, with none of it left', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh(`${ESCAPEE}\nsleep 600`), limits({ deadlineBootMs: world.bootMs() + 3_000 }));
      await supervisor.freeze(scratch, true);
      await still(2);
      expect((await ended(supervisor, scratch)).stopped).toBe('fenced');
      expect(livingWithMark(id)).toEqual([]);
    });

    test('can be stopped, and a spawn that has ended is left alone', async () => {
      const supervisor = world.create();
      await supervisor.start(id, scratch, sh('sleep 600'), limits());
      await supervisor.freeze(scratch, true);
      await still(1);
      await supervisor.stop(scratch, 'asked', 200);
      expect(livingWithMark(id)).toEqual([]);
      await supervisor.freeze(scratch, true);
      await supervisor.freeze(scratch, false);
      expect((await supervisor.status(scratch)).state).toBe('ended');
    });
  });

  test('a log is read on from where it was left, whole lines at a time', async () => {
    const supervisor = world.create();
    await supervisor.start(id, scratch, sh('printf "one\\ntwo\\n"'), limits());
    await ended(supervisor, scratch);
    const first = await supervisor.readLog(scratch, 0);
    expect(first).toEqual({ text: 'one\ntwo\n', next: 8 });
    appendFileSync(join(scratch, 'output.log'), 'thrée\nfou');
    expect(await supervisor.readLog(scratch, first.next)).toEqual({ text: 'thrée\n', next: 15 });
    expect(await supervisor.readLog(scratch, 15)).toEqual({ text: '', next: 15 });
    expect(await supervisor.readLog(join(folder.path, 'none'), 3)).toEqual({ text: '', next: 3 });
  });
}
