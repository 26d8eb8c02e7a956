/** The JSON records on the fleet's refs: bytes become checked plain data, or a named error. */
import { CambiumError } from '../errors.ts';
import { type Rule, faultText, judgeSchema } from './rules.ts';
import { decodeText } from './text.ts';

export interface RecordKind {
  /** For messages: `claim.json`. */
  readonly name: string;
  readonly schema: string;
  readonly rule: Rule;
}

const DEPTH_MAX = 32;

/** Keys that the rule does not know stay. Throws `schema-too-new` or `bad-file` (with `line` or `at` where it is known), nothing else. */
export function readRecord(bytes: Uint8Array, kind: RecordKind): Record<string, unknown> {
  const text = decodeText(kind.name, bytes);
  if (typeof text !== 'string') throw badRecord(kind, `${text.reason} (line ${text.line})`, { line: text.line });
  const value = parseJson(text, kind);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRecord(kind, 'It is no JSON object.');
  refuseUnsafe(value, kind);
  const record = value as Record<string, unknown>;
  if (judgeSchema(record['schema'], kind.schema) === 'too-new') throw tooNew(kind, String(record['schema']));
  const fault = kind.rule(record);
  if (fault !== null) throw badRecord(kind, `${faultText(fault)}.`, { at: fault.at });
  return record;
}

/** Known keys in the given order, then the others as they came; one key a line, so that a diff shows what changed. */
export function renderRecord(record: Readonly<Record<string, unknown>>, order: readonly string[]): string {
  const others = Object.keys(record).filter((key) => !order.includes(key));
  return `${JSON.stringify(Object.fromEntries([...order, ...others].filter((key) => Object.hasOwn(record, key)).map((key) => [key, record[key]])), null, 2)}\n`;
}

export function tooNew({ name, schema }: RecordKind, found: string): CambiumError {
  return new CambiumError('schema-too-new', `${name} is written as ${found}; this version reads ${schema}.`, {
    hint: 'Upgrade cambium on this machine: `git pull` and `npm ci` where the workspace holds its code, else its package with npm.', data: { found, reads: schema },
  });
}

function badRecord({ name }: RecordKind, why: string, data: Readonly<Record<string, unknown>> = {}): CambiumError {
  return new CambiumError('bad-file', `${name} cannot be read: ${why}`, { hint: 'Somebody else wrote it: look at the commit with `git show`.', data });
}

function parseJson(text: string, kind: RecordKind): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRecord(kind, `It is no JSON: ${(error as Error).message.slice(0, 120)}.`);
  }
}

/**
 * Nesting that parses may still overflow the stack of whoever prints it again, and a copy by assignment of an own
 * key `__proto__` changes the copy's prototype. Walks with a stack of its own.
 */
function refuseUnsafe(root: object, kind: RecordKind): void {
  const open: [value: object, depth: number][] = [[root, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    if (depth > DEPTH_MAX) throw badRecord(kind, `It is nested deeper than ${DEPTH_MAX} levels.`);
    if (Object.hasOwn(value, '__proto__')) throw badRecord(kind, 'The key __proto__ is not allowed.');
    for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) open.push([child as object, depth + 1]);
  }
}
