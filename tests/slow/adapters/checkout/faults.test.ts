/** Calls of the file system that fail, records that are damaged, others at work: the person's files are as they left them. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { identify, selfIdentity } from '../../../../src/adapters/system/identity.ts';
import { openDesk } from '../../../adapters/checkout/desk.ts';
import type { Desk } from '../../../adapters/checkout/desk.ts';

type Call = 'renameSync' | 'linkSync' | 'openSync' | 'lstatSync' | 'readdirSync' | 'readlinkSync' | 'readFileSync';
const calls = vi.hoisted(() => ({ before: (_call: string, _from: string, _to: string): void => undefined }));

vi.mock('node:fs', async (load) => {
  const real = await load<typeof fs>();
  const held = (call: Call) => (...args: unknown[]): unknown => {
    calls.before(call, String(args[0]), String(args[1]));
    return (real[call] as (...all: unknown[]) => unknown)(...args);
  };
  const names: readonly Call[] = ['renameSync', 'linkSync', 'openSync', 'lstatSync', 'readdirSync', 'readlinkSync', 'readFileSync'];
  return { ...real, ...Object.fromEntries(names.map((name) => [name, held(name)])) };
});

const desks: Desk[] = [];
afterEach(async () => {
  calls.before = () => undefined;
  for (const desk of desks.splice(0)) await desk.close();
});

const FILES = { 'tasks/one.md': 'one\n', 'tasks/two.md': 'two\n', 'src/app.ts': 'app\n' };

async function open(files: Readonly<Record<string, string>> = FILES): Promise<Desk> {
  const desk = await openDesk({ files });
  desks.push(desk);
  return desk;
}

/** From now on, that call of ours on that path (its source, or for `to` its target) does `act` before it is made; `times` often. */
function before(call: Call, path: string, act: () => void, { to = false, times = Infinity } = {}): void {
  let left = times;
  calls.before = (name, from, into) => {
    if (name !== call || (to ? into : from) !== path || left === 0) return;
    left -= 1;
    act();
  };
}

const fail = (code: string) => (): never => {
  throw Object.assign(new Error(`${code}: made up`), { code });
};

describe('a file that cannot be read', () => {
  test('is not brought up to date, and the others are', async () => {
    const desk = await open();
    before('openSync', join(desk.root, 'tasks/one.md'), fail('EIO'));
    const { moved, skipped } = await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n', 'tasks/two.md': 'theirs\n' }));
    expect([moved, skipped]).toEqual([true, [{ path: 'tasks/one.md', reason: 'it cannot be read (EIO)' }]]);
    expect([desk.read('tasks/one.md'), desk.read('tasks/two.md')]).toEqual(['one\n', 'theirs\n']);
  });

  test('is not published and not taken for deleted, and the others are published', async () => {
    const desk = await open();
    desk.write('tasks/one.md', 'mine\n');
    desk.write('tasks/two.md', 'mine\n');
    before('openSync', join(desk.root, 'tasks/one.md'), fail('EIO'));
    const { edits, refused } = await desk.edits();
    expect(edits.map(({ path }) => path)).toEqual(['tasks/two.md']);
    expect(refused).toEqual([{ path: 'tasks/one.md', reason: 'it cannot be read (EIO)' }]);
  });

  test('because it became a symlink in that moment is being saved: it waits', async () => {
    const desk = await open();
    const path = join(desk.root, 'tasks/one.md');
    before('openSync', path, () => {
      fs.rmSync(path);
      fs.symlinkSync('two.md', path);
    }, { times: 1 });
    const { skipped } = await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }));
    expect(skipped).toEqual([{ path: 'tasks/one.md', reason: 'it is being saved right now' }]);
    expect([desk.read('tasks/one.md'), desk.read('tasks/two.md')]).toEqual(['-> two.md', 'two\n']);
  });

  test('nor even looked at is an error of the pass, and nothing is moved', async () => {
    const desk = await open();
    const [head, target] = [desk.git('rev-parse', 'HEAD'), await desk.landed({ 'tasks/one.md': 'theirs\n' })];
    before('readFileSync', join(desk.gitDir, 'HEAD'), fail('EIO'));
    await expect(desk.advance(target)).rejects.toMatchObject({ code: 'EIO' });
    calls.before = () => undefined;
    expect([desk.git('rev-parse', 'HEAD'), desk.read('tasks/one.md'), desk.status()]).toEqual([head, 'one\n', '']);
  });
});

