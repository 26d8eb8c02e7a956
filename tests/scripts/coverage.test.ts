/** What the gate on coverage counts: lines that a built program has really run, by its own dump and its source map. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cleanEnv } from '../support/cli.ts';
import { tempDir } from '../support/temp.ts';

interface Statement { readonly line: number; readonly column: number; run: boolean }
interface Scripts {
  openDumps(folder: string, executed: Map<string, Uint8Array>): { readonly counts: { readonly read: number; readonly broken: number }; collect(last: boolean): void };
  loadExecuted(path: string): Map<string, Uint8Array>;
  saveExecuted(path: string, executed: ReadonlyMap<string, Uint8Array>): void;
  addExecuted(files: Map<string, Map<string, Statement>>, executed: ReadonlyMap<string, Uint8Array>): void;
  countLines(files: Map<string, Map<string, Statement>>): readonly { readonly path: string; readonly lines: Map<number, boolean>; readonly covered: number }[];
  uncoveredRanges(lines: Map<number, boolean>): string;
}

const root = new URL('../..', import.meta.url);
const scripts = { ...(await import(new URL('scripts/coverage/dumps.mjs', root).href)), ...(await import(new URL('scripts/coverage/lines.mjs', root).href)) } as Scripts;

const temp = tempDir('coverage');
afterAll(() => temp.remove());
const source = join(temp.path, 'src/program.ts');
const built = join(temp.path, 'dist/program.js');

const LINES = [
  'interface Shape { readonly sides: number }',
  'export function name(shape: Shape): string {',
  '  if (shape.sides === 3) {',
  '    return "triangle";',
  '  }',
  '  return shape.sides === 4',
  '    ? "square"',
  '    : "something";',
  '}',
  'const never = (): void => {',
  '  console.log("ünreached");',
  '};',
  'class Box {',
  '  open(): number {',
  '    return 1;',
  '  }',
  '}',
  'if (process.argv.length > 5) never();',
  'console.log(name({ sides: Number(process.argv[2]) }), typeof Box);',
];

/** The statements as vitest's report has them: where each begins. */
function statements(): Map<string, Map<string, Statement>> {
  const at = [[3, 2], [4, 4], [6, 2], [10, 14], [11, 2], [15, 4], [18, 0], [18, 29], [19, 0]].map(([line, column]): Statement => ({ line: line!, column: column!, run: false }));
  return new Map([[source, new Map(at.map((statement) => [`${statement.line}:${statement.column}`, statement]))]]);
}

beforeAll(() => {
  mkdirSync(join(temp.path, 'src'));
  writeFileSync(source, `${LINES.join('\n')}\n`);
  writeFileSync(join(temp.path, 'package.json'), '{"type":"module"}');
  const tsc = new URL('node_modules/typescript/bin/tsc', root).pathname;
  spawnSync(process.execPath, [tsc, source, '--outDir', join(temp.path, 'dist'), '--rootDir', join(temp.path, 'src'), '--sourceMap', '--target', 'ES2023', '--module', 'NodeNext', '--ignoreConfig'], { cwd: temp.path });
});

let runs = 0;
function dumpsOf(...sides: readonly string[]): string {
  const folder = join(temp.path, `dumps-${runs++}`);
  for (const side of sides) spawnSync(process.execPath, [built, side], { env: cleanEnv({ NODE_V8_COVERAGE: folder }) });
  return folder;
}

function coveredBy(executed: ReadonlyMap<string, Uint8Array>): Record<number, boolean> {
  const files = statements();
  scripts.addExecuted(files, executed);
  return Object.fromEntries(scripts.countLines(files)[0]!.lines);
}

describe('a line of a program counts', () => {
  test('when a process has run it: branches not taken and functions not called do not, their definitions do', () => {
    expect(existsSync(built)).toBe(true);
    const executed = new Map<string, Uint8Array>();
    scripts.openDumps(dumpsOf('4'), executed).collect(true);
    expect(coveredBy(executed)).toEqual({ 3: true, 4: false, 6: true, 10: true, 11: false, 15: false, 18: true, 19: true });
    const files = statements();
    scripts.addExecuted(files, executed);
    expect([files.get(source)?.get('18:0')?.run, files.get(source)?.get('18:29')?.run]).toEqual([true, false]);
  });

  test('when any of several processes has', () => {
    const executed = new Map<string, Uint8Array>();
    const dumps = scripts.openDumps(dumpsOf('3', '4', '3'), executed);
    dumps.collect(true);
    expect(dumps.counts).toEqual({ read: 3, broken: 0 });
    expect(coveredBy(executed)).toMatchObject({ 4: true, 6: true, 11: false });
  });

  test('also when that was in an earlier run', () => {
    const [first, saved] = [new Map<string, Uint8Array>(), join(temp.path, 'executed.json')];
    scripts.openDumps(dumpsOf('3'), first).collect(true);
    scripts.saveExecuted(saved, first);
    const both = scripts.loadExecuted(saved);
    expect(coveredBy(both)).toMatchObject({ 4: true, 6: false });
    scripts.openDumps(dumpsOf('4'), both).collect(true);
    expect(coveredBy(both)).toMatchObject({ 4: true, 6: true });
  });
});

test('a build that is gone when it is counted, as that of a clone made by a test, changes nothing', () => {
  const executed = new Map([[join(temp.path, 'gone/dist/program.js'), new Uint8Array([1])]]);
  expect(Object.values(coveredBy(executed)).includes(true)).toBe(false);
});

describe('dumps', () => {
  test('are gone when they were read; one that is still being written is left for later, one that was cut off is counted', () => {
    const folder = dumpsOf('4');
    const [half, old] = [join(folder, 'coverage-1-1-0.json'), join(folder, 'coverage-2-1-0.json')];
    for (const path of [half, old]) writeFileSync(path, '{"result":[{"scriptId":');
    utimesSync(old, 1, 1);
    const dumps = scripts.openDumps(folder, new Map());
    dumps.collect(false);
    expect([dumps.counts, readdirSync(folder)]).toEqual([{ read: 1, broken: 1 }, ['coverage-1-1-0.json']]);
    dumps.collect(true);
    expect([dumps.counts, readdirSync(folder)]).toEqual([{ read: 1, broken: 2 }, []]);
  });

  test('of programs that were built elsewhere, without a map of their sources, say nothing', () => {
    const folder = join(temp.path, 'foreign');
    mkdirSync(folder);
    const url = pathToFileURL(join(temp.path, 'elsewhere/dist/cli.js')).href;
    writeFileSync(join(folder, 'coverage-1-1-0.json'), JSON.stringify({ result: [{ url, functions: [] }, { url: 'node:fs', functions: [] }, { url: pathToFileURL(source).href, functions: [] }] }));
    const executed = new Map<string, Uint8Array>();
    scripts.openDumps(folder, executed).collect(true);
    expect(executed.size).toBe(0);
  });
});

test('uncovered lines are told as ranges, over lines that hold no statement', () => {
  const lines = new Map([[1, false], [2, false], [5, false], [6, true], [7, false], [9, true], [10, false]]);
  expect(scripts.uncoveredRanges(lines)).toBe('1-5, 7, 10');
  expect(scripts.uncoveredRanges(new Map([[1, true]]))).toBe('');
});
