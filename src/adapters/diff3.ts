/** Line-based three-way merge of two texts (Myers' differences, then the merge of their regions). Pure. */

/** Base lines [from, to) became the side's lines [sideFrom, sideTo). */
interface Change {
  readonly from: number;
  readonly to: number;
  readonly sideFrom: number;
  readonly sideTo: number;
}

/** Beyond this many differing lines the answer is "conflict": the search costs the square of it. */
const DIFFERENCES_MAX = 1_000;
/** As git does, a NUL near the beginning tells that this is no text. */
const BINARY_LOOK_BYTES = 8_000;

/**
 * The merged bytes, or null where both sides changed the same or touching lines in different ways, where a file is
 * binary, or where the sides differ too much to compare.
 */
export function mergeText(base: Uint8Array, ours: Uint8Array, theirs: Uint8Array): Uint8Array | null {
  if ([base, ours, theirs].some(isBinary)) return null;
  const [b, o, t] = [linesOf(base), linesOf(ours), linesOf(theirs)];
  const [left, right] = [changes(b, o), changes(b, t)];
  if (left === null || right === null) return null;
  const merged = mergeChanges({ b, o, t, left, right });
  return merged === null ? null : Buffer.from(merged.join(''), 'latin1');
}

function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, BINARY_LOOK_BYTES).includes(0);
}

/** Lines with their ends; Latin-1 keeps every byte as it is. */
function linesOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return text.split(/(?<=\n)/).filter((line) => line !== '');
}

interface Sides {
  readonly b: readonly string[];
  readonly o: readonly string[];
  readonly t: readonly string[];
  readonly left: readonly Change[];
  readonly right: readonly Change[];
}

function mergeChanges({ b, o, t, left, right }: Sides): string[] | null {
  const merged: string[] = [];
  let at = 0;
  for (let l = 0, r = 0; l < left.length || r < right.length; ) {
    const [firstLeft, firstRight] = [l, r];
    const from = Math.min(left[l]?.from ?? Infinity, right[r]?.from ?? Infinity);
    let to = from;
    // A region grows while the next change of either side overlaps or touches it.
    for (let grew = true; grew; ) {
      grew = false;
      for (let next = left[l]; next !== undefined && next.from <= to; next = left[++l]) [to, grew] = [Math.max(to, next.to), true];
      for (let next = right[r]; next !== undefined && next.from <= to; next = right[++r]) [to, grew] = [Math.max(to, next.to), true];
    }
    merged.push(...b.slice(at, from));
    at = to;
    const ours = region(o, left.slice(firstLeft, l), from, to);
    const theirs = region(t, right.slice(firstRight, r), from, to);
    if (ours !== null && theirs !== null && ours.join('') !== theirs.join('')) return null;
    merged.push(...(ours ?? theirs ?? []));
  }
  return [...merged, ...b.slice(at)];
}

/** What a side has for base lines [from, to), or null when it changed nothing there. */
function region(side: readonly string[], made: readonly Change[], from: number, to: number): readonly string[] | null {
  const [first, last] = [made[0], made.at(-1)];
  if (first === undefined || last === undefined) return null;
  return side.slice(first.sideFrom - (first.from - from), last.sideTo + (to - last.to));
}

/** The changes from `a` to `b`, in order and not touching each other; null when there are too many. */
function changes(a: readonly string[], b: readonly string[]): Change[] | null {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) [endA, endB] = [endA - 1, endB - 1];
  const kept = commonLines(a.slice(start, endA), b.slice(start, endB));
  if (kept === null) return null;
  const found: Change[] = [];
  let [fromA, fromB] = [start, start];
  for (const [x, y] of [...kept.map(([x, y]) => [x + start, y + start] as const), [endA, endB] as const]) {
    if (x > fromA || y > fromB) found.push({ from: fromA, to: x, sideFrom: fromB, sideTo: y });
    [fromA, fromB] = [x + 1, y + 1];
  }
  return found;
}

/** Pairs of equal lines of a shortest edit script, by Myers' greedy search with its trace kept. */
function commonLines(a: readonly string[], b: readonly string[]): (readonly [number, number])[] | null {
  const depthMax = Math.min(a.length + b.length, DIFFERENCES_MAX);
  const trace: Int32Array[] = [];
  const reach = new Int32Array(2 * depthMax + 3);
  const middle = depthMax + 1;
  for (let depth = 0; depth <= depthMax; depth++) {
    trace.push(reach.slice(middle - depth - 1, middle + depth + 2));
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && at(reach, middle + k - 1) < at(reach, middle + k + 1));
      let x = down ? at(reach, middle + k + 1) : at(reach, middle + k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return backtrack(trace, a.length, b.length);
    }
  }
  return null;
}

function at(reach: Int32Array, index: number): number {
  return reach[index] as number;
}

/** Walks the trace from the end; trace[d] holds the reach before step d, for k from -d-1 to d+1. */
function backtrack(trace: readonly Int32Array[], lengthA: number, lengthB: number): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  let [x, y] = [lengthA, lengthB];
  for (let depth = trace.length - 1; depth >= 0; depth--) {
    const reach = trace[depth] as Int32Array;
    const middle = depth + 1;
    const k = x - y;
    const down = k === -depth || (k !== depth && at(reach, middle + k - 1) < at(reach, middle + k + 1));
    const previousK = down ? k + 1 : k - 1;
    const previousX = depth === 0 ? 0 : at(reach, middle + previousK);
    const snakeX = depth === 0 || down ? previousX : previousX + 1;
    while (x > snakeX) pairs.push([--x, --y]);
    [x, y] = [previousX, previousX - previousK];
  }
  return pairs.toReversed();
}