describe('a folder of the state', () => {
  test('that cannot be listed is refused with the reason; nothing in it counts as deleted', async () => {
    const desk = await open({ ...FILES, 'memory/a.md': 'a\n' });
    fs.rmSync(join(desk.root, 'tasks/one.md'));
    desk.write('memory/a.md', 'mine\n');
    before('readdirSync', join(desk.root, 'tasks'), fail('EIO'));
    const { edits, refused } = await desk.edits();
    expect(edits.map(({ path }) => path)).toEqual(['memory/a.md']);
    expect(refused).toEqual([{ path: 'tasks', reason: 'it cannot be read (EIO)' }]);
  });

  test('that vanishes while it is listed is deleted, file by file', async () => {
    const desk = await open();
    before('readdirSync', join(desk.root, 'tasks'), () => fs.rmSync(join(desk.root, 'tasks'), { recursive: true }), { times: 1 });
    expect((await desk.edits()).edits.map(({ path, oid }) => [path, oid])).toEqual([['tasks/one.md', null], ['tasks/two.md', null]]);
  });

  test('from which a file vanishes after it was listed is told without it', async () => {
    const desk = await open();
    const path = join(desk.root, 'tasks/one.md');
    before('lstatSync', path, () => fs.rmSync(path, { force: true }));
    expect((await desk.edits()).edits).toEqual([{ path: 'tasks/one.md', mode: null, oid: null }]);
  });
});

describe('in the very moment of the exchange', () => {
  const advance = async (desk: Desk): Promise<unknown> => (await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }))).skipped;

  test('a file that the person deletes stays deleted', async () => {
    const desk = await open();
    const path = join(desk.root, 'tasks/one.md');
    before('renameSync', path, () => fs.rmSync(path), { times: 1 });
    expect(await advance(desk)).toEqual([{ path: 'tasks/one.md', reason: 'it was deleted in the very moment of the exchange' }]);
    expect(desk.read('tasks/one.md')).toBeNull();
    expect((await desk.edits()).edits).toEqual([{ path: 'tasks/one.md', mode: null, oid: null }]);
  });

  test('a file that lies on another file system stays, with the reason', async () => {
    const desk = await open();
    before('renameSync', join(desk.root, 'tasks/one.md'), fail('EXDEV'));
    expect(await advance(desk)).toEqual([{ path: 'tasks/one.md', reason: 'it is on another file system than the rest of the checkout' }]);
    expect(desk.read('tasks/one.md')).toBe('one\n');
  });

  test('a file that cannot be moved is an error, and all is as before', async () => {
    const desk = await open();
    const head = desk.git('rev-parse', 'HEAD');
    before('renameSync', join(desk.root, 'tasks/one.md'), fail('EIO'), { times: 1 });
    await expect(advance(desk)).rejects.toMatchObject({ code: 'EIO' });
    expect([desk.git('rev-parse', 'HEAD'), desk.read('tasks/one.md'), desk.status()]).toEqual([head, 'one\n', '']);
    expect(await advance(desk)).toEqual([]);
  });

  test('an index that cannot be locked is an error, and nothing was touched', async () => {
    const desk = await open();
    before('linkSync', join(desk.gitDir, 'index.lock'), fail('EIO'), { to: true });
    await expect(advance(desk)).rejects.toMatchObject({ code: 'EIO' });
    calls.before = () => undefined;
    expect([desk.read('tasks/one.md'), desk.status(), fs.existsSync(join(desk.gitDir, 'index.lock'))]).toEqual(['one\n', '', false]);
  });

  test('a file turned into a folder with a file in it stays as it is', async () => {
    const desk = await open();
    const path = join(desk.root, 'tasks/one.md');
    before('renameSync', path, () => {
      fs.rmSync(path);
      fs.mkdirSync(path);
      fs.writeFileSync(join(path, 'inner.txt'), 'mine\n');
    }, { times: 1 });
    expect(await advance(desk)).toEqual([{ path: 'tasks/one.md', reason: 'it was saved in the very moment of the exchange' }]);
    expect(desk.read('tasks/one.md/inner.txt')).toBe('mine\n');
  });
});

