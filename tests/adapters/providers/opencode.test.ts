/** opencode as a provider: what it is started with, and what is read from what the real one printed (tests/fixtures/clients/opencode). */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createOpencode } from '../../../src/adapters/providers/opencode.ts';
import type { ProviderConfig } from '../../../src/model/config.ts';
import type { SpawnEvent } from '../../../src/model/spawnEvent.ts';
import type { SpawnEnd, SpawnReport, SpawnRequest } from '../../../src/ports/provider.ts';
import { eventsOf, judged, providerContract, recordedStreams } from '../../contracts/provider.ts';
import { requestOf } from '../../support/spawnRequest.ts';

const CONFIG: ProviderConfig = { kind: 'opencode', command: [], env: {}, baseUrl: null, models: {} };
const opencode = createOpencode('opencode', CONFIG);
const streams = recordedStreams('opencode');

providerContract('opencode', () => opencode, streams);

const recorded = (name: string) => streams.find((stream) => stream.name === name) ?? { name, log: '', exit: null, signal: null };
const report = (name: string): Promise<SpawnReport> => judged(opencode, recorded(name).log, recorded(name));
const events = (name: string): readonly SpawnEvent[] => eventsOf(opencode, recorded(name).log);
const lines = (...said: readonly unknown[]): string => said.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
const failed = (error: unknown): string => lines({ type: 'error', sessionID: 'ses_1', error });
const apiError = (message: string, statusCode: number | undefined, more: object = {}): string => failed({ name: 'APIError', data: { message, statusCode, isRetryable: false, ...more } });
const finished = (reason: string): string => lines({ type: 'step_finish', sessionID: 'ses_1', part: { reason, tokens: { input: 1, output: 1, reasoning: 0, cache: { read: 0, write: 0 } }, cost: 0 } });

/** As `--print-logs --log-level ERROR` has it. */
const logged = (error: string, small = false): string =>
  `timestamp=2026-11-21T15:40:34.954Z level=ERROR run=3dd93bbb message="stream error" providerID=anthropic modelID=m session.id=ses_1 small=${small} agent=${small ? 'title' : 'build'} mode=primary error.error="AI_APICallError: ${error}"`;

const request = requestOf({ worktree: '/c/.cambium/worktrees/login-1', directory: '/c/.cambium/worktrees/login-1/web', scratch: '/c/.cambium/spawns/1', home: '/h/worker-1' });
const after = (argv: readonly string[], flag: string): string | undefined => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);

interface Settings {
  readonly permission: { readonly edit: Readonly<Record<string, string>>; readonly external_directory: string; readonly doom_loop: string };
  readonly provider?: Readonly<Record<string, unknown>>;
  readonly instructions: readonly string[];
}

const settingsOf = (asked: SpawnRequest, config: Partial<ProviderConfig> = {}): Settings =>
  JSON.parse(createOpencode('opencode', { ...CONFIG, ...config }).prepare(asked).env['OPENCODE_CONFIG_CONTENT'] ?? '') as Settings;

afterEach(() => void vi.unstubAllEnvs());

