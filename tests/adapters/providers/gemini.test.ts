import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { createGemini, plainPrompt } from '../../../src/adapters/providers/gemini.ts';
import type { ProviderConfig } from '../../../src/model/config.ts';
import { eventsOf, judged, providerContract, recordedStreams } from '../../contracts/provider.ts';
import { requestOf } from '../../support/spawnRequest.ts';
import { tempDir } from '../../support/temp.ts';

const configOf = (more: Partial<ProviderConfig> = {}): ProviderConfig => ({ kind: 'gemini', command: [], env: {}, baseUrl: null, models: {}, ...more });
const gemini = createGemini('gemini', configOf());
const streams = recordedStreams('gemini');
const folder = tempDir('gemini');
afterAll(() => folder.remove());
afterEach(() => vi.unstubAllEnvs());

providerContract('gemini', () => gemini, streams);

const logOf = (name: string): string => streams.find((stream) => stream.name === name)?.log ?? '';
const line = (said: object): string => `${JSON.stringify({ timestamp: '2026-11-21T15:00:00.000Z', ...said })}\n`;
const init = line({ type: 'init', session_id: 'c0ffee00-1111-4222-8333-444455556666', model: 'auto' });
const say = (content: string): string => line({ type: 'message', role: 'assistant', content, delta: true });
const failed = (message: string, type = 'unknown'): string => line({ type: 'result', status: 'error', error: { type, message }, stats: {} });
const good = line({ type: 'result', status: 'success', stats: { total_tokens: 150, input_tokens: 100, output_tokens: 20, cached: 40 } });