describe('a checkout that is not to be touched', () => {
  test('where files cannot be linked: they could not be exchanged without risk', async () => {
    const desk = await open();
    calls.before = (name, from) => void (name === 'linkSync' && from.includes('.probe-') && fail('EPERM')());
    expect(await desk.reopen().look()).toMatchObject({ state: 'busy', reason: expect.stringMatching(/files cannot be linked in .* \(EPERM: made up\)/) as string });
    expect(fs.readdirSync(join(desk.gitDir, 'cambium/passes')).filter((name) => name.startsWith('.probe-'))).toEqual([]);
  });

  test('while git commands of the person never cease: it is asked again, and then given up for now', async () => {
    const desk = await open();
    let changes = 0;
    before('readFileSync', join(desk.gitDir, 'HEAD'), () => {
      changes += 1;
      fs.utimesSync(join(desk.gitDir, 'index'), changes, changes);
    });
    expect(await desk.reopen().look()).toEqual({ state: 'busy', reason: 'git commands are changing the checkout right now' });
    calls.before = () => undefined;
    expect(await desk.reopen().look()).toMatchObject({ state: 'ready' });
  });

  test('while another process moves it: it says whose record stands', async () => {
    const desk = await open();
    const pass = { id: 'x', folder: join(desk.gitDir, 'cambium/passes/x'), files: join(desk.gitDir, 'cambium/passes/x') };
    const head = desk.git('rev-parse', 'HEAD');
    const record = join(desk.gitDir, 'cambium/checkout-intent.json');
    fs.mkdirSync(pass.folder, { recursive: true });
    fs.writeFileSync(record, JSON.stringify({ schema: 'cambium.checkout-intent/1', pass, owner: identify(process.ppid), branch: 'main', head, target: head, startedBootMs: 0, steps: [] }));
    expect(await desk.reopen().look()).toMatchObject({ state: 'busy', reason: expect.stringContaining(record) as string });
    expect(fs.existsSync(record)).toBe(true);
  });

  test('with a damaged record of an unfinished pass: nobody guesses what it was', async () => {
    const desk = await open();
    const record = join(desk.gitDir, 'cambium/checkout-intent.json');
    fs.mkdirSync(join(desk.gitDir, 'cambium'), { recursive: true });
    fs.writeFileSync(record, '{"schema":"cambium.checkout-int');
    await expect(desk.reopen().look()).rejects.toMatchObject({ code: 'bad-file', message: expect.stringContaining(record) as string, hint: expect.stringContaining('passes') as string });
    await expect(desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }))).rejects.toMatchObject({ code: 'bad-file' });
    expect([desk.read('tasks/one.md'), fs.existsSync(record)]).toEqual(['one\n', true]);
  });
});

test('a pass whose owner cannot be told is left alone while it is young, and cleared away when it is old', async () => {
  const desk = await open();
  const unborn = join(desk.gitDir, 'cambium/passes/.x');
  fs.mkdirSync(unborn, { recursive: true });
  fs.writeFileSync(join(unborn, 'lock'), JSON.stringify(selfIdentity()).slice(0, 10));
  await desk.advance(await desk.landed({ 'tasks/one.md': 'theirs\n' }));
  expect(fs.existsSync(unborn)).toBe(true);
  fs.utimesSync(unborn, 1, 1);
  await desk.advance(await desk.landed({ 'tasks/two.md': 'theirs\n' }));
  expect(fs.existsSync(unborn)).toBe(false);
});

test('a repository that keeps its refs in tables is asked through git whether a merge is under way', async () => {
  const desk = await open();
  fs.mkdirSync(join(desk.gitDir, 'reftable'));
  expect(await desk.reopen().look()).toMatchObject({ state: 'ready' });
});
