/** From what was printed, how it ended and what was left: the verdict that every provider of an agent CLI shares. */
import { describe, expect, test } from 'vitest';
import { judgeSpawn, spentBy } from '../../../src/adapters/providers/judge.ts';
import type { SpawnEvent } from '../../../src/model/spawnEvent.ts';
import type { SpawnEnd, SpawnReport, SpawnRequest } from '../../../src/ports/provider.ts';
import { endOf, requestOf, taskOf } from '../../support/spawnRequest.ts';

const reader = () => (line: string): readonly SpawnEvent[] => (line.startsWith('@') ? [JSON.parse(line.slice(1)) as SpawnEvent] : []);
const rules = { reader, changesFiles: (tool: string) => tool === 'Write', secrets: ['hunter2hunter2'] };
const task = taskOf({ acceptanceCriteria: ['Tests pass'] });

interface Scene {
  readonly events?: readonly SpawnEvent[];
  readonly stray?: readonly string[];
  readonly end?: Partial<SpawnEnd>;
  readonly result?: string;
  readonly request?: Partial<SpawnRequest>;
}

function judge({ events = [], stray = [], end = {}, result, request = {} }: Scene): Promise<SpawnReport> {
  const log = [...stray, ...events.map((event) => `@${JSON.stringify(event)}`)].join('\n');
  return judgeSpawn(requestOf({ task, ...request }), endOf(end), async (name) => (name === 'output.log' ? log : (result ?? null)), rules);
}

const said = (text: string, ok = true): SpawnEvent => ({ kind: 'end', ok, text, turns: 1 });
const limit = (text: string, resetAt: string | null = null): SpawnEvent => ({ kind: 'limit', failure: 'rate_limit', resetAt, text });
const write = (id: string): SpawnEvent => ({ kind: 'tool', id, name: 'Write', input: 'a.ts' });

describe('success', () => {
  test('is a good end, an exit of 0 and a word', async () => {
    expect(await judge({ events: [{ kind: 'start', session: 's1', model: null }, said('Done it.')] })).toMatchObject({ ok: true, failure: null, report: 'Done it.', session: 's1', warnings: [], question: null });
  });

  test.each([{ exit: 0 }, { exit: 1 }, { exit: null, signal: 'SIGKILL' }])('is nothing without the end: %j', async (end) => {
    expect(await judge({ events: [{ kind: 'text', text: 'I begin.' }], end })).toMatchObject({ ok: false, failure: 'crashed' });
  });

  test('is none with another exit', async () => {
    const report = await judge({ events: [said('Done.')], end: { exit: 1 } });
    expect([report.ok, report.failure, report.report.includes('exit 1'), report.report.includes('Done.')]).toEqual([false, 'crashed', true, true]);
  });

  test('without a word is empty, unless a file is known to be changed', async () => {
    expect(await judge({ events: [said(' ')] })).toMatchObject({ ok: false, failure: 'empty' });
    expect(await judge({ events: [write('1'), { kind: 'tool_result', id: '1', ok: true, output: '' }, said('')] })).toMatchObject({ ok: true });
    expect(await judge({ events: [write('1'), { kind: 'tool_result', id: '1', ok: false, output: 'denied' }, said('')] })).toMatchObject({ failure: 'empty' });
    expect(await judge({ events: [{ kind: 'tool', id: '1', name: 'Bash', input: 'ls' }, said('')] })).toMatchObject({ failure: 'empty' });
    expect(await judge({ events: [said('')], result: 'Done it.' })).toMatchObject({ ok: true, report: 'Done it.' });
  });
});

