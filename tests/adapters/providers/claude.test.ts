/** Claude Code as a provider: what it is started with, and what is read from what the real one printed (tests/fixtures/clients/claude). */
import { describe, expect, test } from 'vitest';
import { createClaude } from '../../../src/adapters/providers/claude.ts';
import { sessionFor } from '../../../src/adapters/providers/clientSession.ts';
import type { ProviderConfig } from '../../../src/model/config.ts';
import type { SpawnEvent } from '../../../src/model/spawnEvent.ts';
import type { SpawnReport, SpawnRequest } from '../../../src/ports/provider.ts';
import { eventsOf, judged, providerContract, recordedStreams } from '../../contracts/provider.ts';
import { requestOf } from '../../support/spawnRequest.ts';

const CONFIG: ProviderConfig = { kind: 'claude', command: [], env: {}, baseUrl: null, models: {} };
const claude = createClaude('claude', CONFIG);
const streams = recordedStreams('claude');

providerContract('claude', () => claude, streams);

const recorded = (name: string) => streams.find((stream) => stream.name === name) ?? { name, log: '', exit: null, signal: null };
const report = (name: string, request?: SpawnRequest): Promise<SpawnReport> => judged(claude, recorded(name).log, recorded(name), request);
const events = (name: string): readonly SpawnEvent[] => eventsOf(claude, recorded(name).log);

interface Settings {
  readonly permissions: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly hooks?: Readonly<Record<string, unknown>>;
}

const settingsOf = (request: SpawnRequest): Settings => JSON.parse(claude.prepare(request).files['claude-settings.json'] ?? '') as Settings;
const after = (argv: readonly string[], flag: string): string | undefined => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);