describe('opencode is started', () => {
  const { argv, env, stdin, files, home, cwd } = opencode.prepare(request);

  test('with the prompt on its standard input, kept beside its log', () => {
    expect([stdin, files['prompt.md'], cwd]).toEqual([request.prompt, request.prompt, request.directory]);
    expect(argv.join(' ')).not.toContain('Do it.');
  });

  test('as a stream of JSON, with its errors, and without a request for a title', () => {
    expect(argv.slice(0, 4)).toEqual(['opencode', 'run', '--format', 'json']);
    expect([after(argv, '--log-level'), after(argv, '--title'), after(argv, '--dir')]).toEqual(['ERROR', 'add-login', request.directory]);
  });

  test('with nothing of the tree executed, and its AGENTS.md read', () => {
    expect([env['OPENCODE_DISABLE_PROJECT_CONFIG'], argv.includes('--pure')]).toEqual(['1', true]);
    expect(settingsOf(request).instructions).toEqual([`${request.worktree}/AGENTS.md`, `${request.directory}/AGENTS.md`]);
  });

  test('in a home of its own, with the logins of the person', () => {
    expect(env['HOME']).toBe('/h/worker-1/opencode');
    expect(home).toMatchObject({ path: '/h/worker-1/opencode', links: { '.local/share/opencode/auth.json': '.local/share/opencode/auth.json' } });
  });

  test('with permissions that never ask: files of the worktree and the report, or the report alone', () => {
    const { permission } = settingsOf(request);
    expect(permission.edit).toEqual({ '*': 'allow', '../*': 'deny', '../../spawns/1/*': 'allow' });
    expect(Object.entries(permission).filter(([, action]) => action === 'ask')).toEqual([]);
    expect(settingsOf({ ...request, mayWrite: false }).permission.edit).toEqual({ '*': 'deny', '../../spawns/1/*': 'allow' });
  });

  test('with the session to go on with', () => {
    const resumed = opencode.prepare({ ...request, resume: { session: 'ses_abc', usage: null, costUsd: null } }).argv;
    expect([after(resumed, '--session'), argv.includes('--session')]).toEqual(['ses_abc', false]);
  });

  test('with its own service, whose model it is asked for', () => {
    expect(after(opencode.prepare({ ...request, model: 'anthropic/claude-sonnet-4-5' }).argv, '--model')).toBe('anthropic/claude-sonnet-4-5');
    expect([after(argv, '--model'), settingsOf(request).provider]).toEqual([undefined, undefined]);
  });

  test('at another address: a known service in its own words, any other in those of OpenAI', () => {
    vi.stubEnv('OPENAI_API_KEY', '');
    const baseUrl = 'http://127.0.0.1:11434/v1';
    const at = (model: string | null, env: Readonly<Record<string, string>> = {}) => settingsOf({ ...request, model }, { baseUrl, env }).provider;
    expect(at('anthropic/claude-sonnet-4-5')).toEqual({ anthropic: { options: { baseURL: baseUrl }, models: { 'claude-sonnet-4-5': {} } } });
    expect(at('ollama/qwen3:8b')).toEqual({ ollama: { npm: '@ai-sdk/openai-compatible', options: { baseURL: baseUrl }, models: { 'qwen3:8b': {} } } });
    expect(at('qwen3')).toEqual({ cambium: { npm: '@ai-sdk/openai-compatible', options: { baseURL: baseUrl }, models: { qwen3: {} } } });
    const keyed = at(null, { OPENAI_API_KEY: 'very-secret' });
    expect(keyed).toEqual({ cambium: { npm: '@ai-sdk/openai-compatible', options: { baseURL: baseUrl, apiKey: '{env:OPENAI_API_KEY}' }, models: { default: {} } } });
    const spec = createOpencode('opencode', { ...CONFIG, baseUrl }).prepare({ ...request, model: 'qwen3' });
    expect(after(spec.argv, '--model')).toBe('cambium/qwen3');
  });
});

