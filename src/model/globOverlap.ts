/**
 * Whether two globs (glob.ts) have a path in common. Exact: both are run side by side as automata over one unknown path, and
 * a common path exists when both can be at their ends together. Pure.
 */

/** `/` and one that is not stand for all others: what counts of an unknown character is whether it is a slash, and which. */
type Class = { readonly kind: 'is'; readonly character: string } | { readonly kind: 'other' } | { readonly kind: 'any' };

interface Edge {
  readonly to: number;
  /** Null: without a character. */
  readonly on: Class | null;
}

const OTHER: Class = { kind: 'other' };
const ANY: Class = { kind: 'any' };
const SLASH: Class = { kind: 'is', character: '/' };

/** Edges by state; 0 is the start, the last state the end. */
function automatonOf(glob: string): readonly (readonly Edge[])[] {
  const states: Edge[][] = [[]];
  const add = (): number => states.push([]) - 1;
  const link = (from: number, to: number, on: Class | null): void => void (states[from] as Edge[]).push({ to, on });
  const characters = [...glob];
  let at = 0;
  for (let index = 0; index < characters.length; index++) {
    const rest = characters.slice(index, index + 3).join('');
    const next = add();
    if (rest === '**/') {
      // (?:[^/]+/)*
      const inside = add();
      link(at, next, null);
      link(at, inside, OTHER);
      link(inside, inside, OTHER);
      link(inside, at, SLASH);
      index += 2;
    } else if (rest.startsWith('**')) {
      link(at, at, ANY);
      link(at, next, null);
      index += 1;
    } else if (rest.startsWith('*')) {
      link(at, at, OTHER);
      link(at, next, null);
    } else link(at, next, characters[index] === '?' ? OTHER : { kind: 'is', character: characters[index] as string });
    at = next;
  }
  const end = add();
  link(at, end, null);
  return states;
}

function meets(a: Class, b: Class): boolean {
  if (a.kind === 'any' || b.kind === 'any') return true;
  if (a.kind === 'is' && b.kind === 'is') return a.character === b.character;
  if (a.kind === 'is') return a.character !== '/';
  return b.kind === 'is' ? b.character !== '/' : true;
}

/** Beyond this two globs are taken to overlap: who writes such a thing asks for trouble, and the answer must come at once. */
const PAIRS_MAX = 200_000;

export function globsOverlap(left: string, right: string): boolean {
  const [a, b] = [automatonOf(left), automatonOf(right)];
  const seen = new Set<number>([0]);
  const open: number[] = [0];
  const visit = (x: number, y: number): void => {
    const pair = x * b.length + y;
    if (seen.has(pair)) return;
    seen.add(pair);
    open.push(pair);
  };
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [x, y] = [Math.floor(pair / b.length), pair % b.length];
    if (x === a.length - 1 && y === b.length - 1) return true;
    if (seen.size > PAIRS_MAX) return true;
    const [ours, theirs] = [a[x] as readonly Edge[], b[y] as readonly Edge[]];
    for (const { to, on } of ours) if (on === null) visit(to, y);
    for (const { to, on } of theirs) if (on === null) visit(x, to);
    for (const one of ours) for (const two of theirs) if (one.on !== null && two.on !== null && meets(one.on, two.on)) visit(one.to, two.to);
  }
  return false;
}
