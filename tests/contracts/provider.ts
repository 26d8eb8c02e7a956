/** What every Provider promises, whatever the agent behind it does. */
import { isAbsolute } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Provider, SpawnEnd } from '../../src/ports/provider.ts';
import { endOf, requestOf, taskOf } from '../support/spawnRequest.ts';

const nothing = async (): Promise<string | null> => null;

export function providerContract(name: string, create: () => Provider): void {
  const task = taskOf({ acceptanceCriteria: ['Tests pass', 'Docs say so'] });
  const request = requestOf({ task, instruction: '```sh\ntrue\n```\n' });

  describe(`the provider ${name}`, () => {
    test('says what to start as an argument vector, in the folder of the work, without input left open', () => {
      const spec = create().prepare(request);
      expect(spec.argv.length).toBeGreaterThan(0);
      expect(isAbsolute(spec.cwd)).toBe(true);
      expect(spec.cwd).toBe(request.directory);
      expect(typeof spec.stdin).toBe('string');
      for (const file of Object.keys(spec.files)) expect(file).not.toMatch(/^\/|\.\./);
    });

    test('tells the process who it is', () => {
      expect(create().prepare(request).env).toMatchObject({ CAMBIUM_AGENT: 'worker-1', CAMBIUM_TASK: 'add-login', CAMBIUM_NODE: 'vm-a', CAMBIUM_EPOCH: '2' });
    });

    test('the same request is prepared the same', () => {
      expect(create().prepare(request)).toEqual(create().prepare(request));
    });

    test('a long instruction is never an argument', () => {
      const spec = create().prepare({ ...request, instruction: 'x'.repeat(300_000) });
      expect(spec.argv.every((part) => part.length < 10_000)).toBe(true);
    });

    test.each([
      ['timeout', 'timeout'], ['silence', 'hung'], ['fenced', null], ['asked', null],
    ] as const)('stopped by %s is no success and may be tried again', async (stopped, failure) => {
      const report = await create().interpret(request, endOf({ exit: 0, stopped }), nothing);
      expect(report).toMatchObject({ ok: false, failure, retryable: true });
    });

    test.each([{ exit: 1 }, { exit: null, signal: 'SIGKILL' }])('an end with %j is a crash', async (how) => {
      expect(await create().interpret(request, endOf(how), nothing)).toMatchObject({ ok: false, failure: 'crashed' });
    });

    test('whatever is in the files and the output, a report comes with a verdict on each criterion', async () => {
      const text = fc.oneof(fc.string(), fc.json(), fc.constant('---\noutcome: [\n---\nx'), fc.constant('---\n- 1\n---\n'), fc.constant('{"blocks":[null]}'), fc.constant('{"blocks":[{}]}'));
      const end = fc.record({
        exit: fc.option(fc.integer({ min: 0, max: 255 })), signal: fc.option(fc.constant('SIGTERM')),
        stopped: fc.constantFrom<SpawnEnd['stopped']>(null, 'timeout', 'silence', 'fenced', 'asked'), tail: fc.string(),
      });
      await fc.assert(fc.asyncProperty(text, end, async (file, how) => {
        const report = await create().interpret(request, endOf(how), async () => file);
        expect(report.criteria.map(({ text }) => text)).toEqual(task.acceptanceCriteria);
        expect(report.criteria.every(({ evidence }) => evidence !== '')).toBe(true);
        expect(report.report.trim()).not.toBe('');
        expect(report.ok).toBe(report.failure === null && how.stopped === null);
      }), { numRuns: 200 });
    });
  });
}
