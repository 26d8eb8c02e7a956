/** Faults of the supervisor itself: an agent must never be left without somebody who ends it, nor an end without a record. */
import { mkdirSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { bootMs } from '../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../../src/adapters/system/supervisor.ts';
import { ended, killMarked, livingWithMark } from '../../contracts/supervisor.ts';
import { distDir } from '../../support/build.ts';
import { tempDir, until } from '../../support/temp.ts';

const folder = tempDir('supervisor-faults');
const ids: string[] = [];
afterEach(() => ids.forEach(killMarked));
afterAll(() => folder.remove());

const supervisor = createSupervisor({ programs: programsOf(distDir()) });

function place(name: string): { readonly id: string; readonly scratch: string } {
  const id = `${name}-${bootMs()}`;
  ids.push(id);
  const scratch = join(folder.path, id);
  mkdirSync(scratch);
  return { id, scratch };
}

const limits = () => ({ timeoutMs: 60_000, silenceMs: 60_000, graceMs: 300, deadlineBootMs: bootMs() + 60_000 });
const specOf = (script: string) => ({ argv: ['sh', '-c', script], cwd: folder.path, env: {}, stdin: '', files: {} });

test('a supervisor that cannot do its work says so in the end record, and leaves no agent', async () => {
  const { id, scratch } = place('broken');
  mkdirSync(join(scratch, 'output.log'));
  await supervisor.start(id, scratch, specOf('sleep 600'), limits());
  expect(await ended(supervisor, scratch)).toMatchObject({ exit: null, tail: expect.stringMatching(/^cambium: the supervisor failed: .*EISDIR/) as string });
  expect(livingWithMark(id)).toEqual([]);
  expect(await supervisor.readFile(scratch, 'supervisor.log')).toContain('EISDIR');
});

test('an end that cannot be written is written as soon as it can, and is not lost meanwhile', async () => {
  const { id, scratch } = place('unwritten');
  mkdirSync(join(scratch, 'end.json/in the way'), { recursive: true });
  const tried = new Set<string>();
  const watching = watch(scratch, (_event, name) => void tried.add(name ?? ''));
  await supervisor.start(id, scratch, specOf('echo done; exit 3'), limits());
  await until(() => [...tried].some((name) => /^\.tmp-.*end\.json$/.test(name)) || null);
  await until(() => !readdirSync(scratch).some((name) => name.startsWith('.tmp-')) || null);
  watching.close();
  expect((await supervisor.status(scratch)).state).toBe('running');
  rmSync(join(scratch, 'end.json'), { recursive: true });
  expect(await ended(supervisor, scratch)).toMatchObject({ exit: 3, tail: 'done\n' });
});

describe('a supervisor that does not come up', () => {
  test.each([
    ['ends at once', 'console.error("no luck"); process.exit(1);', 'no luck'],
    ['cannot be loaded', 'import "./not-there.mjs";', 'not-there.mjs'],
  ])('because it %s is an error that tells its last words', async (_how, source, words) => {
    const { id, scratch } = place('unborn');
    const program = join(scratch, 'supervise.mjs');
    writeFileSync(program, source);
    const started = createSupervisor({ programs: { ...programsOf(distDir()), supervise: program } }).start(id, scratch, specOf('true'), limits());
    await expect(started).rejects.toMatchObject({ code: 'internal', hint: expect.stringContaining('supervisor.log') as string, data: { scratch, said: expect.stringContaining(words) as string } });
    expect(livingWithMark(id)).toEqual([]);
  });
});

describe('a scratch folder with damaged records', () => {
  test.each(['', '{"process":', '[]', '7', '{"process":{"pid":"1"}}'])('%j for the supervisor is a lost spawn, not an error', async (text) => {
    const { scratch } = place('damaged');
    writeFileSync(join(scratch, 'supervisor.json'), text);
    expect(await supervisor.status(scratch)).toEqual({ state: 'lost' });
    await supervisor.stop(scratch, 'asked');
  });

  test('an end record that was cut short does not end a spawn whose supervisor is gone: it is lost', async () => {
    const { scratch } = place('cut');
    writeFileSync(join(scratch, 'end.json'), '{"exit":0,"endedAt":"2026-');
    expect(await supervisor.status(scratch)).toEqual({ state: 'lost' });
  });
});

test('a deadline for a spawn whose folder was deleted is nobody\'s, and no error', async () => {
  await supervisor.setDeadline(join(folder.path, 'gone'), bootMs());
  await supervisor.stop(join(folder.path, 'gone'), 'asked');
});
