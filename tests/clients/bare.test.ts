/** What each real CLI does with our flags and environment, without cambium between: the ground that the providers stand on. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Run } from './drive.ts';
import type { ClientName } from './install.ts';
import type { ModelServer } from './modelServer.ts';
import { describeClient, ENDLESS, runsEndless, scene, sessionOf, WORK } from './scene.ts';

const NAMES: readonly ClientName[] = ['claude', 'codex', 'gemini', 'opencode'];

/** Faults on which a CLI with the flags here still retries for minutes, or for ever: only an outer wall clock ends it. */
const PATIENT: Readonly<Record<string, readonly string[]>> = { claude: [], codex: ['refused'], gemini: ['error-429', 'error-500', 'error-529', 'refused'], opencode: ['error-429', 'error-429-exhausted', 'error-500', 'error-529', 'refused'] };

/** Exit status, signal, and whether the command that ran outlives it. */
const ENDS: Readonly<Record<string, Readonly<Record<'SIGTERM' | 'SIGINT' | 'SIGKILL', readonly [number | null, string | null, boolean]>>>> = {
  claude: { SIGTERM: [143, null, false], SIGINT: [0, null, false], SIGKILL: [null, 'SIGKILL', true] },
  codex: { SIGTERM: [null, 'SIGTERM', false], SIGINT: [1, null, false], SIGKILL: [null, 'SIGKILL', true] },
  opencode: { SIGTERM: [null, 'SIGTERM', true], SIGINT: [null, 'SIGINT', true], SIGKILL: [null, 'SIGKILL', true] },
  gemini: { SIGTERM: [0, null, true], SIGINT: [0, null, true], SIGKILL: [null, 'SIGKILL', true] },
};

/** opencode has printed nothing yet when it is killed; its first request names the session. */
const resumable = (server: ModelServer, killed: Run): string => (killed.stdout === '' ? (server.turns()[0]?.conversation ?? '') : sessionOf(killed));