describe('what the Gemini CLI prints', () => {
  test('a run with tools is told in its order, the answer with its counts at the end', () => {
    const events = eventsOf(gemini, logOf('tools'));
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'text', 'tool', 'tool_result', 'tool', 'tool_result', 'text', 'usage', 'end']);
    expect(events.filter(({ kind }) => kind === 'tool')).toMatchObject([{ name: 'write_file', input: '/home/agent/project/greeting.txt' }, { name: 'run_shell_command', input: 'cat greeting.txt > copy.txt && echo copied' }]);
    expect(events.at(-2)).toEqual({ kind: 'usage', usage: { input: 501, cached: 200, output: 71 }, costUsd: null, cumulative: false });
    expect(events.at(-1)).toEqual({ kind: 'end', ok: true, text: 'The greeting is written.', turns: null });
  });

  test('an answer in pieces comes by whole lines, and the report is what was said last', async () => {
    const log = `${init}${say('Let me ')}${say('look.\nFirst')}${say(' here.')}${line({ type: 'tool_use', tool_id: 't1', tool_name: 'glob', parameters: { pattern: '*.ts' } })}${line({ type: 'tool_result', tool_id: 't1', status: 'success' })}${say('All ')}${say('done.')}${good}`;
    expect(eventsOf(gemini, log).flatMap((event) => (event.kind === 'text' ? [event.text] : []))).toEqual(['Let me look.', 'First here.', 'All done.']);
    expect(await judged(gemini, log)).toMatchObject({ ok: true, report: 'All done.', session: 'c0ffee00-1111-4222-8333-444455556666', costUsd: null });
  });

  test('thoughts are paid as output', () => {
    expect(eventsOf(gemini, `${init}${say('x')}${good}`).find(({ kind }) => kind === 'usage')).toMatchObject({ usage: { input: 100, cached: 40, output: 50 } });
  });

  test.each([
    ['auth', '[API Error: {"error":{"code":401,"message":"no","status":"UNAUTHENTICATED","details":[]}}]'],
    ['auth', '[API Error: {"error":{"code":403,"message":"forbidden","status":"PERMISSION_DENIED","details":[]}}]'],
    ['overloaded', '[API Error: {"error":{"code":500,"message":"oh","status":"INTERNAL","details":[]}}]'],
    ['overloaded', '[API Error: The model is overloaded. Please try again later.]\nPlease wait and try again later. To increase your limits, request a quota increase through AI Studio, or switch to another /auth method'],
    ['rate_limit', '[API Error: You have exhausted your daily quota on this model.]\nPlease wait'],
    ['refused', '[API Error: exception TypeError: fetch failed sending request]'],
    ['refused', '[API Error: terminated]'],
    ['refused', '[API Error: model not found]'],
    ['refused', '[API Error: {"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT","details":[]}}]'],
  ])('%s: %s', async (failure, message) => {
    expect(await judged(gemini, `${init}${failed(message)}`, { exit: 1 })).toMatchObject({ ok: false, failure, resetAt: null });
  });

  test.each([
    ['[API Error: scripted RESOURCE_EXHAUSTED\nSuggested retry after 7s.]\nPlease wait', '2026-11-21T15:00:07.000Z'],
    ['[API Error: You have exhausted your capacity on this model. Your quota will reset after 2h1m3s.]', '2026-11-21T17:01:03.000Z'],
    ['[API Error: {"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"41.5s"}]}}]', '2026-11-21T15:00:41.500Z'],
  ])('a limit says when it is over: %s', async (message, resetAt) => {
    expect(await judged(gemini, `${init}${failed(message)}`, { exit: 173 })).toMatchObject({ ok: false, failure: 'rate_limit', resetAt });
  });

  test('a bound on turns counts as time that ran out', async () => {
    expect(await judged(gemini, `${init}${failed('Reached max session turns for this session.', 'FatalTurnLimitedError')}`, { exit: 53 })).toMatchObject({ failure: 'timeout' });
  });

  test('an answer without a word is empty, and one that was blocked is refused', async () => {
    const ended = (message: string): string => `${init}${line({ type: 'error', severity: 'error', message })}${line({ type: 'result', status: 'error', stats: {} })}`;
    expect(await judged(gemini, ended('The model returned an empty response with no text or thoughts.'))).toMatchObject({ failure: 'empty' });
    expect(await judged(gemini, ended('The model returned reasoning thoughts but no final response text.'))).toMatchObject({ failure: 'empty' });
    expect(await judged(gemini, ended('The model response was blocked due to safety settings.'))).toMatchObject({ failure: 'refused' });
  });

  test.each([[247, 'overloaded'], [17, 'overloaded'], [173, 'rate_limit'], [148, 'refused'], [145, 'auth'], [1, 'refused']] as const)('where the answer does not say its status, exit %i does: %s', async (exit, failure) => {
    expect(await judged(gemini, `${init}${failed('[API Error: scripted]')}`, { exit })).toMatchObject({ failure });
  });

  test.each([[41, 'auth'], [42, 'refused'], [53, 'timeout'], [55, 'denied'], [52, 'crashed']] as const)('exit %i without a word: %s', async (exit, failure) => {
    expect(await judged(gemini, 'x\n', { exit })).toMatchObject({ ok: false, failure });
  });

  test.each([
    ['auth', 'Please set an Auth method in your /h/.gemini/settings.json or specify one of the following environment variables before running: GEMINI_API_KEY', 41],
    ['auth', 'Error authenticating: FatalAuthenticationError: Manual authorization is required but the current session is non-interactive.', 41],
    ['refused', 'Error resuming session: No previous sessions found for this project.', 42],
    ['denied', '\u001B[31mGemini CLI is not running in a trusted directory. To proceed, …\u001B[0m', 55],
    ['crashed', 'Unknown argument: nonsense', 1],
  ])('%s before there is a session: %s', async (failure, text, exit) => {
    const report = await judged(gemini, `YOLO mode is enabled.\n${text}\n`, { exit });
    expect(report).toMatchObject({ ok: false, failure });
    expect(report.report).toContain(text.slice(5, 40));
    expect(report.report).not.toContain('\u001B');
  });

  test('one that waits out a limit in silence is limited, not hung; one that overcame it and hangs then is hung', async () => {
    const limited = `${init}Attempt 1 failed with status 529. Retrying with backoff... _ApiError: {\n`;
    expect(await judged(gemini, limited, { exit: null, signal: 'SIGKILL', stopped: 'silence' })).toMatchObject({ failure: 'overloaded' });
    const waiting = `${init}Attempt 2 failed: slow down\nSuggested retry after 90s.. Retrying after 91000ms...\n`;
    expect(await judged(gemini, waiting, { exit: null, signal: 'SIGKILL', stopped: 'silence', endedAt: '2026-11-21T15:00:00.000Z' })).toMatchObject({ failure: 'rate_limit', resetAt: '2026-11-21T15:01:30.000Z' });
    expect(await judged(gemini, `${limited}${say('On we go.\n')}`, { exit: null, signal: 'SIGKILL', stopped: 'silence' })).toMatchObject({ failure: 'hung' });
  });

  test('ended by TERM it exits with 0 and says nothing more: no success', async () => {
    expect(await judged(gemini, `${init}${say('I begin.\n')}`, { exit: 0 })).toMatchObject({ ok: false, failure: 'crashed' });
  });

  test('a tool that was not there or not allowed is a warning', async () => {
    const call = (name: string): string => line({ type: 'tool_use', tool_id: name, tool_name: name, parameters: { command: 'git push' } });
    const back = (name: string, type: string, message: string): string => line({ type: 'tool_result', tool_id: name, status: 'error', output: message, error: { type, message } });
    const log = `${init}${call('run_shell_command')}${back('run_shell_command', 'unhandled_exception', 'Tool execution for "Shell" requires user confirmation, which is not supported in non-interactive mode.')}${call('nonsense')}${back('nonsense', 'tool_not_registered', 'Tool "nonsense" not found.')}${call('x')}${back('x', 'shell_execute_error', 'exit 1')}${say('Well.')}${good}`;
    const { ok, warnings } = await judged(gemini, log);
    expect([ok, warnings.length]).toEqual([true, 2]);
    expect(warnings[0]).toMatch(/^run_shell_command \(git push\) was refused: /);
  });

  test('lines of no known kind are nothing', () => {
    expect(eventsOf(gemini, ['constructor', '__proto__', 'toString', null, 7].map((type) => JSON.stringify({ type })).join('\n'))).toEqual([]);
  });
});

