/** Agents at work in a fleet of two real clones: seen, followed, stopped; and what is dead is never taken for living. */
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSupervisor } from '../../src/adapters/system/supervisor.ts';
import { programsOf } from '../../src/adapters/system/programs.ts';
import { bootMs } from '../../src/adapters/system/bootClock.ts';
import { readSupervisorRecord } from '../../src/adapters/system/spawnFiles.ts';
import { createUlid } from '../../src/adapters/system/ulid.ts';
import { identify, selfIdentity } from '../../src/adapters/system/identity.ts';
import { killMarked, lives, livingWithMark } from '../contracts/supervisor.ts';
import { distDir } from '../support/build.ts';
import { cli, cliJson, cliPath, start } from '../support/cli.ts';
import type { Ran } from '../support/cli.ts';
import { makeFleet } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import { factsOf, recordText } from '../support/spawnRecords.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { TestWorkspace } from '../support/workspace.ts';
import { tempDir, until } from '../support/temp.ts';

const AGENT = new URL('../support/streamingAgent.mjs', import.meta.url).pathname;
const SESSION = '00000000-0000-4000-8000-000000000001';

/** Lines as Claude Code prints them. */
const init = { type: 'system', subtype: 'init', session_id: SESSION, model: 'claude-opus-5-5', tools: [] };
const message = (id: string, ...content: readonly object[]): object => ({ type: 'assistant', message: { id, role: 'assistant', model: 'claude-opus-5-5', content, usage: { input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 200, output_tokens: 10 } }, session_id: SESSION });
const call = (id: string, command: string): object => message(`m-${id}`, { type: 'tool_use', id, name: 'Bash', input: { command } });
const came = (id: string, content: string): object => ({ type: 'user', message: { role: 'user', content: [{ tool_use_id: id, type: 'tool_result', content, is_error: false }] }, session_id: SESSION });
const result = { type: 'result', subtype: 'success', is_error: false, num_turns: 2, result: 'It is done.', session_id: SESSION, total_cost_usd: 0.25, usage: { input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 200, output_tokens: 10 }, modelUsage: {} };

interface Told {
  readonly id: string;
  readonly task: string | null;
  readonly state: string;
  readonly node: string | null;
  readonly outcome: string | null;
  readonly cost_usd: number | null;
  readonly session: string | null;
  readonly last: { readonly kind: string } | null;
  readonly health: { readonly rule: string } | null;
}