describe('failure', () => {
  test('has the cause that was named last, with its reset', async () => {
    const report = await judge({ events: [{ kind: 'error', failure: 'auth', text: 'x' }, limit('Limit.', '2026-11-21T18:00:00.000Z'), limit('Rejected (429)'), said('Rejected (429)', false)], end: { exit: 1 } });
    expect(report).toMatchObject({ ok: false, failure: 'rate_limit', resetAt: '2026-11-21T18:00:00.000Z' });
    expect(report.report).toBe('# Report\n\nRejected (429)');
  });

  test('takes a reset out of the words, counted from the end of the spawn', async () => {
    expect(await judge({ events: [limit('try again in 2 hours'), said('', false)], end: { exit: 1, endedAt: '2026-11-21T10:00:00.000Z' } })).toMatchObject({ resetAt: '2026-11-21T12:00:00.000Z' });
  });

  test('a limit that was overcome is none', async () => {
    expect(await judge({ events: [limit('slow down', '2026-11-21T18:00:00.000Z'), said('Done.')] })).toMatchObject({ ok: true, failure: null, resetAt: null });
  });

  test('an end that names no cause is read', async () => {
    expect(await judge({ events: [said('API Error: 529 overloaded', false)], end: { exit: 1 } })).toMatchObject({ failure: 'overloaded' });
    expect(await judge({ events: [said('', false)], end: { exit: 1 } })).toMatchObject({ failure: 'crashed' });
  });

  test('silence over a limit is the limit, silence after work is a hang', async () => {
    const stopped = { exit: 143, stopped: 'silence' } as const;
    expect(await judge({ events: [limit('waiting')], end: stopped })).toMatchObject({ ok: false, failure: 'rate_limit' });
    expect(await judge({ events: [limit('waiting'), { kind: 'text', text: 'On.' }], end: stopped })).toMatchObject({ failure: 'hung', resetAt: null });
    expect(await judge({ events: [limit('waiting')], end: { exit: 143, stopped: 'asked' } })).toMatchObject({ ok: false, failure: null, resetAt: null });
  });

  test('what stands beside the events is in the report', async () => {
    expect((await judge({ stray: ['error: unknown option', '{"not":"ours"}'], end: { exit: 1 } })).report).toContain('error: unknown option');
  });
});

describe('what the agent says of itself', () => {
  const front = (more: string): string => `---\n${more}\n---\nWords.`;

  test('stands in result.md, else in its final words', async () => {
    const met = 'criteria:\n  - { text: tests pass, met: true, evidence: 3 passed }';
    expect(await judge({ events: [said('Final.')], result: front(met) })).toMatchObject({ report: 'Words.', criteria: [{ text: 'Tests pass', met: true, evidence: '3 passed' }] });
    expect(await judge({ events: [said(front(met))] })).toMatchObject({ report: 'Words.', criteria: [{ met: true }] });
    expect(await judge({ events: [said(front(met))], result: 'No front matter.' })).toMatchObject({ report: 'No front matter.', criteria: [{ met: true }] });
    expect(await judge({ events: [said('Final.')] })).toMatchObject({ criteria: [{ met: false, evidence: 'not reported' }] });
  });

  test('a question is one, and ends no success', async () => {
    expect(await judge({ events: [said('x')], result: front('outcome: input\nquestion: Which port?') })).toMatchObject({ ok: false, question: 'Which port?', report: 'Words.' });
  });

  test('a question that was left by one who crashed is none', async () => {
    expect(await judge({ result: front('outcome: input\nquestion: Which port?'), end: { exit: 1 } })).toMatchObject({ failure: 'crashed', question: null });
  });

  test('that it failed is believed, with its cause', async () => {
    expect(await judge({ events: [said('x')], result: front('outcome: failed\nfailure: denied\nretryable: false') })).toMatchObject({ ok: false, failure: 'denied', retryable: false });
  });

  test('secrets stay out of the report, the warnings and the words', async () => {
    const report = await judge({ events: [{ kind: 'error', failure: null, text: 'Bash was denied: echo hunter2hunter2' }, said('key hunter2hunter2')] });
    expect([report.report, report.warnings]).toEqual(['key [redacted]', ['Bash was denied: echo [redacted]']]);
  });

  test('a warning is said once, however often it came', async () => {
    const denied: SpawnEvent = { kind: 'error', failure: null, text: 'Write was denied: a.ts' };
    expect((await judge({ events: [denied, denied, said('x')] })).warnings).toEqual(['Write was denied: a.ts']);
  });
});

describe('what a spawn has used', () => {
  const usage = (input: number, costUsd: number | null, cumulative: boolean): SpawnEvent => ({ kind: 'usage', usage: { input, cached: 0, output: 1 }, costUsd, cumulative });
  const before = { session: 's', usage: { input: 60, cached: 0, output: 1 }, costUsd: 0.3 };

  test('is the last count', () => {
    expect(spentBy([usage(10, null, false), usage(100, 0.5, false)], null)).toEqual({ usage: { input: 100, cached: 0, output: 1 }, costUsd: 0.5 });
    expect(spentBy([], before)).toEqual({ usage: null, costUsd: null });
  });

  test('is what a session has more than before, where it counts over the session', () => {
    expect(spentBy([usage(100, 0.5, true)], before)).toEqual({ usage: { input: 40, cached: 0, output: 0 }, costUsd: 0.2 });
    expect(spentBy([usage(100, 0.5, true)], null)).toEqual({ usage: { input: 100, cached: 0, output: 1 }, costUsd: 0.5 });
  });

  test('is the whole of a count that began anew', () => {
    expect(spentBy([usage(50, 0.1, true)], before)).toEqual({ usage: { input: 50, cached: 0, output: 1 }, costUsd: 0.1 });
  });
});
