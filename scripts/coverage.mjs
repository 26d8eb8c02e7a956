// Line coverage of src over everything that the tests run: what vitest's own processes execute, and the built programs
// that tests start (the command line, daemons, supervisors, runbooks), of which vitest sees nothing.
//
//   node scripts/coverage.mjs [--slow]                   runs the unit suite (and the slow one), then reports
//   node scripts/coverage.mjs --into FOLDER -- COMMAND   only runs a command, here one of vitest's with --coverage
//   node scripts/coverage.mjs --from FOLDER              only reports on what was run before
//
// A report writes coverage/lines.json and coverage/lcov.info, and exits 1 under LINES_MIN per cent. A process that was
// killed with -9 leaves no dump, so what only such ones run counts as not covered.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadExecuted } from './coverage/dumps.mjs';
import { addExecuted, countLines, lcov, readReports, uncoveredRanges } from './coverage/lines.mjs';
import { measure } from './coverage/measure.mjs';

const LINES_MIN = 95;
/** Files that are named on the screen; lines.json has all. */
const WORST = 25;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'coverage');

const { values, positionals } = parseArgs({
  allowPositionals: true, options: { slow: { type: 'boolean', default: false }, from: { type: 'string' }, into: { type: 'string' } },
});

/** 0 when all suites were green. */
async function runSuites(folder) {
  rmSync(OUT, { recursive: true, force: true });
  let status = 0;
  for (const project of ['unit', ...(values.slow ? ['workspace', 'slow'] : [])]) {
    const vitest = [process.execPath, join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project', project, '--reporter=dot'];
    const code = await measure(folder, [...vitest, '--coverage', '--coverage.reporter=json', `--coverage.reportsDirectory=${join(folder, project)}`], ROOT);
    status ||= code;
  }
  return status;
}

/** 0 when enough lines are covered. */
function report(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const reports = entries.filter(({ name }) => name === 'coverage-final.json').map(({ parentPath, name }) => join(parentPath, name));
  if (reports.length === 0) throw new Error(`There is no coverage-final.json below ${folder}.`);
  const files = readReports(reports);
  addExecuted(files, loadExecuted(join(folder, 'executed.json')));

  const counted = countLines(files).map((file) => ({ ...file, path: relative(ROOT, file.path) }));
  const lines = counted.reduce((sum, file) => sum + file.lines.size, 0);
  const covered = counted.reduce((sum, file) => sum + file.covered, 0);
  const percent = Math.floor((10_000 * covered) / lines) / 100;
  const open = counted.filter((file) => file.covered < file.lines.size)
    .map((file) => ({ path: file.path, lines: file.lines.size, uncovered: file.lines.size - file.covered, ranges: uncoveredRanges(file.lines) }));

  mkdirSync(OUT, { recursive: true });
  writeFileSync(join(OUT, 'lines.json'), `${JSON.stringify({ lines, covered, percent, files: open }, null, 1)}\n`);
  writeFileSync(join(OUT, 'lcov.info'), lcov(counted));
  for (const { path, lines: all, uncovered, ranges } of open.slice(0, WORST)) console.log(`${String(uncovered).padStart(4)} of ${String(all).padStart(4)} lines not run  ${path}: ${ranges}`);
  console.log(`lines of src: ${covered} of ${lines}, ${percent.toFixed(2)} % (at least ${LINES_MIN} %)`);
  return percent >= LINES_MIN ? 0 : 1;
}

if (values.into !== undefined) {
  process.exitCode = await measure(values.into, positionals, process.cwd());
} else {
  const folder = values.from ?? join(OUT, 'runs');
  const status = values.from === undefined ? await runSuites(folder) : 0;
  process.exitCode = report(folder) || status;
}
