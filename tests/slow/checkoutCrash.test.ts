/** kill -9 of a process in the middle of an advance: at every call it makes, and at moments of chance. */
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { advanceAndDie, startAdvance } from '../adapters/checkout/crash.ts';
import { openDesk } from '../adapters/checkout/desk.ts';
import type { Desk, Files } from '../adapters/checkout/desk.ts';

const KILLS = 50;
const START: Files = { 'tasks/one.md': 'one\n', 'tasks/two.md': 'two\n', 'src/a': 'a\n', 'src/b/c': 'c\n', 'src/mine.ts': 'mine\n' };

const desks: Desk[] = [];
afterEach(async () => {
  for (const desk of desks.splice(0)) await desk.close();
});

/** What lands alternates, so that each round changes, adds, deletes, turns files into folders and back. */
function landing(round: number): Files {
  const more = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`memory/m${at}.md`, `${round}.${at}\n`]));
  return round % 2 === 0
    ? { ...more, 'tasks/one.md': `r${round}\n`, 'tasks/two.md': null, 'src/a': null, 'src/a/x': 'x\n', 'src/b/c': null, 'src/b': 'b\n', 'link': { mode: '120000', text: 'src/b' } }
    : { ...more, 'tasks/one.md': `r${round}\n`, 'tasks/two.md': 'two again\n', 'src/a/x': null, 'src/a': 'a\n', 'src/b': null, 'src/b/c': 'c\n', 'link': null };
}

async function openWithEdits(): Promise<Desk> {
  const desk = await openDesk({ files: START });
  desks.push(desk);
  desk.write('src/mine.ts', 'edited and not committed\n');
  desk.write('notes/untracked.txt', 'unknown to git\n');
  return desk;
}

/** Recovers as a restarted daemon does, and proves that the checkout is whole: at one commit or at the other. */
async function expectWhole(desk: Desk, head: string, target: string): Promise<void> {
  const checkout = desk.reopen();
  await checkout.recover();
  expect(await checkout.look()).toMatchObject({ state: 'ready' });
  expect([head, target]).toContain(desk.git('rev-parse', 'HEAD'));
  expect(desk.status().split('\n')).toEqual(['M src/mine.ts', '?? notes/untracked.txt']);
  expect([desk.read('src/mine.ts'), desk.read('notes/untracked.txt')]).toEqual(['edited and not committed\n', 'unknown to git\n']);
  expect(existsSync(join(desk.gitDir, 'index.lock'))).toBe(false);
  expect(readdirSync(join(desk.gitDir, 'cambium'))).toEqual(['passes']);
}

test('a process killed at any call of an advance leaves a checkout that recovery makes whole', async () => {
  let [died, moved] = [0, 0];
  for (let call = 1; ; call++) {
    // A new desk each time: clearing up after an earlier crash would shift the calls, and some would never be met.
    const desk = await openWithEdits();
    const [head, synced, target] = [desk.git('rev-parse', 'HEAD'), desk.tree(), await desk.landed(landing(0))];
    const end = await advanceAndDie({ root: desk.root, gitDir: desk.gitDir, head, target, synced }, call);
    await expectWhole(desk, head, target);
    if (end === 'died' && desk.git('rev-parse', 'HEAD') === target) moved++;
    await desks.pop()?.close();
    if (end === 'done') break;
    died++;
  }
  expect(died).toBeGreaterThan(50);
  expect(moved).toBeGreaterThan(3);
});

test(`${KILLS} processes killed at moments of chance leave checkouts that recovery makes whole`, async () => {
  const desk = await openWithEdits();
  let [round, unfinished] = [0, 0];
  for (let kill = 0; kill < KILLS; kill++) {
    const [head, synced] = [desk.git('rev-parse', 'HEAD'), desk.tree()];
    const target = await desk.landed(landing(round));
    const program = startAdvance({ root: desk.root, gitDir: desk.gitDir, head, target, synced }, null);
    const exited = once(program.child, 'exit');
    await program.line();
    await sleep(Math.random() * 120);
    program.child.kill('SIGKILL');
    await exited;
    if (existsSync(join(desk.gitDir, 'cambium/checkout-intent.json'))) unfinished++;
    await expectWhole(desk, head, target);
    if (desk.git('rev-parse', 'HEAD') === target) round++;
  }
  expect(unfinished).toBeGreaterThan(0);
  expect(round).toBeGreaterThan(0);
});
