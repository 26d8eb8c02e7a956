/**
 * `npm run bench [-- <name> …] [--full] [--json | --markdown]`: measures the build in dist/ (or CAMBIUM_DIST) against
 * plain git on this machine. Ratios are of one run: what is compared runs in turn. Progress goes to standard error.
 */
import { loadavg } from 'node:os';
import { buildMark, dist, openLab, requireBuild } from './support/lab.mjs';
import { describeMachine, machineText } from './support/machine.mjs';
import { markdownReport, textReport } from './support/report.mjs';

const BENCHES = ['claim', 'throughput', 'drop', 'cycle', 'noop', 'queue', 'counts', 'hook', 'year'];
const FLAGS = ['--full', '--json', '--markdown'];

const given = process.argv.slice(2);
const names = given.filter((word) => !word.startsWith('-'));
const unknown = [...names.filter((name) => !BENCHES.includes(name)), ...given.filter((word) => word.startsWith('-') && !FLAGS.includes(word))];
if (unknown.length > 0) {
  process.stderr.write(`bench: unknown: ${unknown.join(' ')}\n  → names: ${BENCHES.join(' ')}; flags: ${FLAGS.join(' ')}\n`);
  process.exit(2);
}

requireBuild();
// An interrupted run leaves nothing behind: the laboratory is removed at every exit.
process.once('SIGINT', () => process.exit(130));
const options = { full: given.includes('--full') };
const machine = { ...(await describeMachine()), build: buildMark() };
if (!given.includes('--json')) process.stderr.write(`${machineText(machine)}\n`);

const results = [];
for (const name of names.length === 0 ? BENCHES : names) {
  const started = performance.now();
  const load = loadavg()[0];
  const { bench, title, note } = await import(`./${name}.mjs`);
  const lab = openLab();
  try {
    const rows = await bench(lab, options);
    const seconds = (performance.now() - started) / 1_000;
    results.push({ name, title, note, seconds, load: [load, loadavg()[0]], rows });
    process.stderr.write(`${name}: ${seconds.toFixed(0)} s\n`);
  } finally {
    process.chdir('/');
    lab.close();
  }
}

if (machine.build === null || buildMark() !== machine.build) {
  process.stderr.write(`bench: ${dist} was built anew during the run: the figures are of no one program.\n  → measure a copy: CAMBIUM_DIST=<folder>\n`);
  process.exit(1);
}
if (given.includes('--json')) process.stdout.write(`${JSON.stringify({ machine, full: options.full, results }, null, 1)}\n`);
else process.stdout.write(`${(given.includes('--markdown') ? markdownReport : textReport)(machine, results)}\n`);
