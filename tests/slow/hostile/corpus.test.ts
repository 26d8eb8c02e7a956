import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/memory/store.ts';
import { CambiumError } from '../../../src/errors.ts';
import { parseClaimRecord } from '../../../src/observe/claimRecord.ts';
import { parseFleetConfig } from '../../../src/observe/fleetConfig.ts';
import { parseFleetRecord } from '../../../src/observe/fleetRecord.ts';
import { readFrontMatter } from '../../../src/observe/frontMatter.ts';
import { checkTaskPath } from '../../../src/observe/names.ts';
import { parseNodeRecord } from '../../../src/observe/nodeRecord.ts';
import { parseResult } from '../../../src/observe/resultFile.ts';
import { instructionSchema } from '../../../src/observe/schemas.ts';
import { parseTask, scalarKind } from '../../../src/observe/taskFile.ts';
import { createTaskIndex } from '../../../src/observe/taskIndex.ts';
import { decodeText, isQuarantined } from '../../../src/observe/text.ts';
import { CORPUS, MARKER_VARIABLE, NAMES } from '../../hostile/corpus.ts';

const BLOB = 'a'.repeat(40);
const folder = mkdtempSync(join(tmpdir(), 'cambium-hostile-'));
const marker = join(folder, 'ran');
/** Those that cost nothing, for what need not run the others again. */
const SMALL = CORPUS.filter(({ bytes }) => bytes.length < 10_000);
const fuzz = { numRuns: Number(process.env['CAMBIUM_FUZZ_RUNS'] ?? 1_000) };

beforeAll(() => {
  process.env[MARKER_VARIABLE] = marker;
});

afterAll(() => {
  delete process.env[MARKER_VARIABLE];
  rmSync(folder, { recursive: true, force: true });
});

test('the corpus is large and names each case once', () => {
  expect(CORPUS.length + NAMES.length).toBeGreaterThanOrEqual(120);
  expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length);
});

describe('an instruction file', () => {
  test.each(CORPUS.map((hostile) => [hostile.name, hostile] as const))('%s', (_, { bytes, expected }) => {
    const parsed = parseTask({ path: 'tasks/x.md', blob: BLOB, bytes });
    if (expected.verdict === 'task') {
      expect(parsed).not.toHaveProperty('reason');
      expect(parsed).toMatchObject({ id: 'x', path: 'tasks/x.md', blob: BLOB, ...expected.has });
      return;
    }
    expect(isQuarantined(parsed) && parsed.mend !== '', JSON.stringify(parsed)).toBe(true);
    expect(parsed).toMatchObject({ path: 'tasks/x.md', line: expected.line });
    if (expected.reason !== undefined) expect((parsed as { reason: string }).reason).toMatch(expected.reason);
  });

  test('a second look gives the same verdict', () => {
    const look = (): unknown[] => SMALL.map(({ bytes }) => parseTask({ path: 'tasks/x.md', blob: BLOB, bytes }));
    expect(look()).toEqual(look());
  });
});

test.each(NAMES.map((row) => [JSON.stringify(row[0]), ...row] as const))('the name %s is judged', (_, path, verdict, proposed) => {
  const fault = checkTaskPath({ path, mode: '100644' });
  expect(fault !== null).toBe(verdict === 'bad');
  expect(fault?.mend ?? '').toContain(proposed ?? '');
  expect(/[\p{Cc}\u202e]/u.test(`${fault?.reason}${fault?.mend}`)).toBe(false);
});

test('nothing in the corpus is executed', () => {
  for (const { bytes } of CORPUS) {
    parseTask({ path: 'tasks/x.md', blob: BLOB, bytes });
    parseResult({ path: 'tasks/x.result.md', bytes });
    parseFleetConfig(bytes);
  }
  expect(existsSync(marker)).toBe(false);
});

test('the whole corpus costs bounded memory and none of it a second of processor time', () => {
  const heapBefore = process.memoryUsage().heapUsed;
  for (const { name, bytes } of CORPUS) {
    const before = process.cpuUsage();
    parseTask({ path: 'tasks/x.md', blob: BLOB, bytes });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000, name).toBeLessThan(1_000);
  }
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(512 * 1_048_576);
});

