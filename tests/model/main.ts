/**
 * `npm run model`: explores the right designs within their bounds and looks for the foretold violation in each
 * wrong one. `--deep` widens the bounds; words select trials by name. Exit 1 when a right design breaks, a
 * wrong one does not, or (without --deep) a search did not reach the end of its bounds.
 */
import type { Verdict } from './explore.ts';
import { rightTrials, wrongTrials } from './trials.ts';
import type { Trial } from './trials.ts';

/** Beyond this the visited states outgrow the default heap of Node. */
const STATES_MAX = 2_000_000;

const words = process.argv.slice(2);
const deep = words.includes('--deep');
const asked = words.filter((word) => !word.startsWith('-'));
const limits = { statesMax: STATES_MAX, settleEvery: deep ? 2 : 5, nowMs: () => performance.now() };
const chosen = (trial: Trial): boolean => asked.length === 0 || asked.some((word) => trial.name.includes(word));

let bad = 0;
let states = 0;
console.log('The design of docs/protocol.md, every interleaving within the bounds:');
for (const trial of rightTrials(deep ? 'deep' : 'usual').filter(chosen)) {
  const verdict = trial.run(limits);
  states += verdict.states;
  const ok = verdict.violation === null && (verdict.complete || deep);
  if (!ok) bad += 1;
  console.log(`  ${ok ? 'holds ' : 'BROKEN'}  ${trial.name}: ${figures(verdict)}${verdict.complete ? '' : ', bounds not exhausted'}`);
  printTrace(verdict);
}

console.log('\nWrong designs, each with its shortest way to harm:');
for (const trial of wrongTrials().filter(chosen)) {
  const verdict = trial.run(limits);
  states += verdict.states;
  const found = verdict.violation !== null && trial.breaks.includes(verdict.violation.invariant);
  if (!found) bad += 1;
  console.log(`  ${found ? 'broken as foretold' : 'NOT FOUND'}  ${trial.name}: ${trial.lesson} (${figures(verdict)})`);
  printTrace(verdict);
}

console.log(`\n${states.toLocaleString('en')} states; ${bad === 0 ? 'all as it should be' : `${bad} not as it should be`}.`);
process.exitCode = bad === 0 ? 0 : 1;

function figures({ states, transitions, settled, ms }: Verdict): string {
  const rest = settled === 0 ? '' : `, ${settled.toLocaleString('en')} run to rest`;
  return `${states.toLocaleString('en')} states, ${transitions.toLocaleString('en')} transitions${rest}, ${(ms / 1000).toFixed(1)} s`;
}

function printTrace({ violation }: Verdict): void {
  if (violation === null) return;
  console.log(`      breaks: ${violation.invariant}`);
  folded(violation.trace).forEach((label, at) => console.log(`      ${String(at + 1).padStart(2)}. ${label}`));
}

/** Ticks in a row are one line. */
function folded(trace: readonly string[]): readonly string[] {
  const lines: { label: string; times: number }[] = [];
  for (const label of trace) {
    const last = lines.at(-1);
    if (last !== undefined && last.label === label) last.times += 1;
    else lines.push({ label, times: 1 });
  }
  return lines.map(({ label, times }) => times === 1 ? label : `${label} (${times} times)`);
}
