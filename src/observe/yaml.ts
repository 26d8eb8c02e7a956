/**
 * YAML as data and nothing else: core schema, unique keys, no merge keys, no tags beyond the core ones, few
 * aliases, shallow nesting. Scalars keep what their author wrote: `007`, `1.10` and `2026-11-20` stay text.
 */
import { type Alias, type Document, LineCounter, type Node, type Pair, type Scalar, type YAMLMap, type YAMLSeq, isAlias, isMap, isScalar, parseDocument } from 'yaml';

/**
 * What the plain scalars below a top-level key are.
 * `text`: always what stands in the source. `name`: likewise for numbers, but a bare true or false stays a boolean.
 * `number`: numbers. `any`: numbers where nothing of the source is lost (`2`), else text (`1.10`, `007`).
 */
export type ScalarKind = 'text' | 'name' | 'number' | 'any';
export type ScalarKindOf = (path: Path) => ScalarKind;
export type Path = readonly (string | number)[];

export interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

export interface YamlFault extends Place {
  readonly message: string;
  readonly hint: string;
}

export interface YamlValue {
  readonly value: unknown;
  /** Where the key or item at the path stands, or its nearest parent. */
  readonly placeOf: (path: Path) => Place;
}

const ALIASES_MAX = 16;
const DEPTH_MAX = 32;
const CORE_TAGS = new Set(['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`));

/** Values hold only null, booleans, finite or not finite numbers, strings, arrays and plain objects. Never throws. */
export function readYaml(text: string, kindOf: ScalarKindOf): YamlValue | YamlFault {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const stray = /^(?:%|\.\.\.(?:\s|$))/mu.exec(text);
  if (stray !== null) {
    lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at !== -1 && at < stray.index; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
    return { ...placeAt(stray.index), message: 'YAML directives and document ends are not read.', hint: 'Remove the line that begins with `%` or `...`.' };
  }
  const document = parse(text, lines);
  if (document === null) return { line: 1, column: 1, ...TOO_DEEP };
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken !== undefined) return { ...placeAt(broken.pos[0]), message: `The YAML does not parse: ${firstLine(broken.message)}.`, hint: hintFor(broken.code) };
  const reader = createReader(kindOf);
  try {
    const value = reader.read(document.contents, []);
    return { value, placeOf: (path) => placeAt(reader.offsetOf(path)) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...placeAt(error.offset), message: error.message, hint: error.hint };
  }
}

const TOO_DEEP = { message: `The YAML is nested deeper than ${DEPTH_MAX} levels.`, hint: 'Flatten it.' };

/** Null where the nesting overflows the parser's stack: it reports most such texts as errors, and throws for some. */
function parse(text: string, lineCounter: LineCounter): Document.Parsed | null {
  try {
    // Uniqueness is checked in the walk, in linear time: the parser's own check is quadratic in the number of keys.
    // At log level `silent` it would pass over a second document without a word.
    return parseDocument(text, {
      version: '1.2', schema: 'core', merge: false, uniqueKeys: false, stringKeys: true, prettyErrors: false, logLevel: 'error', lineCounter,
    });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Unwinds the walk at the first thing that is refused; never leaves this file. */
class Refusal extends Error {
  readonly offset: number;
  readonly hint: string;
  constructor(offset: number, message: string, hint: string) {
    super(message);
    this.offset = offset;
    this.hint = hint;
  }
}

function createReader(kindOf: ScalarKindOf): { read(node: unknown, path: Path): unknown; offsetOf(path: Path): number } {
  const anchors = new Map<string, Node>();
  const offsets = new Map<string, number>();
  let aliases = 0;

  function read(node: unknown, path: Path): unknown {
    if (node === null || node === undefined) return null;
    const known = node as Scalar | YAMLMap | YAMLSeq | Alias;
    const offset = known.range?.[0] ?? 0;
    if (path.length > DEPTH_MAX) throw new Refusal(offset, TOO_DEEP.message, TOO_DEEP.hint);
    if (isAlias(known)) return readAlias(known, offset, path);
    if (known.tag !== undefined && !CORE_TAGS.has(known.tag)) throw new Refusal(offset, `The tag ${known.tag} is not allowed.`, 'Remove the tag (`!…`); write plain values.');
    if (known.anchor !== undefined) anchors.set(known.anchor, known);
    if (isScalar(known)) return readScalar(known, kindOf(path));
    return isMap(known) ? readMap(known, path) : (known as YAMLSeq).items.map((item, index) => readItem(item, path, index));
  }

  function readAlias(alias: Alias, offset: number, path: Path): unknown {
    const target = anchors.get(alias.source);
    // Each expansion counts, also those inside an expansion, so neither a bomb nor a circle unfolds.
    if (++aliases > ALIASES_MAX) throw new Refusal(offset, `The YAML uses more than ${ALIASES_MAX} aliases.`, 'Write the values out.');
    if (target === undefined) throw new Refusal(offset, `The alias *${alias.source} has no anchor before it.`, 'Write the value out, or quote it if it is meant as text.');
    return read(target, path);
  }

  function readItem(item: unknown, path: Path, index: number): unknown {
    const below = [...path, index];
    note(below, (item as Node | null)?.range?.[0]);
    return read(item, below);
  }

  function readMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    for (const pair of map.items as Pair<Scalar, unknown>[]) {
      const key = String(pair.key.value ?? '');
      const offset = pair.key.range?.[0] ?? 0;
      if (key === '<<' || key === '__proto__') throw new Refusal(offset, `The key ${key} is not allowed.`, 'Remove it, or write the keys out.');
      if (entries.has(key)) throw new Refusal(offset, `The key ${key} stands there twice.`, 'Keep one of them.');
      note([...path, key], offset);
      entries.set(key, read(pair.value, [...path, key]));
    }
    return Object.fromEntries(entries);
  }

  function note(path: Path, offset: number | undefined): void {
    if (offset !== undefined) offsets.set(path.join('\0'), offset);
  }

  return {
    read,
    offsetOf(path) {
      for (let length = path.length; length > 0; length--) {
        const offset = offsets.get(path.slice(0, length).join('\0'));
        if (offset !== undefined) return offset;
      }
      return 0;
    },
  };
}

function readScalar(scalar: Scalar, kind: ScalarKind): unknown {
  const { value, source } = scalar;
  if (scalar.type !== 'PLAIN' || source === undefined || scalar.tag !== undefined) return value ?? null;
  if (typeof value === 'boolean') return kind === 'text' ? source : value;
  if (typeof value !== 'number') return value ?? null;
  if (kind === 'number') return value;
  return kind === 'any' && String(value) === source ? value : source;
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/[.:]$/u, '');
}

function hintFor(code: string): string {
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces.';
  if (code === 'TAG_RESOLVE_FAILED') return 'Remove the tag (`!…`), or put the value in quotes.';
  if (code === 'RESOURCE_EXHAUSTION') return 'Flatten it.';
  return 'Correct the line; a value with `: `, `#`, `[`, `{`, `*`, `&` or `!` needs quotes.';
}
