/** Versions of cambium as nodes and packages name them: `0.2.0`, `0.3.0-dev`. Pure. */

/** Negative when `a` is older. A pre-release comes before its release; what is no number counts as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  const at = left.numbers.findIndex((number, place) => number !== right.numbers[place]);
  if (at !== -1) return (left.numbers[at] ?? 0) - (right.numbers[at] ?? 0);
  return Number(left.isRelease) - Number(right.isRelease);
}

function partsOf(text: string): { readonly numbers: readonly number[]; readonly isRelease: boolean } {
  const [core = '', ...tail] = text.replace(/^v/, '').replace(/\+.*$/, '').split('-');
  const parts = core.split('.');
  return { numbers: [0, 1, 2].map((place) => Number.parseInt(parts[place] ?? '', 10) || 0), isRelease: tail.length === 0 };
}

/** What `cambium status` says beside a node of another version than this one; null for one of the same, or of none. `own`: it is this clone's. */
export function versionNote(theirs: string | null, ours: string, own: boolean): string | null {
  if (theirs === null || theirs === ours) return null;
  const mend = own ? 'start its daemon anew' : compareVersions(theirs, ours) > 0 ? 'upgrade here' : 'upgrade there';
  return `${theirs}, this is ${ours}: ${mend}`;
}
