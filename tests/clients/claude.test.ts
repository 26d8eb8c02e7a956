/** The claude provider with the real Claude Code under the real supervisor, before a scripted model. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createClaude } from '../../src/adapters/providers/claude.ts';
import type { Provider } from '../../src/ports/provider.ts';
import { requestOf, taskOf } from '../support/spawnRequest.ts';
import { tempDir, until } from '../support/temp.ts';
import { stage, type Stage } from './drive.ts';
import { modelServer, type ModelServer } from './modelServer.ts';
import { describeClient, ENDLESS, WORK } from './scene.ts';
import type { Call, Script, Step } from './script.ts';
import { startSupervised, supervised } from './underSupervisor.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Place {
  readonly server: ModelServer;
  readonly at: Stage;
  readonly claude: Provider;
}

const STEPS = WORK as readonly Step[];
const bash = (command: string): Call => ({ tool: 'bash', command });

const sessionFiles = (home: string): readonly string[] => readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) => /projects\/.*\.jsonl$/.test(name)).map((name) => join(home, name));

await describeClient('claude', (cli) => {
  async function place(script: Script, env: Readonly<Record<string, string>> = {}): Promise<Place> {
    const server = await modelServer(script);
    const at = stage('claude');
    closing.push(() => server.close(), () => at.remove());
    return { server, at, claude: createClaude('claude', { kind: 'claude', command: [cli.program], env: { ANTHROPIC_API_KEY: 'sk-ant-scripted', ...env }, baseUrl: server.url, models: {} }) };
  }

  // Neither a login nor a key of whoever runs this takes part: the person has another home, and no variables.
  const person = tempDir('person');
  const before = { ...process.env };
  beforeAll(() => {
    process.env['HOME'] = person.path;
    for (const name of createClaude('claude', { kind: 'claude', command: [], env: {}, baseUrl: null, models: {} }).prepare(requestOf()).keepEnv ?? []) delete process.env[name];
  });
  afterAll(() => {
    process.env = before;
    person.remove();
  });

  test('is found, in its version', async () => {
    expect(await (await place([])).claude.probe()).toEqual({ version: cli.version });
  });

  test('does its work with its own tools and leaves its report, wherever its folders are', async () => {
    const { at, server, claude } = await place([]);
    const scratch = join(at.home, 'spawn [1] (a)');
    server.answer([...STEPS.slice(0, 2), { tool: 'write', path: `${scratch}/result.md`, text: '---\ncriteria:\n  - { text: it greets, met: true, evidence: greeting.txt }\n---\nGreeted.\n' }, { text: 'Done.' }]);
    const { report, end, events, left } = await supervised(claude, at, { scratch, task: taskOf({ acceptanceCriteria: ['It greets.'] }) });
    expect(report).toMatchObject({ ok: true, failure: null, report: 'Greeted.', criteria: [{ text: 'It greets.', met: true, evidence: 'greeting.txt' }], warnings: [], usage: { input: 400, output: 80 } });
    expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
    expect(events.filter(({ kind }) => kind === 'end')).toHaveLength(1);
    expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(Array.from({ length: 4 }, () => 'Write the greeting.'));
    expect([end.exit, left, server.strangers]).toEqual([0, [], []]);
  });

  test('executes nothing of the tree, reads its CLAUDE.md, and runs our hooks', async () => {
    const { at, server, claude } = await place([bash('echo "tree=$TREE"'), { text: 'Done.' }]);
    const hook = (name: string) => ({ hooks: { SessionStart: [{ hooks: [{ type: 'command', command: `touch '${at.cwd}/${name}'` }] }] } });
    mkdirSync(join(at.cwd, '.claude'));
    writeFileSync(join(at.cwd, '.claude/settings.json'), JSON.stringify({ ...hook('project-hook'), env: { TREE: 'set' } }));
    writeFileSync(join(at.cwd, '.claude/settings.local.json'), JSON.stringify(hook('local-hook')));
    writeFileSync(join(at.cwd, '.mcp.json'), JSON.stringify({ mcpServers: { x: { command: 'touch', args: [join(at.cwd, 'mcp-server')] } } }));
    writeFileSync(join(at.cwd, 'CLAUDE.md'), 'The word is MARMALADE. @more.md\n');
    writeFileSync(join(at.cwd, 'more.md'), 'And QUINCE.\n');
    const said = join(at.home, 'hooks.txt');
    const script = join(at.home, 'hook.sh');
    writeFileSync(script, `echo "$1" >> '${said}'\n`);
    const { report } = await supervised(claude, at, { hook: ['sh', script] });
    expect(report.ok).toBe(true);
    expect(server.turns().at(-1)?.results.map(({ text }) => text)).toEqual(['tree=']);
    expect(['project-hook', 'local-hook', 'mcp-server'].filter((name) => existsSync(join(at.cwd, name)))).toEqual([]);
    expect([...(server.turns()[0]?.context ?? '').matchAll(/MARMALADE|QUINCE/g)].map(([word]) => word)).toEqual(['MARMALADE', 'QUINCE']);
    expect(readFileSync(said, 'utf8').split('\n')).toEqual(['session-start', 'user-prompt', 'stop', 'session-end', '']);
  });

  test('an AGENTS.md is read where there is no CLAUDE.md, once where both are, and one that stands above is named', async () => {
    const { at, server, claude } = await place([{ text: 'Done.' }]);
    const worktree = join(at.cwd, 'a tree (1)');
    const directory = join(worktree, 'web');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(worktree, 'AGENTS.md'), 'The word is MARMALADE.\n');
    writeFileSync(join(directory, 'AGENTS.md'), 'And here QUINCE.\n');
    writeFileSync(join(directory, 'CLAUDE.md'), '@AGENTS.md\n');
    const contextIn = async (folder: string): Promise<string> => {
      expect((await supervised(claude, at, { worktree, directory: folder })).report.ok).toBe(true);
      return server.turns().at(-1)?.context ?? '';
    };
    const words = (context: string): readonly string[] => [...context.matchAll(/MARMALADE|QUINCE/g)].map(([word]) => word);
    expect(words(await contextIn(worktree))).toEqual(['MARMALADE']);
    const below = await contextIn(directory);
    expect(words(below)).toEqual(['QUINCE']);
    expect(below).toContain(`Where ${worktree}/AGENTS.md exists`);
  });

  test('what a subagent uses is counted, and its caller ends once', async () => {
    const task: Call = { tool: 'named', name: 'Task', input: { description: 'look', prompt: 'SUBJOB', subagent_type: 'general-purpose' } };
    const { at, claude } = await place((asked) => (asked.prompt.includes('SUBJOB') ? [{ text: 'Looked.', usage: { input: 1000, output: 100 } }] : [task, { text: 'All done.' }]));
    const { report, events } = await supervised(claude, at);
    expect(report).toMatchObject({ ok: true, report: 'All done.', usage: { input: 1200, output: 140 } });
    expect(events.filter(({ kind }) => kind === 'end')).toHaveLength(1);
  });

  test('a file beside the worktree is refused to it, and that is a warning', async () => {
    const { at, server, claude } = await place([]);
    const outside = join(at.home, 'outside.txt');
    server.answer([{ tool: 'write', path: outside, text: 'x\n' }, { text: 'Tried.' }]);
    expect((await supervised(claude, at)).report).toMatchObject({ ok: true, report: 'Tried.', warnings: [`Write was denied: ${outside}`] });
    expect(existsSync(outside)).toBe(false);
  });

  test('who may not write changes no file, and still reports', async () => {
    const { at, server, claude } = await place([]);
    const scratch = join(at.home, 'spawn');
    server.answer([{ tool: 'write', path: 'greeting.txt', text: 'x\n' }, { tool: 'write', path: `${scratch}/result.md`, text: 'Looked at it.\n' }, { text: 'Done.' }]);
    const { report } = await supervised(claude, at, { scratch, mayWrite: false });
    expect(report).toMatchObject({ ok: true, report: 'Looked at it.', warnings: [`Write was denied: ${at.cwd}/greeting.txt`] });
    expect(existsSync(join(at.cwd, 'greeting.txt'))).toBe(false);
  });

  test.each([[401, 'auth'], [429, 'rate_limit'], [500, 'overloaded'], [529, 'overloaded'], [404, 'refused']] as const)('a service that answers %i is %s', async (status, failure) => {
    const { at, claude } = await place([{ fail: status }]);
    const { report, left } = await supervised(claude, at);
    expect(report).toMatchObject({ ok: false, failure, resetAt: null, usage: { input: 0, cached: 0, output: 0 }, costUsd: 0 });
    expect(left).toEqual([]);
  });

  test('a spent subscription says when it may be asked again', async () => {
    const { at, claude } = await place([{ fail: 429, exhausted: true, retryAfterS: 3600 }], { ANTHROPIC_API_KEY: '', CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-scripted' });
    const { report, end } = await supervised(claude, at);
    expect(report.failure).toBe('rate_limit');
    const aheadMs = Date.parse(report.resetAt ?? '') - Date.parse(end.endedAt);
    expect(aheadMs > 3_000_000 && aheadMs < 3_700_000).toBe(true);
  });

  test('a short trouble of the service is overcome by a retry of its own', async () => {
    const { at, server, claude } = await place([{ fail: 529, times: 1 }, { text: 'At last.' }]);
    expect((await supervised(claude, at)).report).toMatchObject({ ok: true, report: 'At last.', failure: null });
    expect(server.turns()).toHaveLength(2);
  });

  test('a connection that is refused ends it soon', async () => {
    const { at, server, claude } = await place([]);
    await server.close();
    expect((await supervised(claude, at)).report).toMatchObject({ ok: false, failure: 'refused' });
  });

  test('nobody logged in is a matter of credentials', async () => {
    const { at, claude } = await place([], { ANTHROPIC_API_KEY: '' });
    expect((await supervised(claude, at)).report).toMatchObject({ ok: false, failure: 'auth' });
  });

  test('a service that takes the question and never answers is a hang, and nothing is left of it', async () => {
    const { at, claude } = await place([{ hang: true }]);
    const { report, end, left } = await supervised(claude, at, {}, { silenceMs: 3_000 });
    expect([end.stopped, report.ok, report.failure, left]).toEqual(['silence', false, 'hung', []]);
  });

  test('a long answer is no silence, and its pieces stay out of the log', async () => {
    const { at, claude } = await place([{ text: 'word '.repeat(20), dribbleMs: 300 }]);
    const { report, end, log } = await supervised(claude, at, {}, { silenceMs: 3_000 });
    expect([end.stopped, report.ok]).toEqual([null, true]);
    expect([log.includes('"stream_event"'), log.includes('content_block_delta')]).toEqual([true, false]);
  });

  test('a command that hangs with what it started is ended whole, and the session goes on', async () => {
    const { at, server, claude } = await place(ENDLESS);
    const started = await startSupervised(claude, at);
    await until(() => (existsSync(join(at.cwd, 'started')) ? true : null), 30_000);
    await started.stop();
    const first = await started.ended();
    // Its exit is 143, or 0 where its command was gone before it heard of it.
    expect(first.end.stopped).toBe('asked');
    expect(first.report).toMatchObject({ ok: false, failure: null, retryable: true, usage: { input: 100, output: 20 } });
    expect(first.left).toEqual([]);
    server.answer([{ text: 'Going on.' }]);
    const session = first.report.session ?? '';
    const second = await supervised(claude, at, { prompt: 'Go on.', resume: { session, usage: first.report.usage, costUsd: first.report.costUsd } });
    expect(second.report).toMatchObject({ ok: true, report: 'Going on.', session, usage: { input: 100, output: 20 } });
    expect(server.turns().at(-1)?.prompts.join(' ')).toMatch(/Write the greeting\.[^]*Go on\./);
  });

  test('killed in the middle of a command, it leaves nothing running, and its session can be gone on with', async () => {
    const { at, server, claude } = await place(ENDLESS);
    const started = await startSupervised(claude, at);
    await until(() => (existsSync(join(at.cwd, 'started')) ? true : null), 30_000);
    // It writes its session beside its work: one that was killed before has none to go on with.
    await until(() => (sessionFiles(at.home).some((path) => readFileSync(path, 'utf8').includes('tool_use')) ? true : null), 30_000);
    const { agent } = JSON.parse(readFileSync(join(started.scratch, 'supervisor.json'), 'utf8')) as { readonly agent: { readonly pid: number } };
    process.kill(agent.pid, 'SIGKILL');
    const first = await started.ended();
    expect(first.report).toMatchObject({ ok: false, failure: 'crashed', retryable: true });
    expect([first.end.signal, first.left]).toEqual(['SIGKILL', []]);
    server.answer([{ text: 'Going on.' }]);
    const second = await supervised(claude, at, { prompt: 'Go on.', resume: { session: first.report.session ?? '', usage: first.report.usage, costUsd: null } });
    expect(second.report).toMatchObject({ ok: true, report: 'Going on.' });
  });

  test('a resumed session counts its new turn alone', async () => {
    const { at, server, claude } = await place([{ text: 'First.' }]);
    const first = (await supervised(claude, at)).report;
    server.answer([{ text: 'Second.', usage: { input: 500, output: 10, cached: 400 } }]);
    const second = (await supervised(claude, at, { prompt: 'And now?', resume: { session: first.session ?? '', usage: first.usage, costUsd: first.costUsd } })).report;
    expect([first.usage, second.usage]).toEqual([{ input: 100, cached: 0, output: 20 }, { input: 500, cached: 400, output: 10 }]);
    expect(second.session).toBe(first.session);
    // Fewer fresh tokens than in the first turn: the sum of both would cost more.
    expect(second.costUsd).toBeLessThan((first.costUsd ?? 0) * 1.5);
  });

  test('a session that is not there is said to be so, and is not kept', async () => {
    const { at, claude } = await place([{ text: 'x' }]);
    const { report } = await supervised(claude, at, { resume: { session: 'c0ffee00-1111-4222-8333-444455556666', usage: null, costUsd: null } });
    expect(report).toMatchObject({ ok: false, failure: 'crashed', session: null });
    expect(report.report).toContain('No conversation found');
  });

  test('the most turns and the most dollars end it', async () => {
    const { at, claude } = await place([bash('true'), bash('true'), { text: 'x' }]);
    expect((await supervised(claude, at, { maxTurns: 1 })).report).toMatchObject({ ok: false, failure: 'timeout', usage: { input: 100 } });
    expect((await supervised(claude, at, { budgetUsd: 0.0001 })).report).toMatchObject({ ok: false, failure: 'timeout' });
  });

  test('an answer without a word is empty, one with a changed file is none', async () => {
    const { at, server, claude } = await place([{ text: '' }, { text: '' }]);
    expect((await supervised(claude, at)).report).toMatchObject({ ok: false, failure: 'empty' });
    // It asks once more for a word by itself, as if a person had.
    server.answer((asked) => (asked.prompt.includes('Write the greeting.') ? [{ tool: 'write', path: 'a.txt', text: 'a\n' }, { text: '' }] : { text: '' }));
    expect((await supervised(claude, at)).report).toMatchObject({ ok: true, failure: null });
  });
});
