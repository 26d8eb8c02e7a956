/** The opencode provider with the real opencode under the real supervisor, before a scripted model: `CAMBIUM_CLIENTS=opencode`. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createOpencode } from '../../src/adapters/providers/opencode.ts';
import type { Provider, SpawnRequest } from '../../src/ports/provider.ts';
import type { Limits } from '../../src/ports/process.ts';
import { taskOf } from '../support/spawnRequest.ts';
import { until } from '../support/temp.ts';
import { stage, type Stage } from './drive.ts';
import { modelServer, type ModelServer } from './modelServer.ts';
import { describeClient, ENDLESS, WORK } from './scene.ts';
import type { Call, Script, Step } from './script.ts';
import { startSupervised, type Ended, type Started } from './underSupervisor.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Place {
  readonly server: ModelServer;
  readonly at: Stage;
  readonly opencode: Provider;
  start(more?: Partial<SpawnRequest>, limits?: Partial<Limits>): Promise<Started>;
  run(more?: Partial<SpawnRequest>, limits?: Partial<Limits>): Promise<Ended>;
}

const STEPS = WORK as readonly Step[];
const bash = (command: string): Call => ({ tool: 'bash', command });
const model = 'anthropic/claude-sonnet-4-5';

await describeClient('opencode', (cli) => {
  async function place(script: Script): Promise<Place> {
    const server = await modelServer(script);
    const at = stage('opencode');
    closing.push(() => server.close(), () => at.remove());
    // A worktree always is git's: opencode reads its rules about paths from its top.
    execFileSync('git', ['-C', at.cwd, 'init', '--quiet']);
    const opencode = createOpencode('opencode', { kind: 'opencode', command: [cli.program], env: { ANTHROPIC_API_KEY: 'sk-ant-scripted' }, baseUrl: `${server.url}/v1`, models: {} });
    const start: Place['start'] = (more, limits) => startSupervised(opencode, at, { model, ...more }, limits);
    return { server, at, opencode, start, run: async (more, limits) => (await start(more, limits)).ended() };
  }

  test('is found, in its version', async () => {
    expect(await (await place([])).opencode.probe()).toEqual({ version: cli.version });
  });

  test('does its work with its own tools, leaves its report, and asks nothing beside it', async () => {
    const { at, server, run } = await place([]);
    const scratch = join(at.home, 'spawn');
    server.answer([...STEPS.slice(0, 2), { tool: 'write', path: `${scratch}/result.md`, text: '---\ncriteria:\n  - { text: it greets, met: true, evidence: greeting.txt }\n---\nGreeted.\n' }, { text: 'Done.' }]);
    const { report, end, events, left } = await run({ scratch, task: taskOf({ acceptanceCriteria: ['It greets.'] }) });
    expect(report).toMatchObject({ ok: true, failure: null, report: 'Greeted.', criteria: [{ text: 'It greets.', met: true, evidence: 'greeting.txt' }], warnings: [], usage: { input: 400, cached: 0, output: 80 } });
    expect(report.costUsd).toBeGreaterThan(0);
    expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
    expect(events.filter(({ kind }) => kind === 'end')).toHaveLength(1);
    expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(Array.from({ length: 4 }, () => 'Write the greeting.'));
    expect([end.exit, left, server.sides(), server.strangers]).toEqual([0, [], [], []]);
  });

  test('executes nothing of the tree, and reads its AGENTS.md', async () => {
    const { at, server, run } = await place([{ text: 'Done.' }]);
    mkdirSync(join(at.cwd, '.opencode/plugin'), { recursive: true });
    mkdirSync(join(at.cwd, '.opencode/plugins'));
    const plugin = (name: string): string => `import { writeFileSync } from 'node:fs';\nexport const P = async () => { writeFileSync(${JSON.stringify(join(at.cwd, name))}, ''); return {}; };\n`;
    writeFileSync(join(at.cwd, '.opencode/plugin/p.js'), plugin('plugin-ran'));
    writeFileSync(join(at.cwd, '.opencode/plugins/p.js'), plugin('plugins-ran'));
    writeFileSync(join(at.cwd, 'opencode.json'), JSON.stringify({ mcp: { x: { type: 'local', command: ['touch', join(at.cwd, 'server-ran')] } }, permission: { edit: 'deny' } }));
    writeFileSync(join(at.cwd, 'AGENTS.md'), 'The word is MARMALADE.\n');
    expect((await run()).report.ok).toBe(true);
    expect(['plugin-ran', 'plugins-ran', 'server-ran'].filter((name) => existsSync(join(at.cwd, name)))).toEqual([]);
    expect(JSON.stringify(server.turns()[0]?.body)).toContain('MARMALADE');
  });

  test('a file beside the worktree is refused to it, and that is a warning; the run goes on', async () => {
    const { at, server, run } = await place([]);
    const outside = join(at.home, 'outside.txt');
    server.answer([{ tool: 'write', path: outside, text: 'x\n' }, { text: 'Tried.' }]);
    expect((await run()).report).toMatchObject({ ok: true, report: 'Tried.', warnings: [`write was denied: ${outside}`] });
    expect(existsSync(outside)).toBe(false);
  });

  test('who may not write changes no file with its tools, and still reports', async () => {
    const { at, server, run } = await place([]);
    const scratch = join(at.home, 'spawn');
    server.answer([{ tool: 'write', path: 'greeting.txt', text: 'x\n' }, { tool: 'write', path: `${scratch}/result.md`, text: 'Looked at it.\n' }, { text: 'Done.' }]);
    const { report } = await run({ scratch, mayWrite: false });
    expect(report).toMatchObject({ ok: true, report: 'Looked at it.', warnings: [`write was denied: ${at.cwd}/greeting.txt`] });
    expect(existsSync(join(at.cwd, 'greeting.txt'))).toBe(false);
  });

  test.each([[401, 'auth'], [404, 'refused'], [400, 'refused']] as const)('a service that answers %i is %s', async (status, failure) => {
    const { run } = await place([{ fail: status }]);
    const { report, left } = await run();
    expect(report).toMatchObject({ ok: false, failure, resetAt: null });
    expect(left).toEqual([]);
  });

  test('a spent limit, which it would wait out in silence, is ended as a limit', async () => {
    const { run } = await place([{ fail: 429, retryAfterS: 3600 }]);
    const { report, end, left } = await run({}, { silenceMs: 40_000 });
    expect([end.stopped, report.failure, left]).toEqual(['silence', 'rate_limit', []]);
  });

  test.each([['answers 500', 'overloaded', { fail: 500 }], ['refuses connections', 'refused', null]] as const)('a service that goes on and %s is %s, by retries that end', async (_what, failure, fault) => {
    const { server, run } = await place(fault === null ? [] : [fault]);
    if (fault === null) await server.close();
    const { report, end } = await run({}, { timeoutMs: 150_000, silenceMs: 100_000, deadlineBootMs: Number.MAX_SAFE_INTEGER });
    expect([end.stopped, end.exit, report.failure]).toEqual([null, 1, failure]);
  }, 200_000);

  test('a model that is not there', async () => {
    const { run } = await place([]);
    const { report } = await run({ model: 'nosuch' });
    expect(report).toMatchObject({ ok: false, failure: 'refused' });
  });

  test('a service that takes the question and never answers is a hang, and nothing is left of it', async () => {
    const { run } = await place([{ hang: true }]);
    const { report, end, left } = await run({}, { silenceMs: 40_000 });
    expect([end.stopped, report.ok, report.failure, left]).toEqual(['silence', false, 'hung', []]);
  });

  test.each(['asked', 'killed'] as const)('%s in the middle of a command, it leaves nothing running', async (how) => {
    const { at, start } = await place(ENDLESS);
    const started = await start();
    await until(() => (existsSync(join(at.cwd, 'started')) ? true : null), 30_000);
    if (how === 'asked') await started.stop();
    else process.kill((JSON.parse(readFileSync(join(started.scratch, 'supervisor.json'), 'utf8')) as { readonly agent: { readonly pid: number } }).agent.pid, 'SIGKILL');
    const { report, end, left } = await started.ended();
    expect(end.stopped).toBe(how === 'asked' ? 'asked' : null);
    expect(report).toMatchObject({ ok: false, failure: how === 'asked' ? null : 'crashed', retryable: true });
    expect(left).toEqual([]);
  });

  test('a resumed session counts its new turn alone', async () => {
    const { server, run } = await place([{ text: 'First.' }]);
    const first = (await run()).report;
    server.answer([bash('echo here > here.txt'), { text: 'Second.', usage: { input: 500, output: 10, cached: 400 } }]);
    const second = (await run({ prompt: 'And now?', resume: { session: first.session ?? '', usage: first.usage, costUsd: first.costUsd } })).report;
    expect([first.usage, second.usage]).toEqual([{ input: 100, cached: 0, output: 20 }, { input: 600, cached: 400, output: 30 }]);
    expect(second.session).toBe(first.session);
    expect(server.turns().at(-1)?.prompts.map((prompt) => prompt.trim())).toEqual(['Write the greeting.', 'And now?']);
  });

  test('a session that is not there is said to be so, and is not kept', async () => {
    const { run } = await place([{ text: 'x' }]);
    const { report } = await run({ resume: { session: 'ses_nosuch000000000000000000', usage: null, costUsd: null } });
    expect(report).toMatchObject({ ok: false, failure: 'crashed', session: null });
    expect(report.report).toContain('Session not found');
  });

  test('an answer without a word is empty', async () => {
    const { run } = await place([{ text: '' }]);
    expect((await run()).report).toMatchObject({ ok: false, failure: 'empty' });
  });
});
