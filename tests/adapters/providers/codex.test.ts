/** codex as a provider: what it is started with, and what is read from what the real one printed (tests/fixtures/clients/codex). */
import { execFileSync } from 'node:child_process';
import { homedir, tmpdir } from 'node:os';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { createCodex } from '../../../src/adapters/providers/codex.ts';
import { toml } from '../../../src/adapters/providers/codexSandbox.ts';
import type { ProviderConfig } from '../../../src/model/config.ts';
import type { SpawnEvent } from '../../../src/model/spawnEvent.ts';
import type { SpawnEnd, SpawnReport, SpawnRequest } from '../../../src/ports/provider.ts';
import { eventsOf, judged, providerContract, recordedStreams } from '../../contracts/provider.ts';
import { requestOf } from '../../support/spawnRequest.ts';
import { tempDir } from '../../support/temp.ts';

const CONFIG: ProviderConfig = { kind: 'codex', command: [], env: {}, baseUrl: null, models: {} };
const codex = createCodex('codex', CONFIG);
const streams = recordedStreams('codex');

providerContract('codex', () => codex, streams);

const recorded = (name: string) => streams.find((stream) => stream.name === name) ?? { name, log: '', exit: null, signal: null };
const report = (name: string, request?: SpawnRequest): Promise<SpawnReport> => judged(codex, recorded(name).log, recorded(name), request);
const events = (name: string): readonly SpawnEvent[] => eventsOf(codex, recorded(name).log);
const lines = (...said: readonly unknown[]): string => said.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
const failed = (message: string): string => lines({ type: 'turn.failed', error: { message } });

const folder = tempDir('codex');
afterAll(() => folder.remove());
afterEach(() => void vi.unstubAllEnvs());

const request = requestOf({ worktree: '/w/login-1', directory: '/w/login-1/web', scratch: '/s/1', home: '/h/worker-1' });

/** The value of a `-c key=…`. */
function setting(argv: readonly string[], key: string): string | undefined {
  return argv.find((word, at) => argv[at - 1] === '-c' && word.startsWith(`${key}=`))?.slice(key.length + 1);
}

