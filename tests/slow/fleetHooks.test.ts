/** The fleet's own hooks over real daemons: who runs what, when, and what a node never runs (docs/hooks.md). */
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FleetEvent } from '../../src/model/event.ts';
import { config, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';

/** Each hook adds the event it was given to the seat's own journal, a line each, by one write. */
const JOURNAL = '#!/bin/sh\ncat >> "$PWD/.cambium/journal"\n';

let fleet: TestFleet;
let a: Seat;
let b: Seat;

beforeAll(async () => {
  fleet = await makeFleet({ config: `${config()}hooks: { timeout: 2s, at_once: 2 }\n` });
  a = await fleet.seat('vm-a');
  b = await fleet.seat('vm-b');
}, 120_000);

afterAll(() => fleet.close());

function addHooks(seat: Seat, hooks: Readonly<Record<string, string>>, mode = 0o755): void {
  for (const [name, text] of Object.entries(hooks)) {
    const path = join(seat.path, 'hooks', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
  }
}

async function published(seat: Seat): Promise<void> {
  expect((await seat.cambium(['sync', '--yes'])).exit).toBe(0);
}

const allow = (seat: Seat): string => seat.git('config', 'cambium.hooks', 'true');

function journal(seat: Seat): readonly FleetEvent[] {
  const path = join(seat.path, '.cambium/journal');
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as FleetEvent) : [];
}

const told = (seat: Seat): readonly string[] => journal(seat).map((event) => `${event.event} ${'task' in event ? event.task : ''}`.trim()).toSorted();
const idle = async (seat: Seat): Promise<string> => {
  const ran = await seat.up('--until-idle').finished(60_000);
  expect(ran.exit).toBe(0);
  return ran.stdout;
};

describe('a hook runs', () => {
  test('nowhere, unless the owner of the machine has allowed it', async () => {
    addHooks(a, { 'on-task-done': JOURNAL, 'on-task-claimed.sh': JOURNAL, 'on-spawn-end': JOURNAL });
    await published(a);
    fleet.push({ 'tasks/quiet.md': runbook('quiet', 'true') });
    expect(await idle(a)).toContain('are not run here; `git config cambium.hooks true` allows it');
    expect(journal(a)).toEqual([]);
  });

  test('only for what comes after it was allowed, once for one cause, with the event on standard input', async () => {
    allow(a);
    await idle(a);
    expect(journal(a)).toEqual([]);
    fleet.push({ 'tasks/first.md': runbook('The first', 'echo hi > hi.txt') });
    await idle(a);
    expect(told(a)).toEqual(['spawn-end first', 'task-claimed first', 'task-done first']);
    const done = journal(a).find(({ event }) => event === 'task-done');
    expect(done).toMatchObject({ schema: 'cambium.event/1', node: 'vm-a', title: 'The first', path: 'tasks/first.md', agent: 'worker-1', epoch: 1, attempt: 1, reason: null });
    expect(done).toMatchObject({ result: fleet.chain('first').find(({ kind }) => kind === 'done')?.result });
    await idle(a);
    expect(journal(a)).toHaveLength(3);
  });

  test('on the node that did it, and on no other that looks', async () => {
    allow(b);
    await idle(b);
    fleet.push({ 'tasks/second.md': runbook('second', 'true') });
    await idle(b);
    await idle(a);
    expect(told(b)).toEqual(['spawn-end second', 'task-claimed second', 'task-done second']);
    expect(told(a)).not.toContain('task-done second');
  });

  test('also for what was done by hand while no daemon ran', async () => {
    fleet.push({ 'tasks/by-hand.md': runbook('by-hand', 'true') });
    expect((await a.json(['task', 'cancel', 'by-hand', '--reason', 'not needed'])).ok).toBe(true);
    addHooks(a, { 'on-task-cancelled': JOURNAL });
    await published(a);
    await idle(a);
    expect(journal(a).find(({ event }) => event === 'task-cancelled')).toMatchObject({ task: 'by-hand', reason: 'not needed', node: 'vm-a' });
  });

  test('when somebody asks for a person', async () => {
    addHooks(a, { 'on-message': JOURNAL, 'on-human.sh': JOURNAL });
    await published(a);
    await idle(a);
    await a.json(['message', 'send', 'all is well', '--agent', 'worker-1']);
    await a.json(['message', 'send', 'which key, @human?', '--agent', 'worker-1']);
    await idle(a);
    expect(journal(a).filter(({ event }) => event === 'message').map((event) => 'text' in event && event.text.trim())).toEqual(['all is well', 'which key, @human?']);
    expect(journal(a).filter(({ event }) => event === 'human')).toMatchObject([{ cause: 'message', from: 'agent:worker-1', text: expect.stringContaining('which key') as string }]);
  });
});

describe('a node never runs', () => {
  test('what stands in a checkout and not on main', async () => {
    fleet.push({ 'tasks/third.md': runbook('third', 'true') });
    // Executable in the checkout, but the folder is ignored for publishing while HEAD is detached: main never sees it.
    a.git('checkout', '--quiet', '--detach');
    addHooks(a, { 'on-task-done': '#!/bin/sh\ntouch "$PWD/.cambium/unpublished"\n' });
    await idle(a);
    expect(told(a)).toContain('task-done third');
    expect(existsSync(join(a.path, '.cambium/unpublished'))).toBe(false);
    a.git('checkout', '--quiet', '--', 'hooks');
    a.git('checkout', '--quiet', 'main');
  });

  test('files that are not executable, or are named after nothing', async () => {
    addHooks(b, { 'on-task-failed.txt': JOURNAL }, 0o644);
    addHooks(b, { 'on-everything': JOURNAL });
    await published(b);
    fleet.push({ 'tasks/fails.md': runbook('fails', 'false', { max_attempts: 1 }) });
    const before = journal(b).length;
    await idle(b);
    expect(told(b).filter((line) => line.includes('fails'))).toEqual(['spawn-end fails', 'task-claimed fails']);
    expect(journal(b)).toHaveLength(before + 2);
  });

  test('one for longer than it may, and what it started with it', async () => {
    addHooks(b, { 'on-task-failed': '#!/bin/sh\necho begun\nsleep 300 &\nsleep 300\n' });
    await published(b);
    fleet.push({ 'tasks/hangs.md': runbook('hangs', 'false', { max_attempts: 1 }) });
    const said = await idle(b);
    expect(said).toMatch(/hook failed.*on-task-failed.*took longer than 2 s/);
    const log = /log (\S+output\.log)/.exec(said.split('\n').find((line) => line.includes('took longer')) ?? '')?.[1];
    expect(readFileSync(join(b.path, log ?? ''), 'utf8')).toContain('begun');
    expect(await b.processes()).toEqual([]);
  });
});

test('a daemon that was killed while a hook was to be run has the next one run it', async () => {
  const gate = join(b.path, '.cambium/gate');
  addHooks(b, { 'on-task-failed': `#!/bin/sh\nuntil [ -e '${gate}' ]; do sleep 0.1; done\ncat >> "$PWD/.cambium/journal"\n` });
  await published(b);
  fleet.push({ 'tasks/crash.md': runbook('crash', 'false', { max_attempts: 1 }) });
  const daemon = b.up();
  const pending = join(b.path, '.git/cambium/local/hooks/pending');
  await fleet.until('the hook is on record', () => existsSync(pending) && readdirSync(pending).some((name) => name.endsWith('.on-task-failed.json')));
  await b.kill();
  await daemon.ended;
  writeFileSync(gate, '');
  await idle(b);
  expect(journal(b).filter((event) => event.event === 'task-failed' && event.task === 'crash').length).toBeGreaterThanOrEqual(1);
  expect(readdirSync(pending).filter((name) => !name.startsWith('.'))).toEqual([]);
});
