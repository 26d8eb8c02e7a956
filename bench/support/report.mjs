/** A run as text for a terminal, or as Markdown for docs/performance.md. */
import { machineText } from './machine.mjs';

const HEAD = ['what', 'median', '10–90 %', 'n', 'against', 'its median', 'ratio', 'aim', ''];

function cells({ what, unit, median, low, high, n, against, ratio, aim, met, note }) {
  const value = (number) => `${unit === '' ? number : round(number)}${unit === '' ? '' : ` ${unit}`}`;
  return [
    what, value(median), n < 2 ? '' : `${round(low)}–${round(high)}`, String(n), against?.what ?? '', against === null ? '' : value(against.median),
    ratio === null ? '' : `${ratio.toFixed(2)} ×`, aim === null ? '' : `${aim.atLeast ? '≥' : '≤'} ${aim.value}${aim.of === 'ratio' ? ' ×' : ` ${aim.of}`}`,
    [met === null ? '' : met ? 'met' : 'missed', note ?? ''].filter((part) => part !== '').join('; '),
  ];
}

const round = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.00$/, ''));

export function textReport(machine, results) {
  return results.map(({ title, note, rows }) => `\n${title}\n${note}\n${columns([HEAD, ...rows.map(cells)])}`).join('\n');
}

function columns(rows) {
  const widths = HEAD.map((_, at) => Math.max(...rows.map((line) => line[at].length)));
  return rows.map((line) => line.map((cell, at) => (at === 0 || at === line.length - 1 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join('  ').trimEnd()).join('\n');
}

export function markdownReport(machine, results) {
  const tables = results.map(({ name, title, note, rows, load }) => {
    const lines = [HEAD, HEAD.map((_, at) => (at === 0 || at === 4 || at > 6 ? '---' : '---:')), ...rows.map(cells)];
    return `### ${title}\n\n\`npm run bench -- ${name}\`. ${note} Load of the machine before and after: ${load.map((value) => value.toFixed(1)).join(', ')}.\n\n${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}`;
  });
  return [machineText(machine).replace('\n', '. '), ...tables].join('\n\n');
}
