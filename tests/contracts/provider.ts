/** What every Provider promises, whatever the agent behind it does. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SpawnEvent } from '../../src/model/spawnEvent.ts';
import type { Provider, SpawnEnd, SpawnReport } from '../../src/ports/provider.ts';
import { endOf, requestOf, taskOf } from '../support/spawnRequest.ts';

const nothing = async (): Promise<string | null> => null;

const RECORDED = fileURLToPath(new URL('../fixtures/clients', import.meta.url));

export interface Stream {
  readonly name: string;
  /** Both streams of output, as the log of a spawn has them. */
  readonly log: string;
  readonly exit: number | null;
  readonly signal: string | null;
}

/** What the real CLI printed, case by case (tests/clients records it). */
export function recordedStreams(client: string): readonly Stream[] {
  const folder = join(RECORDED, client);
  return readdirSync(folder).filter((file) => file.endsWith('.jsonl')).toSorted().map((file) => {
    const name = file.slice(0, -'.jsonl'.length);
    const beside = ['.jsonl', '.stderr'].map((ending) => join(folder, `${name}${ending}`)).filter((path) => existsSync(path));
    const { exit, signal } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Stream;
    return { name, log: beside.map((path) => readFileSync(path, 'utf8')).join(''), exit, signal };
  });
}

export const eventsOf = (provider: Provider, log: string): readonly SpawnEvent[] => log.split('\n').flatMap(provider.reader());

/** The report on a spawn that printed this and left no file. */
export const judged = (provider: Provider, log: string, end: Partial<SpawnEnd> = {}, request = requestOf()): Promise<SpawnReport> =>
  provider.interpret(request, endOf({ tail: log.slice(-65_536), ...end }), async (name) => (name === 'output.log' ? log : null));

