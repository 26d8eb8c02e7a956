// Where a place in a source file came to stand in the built one, by the source map that the compiler wrote.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((digit, value) => [digit, value]));

/**
 * @param {string} built path of a .js file with its map beside it
 * @returns {{source: string, offsetOf(line: number, column: number): number | null}} lines from 1, columns from 0, as
 * istanbul counts; null for a line that left no code
 */
export function openSourceMap(built) {
  const { mappings, sources } = JSON.parse(readFileSync(`${built}.map`, 'utf8'));
  const lineStarts = [0];
  for (const match of readFileSync(built, 'utf8').matchAll(/\n/g)) lineStarts.push(match.index + 1);
  const places = placesByLine(mappings, lineStarts);
  return {
    source: resolve(dirname(built), sources[0]),
    offsetOf(line, column) {
      const known = places.get(line) ?? [];
      return (known.findLast((place) => place.column <= column) ?? known[0])?.offset ?? null;
    },
  };
}

/** Source line → its places, by column. */
function placesByLine(mappings, lineStarts) {
  const byLine = new Map();
  let [line, column] = [0, 0];
  for (const [builtLine, group] of mappings.split(';').entries()) {
    let builtColumn = 0;
    for (const segment of group === '' ? [] : group.split(',')) {
      const [movedBuilt, , movedLine, movedColumn] = decode(segment);
      builtColumn += movedBuilt;
      if (movedColumn === undefined) continue;
      line += movedLine;
      column += movedColumn;
      const places = byLine.get(line + 1) ?? [];
      places.push({ column, offset: lineStarts[builtLine] + builtColumn });
      byLine.set(line + 1, places);
    }
  }
  for (const places of byLine.values()) places.sort((one, other) => one.column - other.column);
  return byLine;
}

/** Base 64 VLQ: five bits a digit, the sixth says that more follow, the lowest bit of the number is its sign. */
function decode(segment) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.get(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if ((bits & 32) !== 0) continue;
    numbers.push((value & 1) === 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}
