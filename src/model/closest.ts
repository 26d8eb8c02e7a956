/** The known word that somebody who wrote an unknown one most likely meant. Pure. */

/** Null when none is near. `dependsOn`, `depends-on` and `dependson` are all `depends_on`; so is `depend_on`. */
export function closestWord(word: string, known: Iterable<string>): string | null {
  let best: { readonly word: string; readonly distance: number } | null = null;
  for (const candidate of known) {
    const distance = distanceOf(bare(word), bare(candidate));
    if (distance !== null && (best === null || distance < best.distance)) best = { word: candidate, distance };
  }
  return best?.word ?? null;
}

const WORD_LENGTH_MAX = 64;
const PREFIX_LENGTH_MIN = 4;

function bare(word: string): string {
  return word.slice(0, WORD_LENGTH_MAX).toLowerCase().replace(/[-_\s]/gu, '');
}

/** Null for words too far apart: a third of the letters, or one where there are few, may differ. */
function distanceOf(a: string, b: string): number | null {
  const allowed = Math.max(1, Math.floor(Math.max(a.length, b.length) / 3));
  const shorter = Math.min(a.length, b.length);
  if (shorter >= PREFIX_LENGTH_MIN && a.slice(0, shorter) === b.slice(0, shorter)) return Math.min(allowed, Math.abs(a.length - b.length));
  const distance = edits(a, b);
  return distance <= allowed && distance < b.length ? distance : null;
}

/** Letters to insert, delete or change (Levenshtein), neighbours that are swapped counting as one. */
function edits(a: string, b: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] as number) + 1 : Infinity;
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, change, swap));
    }
    [before, row] = [row, next];
  }
  return row[b.length] as number;
}