describe('what the Gemini CLI is told', () => {
  const request = requestOf({ directory: folder.path, worktree: folder.path });
  const settingsOf = (spec: ReturnType<typeof gemini.prepare>): Record<string, unknown> => JSON.parse(spec.home?.files['.gemini/settings.json'] ?? '{}') as Record<string, unknown>;
  const loginOf = (config: ProviderConfig): unknown => (settingsOf(createGemini('g', config).prepare(request)) as { security: { auth: { selectedType: string } } }).security.auth.selectedType;

  test('the tree is not trusted with commands, and a failing service is asked once', () => {
    const spec = gemini.prepare(request);
    expect(spec.argv).toContain('--skip-trust');
    expect(Object.keys(spec.env)).not.toContain('GEMINI_CLI_TRUST_WORKSPACE');
    expect(spec.keepEnv).not.toContain('GEMINI_CLI_TRUST_WORKSPACE');
    expect(settingsOf(spec)).toMatchObject({ general: { maxAttempts: 1 }, security: { folderTrust: { enabled: true }, auth: { useExternal: true } }, advanced: { ignoreLocalEnv: true } });
    expect(spec.env).toMatchObject({ HOME: '/tmp/home/gemini', GEMINI_CLI_NO_RELAUNCH: 'true' });
  });

  test('a session is chosen by the spawn, and another is gone on with', () => {
    const after = (argv: readonly string[], flag: string): string | undefined => argv[argv.indexOf(flag) + 1];
    expect(after(gemini.prepare(request).argv, '--session-id')).toMatch(/^[0-9a-f-]{36}$/);
    const session = 'c0ffee00-1111-4222-8333-444455556666';
    expect(after(gemini.prepare({ ...request, resume: { session, usage: null, costUsd: null } }).argv, '--resume')).toBe(session);
    expect(gemini.prepare({ ...request, resume: { session: 'latest', usage: null, costUsd: null } }).argv).not.toContain('--resume');
  });

  test('the folder of the report is open to it, and the whole worktree where the work is in a part of it', () => {
    const added = (argv: readonly string[]): readonly string[] => argv.filter((_, at) => argv[at - 1] === '--include-directories');
    expect(added(gemini.prepare(request).argv)).toEqual(['/tmp/scratch']);
    expect(added(gemini.prepare({ ...request, directory: `${folder.path}/app` }).argv)).toEqual([folder.path, '/tmp/scratch']);
  });

  test('turns, model and hooks are said where they are asked for, and only there', () => {
    const bare = gemini.prepare(request);
    expect([settingsOf(bare)['model'], settingsOf(bare)['hooks'], bare.argv.includes('--model'), bare.argv.includes('--policy')]).toEqual([undefined, undefined, false, false]);
    const full = gemini.prepare({ ...request, maxTurns: 7, model: 'pro', hook: ['cambium', 'hook'], mayWrite: false });
    expect(settingsOf(full)).toMatchObject({ model: { maxSessionTurns: 7 }, hooks: { AfterAgent: [{}], BeforeTool: [{}] } });
    expect(full.argv.slice(-4)).toEqual(['--policy', '/tmp/scratch/gemini-policy.toml', '--model', 'pro']);
    expect(full.files['gemini-policy.toml']).toMatch(/toolName = \["write_file","replace"\]\ndecision = "deny"/);
  });

  test('tiers are its own aliases, names of the configuration go before them, and others pass', () => {
    const named = createGemini('g', configOf({ models: { fast: 'tiny', house: 'big' } }));
    expect(['high', 'daily', 'fast', 'gemini-x', 'constructor'].map((asked) => gemini.model(asked))).toEqual(['pro', 'flash', 'flash-lite', 'gemini-x', 'constructor']);
    expect(['high', 'fast', 'house'].map((asked) => named.model(asked))).toEqual(['pro', 'tiny', 'big']);
  });

  test.each([
    [{}, {}, 'oauth-personal'], [{ GEMINI_API_KEY: 'k' }, {}, 'gemini-api-key'], [{ GOOGLE_GENAI_USE_VERTEXAI: 'true', GEMINI_API_KEY: 'k' }, {}, 'vertex-ai'],
    [{ GOOGLE_GENAI_USE_GCA: 'true', GEMINI_API_KEY: 'k' }, {}, 'oauth-personal'], [{}, { env: { GEMINI_API_KEY: 'k' } }, 'gemini-api-key'], [{}, { baseUrl: 'http://127.0.0.1:1' }, 'gemini-api-key'],
    [{ GOOGLE_API_KEY: 'k' }, {}, 'vertex-ai'], [{ GEMINI_CLI_USE_COMPUTE_ADC: 'true' }, {}, 'compute-default-credentials'],
  ])('with %j and %j it logs in by %s', (machine, config, login) => {
    for (const name of gemini.prepare(request).keepEnv ?? []) vi.stubEnv(name, (machine as Record<string, string>)[name] ?? '');
    expect(loginOf(configOf(config))).toBe(login);
  });

  test('a server of one\'s own needs no key; a key that there is stays', () => {
    for (const name of ['GEMINI_API_KEY', 'GOOGLE_GEMINI_BASE_URL']) vi.stubEnv(name, '');
    const envOf = (config: Partial<ProviderConfig>): Readonly<Record<string, string>> => createGemini('g', configOf(config)).prepare(request).env;
    expect(envOf({ baseUrl: 'http://127.0.0.1:1' })).toMatchObject({ GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:1', GEMINI_API_KEY: 'none' });
    expect(envOf({ baseUrl: 'http://127.0.0.1:1', env: { GEMINI_API_KEY: 'mine' } })).toMatchObject({ GEMINI_API_KEY: 'mine' });
    vi.stubEnv('GEMINI_API_KEY', 'machine');
    expect(envOf({ baseUrl: 'http://127.0.0.1:1' })).not.toHaveProperty('GEMINI_API_KEY');
  });

  test('a prompt is text: no mention brings a folder, and all else stays as it is', () => {
    mkdirSync(join(folder.path, 'docs'), { recursive: true });
    writeFileSync(join(folder.path, 'prime.txt'), 'x');
    const prompt = 'Ask @prime and @docs, @docs/a.md: @"docs/b.md" \\@docs. Mail a@b.com, git@github.com:x, @Override, @scope/pkg; see @prime.txt. and @/etc/passwd @../x\n';
    expect(gemini.prepare({ ...request, prompt }).stdin).toBe('Ask @prime and \\@docs, \\@docs/a.md: \\@"docs/b.md" \\@docs. Mail a@b.com, git@github.com:x, @Override, @scope/pkg; see \\@prime.txt. and \\@/etc/passwd \\@../x\n');
    expect(gemini.prepare({ ...request, prompt }).files['prompt.md']).toBe(prompt);
    expect(plainPrompt('/quit now', () => false)).toBe('\n/quit now');
  });
});
