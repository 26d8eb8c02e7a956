import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createCommand } from '../../../src/adapters/providers/command.ts';
import { createProviders } from '../../../src/adapters/providers/registry.ts';
import { runScript } from '../../../src/act/run/script.ts';
import { bootMs } from '../../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../../src/adapters/system/supervisor.ts';
import type { ProviderConfig } from '../../../src/model/config.ts';
import type { SpawnEnd, SpawnSpec } from '../../../src/ports/provider.ts';
import { providerContract } from '../../contracts/provider.ts';
import { ended } from '../../contracts/supervisor.ts';
import { distDir } from '../../support/build.ts';
import { endOf, requestOf, taskOf } from '../../support/spawnRequest.ts';
import { tempDir } from '../../support/temp.ts';

const supervisor = createSupervisor({ programs: programsOf(distDir()) });
const folder = tempDir('command');
afterAll(() => folder.remove());
let made = 0;

const mycli = createCommand('mycli', { command: ['mycli', '{prompt_file}'] });
providerContract('command', () => mycli);

const task = taskOf({ acceptanceCriteria: ['Tests pass', 'Docs say so.'] });
const request = requestOf({ task });
const interpret = (text: string | null, end: Partial<SpawnEnd> = {}) => mycli.interpret(request, endOf(end), async (name) => (name === 'result.md' ? text : null));

async function start(spec: SpawnSpec, scratch: string): Promise<SpawnEnd> {
  await supervisor.start(`command-${++made}-${bootMs()}`, scratch, spec, { timeoutMs: 60_000, silenceMs: 60_000, graceMs: 200, deadlineBootMs: bootMs() + 60_000 });
  return ended(supervisor, scratch);
}

