/**
 * Checks of plain data, small enough for code that starts on every command (zod alone costs 55 ms there). The zod
 * schemas in schemas.ts are the source; a test holds the two to the same verdict over the hostile corpus.
 */
import { closestWord } from '../model/closest.ts';
import { isAgentId, isId } from '../model/ids.ts';

export interface Fault {
  /** Where in the value: `['instruction', 'blob']`. */
  readonly at: readonly (string | number)[];
  /** `must be …` */
  readonly must: string;
}

/** Null when the value is good. */
export type Rule = (value: unknown) => Fault | null;
export type Fields = Readonly<Record<string, Rule>>;

/** Terminals, editors and people must see what machines read: no control characters, no bidirectional overrides. */
const UNSEEN_IN_LINE = /[\p{Cc}\u2028-\u202e\u2066-\u2069\ufeff]/u;
const UNSEEN_IN_TEXT = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069\ufeff]/u;

export const isLine = (value: string): boolean => value.trim() !== '' && !UNSEEN_IN_LINE.test(value);
export const isText = (value: string): boolean => value.trim() !== '' && !UNSEEN_IN_TEXT.test(value);
/** A word that becomes an argument of some command: a leading `-` would be read as an option. */
export const isArgument = (value: string): boolean => isLine(value) && !value.startsWith('-');
/** Full or abbreviated. */
export const isOid = (value: string): boolean => /^[0-9a-f]{4,64}$/u.test(value);

/** `value` must be a string that passes. */
export function string(must: string, passes: (value: string) => boolean = () => true): Rule {
  return (value) => (typeof value === 'string' && passes(value) ? null : { at: [], must });
}

export function number(must: string, passes: (value: number) => boolean): Rule {
  return (value) => (typeof value === 'number' && Number.isFinite(value) && passes(value) ? null : { at: [], must });
}

export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): Rule {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return number(`must be a whole number ${range}`, (value) => Number.isSafeInteger(value) && value >= min && value <= max);
}

export function oneOf(values: readonly unknown[]): Rule {
  return (value) => (values.includes(value) ? null : { at: [], must: `must be one of ${values.join(', ')}` });
}

export function nullable(rule: Rule): Rule {
  return (value) => (value === null ? null : rule(value));
}

export function optional(rule: Rule): Rule {
  return (value) => (value === undefined ? null : rule(value));
}

export function listOf(rule: Rule): Rule {
  return (value) => {
    if (!Array.isArray(value)) return { at: [], must: 'must be a list' };
    for (const [index, item] of value.entries()) {
      const fault = rule(item);
      if (fault !== null) return { at: [index, ...fault.at], must: fault.must };
    }
    return null;
  };
}

/** An object with at least these fields; what else it holds is kept and not looked at. */
export function shape(fields: Fields): Rule {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { at: [], must: 'must be an object' };
    for (const [key, rule] of Object.entries(fields)) {
      const fault = rule(Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined);
      if (fault !== null) return { at: [key, ...fault.at], must: fault.must };
    }
    return null;
  };
}

export const anyText: Rule = string('must be text');
export const id: Rule = string('must be an id', isId);
export const agentId: Rule = string('must be an agent\'s id', isAgentId);
export const oid: Rule = string('must be a git object id', isOid);
export const bool: Rule = oneOf([true, false]);

export type SchemaVerdict = 'ok' | 'too-new' | 'other';

/** Compares `cambium.claim/2` with `cambium.claim/1`: readers refuse a newer major and keep what they do not know of this one. */
export function judgeSchema(found: unknown, wanted: string): SchemaVerdict {
  if (found === wanted) return 'ok';
  const [name, major] = wanted.split('/') as [string, string];
  const match = typeof found === 'string' ? /^(.+)\/(\d{1,9})$/u.exec(found) : null;
  return match !== null && match[1] === name && Number(match[2]) > Number(major) ? 'too-new' : 'other';
}

export function faultText(fault: Fault): string {
  return `${fault.at.length === 0 ? 'It' : `\`${fault.at.join('.')}\``} ${fault.must}`;
}

/** `x-…` is a key of the people's own: no version will ever give it a meaning. */
export const isOwnKey = (key: string): boolean => key.startsWith('x-');

/** What to do about a key that nobody reads. */
export function unknownKeyHint(key: string, known: readonly string[]): string {
  const near = closestWord(key, known);
  if (near !== null) return `Did you mean \`${near}\`?`;
  return `Check the spelling; call it \`x-${key.toLowerCase().replace(/[^a-z0-9]+/gu, '-')}\` if it is your own.`;
}