for (const name of NAMES) {
  await describeClient(name, (cli) => {
    test('BUG-003: reads its prompt from a stdin that is ended, says a text and ends well', async () => {
      const { server, recorded } = await scene(cli, [{ text: 'Hello to you.' }]);
      const ran = await recorded('text');
      expect([ran.exit, ran.stdout.includes('Hello to you.'), ran.left]).toEqual([0, true, 0]);
      expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(['Write the greeting.']);
      expect(server.strangers).toEqual([]);
    });

    test('reads a prompt of 300 KB that begins with a dash', async () => {
      const { server, ask } = await scene(cli, [{ text: 'Read.' }]);
      const prompt = `--help ${'x'.repeat(300_000)} end`;
      expect((await ask({ prompt })).exit).toBe(0);
      expect(server.turns()[0]?.prompt.trim()).toBe(prompt);
    });

    test('refuses an empty prompt, and asks no model', async () => {
      const { server, recorded } = await scene(cli, []);
      const ran = await recorded('empty-prompt', { prompt: '' });
      expect([ran.exit === 0, ran.timedOut, server.turns().length]).toEqual([false, false, 0]);
    });

    test('writes a file and runs a command with its own tools', async () => {
      const { server, at, recorded } = await scene(cli, WORK);
      const ran = await recorded('tools');
      expect(ran.exit).toBe(0);
      expect(readFileSync(join(at.cwd, 'greeting.txt'), 'utf8')).toBe('hello\n');
      expect(readFileSync(join(at.cwd, 'copy.txt'), 'utf8')).toBe('hello\n');
      expect(server.turns().map(({ replies }) => replies)).toEqual([0, 1, 2]);
      expect(server.turns()[2]?.results.at(-1)?.text).toContain('copied');
    });

    test('edits a file that it has read', async () => {
      const { at, recorded } = await scene(cli, [
        { tool: 'write', path: 'colours.txt', text: 'red\ngreen\n' },
        { tool: 'read', path: 'colours.txt' },
        { tool: 'edit', path: 'colours.txt', find: 'green', replace: 'blue' },
        { text: 'It is blue.' },
      ]);
      expect((await recorded('edit')).exit).toBe(0);
      expect(readFileSync(join(at.cwd, 'colours.txt'), 'utf8')).toBe('red\nblue\n');
    });

    test('goes on after a command that failed', async () => {
      const { server, recorded } = await scene(cli, [{ tool: 'bash', command: 'echo broken >&2; exit 3' }, { text: 'It failed.' }]);
      const ran = await recorded('tool-failed');
      expect([ran.exit, ran.stdout.includes('It failed.')]).toEqual([0, true]);
      expect(server.turns()[1]?.results.map(({ text }) => text.includes('broken'))).toEqual([true]);
    });

    test('hears a text that comes word by word', async () => {
      const { ask } = await scene(cli, [{ text: 'one two three four', dribbleMs: 30 }]);
      const ran = await ask();
      expect([ran.exit, /one two three four|one [^]*two [^]*three [^]*four/.test(ran.stdout)]).toEqual([0, true]);
    });

    test('goes on in the session that it is told to resume', async () => {
      const { server, ask, recorded } = await scene(cli, [{ text: 'First.' }]);
      const session = sessionOf(await ask({ prompt: 'Remember blue.', session: randomUUID() }));
      server.answer([{ text: 'Second.' }]);
      const ran = await recorded('resume', { prompt: 'Which colour?', resume: session });
      expect([ran.exit, sessionOf(ran)]).toEqual([0, session]);
      expect(server.turns().at(-1)?.prompts.map((prompt) => prompt.trim())).toEqual(['Remember blue.', 'Which colour?']);
    });

    test('refuses to resume a session that it does not know', async () => {
      const { server, recorded } = await scene(cli, []);
      const ran = await recorded('resume-unknown', { resume: '00000000-0000-4000-8000-00000000abcd' });
      expect(ran.exit).not.toBe(0);
      expect(server.turns()).toEqual([]);
    });

    test('ends on 401, and asks no more than a few times', async () => {
      const { server, recorded } = await scene(cli, [{ fail: 401 }]);
      const ran = await recorded('error-401', { limitMs: 30_000 });
      expect([ran.exit === 0, ran.timedOut]).toEqual([false, false]);
      expect(server.turns().length).toBeLessThan(7);
    });

    test.each([['error-429', { fail: 429, retryAfterS: 1 }], ['error-429-exhausted', { fail: 429, retryAfterS: 3600, exhausted: true }], ['error-500', { fail: 500 }], ['error-529', { fail: 529 }]] as const)('%s', async (kind, fault) => {
      const { recorded } = await scene(cli, [fault]);
      const patient = PATIENT[name]?.includes(kind) === true;
      const ran = await recorded(kind, { limitMs: patient ? 6_000 : 40_000 });
      expect([ran.exit === 0, ran.timedOut, ran.left]).toEqual([false, patient, 0]);
    });

    test('refused connection', async () => {
      const { server, recorded } = await scene(cli, []);
      await server.close();
      const patient = PATIENT[name]?.includes('refused') === true;
      const ran = await recorded('refused', { limitMs: patient ? 6_000 : 40_000 });
      expect([ran.exit === 0, ran.timedOut]).toEqual([false, patient]);
    });

    test('a model that never answers is ended by the wall clock, with nothing left', async () => {
      const { ask } = await scene(cli, [{ hang: true }]);
      const ran = await ask({ limitMs: 6_000 });
      expect([ran.timedOut, ran.signal]).toEqual([true, 'SIGKILL']);
    });

    test('a session that was killed in the middle of a command can be resumed', async () => {
      const { server, at, ask, recorded } = await scene(cli, ENDLESS);
      const killed = await ask({ session: randomUUID(), signal: { name: 'SIGKILL', when: runsEndless(cli, at) }, limitMs: 40_000 });
      server.answer([{ tool: 'bash', command: 'echo again > again' }, { text: 'Done after all.' }]);
      const ran = await recorded('resume-killed', { prompt: 'You were cut off; go on.', resume: resumable(server, killed) });
      expect([ran.exit, ran.stdout.includes('Done after all.'), existsSync(join(at.cwd, 'again'))]).toEqual([0, true, true]);
      expect(server.turns().at(-1)?.prompts.map((prompt) => prompt.trim()).at(-1)).toContain('You were cut off; go on.');
      expect(server.turns().at(-1)?.prompts[0]).toContain('Write the greeting.');
    });

    test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('%s in the middle of a command ends it, and what is left of the command is ended by its mark', async (signal) => {
      const { at, recorded } = await scene(cli, ENDLESS);
      const ran = await recorded(signal.toLowerCase(), { signal: { name: signal, when: runsEndless(cli, at) }, limitMs: 40_000 });
      expect([ran.timedOut, ran.exit, ran.signal, ran.left > 0]).toEqual([false, ...(ENDS[name]?.[signal] ?? [])]);
    });
  });
}
