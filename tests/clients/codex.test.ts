/** The codex provider with the real codex under the real supervisor, before a scripted model. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createCodex } from '../../src/adapters/providers/codex.ts';
import type { Provider } from '../../src/ports/provider.ts';
import { taskOf } from '../support/spawnRequest.ts';
import { until } from '../support/temp.ts';
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
  readonly codex: Provider;
}

const STEPS = WORK as readonly Step[];
const bash = (command: string): Call => ({ tool: 'bash', command });
const git = (cwd: string, ...args: readonly string[]): string => execFileSync('git', ['-C', cwd, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { encoding: 'utf8' }).trim();

await describeClient('codex', (cli) => {
  async function place(script: Script, env: Readonly<Record<string, string>> = {}): Promise<Place> {
    const server = await modelServer(script);
    const at = stage('codex');
    closing.push(() => server.close(), () => at.remove());
    return { server, at, codex: createCodex('codex', { kind: 'codex', command: [cli.program], env: { OPENAI_API_KEY: 'sk-scripted', ...env }, baseUrl: `${server.url}/v1`, models: {} }) };
  }

  /** A worktree as cambium makes it: its `.git` is a file, its HEAD on no branch. */
  function worktree(at: Stage): { readonly clone: string; readonly path: string } {
    const clone = join(at.home, 'clone');
    const path = join(clone, '.cambium/worktrees/add-login-1');
    mkdirSync(clone);
    git(clone, 'init', '--quiet');
    git(clone, 'commit', '--quiet', '--allow-empty', '-m', 'first');
    git(clone, 'worktree', 'add', '--quiet', '--detach', '--lock', path);
    return { clone, path };
  }

  test('is found, in its version', async () => {
    expect(await (await place([])).codex.probe()).toEqual({ version: cli.version });
  });

  test('does its work with its own tools and leaves its report', async () => {
    const { at, server, codex } = await place([]);
    const scratch = join(at.home, 'spawn [1] "a"');
    server.answer([...STEPS.slice(0, 2), bash(`printf -- '---\\ncriteria:\\n  - { text: it greets, met: true, evidence: greeting.txt }\\n---\\nGreeted.\\n' > '${scratch}/result.md'`), { text: 'Done.' }]);
    const { report, end, events, left } = await supervised(codex, at, { scratch, task: taskOf({ acceptanceCriteria: ['It greets.'] }) });
    expect(report).toMatchObject({ ok: true, failure: null, report: 'Greeted.', criteria: [{ text: 'It greets.', met: true, evidence: 'greeting.txt' }], warnings: [], usage: { input: 400, cached: 0, output: 80 }, costUsd: null });
    expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
    const kinds = events.map(({ kind }) => kind);
    expect([kinds[0], kinds.at(-1), kinds.filter((kind) => kind === 'end').length]).toEqual(['start', 'end', 1]);
    expect(events).toContainEqual(expect.objectContaining({ kind: 'tool', name: 'apply_patch', input: `add ${at.cwd}/greeting.txt` }));
    expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(Array.from({ length: 4 }, () => 'Write the greeting.'));
    expect([end.exit, left, server.strangers]).toEqual([0, [], []]);
  });

  test('commits in a worktree of the clone, and can change nothing else of it', async () => {
    const { at, server, codex } = await place([]);
    const { clone, path } = worktree(at);
    writeFileSync(join(clone, 'mine.txt'), 'a person\n');
    const before = git(clone, 'rev-parse', 'HEAD');
    const tries = [`echo x > '${clone}/mine.txt'`, `echo x >> '${clone}/.git/config'`, `git update-ref refs/heads/other HEAD`, `echo x > '${clone}/.git/hooks/pre-commit'`];
    server.answer([bash('echo a > a.txt && git add a.txt && git -c user.name=x -c user.email=x@example.org commit --quiet -m work && git log -1 --format=committed-%s'), bash(tries.map((one) => `(${one}) 2>&1 || echo refused`).join('; ')), { text: 'Done.' }]);
    const { report } = await supervised(codex, at, { worktree: path, directory: path });
    const results = server.turns().at(-1)?.results.map(({ text }) => text) ?? [];
    expect(results[0]).toContain('committed-work');
    expect(results[1]?.match(/^refused$/gm)).toHaveLength(tries.length);
    expect(git(path, 'log', '-1', '--format=%s %P')).toBe(`work ${before}`);
    expect([git(clone, 'for-each-ref', 'refs/heads/other'), readFileSync(join(clone, 'mine.txt'), 'utf8')]).toEqual(['', 'a person\n']);
    expect(report.ok).toBe(true);
  });

  test('its commands reach loopback, keep caches and never see its key; offline they reach nothing', async () => {
    const listen = `node -e 'require("node:net").createServer().on("error", (error) => console.log(error.code)).listen(0, "127.0.0.1", function () { console.log("listens"); this.close(); })'`;
    const script = [bash(`${listen}; mkdir -p "$npm_config_cache" && echo cached; echo "key=$OPENAI_API_KEY" agent=$CAMBIUM_AGENT; echo x > "$CODEX_HOME/config.toml" || echo kept`), { text: 'Done.' }];
    const said = async (env: Readonly<Record<string, string>>): Promise<string> => {
      const { at, server, codex } = await place(script, env);
      await supervised(codex, at);
      return server.turns().at(-1)?.results[0]?.text ?? '';
    };
    const online = await said({});
    for (const line of ['listens', 'cached', 'key= agent=worker-1', 'kept']) expect(online.split('\n')).toContain(line);
    const offline = await said({ CAMBIUM_CODEX_SANDBOX: 'offline' });
    expect(offline).toContain('EPERM');
  });

  test('without a sandbox it writes where the person may', async () => {
    const { at, server, codex } = await place([], { CAMBIUM_CODEX_SANDBOX: 'none' });
    server.answer([bash(`echo x > '${at.home}/outside.txt'`), { text: 'Done.' }]);
    expect((await supervised(codex, at)).report).toMatchObject({ ok: true, warnings: [] });
    expect(existsSync(join(at.home, 'outside.txt'))).toBe(true);
  });

  test('a write beside the worktree is refused to it, and that is a warning', async () => {
    const { at, server, codex } = await place([]);
    const outside = join(at.home, 'outside.txt');
    server.answer([{ tool: 'write', path: outside, text: 'x\n' }, bash(`echo x > '${outside}'`), { text: 'Tried.' }]);
    const { report } = await supervised(codex, at);
    expect(report).toMatchObject({ ok: true, report: 'Tried.' });
    expect(report.warnings).toContainEqual(expect.stringMatching(/^A tool was refused: patch rejected: writing outside of the project/));
    // codex does not tell each short command that fails in its stream; the model is told each.
    expect(server.turns().at(-1)?.results[1]?.text).toContain('Read-only file system');
    expect(existsSync(outside)).toBe(false);
  });

  test('who may not write changes no file, neither by a patch nor by a command, and still reports', async () => {
    const { at, server, codex } = await place([]);
    const scratch = join(at.home, 'spawn');
    server.answer([{ tool: 'write', path: 'greeting.txt', text: 'x\n' }, bash('echo x > other.txt'), bash(`echo Looked at it. > '${scratch}/result.md'`), { text: 'Done.' }]);
    const { report } = await supervised(codex, at, { scratch, mayWrite: false });
    expect(report).toMatchObject({ ok: true, report: 'Looked at it.' });
    expect(report.warnings).toContainEqual(expect.stringMatching(/^A tool was refused: patch rejected/));
    expect(server.turns().at(-1)?.results[1]?.text).toContain('Read-only file system');
    expect(['greeting.txt', 'other.txt'].filter((name) => existsSync(join(at.cwd, name)))).toEqual([]);
  });

  test('executes nothing of the tree and of its home, reads AGENTS.md or else CLAUDE.md, and runs our hooks', async () => {
    const { at, server, codex } = await place([{ text: 'Done.' }]);
    const hooks = (name: string): string => JSON.stringify({ hooks: { SessionStart: [{ hooks: [{ type: 'command', command: `touch '${at.cwd}/${name}'` }] }] } });
    const server_ = (name: string): string => `[mcp_servers.x]\ncommand = "touch"\nargs = ["${join(at.cwd, name)}"]\n`;
    git(at.cwd, 'init', '--quiet');
    for (const folder of [join(at.cwd, '.codex'), join(at.home, 'codex/.codex')]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(at.cwd, '.codex/hooks.json'), hooks('project-hook'));
    writeFileSync(join(at.cwd, '.codex/config.toml'), server_('project-server'));
    writeFileSync(join(at.home, 'codex/.codex/config.toml'), server_('home-server'));
    writeFileSync(join(at.home, 'codex/.codex/hooks.json'), hooks('home-hook'));
    writeFileSync(join(at.cwd, 'CLAUDE.md'), 'The word is MARMALADE.\n');
    const said = join(at.home, 'hooks.txt');
    const script = join(at.home, 'hook.sh');
    writeFileSync(script, `echo "$1" >> '${said}'\n`);
    const { report } = await supervised(codex, at, { hook: ['sh', script] });
    expect(report).toMatchObject({ ok: true, warnings: [] });
    expect(['project-hook', 'project-server', 'home-server', 'home-hook'].filter((name) => existsSync(join(at.cwd, name)))).toEqual([]);
    expect(JSON.stringify(server.turns()[0]?.body)).toContain('MARMALADE');
    expect(readFileSync(said, 'utf8').split('\n')).toEqual(['session-start', 'user-prompt', 'stop', 'session-end', '']);
    writeFileSync(join(at.cwd, 'AGENTS.md'), 'The word is QUINCE.\n');
    await supervised(codex, at);
    expect(JSON.stringify(server.turns().at(-1)?.body)).toMatch(/QUINCE/);
    expect(readFileSync(said, 'utf8').split('\n')).toHaveLength(5);
  });

  test.each([[401, 'auth'], [429, 'rate_limit'], [500, 'overloaded'], [529, 'overloaded'], [404, 'refused'], [400, 'refused']] as const)('a service that answers %i is %s', async (status, failure) => {
    const { at, codex } = await place([{ fail: status }]);
    const { report, left } = await supervised(codex, at);
    expect(report).toMatchObject({ ok: false, failure, resetAt: null, usage: null });
    expect(left).toEqual([]);
  });

  test('a spent subscription says when it may be asked again', async () => {
    const { at, codex } = await place([{ fail: 429, exhausted: true, retryAfterS: 3600 }]);
    const { report, end } = await supervised(codex, at);
    expect(report.failure).toBe('rate_limit');
    const aheadMs = Date.parse(report.resetAt ?? '') - Date.parse(end.endedAt);
    expect(aheadMs > 3_000_000 && aheadMs < 3_700_000).toBe(true);
  });

  test('a short trouble of the service is overcome by a retry of its own', async () => {
    const { at, server, codex } = await place([{ fail: 500, times: 1 }, { text: 'At last.' }]);
    expect((await supervised(codex, at)).report).toMatchObject({ ok: true, report: 'At last.', failure: null });
    expect(server.turns()).toHaveLength(2);
  });

  test('a connection that is refused ends it soon', async () => {
    const { at, server, codex } = await place([]);
    await server.close();
    const { report, end } = await supervised(codex, at, {}, { silenceMs: 30_000 });
    expect([end.stopped, report.ok, report.failure]).toEqual([null, false, 'refused']);
  });

  test('a stream that is cut is refused, and no success', async () => {
    const { at, codex } = await place([{ drop: { text: 'Only half of this' } }]);
    expect((await supervised(codex, at)).report).toMatchObject({ ok: false, failure: 'refused' });
  });

  test('a local model needs no key', async () => {
    const { at, codex } = await place([{ text: 'Without.' }], { OPENAI_API_KEY: '' });
    expect((await supervised(codex, at)).report).toMatchObject({ ok: true, report: 'Without.' });
  });

  test('a service that takes the question and never answers is a hang, and nothing is left of it', async () => {
    const { at, codex } = await place([{ hang: true }]);
    const { report, end, left } = await supervised(codex, at, {}, { silenceMs: 3_000 });
    expect([end.stopped, report.ok, report.failure, left]).toEqual(['silence', false, 'hung', []]);
  });

  test.each(['asked', 'killed'] as const)('%s in the middle of a command, it leaves nothing running, and its thread goes on', async (how) => {
    const { at, server, codex } = await place(ENDLESS);
    const started = await startSupervised(codex, at);
    await until(() => (existsSync(join(at.cwd, 'started')) ? true : null), 30_000);
    if (how === 'asked') await started.stop();
    else process.kill((JSON.parse(readFileSync(join(started.scratch, 'supervisor.json'), 'utf8')) as { readonly agent: { readonly pid: number } }).agent.pid, 'SIGKILL');
    const first = await started.ended();
    expect(first.end.stopped).toBe(how === 'asked' ? 'asked' : null);
    expect(first.report).toMatchObject({ ok: false, failure: how === 'asked' ? null : 'crashed', retryable: true });
    expect(first.left).toEqual([]);
    server.answer([{ text: 'Going on.' }]);
    const second = await supervised(codex, at, { prompt: 'Go on.', resume: { session: first.report.session ?? '', usage: first.report.usage, costUsd: null } });
    expect(second.report).toMatchObject({ ok: true, report: 'Going on.', session: first.report.session });
    expect(server.turns().at(-1)?.prompts.join(' ')).toMatch(/Write the greeting\.[^]*Go on\./);
  });

  test('a resumed thread counts its new turn alone, in its worktree and under its sandbox', async () => {
    const { at, server, codex } = await place([{ text: 'First.' }]);
    const first = (await supervised(codex, at)).report;
    server.answer([bash(`echo here > here.txt; echo x > '${at.home}/outside.txt'`), { text: 'Second.', usage: { input: 500, output: 10, cached: 400 } }]);
    const second = (await supervised(codex, at, { prompt: 'And now?', resume: { session: first.session ?? '', usage: first.usage, costUsd: null } })).report;
    expect([first.usage, second.usage]).toEqual([{ input: 100, cached: 0, output: 20 }, { input: 600, cached: 400, output: 30 }]);
    expect(second.session).toBe(first.session);
    expect([existsSync(join(at.cwd, 'here.txt')), existsSync(join(at.home, 'outside.txt'))]).toEqual([true, false]);
  });

  test('a thread that is not there is said to be so, and is not kept', async () => {
    const { at, codex } = await place([{ text: 'x' }]);
    const { report } = await supervised(codex, at, { resume: { session: 'c0ffee00-1111-4222-8333-444455556666', usage: null, costUsd: null } });
    expect(report).toMatchObject({ ok: false, failure: 'crashed', session: null });
    expect(report.report).toContain('no rollout found');
  });

  test('an answer without a word is empty, one with a changed file is none', async () => {
    const { at, server, codex } = await place([{ text: '' }]);
    expect((await supervised(codex, at)).report).toMatchObject({ ok: false, failure: 'empty' });
    server.answer([{ tool: 'write', path: 'a.txt', text: 'a\n' }, { text: '' }]);
    expect((await supervised(codex, at)).report).toMatchObject({ ok: true, failure: null });
  });
});
