/**
 * Tasks that work in a second repository (PROTOCOL P7). Its hub and the fleet's move one after the other: a node that dies at
 * any moment in between leaves work that the next one finishes, and each of the two gets exactly one landing.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { config, fsck, makeFleet, runbook } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { gateOf, losingHub } from '../support/hubHooks.ts';
import type { Gate } from '../support/hubHooks.ts';
import { makeProject } from '../support/project.ts';
import type { TestProject } from '../support/project.ts';

let fleet: TestFleet;
let project: TestProject;
let [projectHub, fleetHub]: Gate[] = [];
let [a, b]: Seat[] = [];

const seat = (which: Seat | undefined): Seat => which as Seat;
const gate = (which: Gate | undefined): Gate => which as Gate;
const SETTINGS = config('{ ttl: 6s, heartbeat: 2s, fetch: 200ms, rescan: 5s }');

beforeEach(async () => {
  fleet = await makeFleet({ config: SETTINGS });
  project = makeProject(fleet.root);
  fleet.push({ 'cambium.yaml': `${SETTINGS}projects:\n  sums: { url: ${JSON.stringify(project.hub)}, branch: main, return: merge, setup: ["mkdir -p node_modules && echo installed >> node_modules/here"] }\n` });
  [a, b] = await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)));
  projectHub = gateOf(project.hub);
  fleetHub = gateOf(fleet.hub);
}, 60_000);

afterEach(async () => {
  projectHub?.open();
  fleetHub?.open();
  await fleet.close();
});

const worked = (): string => join(fleet.root, 'worked');
const agentsStarted = (): number => (existsSync(worked()) ? readFileSync(worked(), 'utf8').trim().split('\n').length : 0);

/** The agent writes a function with its test; `verify` runs the project's tests. It may be told to wait. */
function job(wait = ''): string {
  return runbook('Multiply, too', `echo "$CAMBIUM_NODE" >> '${worked()}'
${wait}
test -e node_modules/here
grep nouns docs/style.md
printf 'export const product = (a, b) => a * b;\\n' > src/product.js
printf "import { test } from 'node:test';\\nimport assert from 'node:assert';\\nimport { product } from '../src/product.js';\\ntest('multiplies', () => assert.equal(product(2, 3), 6));\\n" > test/product.test.js`,
  { project: 'sums', context_files: ['docs/style.md', 'workspace:cambium.yaml'], verify: 'node --test' });
}

const kinds = (): string[] => fleet.chain('job').map(({ kind, epoch }) => `${kind} ${epoch}`);
const results = (): string[] => fleet.gitHub('log', '--format=%H', '--diff-filter=A', '--first-parent', '-m', 'main', '--', 'tasks/job.result.md').split('\n').filter((line) => line !== '');

function expectLandedOnceInEach(): void {
  expect(project.landings('job')).toHaveLength(1);
  expect(project.file('src/product.js')).toContain('product');
  expect(project.git('log', '-1', '--format=%an', project.landings('job')[0] as string)).toBe('worker-1');
  expect(results()).toHaveLength(1);
  expect(fleet.onMain('tasks/job.result.md')).toMatch(new RegExp(`project: { name: sums, branch: main, commit: "?${project.landings('job')[0]}"? }`));
  expect(fleet.onMain('src/product.js')).toBeNull();
  expect(kinds().filter((kind) => kind.startsWith('done'))).toHaveLength(1);
  expect(project.guests('job').filter((kind) => kind.startsWith('landed'))).toHaveLength(1);
  expect([fsck(fleet.hub), fsck(project.hub)]).toEqual(['', '']);
}

