/** What codex alone does: its sandbox, the tools that it offers by model, and usage over a thread. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeClient, lineOf, scene, sessionOf, WORK } from './scene.ts';

await describeClient('codex', (cli) => {
  test.each(['gpt-5.5', 'an-unknown-model'])('the same script drives the tools which it offers to %s', async (model) => {
    const { server, at, recorded } = await scene(cli, WORK);
    expect((await recorded(`tools-${model}`, { flags: ['-m', model] })).exit).toBe(0);
    expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
    expect(server.turns()[0]?.tools).not.toContain('exec');
  });

  test('a read-only sandbox lets no command write, and codex ends well all the same', async () => {
    const { at, recorded } = await scene(cli, WORK);
    const ran = await recorded('denied', { permission: ['-s', 'read-only'] });
    expect([ran.exit, lineOf(ran, 'turn.completed')['type'], existsSync(join(at.cwd, 'greeting.txt'))]).toEqual([0, 'turn.completed', false]);
  });

  test('a resumed thread counts its tokens from its beginning', async () => {
    const { server, ask } = await scene(cli, [{ text: 'First.' }]);
    const first = await ask();
    server.answer([{ text: 'Second.' }]);
    const second = await ask({ resume: sessionOf(first) });
    const used = (ran: typeof first): unknown => (lineOf(ran, 'turn.completed')['usage'] as Record<string, unknown>)['input_tokens'];
    expect([used(first), used(second)]).toEqual([100, 200]);
  });

  test('retries of its own end in success', async () => {
    const { server, ask } = await scene(cli, [{ fail: 500, times: 1 }, { text: 'At last.' }]);
    const ran = await ask({ flags: ['-c', 'model_providers.scripted.request_max_retries=2'] });
    expect([ran.exit, ran.stdout.includes('At last.'), server.turns().length]).toEqual([0, true, 2]);
  });

  test('a stream that is cut is no success', async () => {
    const { recorded } = await scene(cli, [{ drop: { text: 'Only half of this' } }]);
    const ran = await recorded('cut', { limitMs: 30_000 });
    expect([ran.exit, lineOf(ran, 'turn.failed')['type']]).toEqual([1, 'turn.failed']);
  });
});
