/** Lines of JSON that a CLI prints, read without trust: what is not of the expected shape is nothing. Pure. */

export type Json = Readonly<Record<string, unknown>>;

const ABOUT_CHARS_MAX = 300;

/** The object that a line holds; null for a line that holds none. */
export function jsonLine(line: string): Json | null {
  if (!line.trimStart().startsWith('{')) return null;
  try {
    return objectOf(JSON.parse(line));
  } catch {
    return null;
  }
}

/** By a name that a program said: what every object has by nature (`constructor`) is none of the table's. */
export const ownOf = <T>(table: Readonly<Partial<Record<string, T>>>, name: string): T | undefined => (Object.hasOwn(table, name) ? table[name] : undefined);

/** Empty for what is no object. */
export const objectOf = (value: unknown): Json => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {});

/** Empty for what is no text. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

export const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** A count; what is none, below zero or beyond what can be summed is 0. */
export const countOf = (value: unknown): number => (typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0);

/** What a tool's call is about, on one line: the first of its arguments `keys` that is a text, else all of them. */
export function aboutCall(input: Json, keys: readonly string[]): string {
  const named = keys.map((key) => input[key]).find((value) => typeof value === 'string');
  const said = named === undefined ? (Object.keys(input).length === 0 ? '' : JSON.stringify(input)) : textOf(named);
  return said.replace(/\s+/g, ' ').trim().slice(0, ABOUT_CHARS_MAX);
}
