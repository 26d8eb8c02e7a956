/** What Claude Code alone does: limits, denials, and how it reports them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeClient, lineOf, scene, WORK } from './scene.ts';

await describeClient('claude', (cli) => {
  test('the most turns are an error of their own, without a result', async () => {
    const { recorded } = await scene(cli, WORK);
    const ran = await recorded('max-turns', { flags: ['--max-turns', '1'] });
    const result = lineOf(ran, 'result');
    expect([ran.exit, result['subtype'], result['is_error'], 'result' in result]).toEqual([1, 'error_max_turns', true, false]);
  });

  test('the most dollars too', async () => {
    const { recorded } = await scene(cli, WORK);
    const ran = await recorded('max-budget', { flags: ['--max-budget-usd', '0.0001'] });
    expect([ran.exit, lineOf(ran, 'result')['subtype']]).toEqual([1, 'error_max_budget_usd']);
  });

  test('a denied tool ends well and is listed: nothing was written', async () => {
    const { at, recorded } = await scene(cli, WORK);
    const ran = await recorded('denied', { permission: ['--permission-mode', 'dontAsk'] });
    const result = lineOf(ran, 'result');
    const denied = result['permission_denials'] as readonly { readonly tool_name: string }[];
    expect([ran.exit, result['is_error'], denied.map(({ tool_name }) => tool_name)]).toEqual([0, false, ['Write', 'Bash']]);
    expect(existsSync(join(at.cwd, 'greeting.txt'))).toBe(false);
  });

  test('permissions that come by --settings hold', async () => {
    const { at, ask } = await scene(cli, WORK);
    const settings = JSON.stringify({ permissions: { allow: ['Bash', 'Write'] } });
    expect((await ask({ permission: ['--permission-mode', 'dontAsk', '--settings', settings] })).exit).toBe(0);
    expect(existsSync(join(at.cwd, 'copy.txt'))).toBe(true);
  });

  test('the cost is of the whole session, the usage of this run', async () => {
    const { server, ask, recorded } = await scene(cli, [{ text: 'First.' }]);
    const first = lineOf(await ask(), 'result');
    server.answer([{ text: 'Second.' }]);
    const second = lineOf(await recorded('resume-cost', { resume: String(first['session_id']) }), 'result');
    expect(Number(second['total_cost_usd'])).toBeCloseTo(2 * Number(first['total_cost_usd']), 6);
    expect(second['usage']).toMatchObject({ input_tokens: 100, output_tokens: 20 });
  });

  test('a stream that is cut is no success', async () => {
    const { recorded } = await scene(cli, [{ drop: { text: 'Only half of this' } }]);
    const ran = await recorded('cut', { limitMs: 30_000 });
    expect(lineOf(ran, 'result')['is_error']).toBe(true);
  });

  test('retries of its own end in success', async () => {
    const { server, ask } = await scene(cli, [{ fail: 529, times: 1 }, { text: 'At last.' }]);
    const ran = await ask({ env: { CLAUDE_CODE_MAX_RETRIES: '2' } });
    expect([ran.exit, lineOf(ran, 'result')['result'], server.turns().length]).toEqual([0, 'At last.', 2]);
  });
});