describe('agents at work', () => {
  let fleet: TestFleet;
  let vm: Seat;
  const scripts = tempDir('scripts');
  const tell = (task: string, ...lines: readonly (object | string)[]): void => lines.forEach((line) => appendFileSync(join(scripts.path, task), `${typeof line === 'string' ? line : JSON.stringify(line)}\n`));
  const list = async (seat: Seat, ...args: readonly string[]): Promise<readonly Told[]> => (await seat.json<{ spawns: readonly Told[] }>(['spawn', 'list', ...args])).data.spawns;
  const live = (task: string): Promise<Told> => fleet.until(`${task} is at work`, async () => (await list(vm, '--live')).find((spawn) => spawn.task === task && spawn.state === 'running' && spawn.session !== null), 60_000);
  const ended = (task: string, outcome: string): Promise<Told> => fleet.until(`${task} has ${outcome}`, async () => (await list(vm, '--task', task)).find((spawn) => spawn.state === 'ended' && spawn.outcome === outcome), 60_000);
  const follow = (...args: readonly string[]): ReturnType<typeof start> => start(process.execPath, [cliPath(), 'spawn', 'logs', ...args], { cwd: vm.path });

  beforeAll(async () => {
    const provider = `{ command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(AGENT)}], env: { SCRIPTS: ${JSON.stringify(scripts.path)} } }`;
    fleet = await makeFleet({ config: `schema: cambium.fleet/1\ntimings: { ttl: 12s, heartbeat: 2s, grace: 500ms, fetch: 300ms }\ndefaults: { provider: claude, max_attempts: 1 }\nproviders:\n  claude: ${provider}\nagents:\n  worker-1: { node: vm }\n  worker-2: { node: vm }\n` });
    vm = await fleet.seat('vm');
    vm.up('--node', 'vm');
  }, 60_000);
  afterAll(async () => {
    await fleet?.close();
    scripts.remove();
  }, 60_000);

  test('are listed, followed and left running; their end is told, recorded and counted', async () => {
    tell('poster', init, call('t1', 'ls -l'));
    await fleet.home.json(['task', 'add', 'Draw the poster', '--id', 'poster']);
    const spawn = await live('poster');
    expect(spawn).toMatchObject({ node: 'vm', session: SESSION, state: 'running', health: null, last: { kind: 'tool' } });
    const status = await vm.cambium(['status']);
    expect(status.stdout).toMatch(new RegExp(`At work\\n +${spawn.id.slice(-6)} +worker-\\d +poster +running .*Bash ls -l`));

    // Followed by two: one is interrupted, the other sees the end.
    const [first, second] = [follow(spawn.id, '-f'), follow(spawn.id.slice(-8).toLowerCase(), '-f', '--json')];
    await until(() => first.said().includes('● Bash ls -l') || null);
    tell('poster', came('t1', 'total 0'));
    await until(() => first.said().includes('⎿ total 0') || null);
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ exit: 0, stdout: expect.stringMatching(/— running, and goes on · .* spawn logs \w{8} -f —\n$/) });
    expect((await list(vm, '--live')).map(({ id }) => id)).toEqual([spawn.id]);

    // Another node knows of it by the heartbeat, and that its log and its processes are not there.
    const told = await fleet.until('the heartbeat tells', async () => (await list(fleet.home, '--live')).find(({ id }) => id === spawn.id));
    expect(told).toMatchObject({ node: 'vm', task: 'poster', state: 'running' });
    expect(await fleet.home.cambium(['spawn', 'logs', spawn.id])).toMatchObject({ exit: 1, stderr: expect.stringMatching(/runs on vm: logs stay on the machine/) });
    expect(await fleet.home.cambium(['spawn', 'stop', spawn.id])).toMatchObject({ exit: 1, stderr: expect.stringMatching(/runs on vm: its processes can be ended only there/) });

    const before = (await vm.json<{ total: { live: number; usage: { input: number } } }>(['cost'])).data;
    expect(before.total).toMatchObject({ live: 1, usage: { input: 300 } });
    tell('poster', message('m-end', { type: 'text', text: 'It is done.' }), result, 'END');
    const events = (await second.ended).stdout.trim().split('\n').map((line) => JSON.parse(line) as { kind: string; output?: string });
    expect(events.map(({ kind }) => kind).filter((kind) => kind !== 'usage')).toEqual(['start', 'tool', 'tool_result', 'text', 'end']);
    expect(await ended('poster', 'succeeded')).toMatchObject({ id: spawn.id, cost_usd: 0.25 });
    await fleet.until('the record is on main', () => fleet.gitHub('ls-tree', '-r', '--name-only', 'main', 'agents/spawns').includes(spawn.id));
    // From the record alone, on a machine where it never ran.
    const costs = await fleet.until('home has the record', async () => {
      const { data } = await fleet.home.json<{ total: { spawns: number; cost_usd: number | null } }>(['cost', '--by', 'task']);
      return data.total.cost_usd === null ? null : data;
    });
    expect(costs).toMatchObject({ by: 'task', rows: [{ key: 'poster', spawns: 1, live: 0, cost_usd: 0.25, unknown_costs: 0 }] });
    expect((await fleet.home.cambium(['spawn', 'logs', spawn.id])).stderr).toContain('ran on vm');
    const raw = await vm.cambium(['spawn', 'logs', spawn.id, '--raw', '--tail', '1']);
    expect(JSON.parse(raw.stdout)).toEqual(result);
    expect((await vm.cambium(['spawn', 'chain', spawn.id])).stdout).toMatch(/worker-\d ◀ +succeeded +poster/);
  }, 120_000);

  test('are stopped with all that they started: the claim is given back with the reason, and no attempt is spent', async () => {
    tell('banner', init, 'SPAWN', call('t1', 'sleep 600'));
    await fleet.home.json(['task', 'add', 'Sew the banner', '--id', 'banner']);
    const spawn = await live('banner');
    // Agent and the child that left its session.
    await until(() => (livingWithMark(spawn.id).length >= 2 ? true : null));
    const stopped = await vm.cambium(['spawn', 'stop', spawn.id.slice(-8), '--why', 'wrong colours']);
    expect(stopped).toMatchObject({ exit: 0, stdout: expect.stringMatching(/is stopped: none of its processes is left\.\nThe daemon gives the claim on banner back/) });
    expect(livingWithMark(spawn.id)).toEqual([]);
    const chain = await fleet.until('the claim is given back', () => fleet.chain('banner').find(({ kind }) => kind === 'release') && fleet.chain('banner'));
    expect(chain.slice(0, 2)).toMatchObject([{ kind: 'claim', epoch: 1, attempt: 1 }, { kind: 'release', reason: 'its agent was stopped: wrong colours' }]);
    const again = await fleet.until('it is claimed again', () => fleet.chain('banner').find(({ kind, epoch }) => kind === 'claim' && epoch === 2));
    expect(again.attempt).toBe(1);
    expect(await ended('banner', 'stopped')).toMatchObject({ id: spawn.id });
    expect(await vm.cambium(['spawn', 'stop', spawn.id])).toMatchObject({ exit: 3, stdout: expect.stringContaining('It had ended before') });

    // The next landing takes the record of the stopped one to main with it.
    await fleet.until('the second agent is at work', async () => (await list(vm, '--task', 'banner', '--live'))[0]);
    tell('banner', result, 'END');
    await fleet.until('both records are on main', () => fleet.gitHub('ls-tree', '-r', '--name-only', 'main', 'agents/spawns').includes(spawn.id));
  }, 120_000);

  test('that nobody knows, and parts of ids that are too short, are refused', async () => {
    for (const verb of ['show', 'logs', 'stop', 'chain']) expect(await vm.json(['spawn', verb, 'NOSUCHSPAWN'])).toMatchObject({ exit: 1, error: { code: 'unknown-spawn' } });
    expect(await vm.json(['cost', '--by', 'weather'])).toMatchObject({ exit: 2, error: { code: 'usage' } });
    expect(await vm.json(['spawn', 'list', '--since', 'soon'])).toMatchObject({ exit: 2, error: { code: 'usage' } });
  }, 60_000);
});

