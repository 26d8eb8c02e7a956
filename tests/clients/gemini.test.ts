/** The gemini provider with the real Gemini CLI under the real supervisor, before a scripted model. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createGemini } from '../../src/adapters/providers/gemini.ts';
import type { ProviderConfig } from '../../src/model/config.ts';
import type { Provider } from '../../src/ports/provider.ts';
import { taskOf } from '../support/spawnRequest.ts';
import { until } from '../support/temp.ts';
import { stage, type Stage } from './drive.ts';
import { modelServer, type ModelServer } from './modelServer.ts';
import { WORK, describeClient } from './scene.ts';
import type { Script, Step } from './script.ts';
import { startSupervised, supervised } from './underSupervisor.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Place {
  readonly server: ModelServer;
  readonly at: Stage;
  readonly gemini: Provider;
}

/** A command with two processes, one of them in a session of its own, that end by no word of theirs. */
const ENDLESS: Script = [{ text: 'I start.', calls: [{ tool: 'bash', command: 'setsid sleep 600 & echo $$ > started; sleep 600' }] }];

await describeClient('gemini', (cli) => {
  /** The CLI leaves a file about each error among the temporary ones: there it goes with the home. */
  async function place(script: Script, config: Partial<ProviderConfig> = {}): Promise<Place> {
    const server = await modelServer(script);
    const at = stage('gemini');
    closing.push(() => server.close(), () => at.remove());
    return { server, at, gemini: createGemini('gemini', { kind: 'gemini', command: [cli.program], env: { GEMINI_API_KEY: 'scripted-key', TMPDIR: at.home }, baseUrl: server.url, models: {}, ...config }) };
  }

  /** Puts a file below the place of the work. */
  const put = (at: Stage, path: string, text: string): void => {
    mkdirSync(dirname(join(at.cwd, path)), { recursive: true });
    writeFileSync(join(at.cwd, path), text);
  };

  test('is found, in its version', async () => {
    expect(await (await place([])).gemini.probe()).toEqual({ version: cli.version });
  });

  test('does its work with its own tools and leaves its report with the criteria', async () => {
    const steps = (WORK as readonly Step[]).slice(0, 2);
    const { at, server, gemini } = await place([]);
    const scratch = join(at.home, 'spawns', 'one');
    server.answer([...steps, { tool: 'write', path: join(scratch, 'result.md'), text: '---\ncriteria:\n  - { text: it greets, met: true, evidence: greeting.txt }\n---\nGreeted.\n' }, { text: 'Done.' }]);
    const { report, events, end, left } = await supervised(gemini, at, { scratch, task: taskOf({ acceptanceCriteria: ['It greets.'] }) });
    expect(report).toMatchObject({ ok: true, failure: null, report: 'Greeted.', criteria: [{ met: true, evidence: 'greeting.txt' }], warnings: [], costUsd: null, question: null, resetAt: null });
    expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'text', 'tool', 'tool_result', 'tool', 'tool_result', 'tool', 'tool_result', 'text', 'usage', 'end']);
    expect(report.usage?.output).toBeGreaterThanOrEqual(80);
    expect([end.exit, left, server.strangers, server.turns()[0]?.prompt.trim()]).toEqual([0, [], [], 'Write the greeting.']);
  });

  test.each([
    [401, 'auth', {}], [403, 'auth', {}], [500, 'overloaded', {}], [503, 'overloaded', {}], [529, 'overloaded', {}], [400, 'refused', {}],
    [429, 'rate_limit', { retryAfterS: 90 }], [429, 'rate_limit', { exhausted: true }],
  ] as const)('a service that answers %i: %s, asked once', async (fail, failure, more) => {
    const { at, server, gemini } = await place([{ fail, ...more }]);
    const { report, end } = await supervised(gemini, at);
    expect(report).toMatchObject({ ok: false, failure, retryable: true });
    expect(server.turns().length).toBe(1);
    if ('retryAfterS' in more) expect(Date.parse(report.resetAt ?? '') - Date.parse(end.endedAt)).toBeGreaterThan(60_000);
    else expect(report.resetAt).toBe(null);
  });

  test.each([['high', 1], ['daily', 1], ['fast', 2]])('a service that fails whatever it is asked: the tier %s is asked %i times at most', async (tier, most) => {
    const { at, server, gemini } = await place([]);
    server.outage({ fail: 429, retryAfterS: 90 });
    expect((await supervised(gemini, at, { model: gemini.model(tier) })).report).toMatchObject({ ok: false, failure: 'rate_limit' });
    expect([server.turns().length, server.sides().length]).toEqual([most, 0]);
  });

  test('nobody listens: refused', async () => {
    const { at, server, gemini } = await place([]);
    await server.close();
    expect((await supervised(gemini, at)).report).toMatchObject({ ok: false, failure: 'refused' });
  });

  test('an answer that breaks off: refused', async () => {
    const { at, gemini } = await place([{ drop: { text: 'This answer has a second half.' } }]);
    expect((await supervised(gemini, at)).report).toMatchObject({ ok: false, failure: 'refused' });
  });

  test('without credentials: auth, and the report says what is missing', async () => {
    const { at, gemini } = await place([], { env: { GOOGLE_GENAI_USE_GCA: 'true', GEMINI_API_KEY: '' }, baseUrl: null });
    const { report } = await supervised(gemini, at);
    expect(report).toMatchObject({ ok: false, failure: 'auth', session: null });
    expect(report.report).toMatch(/provide a GEMINI_API_KEY/);
  });

  test('a service that never answers: hung, and no process is left', async () => {
    const { at, gemini } = await place([{ hang: true }]);
    const { report, left } = await supervised(gemini, at, {}, { silenceMs: 4_000 });
    expect([report.ok, report.failure, left]).toEqual([false, 'hung', []]);
  });

  test('stopped in the middle of a command: no failure of its own, no process left, and its session goes on', async () => {
    const { at, server, gemini } = await place(ENDLESS);
    const started = await startSupervised(gemini, at);
    await until(() => (existsSync(join(at.cwd, 'started')) ? true : null), 30_000);
    await started.stop();
    const { report, left } = await started.ended();
    expect(report).toMatchObject({ ok: false, failure: null });
    expect(left).toEqual([]);
    server.answer([{ text: 'I went on.' }]);
    const again = await supervised(gemini, at, { prompt: 'Go on.', resume: { session: report.session ?? '', usage: null, costUsd: null } });
    expect(again.report).toMatchObject({ ok: true, report: 'I went on.', session: report.session });
    expect(server.turns().at(-1)?.prompts.join('\n')).toContain('Write the greeting.');
  });

  test('a session that goes on counts its own turn, and knows what was said', async () => {
    const { at, server, gemini } = await place([{ text: 'First.', usage: { input: 1000, output: 100 } }]);
    const first = await supervised(gemini, at, { prompt: 'Remember blue.' });
    server.answer([{ text: 'Second.', usage: { input: 300, output: 30, cached: 200 } }]);
    const second = await supervised(gemini, at, { prompt: 'Which colour?', resume: { session: first.report.session ?? '', usage: first.report.usage, costUsd: null } });
    expect(server.turns().at(-1)?.prompts.map((prompt) => prompt.trim())).toEqual(['Remember blue.', 'Which colour?']);
    expect(second.report.usage?.input).toBeLessThan(400);
    expect(second.report.usage).toMatchObject({ cached: 200 });
  });

  test('a session of another folder is refused', async () => {
    const { at, gemini } = await place([{ text: 'First.' }]);
    const { report } = await supervised(gemini, at);
    const elsewhere = join(at.cwd, 'elsewhere');
    mkdirSync(elsewhere);
    const again = await supervised(gemini, at, { directory: elsewhere, worktree: elsewhere, resume: { session: report.session ?? '', usage: null, costUsd: null } });
    expect(again.report).toMatchObject({ ok: false, failure: 'refused' });
    expect(again.report.report).toMatch(/resuming session/);
  });

  test('more turns than allowed: over its time', async () => {
    const { at, server, gemini } = await place([{ tool: 'bash', command: 'echo a' }, { tool: 'bash', command: 'echo b' }, { text: 'x' }]);
    expect((await supervised(gemini, at, { maxTurns: 1 })).report).toMatchObject({ ok: false, failure: 'timeout' });
    expect(server.turns().length).toBe(1);
  });

  test('an answer without a word: empty; without a word but with a file: a success', async () => {
    const { at, server, gemini } = await place([{ text: '' }]);
    expect((await supervised(gemini, at)).report).toMatchObject({ ok: false, failure: 'empty' });
    server.answer([{ tool: 'write', path: 'a.txt', text: 'a\n' }, { text: '' }]);
    expect((await supervised(gemini, at)).report).toMatchObject({ ok: true });
  });

  test('a role that may not write has no tool for it but for its report', async () => {
    const { at, server, gemini } = await place([]);
    const scratch = join(at.home, 'spawns', 'reads');
    server.answer([{ tool: 'write', path: 'a.txt', text: 'a\n' }, { tool: 'write', path: `${scratch}/${relative(scratch, at.cwd)}/b.txt`, text: 'b' }, { tool: 'write', path: join(scratch, 'result.md'), text: 'Looked.\n' }, { text: 'Done.' }]);
    const { report } = await supervised(gemini, at, { scratch, mayWrite: false });
    expect(report).toMatchObject({ ok: true, report: 'Looked.' });
    expect(report.warnings[0]).toMatch(/^write_file \(.*a\.txt\) was refused/);
    expect(readdirSync(at.cwd)).toEqual([]);
  });

  test('a tool that is not there is a warning', async () => {
    const { at, gemini } = await place([{ tool: 'named', name: 'no_such_tool', input: {} }, { text: 'Without it.' }]);
    const { report } = await supervised(gemini, at);
    expect(report).toMatchObject({ ok: true, report: 'Without it.' });
    expect(report.warnings[0]).toMatch(/^no_such_tool was refused/);
  });

  test('nothing that stands in the tree is executed, or sets its environment; its instructions are read', async () => {
    const { at, server, gemini } = await place([{ tool: 'bash', command: 'env > environment' }, { text: 'Done.' }]);
    const touch = (name: string) => [{ hooks: [{ type: 'command', command: `touch ${join(at.cwd, name)}` }] }];
    put(at, 'list.sh', `touch ${join(at.cwd, 'LISTED')}; echo '[]'`);
    put(at, '.gemini/settings.json', JSON.stringify({
      hooks: { SessionStart: touch('HOOKED'), BeforeTool: touch('HOOKED'), AfterAgent: touch('HOOKED') }, mcpServers: { x: { command: 'touch', args: [join(at.cwd, 'SERVED')] } },
      tools: { discoveryCommand: `sh ${join(at.cwd, 'list.sh')}` },
    }));
    for (const file of ['.env', '.gemini/.env']) put(at, file, 'PLANTED=1\nGOOGLE_API_KEY=planted\n');
    put(at, 'GEMINI.md', 'MARK-OF-GEMINI');
    put(at, 'AGENTS.md', 'MARK-OF-AGENTS');
    const mark = join(at.home, 'OURS');
    const { report } = await supervised(gemini, at, { hook: ['sh', '-c', `echo '{}'; touch ${mark}`, 'sh'] });
    expect(report).toMatchObject({ ok: true });
    expect(readFileSync(join(at.cwd, 'environment'), 'utf8')).not.toMatch(/PLANTED|planted/);
    expect(readdirSync(at.cwd).toSorted()).toEqual(['.env', '.gemini', 'AGENTS.md', 'GEMINI.md', 'environment', 'list.sh']);
    expect(JSON.stringify(server.turns()[0]?.body)).toMatch(/MARK-OF-AGENTS[\s\S]*MARK-OF-GEMINI/);
    expect(existsSync(mark)).toBe(true);
  });

  test('the prompt reaches the model as it is, mentions and all', async () => {
    const { at, server, gemini } = await place([{ text: 'Done.' }]);
    put(at, 'docs/a.md', 'SECRET-OF-DOCS');
    put(at, 'prime.txt', 'SECRET-OF-PRIME');
    const prompt = 'Ask @prime and @docs. Mail a@b.com; git@github.com:x; @Override';
    await supervised(gemini, at, { prompt });
    expect(server.turns()[0]?.prompt).toBe(prompt.replace('@docs', '\\@docs'));
    const long = 'word '.repeat(60_000);
    await supervised(gemini, at, { prompt: `/${long}` });
    expect(server.turns()[1]?.prompt.trim()).toBe(`/${long}`.trim());
  });
});