describe('codex is started', () => {
  const { argv, env, stdin, files, home, cwd } = codex.prepare(request);

  test('with the prompt on its standard input, kept beside its log', () => {
    expect([stdin, files['prompt.md'], cwd, argv.at(-1)]).toEqual([request.prompt, request.prompt, request.directory, '-']);
    expect(argv.join(' ')).not.toContain('Do it.');
  });

  test('as a stream of JSON, in the folder of the work, by its flags alone', () => {
    expect(argv.slice(0, 7)).toEqual(['codex', 'exec', '-C', '/w/login-1/web', '--json', '--skip-git-repo-check', '--ignore-user-config']);
    expect(setting(argv, 'features.plugins')).toBe('false');
    expect(setting(argv, 'features.unbounded_connection_retries')).toBe('false');
  });

  test('in a home of its own, with the login of the person', () => {
    expect([env['HOME'], env['CODEX_HOME']]).toEqual(['/h/worker-1/codex', '/h/worker-1/codex/.codex']);
    expect(home).toMatchObject({ path: '/h/worker-1/codex', links: { '.codex/auth.json': '.codex/auth.json' } });
  });

  test('with a home outside of temporary folders, where it makes no sandbox', () => {
    const moved = codex.prepare({ ...request, home: join(tmpdir(), 'homes/worker-1') });
    const other = codex.prepare({ ...request, home: join(tmpdir(), 'homes/worker-2') });
    expect(moved.home?.path).toMatch(new RegExp(`^${process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state')}/cambium/homes/[0-9a-f]{16}/codex$`));
    expect(moved.env['CODEX_HOME']).toBe(`${moved.home?.path}/.codex`);
    expect(other.home?.path).not.toBe(moved.home?.path);
  });

  test('going on with a session by flags that resume knows', () => {
    const session = 'c0ffee00-1111-4222-8333-444455556666';
    const resumed = codex.prepare({ ...request, resume: { session, usage: null, costUsd: null } }).argv;
    expect([resumed.slice(0, 3), resumed.slice(-2)]).toEqual([['codex', 'exec', 'resume'], [session, '-']]);
    for (const unknown of ['-C', '-s', '--add-dir']) expect(resumed).not.toContain(unknown);
    expect(setting(resumed, 'sandbox_mode')).toBe('"workspace-write"');
  });

  test('with hooks that nobody need review, or with none', () => {
    const hooked = codex.prepare({ ...request, hook: ['node', '/opt/cambium', 'hook'] });
    const hooks = (spec: typeof hooked): Record<string, unknown> => (JSON.parse(spec.home?.files['.codex/hooks.json'] ?? '') as { readonly hooks: Record<string, unknown> }).hooks;
    expect(Object.keys(hooks(hooked))).toEqual(expect.arrayContaining(['SessionStart', 'Stop', 'PreToolUse']));
    expect(hooked.argv).toContain('--dangerously-bypass-hook-trust');
    expect([hooks(codex.prepare(request)), argv.includes('--dangerously-bypass-hook-trust')]).toEqual([{}, false]);
  });

  test('with the model that it is asked for, by tier where the fleet maps it', () => {
    const mapped = createCodex('codex', { ...CONFIG, models: { high: 'gpt-big' } });
    expect([mapped.model('high'), mapped.model('daily'), mapped.model('gpt-x')]).toEqual(['gpt-big', null, 'gpt-x']);
    const asked = codex.prepare({ ...request, model: 'gpt-big' }).argv;
    expect(asked[asked.indexOf('-m') + 1]).toBe('gpt-big');
    expect(argv).not.toContain('-m');
  });

  test('with what cambium.yaml says of it', () => {
    const spec = createCodex('codex', { ...CONFIG, command: ['/opt/codex', '--enable', 'x'], env: { MINE: '1', CAMBIUM_AGENT: 'other' } }).prepare(request);
    expect(spec.argv.slice(0, 4)).toEqual(['/opt/codex', '--enable', 'x', 'exec']);
    expect([spec.env['MINE'], spec.env['CAMBIUM_AGENT']]).toEqual(['1', 'worker-1']);
  });
});

describe('the service of codex', () => {
  const at = (baseUrl: string, env: Readonly<Record<string, string>> = {}): string | undefined =>
    setting(createCodex('codex', { ...CONFIG, baseUrl, env }).prepare(request).argv, 'model_providers.cambium');

  test('is another one where cambium.yaml says so, asked once more at most', () => {
    expect(at('http://127.0.0.1:11434/v1', { OPENAI_API_KEY: 'k' })).toBe('{"name"="cambium","base_url"="http://127.0.0.1:11434/v1","wire_api"="responses","env_key"="OPENAI_API_KEY",request_max_retries=1,stream_max_retries=1}');
    expect(setting(codex.prepare(request).argv, 'model_provider')).toBe(undefined);
  });

  test('is asked without a key where there is none', () => {
    vi.stubEnv('OPENAI_API_KEY', '');
    vi.stubEnv('CODEX_API_KEY', '');
    expect(at('http://127.0.0.1:11434/v1')).not.toContain('env_key');
    vi.stubEnv('CODEX_API_KEY', 'k');
    expect(at('http://127.0.0.1:11434/v1')).toContain('"env_key"="CODEX_API_KEY"');
  });

  test('an address cannot say more than an address', () => {
    expect(at('http://h/"},x={a="b')).toContain(String.raw`"base_url"="http://h/\"},x={a=\"b"`);
    expect(toml(['a\u007f\n"'])).toBe(String.raw`["a\u007f\n\""]`);
  });

  test('its keys are not for the commands that an agent runs', () => {
    const spec = codex.prepare(request);
    expect(setting(spec.argv, 'shell_environment_policy.exclude')).toBe('["CODEX_API_KEY","OPENAI_API_KEY"]');
    expect(spec.keepEnv).toEqual(expect.arrayContaining(['CODEX_API_KEY', 'OPENAI_API_KEY']));
  });
});