export function providerContract(name: string, create: () => Provider, streams: readonly Stream[] = []): void {
  const task = taskOf({ acceptanceCriteria: ['Tests pass', 'Docs say so'] });
  // A home below the temporary folder is moved by codex, which makes no sandbox there.
  const request = requestOf({ task, instruction: '```sh\ntrue\n```\n', home: '/srv/agents/worker-1' });

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
      const long = 'x'.repeat(300_000);
      const spec = create().prepare({ ...request, instruction: long, prompt: long });
      expect(spec.argv.every((part) => part.length < 10_000)).toBe(true);
    });

    test('a session of the tree is gone on with, or left out: it is no option of the program', () => {
      const provider = create();
      const prepared = (session: string): readonly string[] => provider.prepare({ ...request, resume: { session, usage: null, costUsd: null } }).argv;
      expect(prepared('--version; rm -rf /')).not.toContain('--version; rm -rf /');
      const session = 'c0ffee00-1111-4222-8333-444455556666';
      expect(prepared(session).includes(session)).toBe(provider.resumes !== 'never');
    });

    test('no credential is an argument, and nobody who runs leaves its home to chance', () => {
      const spec = create().prepare(request);
      for (const variable of spec.keepEnv ?? []) expect(variable).toMatch(/^\w+$/);
      if (spec.home === undefined) return;
      expect(isAbsolute(spec.home.path) && spec.home.path.startsWith(`${request.home}/`)).toBe(true);
      for (const file of [...Object.keys(spec.home.files), ...Object.keys(spec.home.links), ...Object.values(spec.home.links)]) expect(file).not.toMatch(/^\/|\.\./);
    });

    test('without a model asked for, the choice is its own', () => {
      expect(create().model(null)).toBe(null);
    });

    test('whatever is printed is read, twice the same, and no count is below zero', () => {
      const recorded = streams.map(({ log }) => log);
      const json = fc.json().map((text) => text.replaceAll('\n', ' '));
      const torn = recorded.length === 0 ? json : fc.record({ log: fc.constantFrom(...recorded), from: fc.nat(20_000), length: fc.nat(20_000) }).map(({ log, from, length }) => log.slice(from, from + length));
      const grafted = recorded.length === 0 ? json : fc.record({ log: fc.constantFrom(...recorded), value: fc.jsonValue(), at: fc.nat(50) }).map(({ log, value, at }) => graft(log, value, at));
      fc.assert(fc.property(fc.oneof(fc.string(), json, torn, grafted), (log) => {
        const events = eventsOf(create(), log);
        expect(eventsOf(create(), log)).toEqual(events);
        for (const event of events) {
          if (event.kind === 'usage') expect([event.usage.input, event.usage.cached, event.usage.output, event.costUsd ?? 0].every((count) => Number.isFinite(count) && count >= 0)).toBe(true);
          if (event.kind === 'limit' && event.resetAt !== null) expect(new Date(event.resetAt).toISOString()).toBe(event.resetAt);
        }
      }), { numRuns: 300 });
    });

    test('a line of JSON whose type every object has by nature is no event', () => {
      if (eventsOf(create(), '{"type":"constructor"}').some(({ kind }) => kind === 'text')) return; // Of a program without a format every line is text.
      for (const type of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf']) expect(eventsOf(create(), JSON.stringify({ type, message: 'x' }))).toEqual([]);
    });

    describe.skipIf(streams.length === 0)('read from what the real program printed', () => {
      test.each(streams)('$name: one end at most, and nothing after it', ({ log }) => {
        // Warnings come on the other stream, and may be late.
        const kinds = eventsOf(create(), log).filter((event) => event.kind !== 'error' || event.failure !== null).map(({ kind }) => kind);
        expect(kinds.filter((kind) => kind === 'end').length).toBeLessThanOrEqual(1);
        expect([-1, kinds.length - 1]).toContain(kinds.indexOf('end'));
      });

      test.each(streams)('$name: what the session had used before is not counted again', async ({ log, exit, signal }) => {
        const provider = create();
        const last = eventsOf(provider, log).findLast((event) => event.kind === 'usage');
        const fresh = await judged(provider, log, { exit, signal });
        const before = { input: Math.floor((fresh.usage?.input ?? 0) / 2), cached: 0, output: Math.floor((fresh.usage?.output ?? 0) / 2) };
        const resumed = await judged(provider, log, { exit, signal }, { ...request, resume: { session: 'c0ffee00-1111-4222-8333-444455556666', usage: before, costUsd: 0 } });
        if (last === undefined || fresh.usage === null) return expect(resumed.usage).toBe(null);
        const less = last.cumulative ? before : { input: 0, cached: 0, output: 0 };
        expect(resumed.usage).toEqual({ input: fresh.usage.input - less.input, cached: fresh.usage.cached - less.cached, output: fresh.usage.output - less.output });
      });

      test.each(streams)('$name: the end decides, and an exit of 0 alone is no success', async ({ log }) => {
        const provider = create();
        const end = eventsOf(provider, log).find((event) => event.kind === 'end');
        const report = await judged(provider, log, { exit: 0 });
        expect(report.ok).toBe(end?.kind === 'end' && end.ok);
        if (report.failure === 'rate_limit' || report.failure === 'overloaded') expect(report.resetAt === null || !Number.isNaN(Date.parse(report.resetAt))).toBe(true);
        else expect(report.resetAt).toBe(null);
      });
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

/** The log with one value of one of its JSON lines replaced by another: what a later version of the program may say there. */
function graft(log: string, value: unknown, at: number): string {
  return log.split('\n').map((line) => {
    if (!line.startsWith('{')) return line;
    const said = JSON.parse(line) as Record<string, unknown>;
    const keys = Object.keys(said).filter((key) => key !== 'type');
    const key = keys[at % Math.max(1, keys.length)];
    const inner = key === undefined ? null : said[key];
    if (key !== undefined && typeof inner === 'object' && inner !== null && !Array.isArray(inner) && at % 2 === 1) {
      const deep = Object.keys(inner)[at % Math.max(1, Object.keys(inner).length)];
      return JSON.stringify(deep === undefined ? said : { ...said, [key]: { ...inner, [deep]: value } });
    }
    return JSON.stringify(key === undefined ? said : { ...said, [key]: value });
  }).join('\n');
}