describe('of what opencode printed is read', () => {
  test('a session, texts, tools with their results, tokens step by step, and the end', () => {
    const found = events('tools');
    expect(found[0]).toMatchObject({ kind: 'start', session: expect.stringMatching(/^ses_/) as string });
    expect(found.filter(({ kind }) => kind === 'start')).toHaveLength(1);
    expect(found.filter(({ kind }) => kind === 'tool')).toMatchObject([{ name: 'write', input: '/home/agent/project/greeting.txt' }, { name: 'bash', input: 'cat greeting.txt > copy.txt && echo copied' }]);
    expect(found.filter((event) => event.kind === 'tool_result').map(({ ok }) => ok)).toEqual([true, true]);
    expect(found.at(-2)).toMatchObject({ kind: 'usage', usage: { input: 500, cached: 200, output: 70 }, cumulative: false });
    expect(found.at(-1)).toEqual({ kind: 'end', ok: true, text: 'The greeting is written.', turns: null });
    expect(events('tool-failed')).toContainEqual(expect.objectContaining({ kind: 'tool_result', ok: false, output: 'broken\n' }));
  });

  test('its cost', async () => {
    expect((await report('tools')).costUsd).toBeGreaterThan(0);
  });

  test('a cost beyond what can be summed is none, and no infinite one', () => {
    const step = { type: 'step_finish', sessionID: 'ses_1', part: { reason: 'stop', tokens: { input: 1, output: 1, reasoning: 0, cache: { read: 0, write: 0 } }, cost: 4.5e299 } };
    expect(eventsOf(opencode, lines(step)).find((event) => event.kind === 'usage')).toMatchObject({ costUsd: 0 });
  });

  test.each([
    ['error-401', 'auth'], ['resume-unknown', 'crashed'], ['empty-prompt', 'crashed'],
  ] as const)('%s as %s', async (name, failure) => {
    expect(await report(name)).toMatchObject({ ok: false, failure });
  });

  test.each([
    [apiError('no', 404), 'refused'], [apiError('Overloaded', 529), 'overloaded'], [apiError('x', 500), 'overloaded'], [apiError('x', 429), 'rate_limit'],
    [failed({ name: 'ProviderAuthError', data: { message: 'no credentials' } }), 'auth'], [failed({ name: 'ContextOverflowError', data: { message: 'too long' } }), 'crashed'],
    [lines(finished('length')), 'crashed'],
  ] as const)('%s as %s', async (log, failure) => {
    expect(await judged(opencode, log, { exit: 1 })).toMatchObject({ ok: false, failure });
  });

  test('a reset as the headers say it', async () => {
    const at = { exit: 1, endedAt: '2026-11-21T15:00:00.000Z' };
    expect((await judged(opencode, apiError('x', 429, { responseHeaders: { 'retry-after': '3600' } }), at)).resetAt).toBe('2026-11-21T16:00:00.000Z');
    expect((await judged(opencode, apiError('x', 429, { responseHeaders: { 'retry-after': 'Sat, 21 Nov 2026 17:00:00 GMT' } }), at)).resetAt).toBe('2026-11-21T17:00:00.000Z');
    expect((await judged(opencode, apiError('x', 429, { responseHeaders: { 'retry-after': 'soon' } }), at)).resetAt).toBe(null);
  });

  test.each([
    ['Number of requests has exceeded your rate limit', 'rate_limit'], ['scripted api_error', 'overloaded'], ['Cannot connect to API: Unable to connect.', 'refused'],
  ] as const)('silence after its log said %j as %s', async (error, failure) => {
    const silent: Partial<SpawnEnd> = { exit: null, signal: 'SIGTERM', stopped: 'silence' };
    expect(await judged(opencode, logged(error), silent)).toMatchObject({ ok: false, failure });
    expect(await judged(opencode, logged(error, true), silent)).toMatchObject({ ok: false, failure: 'hung' });
  });

  test('a model that is not there, which only its log names', async () => {
    const log = lines(
      'timestamp=2026-11-21T15:46:14.193Z level=ERROR run=45e25899 message=failed ref=err_2cbd20b0 error="ProviderModelNotFoundError: Model not found: anthropic/nosuch." cause="…"',
      { type: 'error', sessionID: 'ses_1', error: { name: 'UnknownError', data: { message: 'Unexpected server error. Check server logs for details.' } } },
    );
    const found = await judged(opencode, log, { exit: 1 });
    expect(found).toMatchObject({ ok: false, failure: 'refused' });
    expect(found.report).toContain('Model not found: anthropic/nosuch.');
  });

  test('an end in the middle of its tools is no success, though it exits 0', async () => {
    expect(await judged(opencode, finished('tool-calls'), { exit: 0 })).toMatchObject({ ok: false, failure: 'crashed' });
  });

  test('a denied tool as a warning', async () => {
    const denied = { type: 'tool_use', sessionID: 'ses_1', part: { type: 'tool', tool: 'write', callID: 'c1', state: { status: 'error', input: { filePath: '/etc/x' }, error: 'The user has specified a rule which prevents you from using this specific tool call.' } } };
    const log = lines(denied, { type: 'text', sessionID: 'ses_1', part: { text: 'Tried.' } }, finished('stop'));
    expect(await judged(opencode, log)).toMatchObject({ ok: true, report: 'Tried.', warnings: ['write was denied: /etc/x'] });
  });

  test('an end without a word and without a change is empty; a denied change is none', async () => {
    const call = (status: string) => ({ type: 'tool_use', sessionID: 'ses_1', part: { tool: 'edit', callID: 'c1', state: { status, input: {} } } });
    expect(await judged(opencode, finished('stop'))).toMatchObject({ failure: 'empty' });
    expect(await judged(opencode, lines(call('error'), finished('stop')))).toMatchObject({ failure: 'empty' });
    expect(await judged(opencode, lines(call('completed'), finished('stop')))).toMatchObject({ ok: true });
  });
});