describe('the sandbox of codex', () => {
  const roots = (more: Partial<SpawnRequest> = {}): unknown => JSON.parse(setting(codex.prepare({ ...request, ...more }).argv, 'sandbox_workspace_write.writable_roots') ?? 'null');

  test('lets it write the worktree, its report and its caches', () => {
    expect(roots()).toEqual(['/w/login-1', '/s/1', '/h/worker-1/codex/.cache']);
    expect(roots({ directory: '/w/login-1' })).toEqual(['/s/1', '/h/worker-1/codex/.cache']);
  });

  test('lets it commit in a worktree, and change nothing else of the clone', () => {
    const clone = join(folder.path, 'clone');
    const worktree = join(folder.path, 'worktree');
    const git = (...args: readonly string[]): string => execFileSync('git', ['-C', clone, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { encoding: 'utf8' });
    mkdirSync(clone);
    git('init', '--quiet');
    git('commit', '--quiet', '--allow-empty', '-m', 'first');
    git('worktree', 'add', '--quiet', '--detach', worktree);
    expect(roots({ worktree, directory: worktree })).toEqual(['/s/1', '/h/worker-1/codex/.cache', `${clone}/.git/worktrees/worktree`, `${clone}/.git/objects`]);
  });

  test('a `.git` file that an agent wrote opens no folder', () => {
    const worktree = join(folder.path, 'forged');
    const secrets = join(folder.path, 'victim/worktrees/x');
    mkdirSync(worktree);
    mkdirSync(secrets, { recursive: true });
    mkdirSync(join(folder.path, 'victim/objects'));
    writeFileSync(join(worktree, '.git'), `gitdir: ${secrets}\n`);
    expect(roots({ worktree, directory: worktree })).toHaveLength(2);
    writeFileSync(join(secrets, 'gitdir'), `${join(folder.path, 'elsewhere')}/.git\n`);
    expect(roots({ worktree, directory: worktree })).toHaveLength(2);
    symlinkSync('/', join(folder.path, 'link'));
    const linked = join(folder.path, 'own/worktrees/y');
    mkdirSync(linked, { recursive: true });
    writeFileSync(join(linked, 'gitdir'), `${worktree}/.git\n`);
    symlinkSync('/etc', join(folder.path, 'own/objects'));
    writeFileSync(join(worktree, '.git'), `gitdir: ${linked}\n`);
    expect(roots({ worktree, directory: worktree })).not.toContain(join(folder.path, 'own/objects'));
  });

  test('who may not write gets a worktree that is read-only, and still leaves a report', () => {
    const { argv } = codex.prepare({ ...request, mayWrite: false });
    expect(setting(argv, 'permissions.cambium.filesystem')).toBe('{":root"="read",":tmpdir"="write",":slash_tmp"="write","/w/login-1"="read","/s/1"="write","/h/worker-1/codex/.cache"="write"}');
    expect([setting(argv, 'default_permissions'), setting(argv, 'sandbox_mode')]).toEqual(['"cambium"', undefined]);
  });

  test('has a network, is offline, or is switched off where machines cannot nest one; what is misspelt confines', () => {
    const said = (value: string) => createCodex('codex', { ...CONFIG, env: { CAMBIUM_CODEX_SANDBOX: value } }).prepare(request).argv;
    const shown = (argv: readonly string[]): readonly unknown[] => [setting(argv, 'sandbox_mode'), setting(argv, 'sandbox_workspace_write.network_access')];
    expect(['workspace', 'offline', 'none', 'off'].map((value) => shown(said(value)))).toEqual([['"workspace-write"', 'true'], ['"workspace-write"', 'false'], ['"danger-full-access"', undefined], ['"workspace-write"', 'true']]);
    vi.stubEnv('CAMBIUM_CODEX_SANDBOX', 'none');
    expect(shown(codex.prepare(request).argv)).toEqual(['"danger-full-access"', undefined]);
  });
});

describe('of what codex printed is read', () => {
  test('a session, texts, tools with their results, and the end', () => {
    expect(events('tools')).toEqual([
      { kind: 'start', session: '00000000-0000-4000-8000-000000000001', model: null },
      { kind: 'text', text: 'I write it.' },
      { kind: 'tool', id: 'item_1', name: 'apply_patch', input: 'add /home/agent/project/greeting.txt' },
      { kind: 'tool_result', id: 'item_1', ok: true, output: '' },
      { kind: 'tool', id: 'item_2', name: 'shell', input: "/bin/bash -lc 'cat greeting.txt > copy.txt && echo copied'" },
      { kind: 'tool_result', id: 'item_2', ok: true, output: 'copied\n' },
      { kind: 'text', text: 'The greeting is written.' },
      { kind: 'usage', usage: { input: 500, cached: 200, output: 70 }, costUsd: null, cumulative: true },
      { kind: 'end', ok: true, text: 'The greeting is written.', turns: null },
    ]);
    expect(events('tool-failed')).toContainEqual({ kind: 'tool_result', id: 'item_0', ok: false, output: 'broken\n' });
  });

  test('what a resumed thread had used before is not counted again', async () => {
    const resume = { session: '00000000-0000-4000-8000-000000000001', usage: { input: 100, cached: 0, output: 20 }, costUsd: null };
    expect(await report('resume', requestOf({ resume }))).toMatchObject({ ok: true, usage: { input: 100, cached: 0, output: 20 }, costUsd: null, session: resume.session });
  });

  test.each([
    ['error-401', 'auth'], ['error-429', 'rate_limit'], ['error-429-exhausted', 'rate_limit'], ['error-500', 'overloaded'], ['error-529', 'overloaded'], ['cut', 'refused'], ['sigterm', 'crashed'], ['resume-unknown', 'crashed'], ['empty-prompt', 'crashed'],
  ] as const)('%s as %s', async (name, failure) => {
    const { exit } = recorded(name);
    expect(exit).not.toBe(0);
    expect(await report(name)).toMatchObject({ ok: false, failure });
  });

  test.each([
    ['Selected model is at capacity. Please try a different model.', 'overloaded'], ['unexpected status 403 Forbidden: no', 'auth'], ['unexpected status 404 Not Found: The model `x` does not exist', 'refused'],
    ['{"error":{"type":"invalid_request_error","message":"no such model"}}', 'refused'], ['', 'refused'], ['Connection failed: error sending request', 'refused'],
    ["Codex ran out of room in the model's context window.", 'crashed'],
  ] as const)('a turn that failed with %j as %s', async (message, failure) => {
    expect(await judged(codex, failed(message), { exit: 1 })).toMatchObject({ ok: false, failure });
  });

  test('the words of the service out of its JSON', async () => {
    expect((await judged(codex, failed('{"error":{"message":"no such model"}}'), { exit: 1 })).report).toContain('no such model');
    expect((await judged(codex, failed('{"error":{"message":"no such model"}}'), { exit: 1 })).report).not.toContain('{"error"');
  });

  test.each([
    ['Europe/Berlin', 'try again at 4:44 PM.', '2026-11-21T15:44:00.000Z'], ['UTC', 'try again at 4:44 PM.', '2026-11-21T16:44:00.000Z'],
    ['America/New_York', 'or try again at Nov 23rd, 2026 11:08 PM.', '2026-11-24T04:08:00.000Z'],
  ])('a reset in the time of the machine, %s: %s', async (TZ, text, resetAt) => {
    const there = createCodex('codex', { ...CONFIG, env: { TZ } });
    const message = `You’ve hit your usage limit. Visit https://chatgpt.com/settings/usage to purchase more credits ${text}`;
    expect(await judged(there, failed(message), { exit: 1, endedAt: '2026-11-21T15:04:00.000Z' })).toMatchObject({ failure: 'rate_limit', resetAt });
  });

  test('a connection that it waits for in silence is refused and no hang; once overcome it is nothing', async () => {
    const silent: Partial<SpawnEnd> = { exit: null, signal: 'SIGTERM', stopped: 'silence' };
    expect(await judged(codex, recorded('refused').log, silent)).toMatchObject({ ok: false, failure: 'refused' });
    expect(await judged(codex, lines({ type: 'error', message: 'Reconnecting... waiting for network (dns error)' }), silent)).toMatchObject({ failure: 'refused' });
    const overcome = `${recorded('refused').log}\n${lines({ type: 'item.completed', item: { id: 'item_0', type: 'agent_message', text: 'On it.' } })}`;
    expect(await judged(codex, overcome, silent)).toMatchObject({ failure: 'hung' });
    expect(await judged(codex, lines({ type: 'thread.started', thread_id: 't' }, { type: 'turn.started' }), silent)).toMatchObject({ failure: 'hung', session: 't' });
    expect(await judged(codex, `${overcome}\n${lines({ type: 'turn.completed', usage: {} })}`)).toMatchObject({ ok: true, failure: null, report: 'On it.' });
  });

  test('an end without a word and without a change is empty; with a change it is not', async () => {
    const thread = { type: 'thread.started', thread_id: 't' };
    const completed = { type: 'turn.completed', usage: { input_tokens: 1 } };
    const change = (status: string) => ({ type: 'item.completed', item: { id: 'item_0', type: 'file_change', changes: [{ path: '/w/a', kind: 'add' }], status } });
    expect(await judged(codex, lines(thread, completed))).toMatchObject({ ok: false, failure: 'empty' });
    expect(await judged(codex, lines(thread, change('failed'), completed))).toMatchObject({ ok: false, failure: 'empty' });
    expect(await judged(codex, lines(thread, change('completed'), completed))).toMatchObject({ ok: true, failure: null });
  });

  test('a refused patch, a refused write and a sandbox that does not work, as warnings', async () => {
    expect(await report('denied')).toMatchObject({ ok: true, warnings: ['A tool was refused: patch rejected: writing is blocked by read-only sandbox; rejected by user approval settings'] });
    const ran = (aggregated_output: string): string => lines(
      { type: 'item.completed', item: { id: 'item_0', type: 'command_execution', command: 'make', aggregated_output, exit_code: 1, status: 'failed' } },
      { type: 'item.completed', item: { id: 'item_1', type: 'agent_message', text: 'Tried.' } }, { type: 'turn.completed', usage: {} },
    );
    expect((await judged(codex, ran('touch: /etc/x: Read-only file system\n'))).warnings).toEqual(['The sandbox refused `make`: touch: /etc/x: Read-only file system']);
    const broken = (await judged(codex, ran('bwrap: No permissions to create new namespace\n'))).warnings;
    expect(broken).toHaveLength(1);
    expect(broken[0]).toMatch(/^The sandbox of codex failed: bwrap: No permissions.*CAMBIUM_CODEX_SANDBOX: none/);
    expect((await judged(codex, ran('2 tests failed\n'))).warnings).toEqual([]);
  });

  test('notices are warnings, save that of our own hooks', async () => {
    const notice = (message: string) => ({ type: 'item.completed', item: { id: 'item_0', type: 'error', message } });
    const log = lines(notice('`--dangerously-bypass-hook-trust` is enabled.'), notice('clamping SessionEnd hook timeout to 3s in /h/hooks.json'), notice('Model metadata not found.'), { type: 'item.completed', item: { id: 'item_1', type: 'agent_message', text: 'Done.' } }, { type: 'turn.completed', usage: {} });
    expect(await judged(codex, log)).toMatchObject({ ok: true, warnings: ['Model metadata not found.'] });
  });
});
