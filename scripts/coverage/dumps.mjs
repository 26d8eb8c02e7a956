// What the built programs ran, from the dumps that node writes for NODE_V8_COVERAGE: one JSON file a process.
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A dump that cannot be parsed is being written, or was cut off with its process; after so long it is the latter. */
const CUT_OFF_MS = 60_000;

/**
 * Reads dumps as they come and removes them, one at a time: a run of the slow suite leaves thousands, of almost a
 * megabyte each. `executed` has the executed UTF-16 offsets of each built file with a source map beside it, by path.
 * @param {string} folder is made
 * @param {Map<string, Uint8Array>} executed is added to
 */
export function openDumps(folder, executed) {
  mkdirSync(folder, { recursive: true });
  const counts = { read: 0, broken: 0 };
  return {
    counts,
    /** @param {boolean} last nobody writes any more */
    collect(last) {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const scripts = scriptsOf(path);
        if (scripts === null && !last && Date.now() - statSync(path).mtimeMs < CUT_OFF_MS) continue;
        counts[scripts === null ? 'broken' : 'read'] += 1;
        for (const script of scripts ?? []) add(executed, script);
        unlinkSync(path);
      }
    },
  };
}

/** The scripts of ours in one dump; null where it ends in the middle. */
function scriptsOf(path) {
  try {
    const { result } = JSON.parse(readFileSync(path, 'utf8'));
    return result.filter(({ url }) => url.startsWith('file:') && url.includes('/dist/') && existsSync(`${fileURLToPath(url)}.map`));
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}

function add(executed, { url, functions }) {
  const path = fileURLToPath(url);
  const all = executed.get(path) ?? new Uint8Array(statSync(path).size);
  const one = paint(functions, all.length);
  for (let at = 0; at < all.length; at++) all[at] |= one[at];
  executed.set(path, all);
}

/**
 * 1 where the innermost range around an offset was executed. V8 lists outer ranges before those inside them.
 * @param {readonly {ranges: readonly {startOffset: number, endOffset: number, count: number}[]}[]} functions
 * @param {number} length
 */
export function paint(functions, length) {
  const painted = new Uint8Array(length);
  for (const { ranges } of functions) {
    for (const [index, { startOffset, endOffset, count }] of ranges.entries()) {
      // Where a function begins its definition is meant, which ran if what is around it did: `const f = () => …`.
      painted.fill(count > 0 ? 1 : 0, index === 0 && startOffset > 0 ? startOffset + 1 : startOffset, endOffset);
    }
  }
  return painted;
}

/** What an earlier run has left with `saveExecuted`; nothing where there is no such file. */
export function loadExecuted(path) {
  if (!existsSync(path)) return new Map();
  return new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8'))).map(([built, bits]) => [built, Uint8Array.from(bits, Number)]));
}

export function saveExecuted(path, executed) {
  writeFileSync(path, JSON.stringify(Object.fromEntries([...executed].map(([built, offsets]) => [built, offsets.join('')]))));
}