describe('the command provider', () => {
  test('a real command gets the prompt in both ways and leaves its report', async () => {
    const scratch = join(folder.path, 'real');
    const script = 'cmp - "$1" && echo "same in $(pwd)" && printf -- "---\\ncriteria:\\n  - { text: tests pass, met: true, evidence: 14 passed }\\n---\\nDone it.\\n" > "$2"';
    const provider = createCommand('real', { command: ['sh', '-c', script, 'sh', '{prompt_file}', '{result_file}'] });
    const real = requestOf({ task, scratch, directory: folder.path, worktree: folder.path, prompt: 'long '.repeat(60_000) });
    const end = await start(provider.prepare(real), scratch);
    expect(end).toMatchObject({ exit: 0, tail: `same in ${folder.path}\n` });
    expect(await provider.interpret(real, end, (name) => supervisor.readFile(scratch, name))).toMatchObject({
      ok: true, failure: null, report: 'Done it.',
      criteria: [{ text: 'Tests pass', met: true, evidence: '14 passed' }, { text: 'Docs say so.', met: false, evidence: 'not reported' }],
    });
  });

  test('every placeholder is filled in once, other braces stay', () => {
    const command = ['x', '{worktree}:{task}:{agent}:{epoch}', '{result_file}', '{"json":1}', '{unknown}', 'a{prompt_file}b', '--model={model}'];
    const { argv } = createCommand('x', { command }).prepare(requestOf({ worktree: '/w/{task}' }));
    expect(argv).toEqual(['x', '/w/{task}:add-login:worker-1:2', '/tmp/scratch/result.md', '{"json":1}', '{unknown}', 'a/tmp/scratch/prompt.mdb', '--model=']);
    expect(createCommand('x', { command: ['x', '{model}'] }).prepare(requestOf({ model: 'daily' })).argv).toEqual(['x', 'daily']);
  });

  test('an environment of the configuration is added, and cannot say who the agent is', () => {
    const { env } = createCommand('x', { command: ['x'], env: { MODEL: 'm', CAMBIUM_AGENT: 'other' } }).prepare(request);
    expect(env).toMatchObject({ MODEL: 'm', CAMBIUM_AGENT: 'worker-1' });
  });

  test('exit 0 without a result file is a success whose report is what was printed', async () => {
    expect(await interpret(null, { tail: 'all ``` good\n' })).toMatchObject({ ok: true, criteria: [{ evidence: 'not reported' }, { evidence: 'not reported' }] });
    expect((await interpret(null, { tail: 'all ``` good\n' })).report).toContain('````text\nall ``` good\n````');
  });

  test('an agent that says it failed has failed, for the cause it names', async () => {
    expect(await interpret('---\noutcome: failed\n---\nNo such API.')).toMatchObject({ ok: false, failure: 'declared', retryable: true });
    expect(await interpret('---\noutcome: failed\nfailure: rate_limit\nretryable: false\n---\n')).toMatchObject({ failure: 'rate_limit', retryable: false });
  });

  test('a failing command keeps what the agent wrote beside how it ended', async () => {
    const { ok, report } = await interpret('Half done.', { exit: 3, tail: 'boom' });
    expect([ok, report.includes('Half done.'), report.includes('exit 3'), report.includes('boom')]).toEqual([false, true, true, true]);
  });

  test.each([
    ['unclosed', '---\noutcome: failed\nText'], ['broken', '---\n{ a: [\n---\nText'], ['no mapping', '---\njust words\n---\nText'],
    ['an alias bomb', `---\na: &a [x,x]\n${'bcdefghij'.split('').map((k, i) => `${k}: &${k} [*${'abcdefghi'[i]},*${'abcdefghi'[i]},*${'abcdefghi'[i]}]`).join('\n')}\n---\nText`],
  ])('front matter that is %s is taken as text', async (_, text) => {
    const report = await interpret(text);
    expect(report.ok).toBe(true);
    expect(report.report).toContain('Text');
  });

  test('a secret of the configuration does not reach the report', async () => {
    const provider = createCommand('x', { command: ['x'], env: { X_API_KEY: 'correct-horse-battery' } });
    expect((await provider.interpret(request, endOf(), async () => 'key correct-horse-battery')).report).toBe('key [redacted]');
  });

  test('a program that is not installed is said to be so', async () => {
    expect(await createCommand('x', { command: ['no-such-program'] }).probe()).toMatchObject({ unavailable: 'no-such-program is not on PATH.' });
    expect(await createCommand('x', { command: ['sh'] }).probe()).toEqual({ version: 'unknown' });
  });
});

const configOf = (command: readonly string[]): ProviderConfig => ({ kind: 'command', command, env: {}, baseUrl: null, models: {} });

describe('the registry', () => {
  test('holds the runbook and each configured command', () => {
    const providers = createProviders({ mycli: configOf(['mycli']) }, { programs: { runbook: '/x/runbookMain.js' } });
    expect([...providers].filter(([name]) => ['runbook', 'mycli'].includes(name)).map(([name, { conversational }]) => [name, conversational])).toEqual([['runbook', false], ['mycli', true]]);
  });

  test('refuses an empty command and another runbook', () => {
    expect(() => createProviders({ x: configOf([]) })).toThrow(expect.objectContaining({ code: 'bad-config' }));
    expect(() => createProviders({ runbook: configOf(['x']) })).toThrow(expect.objectContaining({ code: 'bad-config' }));
  });
});

describe('a script of an author', () => {
  test('a string runs as sh -eu FILE and a list as it stands, under the supervisor', async () => {
    const cwd = join(folder.path, 'scripts');
    mkdirSync(cwd);
    const asText = join(folder.path, 'verify-text');
    expect(await start(runScript('pwd\nfalse\necho on', { cwd, scratch: asText }), asText)).toMatchObject({ exit: 1, tail: `${cwd}\n` });
    const asList = join(folder.path, 'verify-list');
    expect(await start(runScript(['printf', '%s', '$HOME; x'], { cwd, scratch: asList }), asList)).toMatchObject({ exit: 0, tail: '$HOME; x' });
  });
});