test('one bad file leaves the others as they are', async () => {
  const store = createMemoryStore();
  const good = { mode: '100644', name: 'good.md', oid: await store.writeBlob(Buffer.from('# Good\n')) } as const;
  const hostile = await Promise.all(CORPUS.map(async ({ bytes }, at) => ({ mode: '100644', name: `h${at}.md`, oid: await store.writeBlob(bytes) }) as const));
  const tasks = await store.writeTree([good, ...hostile]);
  const view = await createTaskIndex(store).read(await store.writeTree([{ mode: '40000', name: 'tasks', oid: tasks }]));
  expect(view.tasks.get('good')?.title).toBe('Good');
  expect(view.quarantine.map(({ path }) => path).toSorted()).toEqual(
    CORPUS.flatMap(({ expected }, at) => (expected.verdict === 'quarantined' ? [`tasks/h${at}.md`] : [])).toSorted(),
  );
  expect(view.tasks.size + view.quarantine.length).toBe(CORPUS.length + 1);
});

test('the hand-written checks of front matter and the zod schema agree over the corpus', () => {
  for (const { name, bytes } of SMALL) {
    const text = decodeText('', bytes);
    const front = typeof text === 'string' ? readFrontMatter('', text, scalarKind) : text;
    if (isQuarantined(front) || name === 'a newer format' || /empty file|blanks only|without title/.test(name)) continue;
    const byHand = !isQuarantined(parseTask({ path: 'tasks/x.md', blob: BLOB, bytes }));
    expect(instructionSchema.safeParse(front.data).success, name).toBe(byHand);
  }
});

describe('no bytes at all make the door throw', () => {
  const lines = fc.array(fc.oneof(
    fc.constantFrom('---', '--- ', '---js', '...', '%YAML 1.1', 'title: x', 'depends_on: [', '- a', '? ', '<<: *a', '&a b', '!!js/function x', '"', '\'', '{', '}', '|', '>', '\t', '#', '=======', '```', 'schema: cambium.result/1', 'priority: 1e999', '\u2028', '\0', '\r'),
    fc.string({ unit: 'binary', maxLength: 12 }),
  ), { maxLength: 20 }).map((parts) => new TextEncoder().encode(parts.join('\n')));
  const anything = fc.oneof(fc.uint8Array({ maxLength: 300 }), lines, lines.map((bytes) => Uint8Array.of(0x2d, 0x2d, 0x2d, 0x0a, ...bytes, 0x0a, 0x2d, 0x2d, 0x2d, 0x0a)));

  test('an instruction or result file', () => {
    fc.assert(fc.property(anything, (bytes) => {
      const task = parseTask({ path: 'tasks/x.md', blob: BLOB, bytes });
      expect(isQuarantined(task) ? task.line >= 1 && task.reason !== '' : task.id === 'x').toBe(true);
      parseResult({ path: 'tasks/x.result.md', bytes });
    }), fuzz);
  });

  test('cambium.yaml', () => {
    fc.assert(fc.property(anything, (bytes) => {
      const parsed = parseFleetConfig(bytes);
      expect('config' in parsed || parsed.problems.every(({ line, column, message }) => line >= 1 && column >= 1 && message !== '')).toBe(true);
    }), fuzz);
  });

  test('records throw named errors only', () => {
    const json = fc.oneof(anything, fc.json().map((text) => new TextEncoder().encode(text)));
    fc.assert(fc.property(json, (bytes) => {
      for (const parse of [parseClaimRecord, parseNodeRecord, parseFleetRecord]) {
        try {
          parse(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CambiumError);
          expect(['bad-file', 'schema-too-new']).toContain((error as CambiumError).code);
        }
      }
    }), fuzz);
  });

  test('a name', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => {
      checkTaskPath({ path: `tasks/${name}.md`, mode: '100644' });
    }), fuzz);
  });
});
