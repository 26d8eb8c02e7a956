// Line coverage of src, from what vitest measured in its own processes and what the built programs dumped.
import { existsSync, readFileSync } from 'node:fs';
import { openSourceMap } from './sourceMap.mjs';

/**
 * Adds up vitest's reports: each knows every statement of every source file, for they come from one transform.
 * @param {readonly string[]} reports paths of coverage-final.json
 */
export function readReports(reports) {
  const files = new Map();
  for (const report of reports) {
    for (const [path, { statementMap, s }] of Object.entries(JSON.parse(readFileSync(report, 'utf8')))) {
      const statements = files.get(path) ?? new Map();
      for (const [id, { start }] of Object.entries(statementMap)) {
        const key = `${start.line}:${start.column}`;
        statements.set(key, { ...start, run: s[id] > 0 || statements.get(key)?.run === true });
      }
      files.set(path, statements);
    }
  }
  return files;
}

/** Marks the statements that a built program has run. Builds of other sources, as a test's own clone has (and takes away), are passed over. */
export function addExecuted(files, executed) {
  for (const [built, offsets] of executed) {
    if (!existsSync(`${built}.map`)) continue;
    const { source, offsetOf } = openSourceMap(built);
    for (const statement of files.get(source)?.values() ?? []) {
      const offset = offsetOf(statement.line, statement.column);
      if (offset !== null && offsets[offset] === 1) statement.run = true;
    }
  }
}

/**
 * A line counts when a statement begins on it, and is covered when one of those ran: istanbul's rule.
 * @returns {readonly {path: string, lines: Map<number, boolean>, covered: number}[]} most uncovered first
 */
export function countLines(files) {
  const counted = [...files].map(([path, statements]) => {
    const lines = new Map();
    for (const { line, run } of statements.values()) lines.set(line, run || lines.get(line) === true);
    return { path, lines: new Map([...lines].toSorted(([one], [other]) => one - other)), covered: [...lines.values()].filter(Boolean).length };
  });
  return counted.toSorted((one, other) => other.lines.size - other.covered - (one.lines.size - one.covered) || (one.path < other.path ? -1 : 1));
}

/** Uncovered lines as `12-15, 20`; lines without a statement do not break a range. */
export function uncoveredRanges(lines) {
  const ranges = [];
  let open = null;
  for (const [line, run] of lines) {
    if (run) open = null;
    else if (open === null) ranges.push((open = [line, line]));
    else open[1] = line;
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}

/** For editors and viewers. */
export function lcov(counted) {
  return counted.map(({ path, lines, covered }) => [
    `SF:${path}`, ...[...lines].map(([line, run]) => `DA:${line},${run ? 1 : 0}`), `LF:${lines.size}`, `LH:${covered}`, 'end_of_record', '',
  ].join('\n')).join('');
}