it('a task works in the project, is verified by its tests, and lands there and in the workspace', async () => {
  fleet.push({ 'tasks/job.md': job() });
  expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
  expectLandedOnceInEach();
  expect(agentsStarted()).toBe(1);
  expect(fleet.onMain('tasks/job.result.md')).toMatch(/^verify: \{ command: node --test, exit: 0/m);
  expect(project.guests('job')).toEqual(['claim 1', 'landed 1']);
  expect(project.git('log', '-1', '--format=%P', 'main').split(' ')).toHaveLength(1);
  expect(seat(a).git('worktree', 'list').split('\n')).toHaveLength(1);
  expect(seat(a).git('status', '--porcelain')).toBe('');
  expect([...project.refs().keys()].filter((ref) => /wip|probe/.test(ref))).toEqual([]);
});

const GUEST = /refs\/cambium\/guests\//;
const MAIN = /refs\/heads\/main$/;

/** The push that the hub holds back waits there, and vm-a dies. */
async function killedAtPush(hub: Gate, before: () => Promise<void>): Promise<void> {
  await before();
  await fleet.until('the push waits in the hub', () => hub.held() >= 1);
  await seat(a).kill();
}

async function dropJob(): Promise<void> {
  fleet.push({ 'tasks/job.md': job() });
  seat(a).up();
}

/** The agent has begun and waits for `go`; from then on its landing may be held. */
async function dropWaitingJob(): Promise<void> {
  const go = join(fleet.root, 'go');
  fleet.push({ 'tasks/job.md': job(`while [ ! -e '${go}' ]; do sleep 0.05; done`) });
  seat(a).up();
  await fleet.until('the agent works', () => agentsStarted() === 1);
}

const letGo = (): void => writeFileSync(join(fleet.root, 'go'), '');

async function finishedByB(): Promise<void> {
  expect(await seat(b).up('--until-idle').finished()).toMatchObject({ exit: 0 });
}

describe('a node that dies before its guest ref has moved', () => {
  beforeEach(async () => {
    gate(projectHub).hold({ moving: [GUEST], most: 1 });
    await killedAtPush(gate(projectHub), dropJob);
    expect(kinds()).toEqual(['claim 1']);
  });

  it('leaves the task to another, and its late swap is refused', async () => {
    await finishedByB();
    gate(projectHub).open();
    await fleet.until('the late swap is refused', () => gate(projectHub).settled());
    expectLandedOnceInEach();
    expect([project.guests('job'), agentsStarted()]).toEqual([['claim 2', 'landed 2'], 1]);
  });

  it('leaves it also where the swap arrives when it is dead', async () => {
    gate(projectHub).open();
    await fleet.until('it arrives', () => project.guests('job').length === 1);
    await finishedByB();
    expectLandedOnceInEach();
    expect([project.guests('job'), agentsStarted()]).toEqual([['claim 1', 'claim 2', 'landed 2'], 1]);
  });
});

describe('a node that dies while its agent works', () => {
  it('is followed by another epoch, in both repositories', async () => {
    await dropWaitingJob();
    await seat(a).kill();
    letGo();
    await finishedByB();
    expectLandedOnceInEach();
    expect([kinds(), project.guests('job'), agentsStarted()]).toEqual([['claim 1', 'claim 2', 'done 2'], ['claim 1', 'claim 2', 'landed 2'], 2]);
  });
});

describe('a daemon that dies and comes back', () => {
  it('lands what its agent made meanwhile, in the same epoch', async () => {
    await dropWaitingJob();
    const daemon = (await seat(a).processes())[0];
    process.kill(daemon?.pid as number, 'SIGKILL');
    letGo();
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectLandedOnceInEach();
    expect([kinds(), agentsStarted()]).toEqual([['claim 1', 'done 1'], 1]);
  });

  it('goes on where its landing in the project had no answer', async () => {
    await dropWaitingJob();
    gate(projectHub).hold({ moving: [MAIN], most: 1 });
    await killedAtPush(gate(projectHub), async () => letGo());
    const back = seat(a).up('--until-idle');
    expect(await back.finished()).toMatchObject({ exit: 0 });
    gate(projectHub).open();
    await fleet.until('the late copy is refused', () => gate(projectHub).settled());
    expectLandedOnceInEach();
    expect(agentsStarted()).toBe(1);
    expect(project.refs().has('refs/heads/main')).toBe(true);
  });
});

describe('a node that dies before its landing in the project', () => {
  beforeEach(async () => {
    await dropWaitingJob();
    gate(projectHub).hold({ moving: [MAIN], most: 1 });
    await killedAtPush(gate(projectHub), async () => letGo());
  });

  it('is fenced there once another has begun: its late landing is refused', async () => {
    await finishedByB();
    gate(projectHub).open();
    await fleet.until('the late landing is refused', () => gate(projectHub).settled());
    expectLandedOnceInEach();
    expect([project.guests('job'), agentsStarted()]).toEqual([['claim 1', 'claim 2', 'landed 2'], 2]);
  });

  it('has landed there after its death: the next epoch does nothing again', async () => {
    gate(projectHub).open();
    await fleet.until('it lands', () => project.landings('job').length === 1);
    await finishedByB();
    expectLandedOnceInEach();
    expect([kinds(), project.guests('job'), agentsStarted()]).toEqual([['claim 1', 'claim 2', 'done 2'], ['claim 1', 'landed 1', 'claim 2'], 1]);
    // What the dead node knew of the work is in the result of the one that lived.
    expect(fleet.onMain('tasks/job.result.md')).toMatch(/^epoch: 2$[^]*^verify: \{ command: node --test, exit: 0/m);
    // The dead one comes back and finds nothing to do.
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    expectLandedOnceInEach();
  });
});

describe('a node that dies between its two landings', () => {
  beforeEach(async () => {
    await dropWaitingJob();
    fleetHub?.hold({ moving: [MAIN, /refs\/cambium\/claims\/job$/], most: 1 });
    await killedAtPush(gate(fleetHub), async () => letGo());
    expect(project.landings('job')).toHaveLength(1);
    expect(results()).toHaveLength(0);
  });

  it('is finished by another, which starts no agent', async () => {
    await finishedByB();
    gate(fleetHub).open();
    await fleet.until('the late landing is refused', () => gate(fleetHub).settled());
    expectLandedOnceInEach();
    expect([kinds(), agentsStarted()]).toEqual([['claim 1', 'claim 2', 'done 2'], 1]);
  });

  it('is finished by itself when it comes back', async () => {
    expect(await seat(a).up('--until-idle').finished()).toMatchObject({ exit: 0 });
    gate(fleetHub).open();
    await fleet.until('the copy is settled', () => gate(fleetHub).settled());
    expectLandedOnceInEach();
    expect([kinds(), agentsStarted()]).toEqual([['claim 1', 'done 1'], 1]);
  });

  it('has landed in the workspace after its death: nothing is left to do', async () => {
    gate(fleetHub).open();
    await fleet.until('it lands', () => results().length === 1);
    await finishedByB();
    expectLandedOnceInEach();
    expect([kinds(), agentsStarted()]).toEqual([['claim 1', 'done 1'], 1]);
  });
});

describe('a landing in the project that was applied by half', () => {
  it.each([['its branch', 'refs/heads/main'], ['the guest ref', 'guest']])('of which %s did not move is finished by another node as it is', async (_what, which) => {
    await dropWaitingJob();
    const ref = which === 'guest' ? ([...project.refs().keys()].find((name) => GUEST.test(name)) as string) : which;
    const hub = losingHub(fleet.root, project.hub, ref);
    letGo();
    await fleet.until('the hub dies', () => hub.fired());
    await seat(a).kill();
    hub.clear();
    expect([project.landings('job').length, project.guests('job').length]).toEqual(which === 'guest' ? [1, 1] : [0, 2]);

    await finishedByB();
    expect(agentsStarted()).toBe(1);
    expect(project.landings('job')).toHaveLength(1);
    expect(results()).toHaveLength(1);
    expect(fleet.onMain('tasks/job.result.md')).toMatch(new RegExp(`project: { name: sums, branch: main, commit: "?${project.landings('job')[0]}"? }`));
    expect(project.file('src/product.js')).toContain('product');
  });
});
