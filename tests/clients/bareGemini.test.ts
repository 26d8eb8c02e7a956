/** What the Gemini CLI alone does: its router, approval, trust, and how its retries are bounded. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeClient, lineOf, scene, WORK } from './scene.ts';

const ONCE = { maxAttempts: 1, retryFetchErrors: false };
const MODEL = ['-m', 'gemini-3.8-flash'];

await describeClient('gemini', (cli) => {
  test('its router is answered beside the turns', async () => {
    const { server, ask } = await scene(cli, [{ text: 'Hello.' }]);
    expect((await ask()).exit).toBe(0);
    expect([server.turns().length, server.sides().map(({ side }) => side)]).toEqual([1, ['router']]);
  });

  test('without approval there are no tools that write, and it ends well all the same', async () => {
    const { server, at, recorded } = await scene(cli, WORK);
    const ran = await recorded('denied', { permission: [] });
    expect([ran.exit, lineOf(ran, 'result')['status'], existsSync(join(at.cwd, 'greeting.txt'))]).toEqual([0, 'success', false]);
    expect(server.turns()[0]?.tools).not.toContain('write_file');
  });

  test('a folder that is not trusted is refused', async () => {
    const { server, recorded } = await scene(cli, WORK);
    const ran = await recorded('untrusted', { permission: [], env: { GEMINI_CLI_TRUST_WORKSPACE: 'false' } });
    expect([ran.exit, server.turns().length]).toEqual([55, 0]);
  });

  test.each([[401, 145], [429, 173], [500, 244], [503, 247], [529, 17]])('one attempt, no retry of refused connections and a named model: an API that says %i to everything ends it at once, with status %i', async (status, exit) => {
    const { server, recorded } = await scene(cli, []);
    server.outage({ fail: status, retryAfterS: 1 });
    const ran = await recorded(`error-${status}-once`, { general: ONCE, flags: MODEL, limitMs: 30_000 });
    expect([ran.timedOut, ran.exit, lineOf(ran, 'result')['status']]).toEqual([false, exit, 'error']);
    expect([server.turns().length, server.sides().length]).toEqual([1, 0]);
  });

  test('a refused connection then ends it at once too', async () => {
    const { server, recorded } = await scene(cli, []);
    await server.close();
    const ran = await recorded('refused-once', { general: ONCE, flags: MODEL, limitMs: 30_000 });
    expect([ran.timedOut, ran.exit]).toEqual([false, 1]);
  });

  test('without a named model its router retries all the same', async () => {
    const { server, ask } = await scene(cli, []);
    server.outage({ fail: 500 });
    const ran = await ask({ general: ONCE, limitMs: 5_000 });
    expect([ran.timedOut, server.sides().length > 0, server.turns().length]).toEqual([true, true, 0]);
  });
});