describe('what is dead', () => {
  let place: TestWorkspace;
  const ulid = createUlid({ nowMs: () => Date.now(), randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)) });
  const run = (...args: readonly string[]): Promise<Ran> => cli(['spawn', ...args], { cwd: place.root });
  const json = <T>(...args: readonly string[]): Promise<T> => cliJson<T>(['spawn', ...args], { cwd: place.root }).then(({ data }) => data);
  const folder = (id: string): string => join(place.root, '.cambium/spawns', id);
  /** A scratch folder as the daemon and the supervisor leave it. */
  function scratch(id: string, files: Readonly<Record<string, object | string>>): string {
    mkdirSync(folder(id), { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder(id), name), typeof content === 'string' ? content : `${JSON.stringify(content)}\n`);
    return id;
  }
  const spawnFile = (id: string, ageMs: number): object => ({ id, graceMs: 500, startedBootMs: bootMs() - ageMs, timeoutMs: 600_000, silenceMs: 180_000, logBytesMax: 1_000_000 });
  const endFile = (daysAgo: number): object => ({ exit: 0, signal: null, stopped: null, startedAt: new Date(Date.now() - daysAgo * 86_400_000 - 1_000).toISOString(), endedAt: new Date(Date.now() - daysAgo * 86_400_000).toISOString(), tail: '' });

  beforeEach(async () => {
    place = await makeWorkspace();
  });
  afterEach(() => place.remove());

  test('BUG-001: a spawn whose pid nobody knows is lost, never running for ever, and is marked as such', async () => {
    // The daemon died between the order and the start: there is no process, and none ever was on record.
    const id = scratch(ulid(), { 'spawn.json': spawnFile('x', 40_000) });
    expect((await json<{ spawns: readonly Told[] }>('list')).spawns).toMatchObject([{ id, state: 'lost', health: { rule: 'dead' } }]);
    const health = await run('health');
    expect(health).toMatchObject({ exit: 1, stdout: expect.stringMatching(/dead: its supervisor is gone.*\n +→ `cambium spawn cleanup`/) });
    expect(await json('cleanup')).toMatchObject({ marked: [{ id, orphans: 0 }] });
    expect(await run('health')).toMatchObject({ exit: 0, stdout: 'No agent is at work.\n' });
    expect(await json('show', id)).toMatchObject({ id, state: 'ended', outcome: 'lost' });
    expect((await run('logs', id, '-f')).exit).toBe(0);
  });

  test('BUG-001: nor is one whose pid another process has by now, or one of before a restart of the machine; that process is left alone', async () => {
    const stranger = start('sleep', ['600'], { cwd: place.root });
    try {
      const process = identify(stranger.pid);
      if (process === null) throw new Error('sleep did not start');
      const reused = scratch(ulid(), { 'spawn.json': spawnFile('x', 40_000), 'supervisor.json': { process: { ...process, start: process.start - 1 }, agent: null } });
      const rebooted = scratch(ulid(), { 'spawn.json': spawnFile('x', -86_400_000), 'supervisor.json': { process: { ...process, boot_id: 'another-boot' }, agent: null } });
      expect((await json<{ spawns: readonly Told[] }>('list', '--live')).spawns.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual([`${reused} lost`, `${rebooted} lost`].toSorted());
      expect((await json<{ marked: readonly object[] }>('cleanup')).marked).toHaveLength(2);
      expect((await json<{ spawns: readonly Told[] }>('list', '--live')).spawns).toEqual([]);
      expect(lives(stranger.pid)).toBe(true);
    } finally {
      stranger.child.kill('SIGKILL');
    }
  });

  test('has its orphans ended by their mark', async () => {
    const supervisor = createSupervisor({ programs: programsOf(distDir()) });
    const id = ulid();
    try {
      await supervisor.start(id, folder(id), { argv: ['sh', '-c', 'setsid sleep 600 & sleep 600'], cwd: place.root, env: {}, stdin: '', files: {} }, { timeoutMs: 60_000, silenceMs: 60_000, graceMs: 500, deadlineBootMs: bootMs() + 60_000 });
      await until(() => (livingWithMark(id).length >= 2 ? true : null));
      expect(await run('health')).toMatchObject({ exit: 0 });
      process.kill((await readSupervisorRecord(folder(id)))?.process.pid ?? 0, 'SIGKILL');
      await until(async () => ((await run('health')).exit === 1 ? true : null));
      const { marked } = await json<{ marked: readonly { readonly id: string; readonly orphans: number }[] }>('cleanup');
      expect(marked).toMatchObject([{ id }]);
      expect(marked[0]?.orphans).toBeGreaterThanOrEqual(2);
      expect(livingWithMark(id)).toEqual([]);
    } finally {
      killMarked(id);
    }
  });

  test('leaves its folder when it is old and on record, and no living one ever does', async () => {
    const old = scratch(ulid(), { 'spawn.json': spawnFile('x', 0), 'end.json': endFile(20) });
    const young = scratch(ulid(), { 'spawn.json': spawnFile('x', 0), 'end.json': endFile(13) });
    const nowhere = scratch(ulid(), { 'spawn.json': spawnFile('x', 0), 'end.json': endFile(20) });
    const verify = scratch(`${ulid()}-verify`, { 'spawn.json': spawnFile('x', 0), 'end.json': endFile(20) });
    const counted = scratch(ulid(), { 'spawn.json': spawnFile('x', 0), 'end.json': endFile(20) });
    const self = selfIdentity();
    const alive = scratch(ulid(), { 'spawn.json': spawnFile('x', 1_000), 'supervisor.json': { process: self, agent: null } });
    const records = [old, young, counted].map((id) => [`agents/spawns/2026-11/01/${id}.json`, recordText(factsOf({ id, start: '2026-11-01T00:00:00Z', end: '2026-11-01T00:00:01Z' }))]);
    place.commit(Object.fromEntries(records));
    // A run that this clone has not forgotten, its spawn recorded or not.
    await run('list');
    const runs = join(place.root, '.git/cambium/local/runs');
    mkdirSync(runs, { recursive: true });
    writeFileSync(join(runs, 'job.1.json'), JSON.stringify({ task: 'job', epoch: 1, attempt: 1, agent: 'worker-1', provider: 'claude', providerVersion: '1', model: null, phase: 'landing', spawn: counted, spawns: [], verifySpawn: '' }));
    expect(await json('cleanup')).toMatchObject({ keep_days: 14, removed: [old, verify].toSorted(), unrecorded: [nowhere], marked: [] });
    expect([old, young, nowhere, verify, counted, alive].map((id) => existsSync(folder(id)))).toEqual([false, true, true, false, true, true]);
    expect(await json('cleanup', '--keep-days', '0', '--unrecorded')).toMatchObject({ removed: [young, nowhere].toSorted(), unrecorded: [] });
    expect([counted, alive].map((id) => existsSync(folder(id)))).toEqual([true, true]);
    // What the record tells is still there.
    expect(await json('show', old)).toMatchObject({ id: old, outcome: 'succeeded', here: false, place: null });
    expect((await run('logs', old)).stderr).toMatch(/ran on vm-a|not here any more/);
  });
});