describe('claude is started', () => {
  const request = requestOf({ worktree: '/w/login-1', directory: '/w/login-1/web', scratch: '/s/1', home: '/h/worker-1' });
  const { argv, env, stdin, files, home, cwd } = claude.prepare(request);

  test('with the prompt on its standard input, kept beside its log', () => {
    expect([stdin, files['prompt.md'], cwd]).toEqual([request.prompt, request.prompt, request.directory]);
    expect(argv.join(' ')).not.toContain('Do it.');
  });

  test('as a stream of JSON that shows a long answer growing', () => {
    expect(argv.slice(0, 6)).toEqual(['claude', '-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages']);
  });

  test('with nothing of the tree executed, and its CLAUDE.md read', () => {
    expect(after(argv, '--setting-sources')).toBe('');
    expect(argv).toContain('--strict-mcp-config');
    expect(argv.slice(argv.indexOf('--add-dir') + 1, argv.indexOf('--settings'))).toEqual(['/w/login-1', '/w/login-1/web', '/s/1']);
    expect(files['CLAUDE.md']).toBe('@/w/login-1/web/AGENTS.md\n\nWhere /w/login-1/AGENTS.md exists, it holds for this work too: read it first.\n');
    expect(env['CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD']).toBe('1');
  });

  test('in a home of its own, with the login of the person', () => {
    expect(env['HOME']).toBe('/h/worker-1/claude');
    expect(home).toMatchObject({ path: '/h/worker-1/claude', links: { '.claude/.credentials.json': '.claude/.credentials.json' } });
  });

  test('with a session that follows from the spawn, or the one to go on with', () => {
    expect(after(argv, '--session-id')).toBe(sessionFor(request.spawn));
    expect(sessionFor('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(sessionFor('a')).not.toBe(sessionFor('b'));
    const session = 'c0ffee00-1111-4222-8333-444455556666';
    const resumed = claude.prepare({ ...request, resume: { session, usage: null, costUsd: null } }).argv;
    expect([after(resumed, '--resume'), resumed.includes('--session-id')]).toEqual([session, false]);
  });

  test('with the bounds and the model that are asked for, and without those that are not', () => {
    const bound = claude.prepare({ ...request, maxTurns: 7, budgetUsd: 1.5, model: 'opus' }).argv;
    expect([after(bound, '--max-turns'), after(bound, '--max-budget-usd'), after(bound, '--model')]).toEqual(['7', '1.5', 'opus']);
    expect(['--max-turns', '--max-budget-usd', '--model'].filter((flag) => argv.includes(flag))).toEqual([]);
  });

  test('with its file tools bound to the worktree and its own folder', () => {
    expect(settingsOf(request).permissions.allow).toEqual(expect.arrayContaining(['Bash', 'Edit(//w/login-1/**)', 'Edit(//s/1/**)']));
    expect(settingsOf({ ...request, worktree: '/w/a [b]*' }).permissions.allow).toContain('Edit(//w/a \\[b\\]\\*/**)');
    expect(settingsOf({ ...request, mayWrite: false }).permissions.allow.filter((rule) => rule.startsWith('Edit'))).toEqual(['Edit(//s/1/**)']);
  });

  test('with our hooks where there are some', () => {
    expect(settingsOf(request).hooks).toBe(undefined);
    const hooks = settingsOf({ ...request, hook: ['/usr/bin/node', '/opt/cambium/dist/hook.js'] }).hooks;
    expect(Object.keys(hooks ?? {})).toEqual(expect.arrayContaining(['SessionStart', 'Stop', 'PreToolUse']));
    expect(JSON.stringify(hooks)).toContain('/opt/cambium/dist/hook.js stop --for claude');
  });

  test('with few retries of its own, which the configuration may change', () => {
    expect(env).toMatchObject({ CLAUDE_CODE_MAX_RETRIES: '2', API_TIMEOUT_MS: '60000', DISABLE_AUTOUPDATER: '1' });
    expect(createClaude('x', { ...CONFIG, env: { CLAUDE_CODE_MAX_RETRIES: '0' } }).prepare(request).env['CLAUDE_CODE_MAX_RETRIES']).toBe('0');
  });

  test('by the command, at the address and with the variables of the configuration', () => {
    const local = createClaude('local', { ...CONFIG, command: ['/opt/claude', '--debug'], env: { ANTHROPIC_AUTH_TOKEN: 'local', HOME: '/elsewhere' }, baseUrl: 'http://127.0.0.1:11434' }).prepare(request);
    expect(local.argv.slice(0, 3)).toEqual(['/opt/claude', '--debug', '-p']);
    expect(local.env).toMatchObject({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:11434', ANTHROPIC_AUTH_TOKEN: 'local', HOME: '/h/worker-1/claude' });
  });

  test('with a model by tier: its own aliases, or what the configuration says', () => {
    expect(['high', 'daily', 'fast', 'claude-x'].map((name) => claude.model(name))).toEqual(['opus', 'sonnet', 'haiku', 'claude-x']);
    expect(createClaude('x', { ...CONFIG, models: { high: 'big', mine: 'm1' } }).model('mine')).toBe('m1');
  });
});

describe('what claude printed is read', () => {
  test('as events: a session, words, tools and what they gave, the end', () => {
    const kinds = events('tools').filter(({ kind }) => kind !== 'usage');
    expect(kinds.map(({ kind }) => kind)).toEqual(['start', 'text', 'tool', 'tool_result', 'tool', 'tool_result', 'text', 'end']);
    expect(kinds[2]).toMatchObject({ name: 'Write', input: '/home/agent/project/greeting.txt' });
    expect(kinds[4]).toMatchObject({ name: 'Bash', input: 'cat greeting.txt > copy.txt && echo copied' });
    expect(kinds[5]).toMatchObject({ ok: true, output: 'copied' });
    expect(kinds.at(-1)).toEqual({ kind: 'end', ok: true, text: 'The greeting is written.', turns: 3 });
  });

  test('as a success with its tokens and dollars', async () => {
    expect(await report('tools')).toMatchObject({ ok: true, report: 'The greeting is written.', usage: { input: 500, cached: 200, output: 70 }, costUsd: 0.00264 });
  });

  test.each([
    ['error-401', 'auth'], ['error-429', 'rate_limit'], ['error-500', 'overloaded'], ['error-529', 'overloaded'], ['refused', 'refused'], ['cut', 'refused'],
    ['max-turns', 'timeout'], ['max-budget', 'timeout'], ['resume-unknown', 'crashed'], ['sigterm', 'crashed'], ['sigkill', 'crashed'], ['sigint', 'crashed'], ['empty-prompt', 'crashed'],
  ] as const)('%s is %s', async (name, failure) => {
    const found = await report(name);
    expect([found.ok, found.failure]).toEqual([false, failure]);
    expect(found.report).not.toContain('ede_diagnostic');
  });

  test('a refused permission is a warning of a success', async () => {
    expect(await report('denied')).toMatchObject({ ok: true, warnings: ['Write was denied: /home/agent/project/greeting.txt', 'Bash was denied: cat greeting.txt > copy.txt && echo copied'] });
  });

  test('a session that is not there is none to go on with', async () => {
    expect((await report('resume-unknown')).session).toBe(null);
    expect((await report('text')).session).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a resumed session counts this run alone, by what it says itself', async () => {
    const resumed = requestOf({ resume: { session: 'c0ffee00-1111-4222-8333-444455556666', usage: { input: 100, cached: 0, output: 20 }, costUsd: 0.0008 } });
    expect(await report('resume-cost', resumed)).toMatchObject({ usage: { input: 100, output: 20 }, costUsd: 0.0008 });
  });

  test('a resumed session of an older version counts this run alone, by the difference', async () => {
    const older = recorded('resume-cost').log.replace(/,"model_usage_since_last_result":.*\}\}\}/, '}');
    expect(older).not.toContain('since_last');
    const resumed = requestOf({ resume: { session: 'c0ffee00-1111-4222-8333-444455556666', usage: { input: 100, cached: 0, output: 20 }, costUsd: 0.0008 } });
    expect(await judged(claude, older, {}, resumed)).toMatchObject({ ok: true, usage: { input: 100, output: 20 }, costUsd: 0.0008 });
  });

  test('a spawn that was ended in its work has the tokens that it had spent by then', async () => {
    expect(await report('sigkill')).toMatchObject({ usage: { input: 100, cached: 0 }, costUsd: null });
  });

  const line = (value: unknown): string => JSON.stringify(value);

  test('a spent subscription has its reset', async () => {
    const log = [
      { type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt: 1795279134, rateLimitType: 'five_hour', isUsingOverage: false } },
      { type: 'assistant', message: { model: '<synthetic>', content: [{ type: 'text', text: "You've hit your 5-hour limit · resets 4:38pm (UTC)" }] }, error: 'rate_limit' },
      { type: 'result', subtype: 'success', is_error: true, api_error_status: 429, result: "You've hit your 5-hour limit · resets 4:38pm (UTC)" },
    ].map(line).join('\n');
    expect(await judged(claude, log, { exit: 1 })).toMatchObject({ failure: 'rate_limit', resetAt: '2026-11-21T16:38:54.000Z' });
    const words = log.split('\n').slice(1).join('\n');
    expect(await judged(claude, words, { exit: 1, endedAt: '2026-11-21T15:00:00.000Z' })).toMatchObject({ failure: 'rate_limit', resetAt: '2026-11-21T16:38:00.000Z' });
  });

  test('what a subagent says is not the agent\'s word', () => {
    const message = (parent: string | null) => line({ type: 'assistant', parent_tool_use_id: parent, message: { model: 'm', content: [{ type: 'text', text: 'x' }, { type: 'tool_use', id: '1', name: 'Bash', input: {} }] } });
    expect(eventsOf(claude, message('toolu_1')).map(({ kind }) => kind)).toEqual(['tool']);
    expect(eventsOf(claude, message(null)).map(({ kind }) => kind)).toEqual(['text', 'tool']);
  });

  test('a limit that still allows is none', () => {
    expect(eventsOf(claude, line({ type: 'rate_limit_event', rate_limit_info: { status: 'allowed_warning', resetsAt: 1795279134 } }))).toEqual([]);
  });

  test('silence while the service is asked again and again is the fault of the service', async () => {
    const log = [1, 2].map((attempt) => line({ type: 'system', subtype: 'api_retry', attempt, max_retries: 2, error_status: 529, error: 'overloaded' })).join('\n');
    expect(await judged(claude, log, { exit: 143, stopped: 'silence' })).toMatchObject({ failure: 'overloaded' });
  });

  test('a prompt that is too long is no fault of the provider', async () => {
    const log = line({ type: 'result', subtype: 'success', is_error: true, api_error_status: 400, terminal_reason: 'prompt_too_long', result: 'Prompt is too long' });
    expect(await judged(claude, log, { exit: 1 })).toMatchObject({ failure: 'crashed' });
  });

  test('a result with another turn to come is not the end, and both are counted', () => {
    const turn = (queued: number, text: string): string => line({ type: 'result', is_error: false, result: text, queued_turn_count: queued, model_usage_since_last_result: { m: { inputTokens: 10, outputTokens: 1, costUSD: 0.5 } } });
    const found = eventsOf(claude, `${turn(1, 'One.')}\n${turn(0, 'Two.')}`);
    expect(found.filter(({ kind }) => kind === 'end')).toEqual([{ kind: 'end', ok: true, text: 'Two.', turns: null }]);
    expect(found.findLast((event) => event.kind === 'usage')).toMatchObject({ usage: { input: 20, output: 2 }, costUsd: 1 });
  });
});
