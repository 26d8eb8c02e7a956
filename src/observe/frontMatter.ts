/**
 * Guarded front matter. By default gray-matter runs `---js` as code, accepts a missing closing fence and answers
 * a malformed file with `{}` the second time it is asked, so it only ever sees a block that was cut out and
 * checked here, always with options (they switch its cache off) and with every engine overridden.
 */
import matter from 'gray-matter';
import { CambiumError } from '../errors.ts';
import type { Quarantined } from '../model/task.ts';
import { FRONT_MATTER_BYTES_MAX, decodeText, isQuarantined } from './text.ts';
import { type Path, type Place, type ScalarKindOf, type YamlFault, type YamlValue, readYaml } from './yaml.ts';

export interface FrontMatter {
  /** Top-level keys as written; empty where the block is empty or absent. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Line in the file, from 1, of each top-level key. */
  readonly lines: ReadonlyMap<string, number>;
  /** Where in the file the key or item at the path stands, or its nearest parent. */
  readonly placeOf: (path: Path) => Place;
  /** Everything after the closing fence; the whole text where there is no front matter. */
  readonly body: string;
}

const FENCE = /^---[ \t]*$/u;

/** gray-matter's own scan for comments is quadratic in a run of blank characters, so a long run is refused. */
const BLANK_RUN_MAX = 1_000;

/** `text` has passed `decodeText`. A file whose first line does not begin with `---` has no front matter. Never throws. */
export function readFrontMatter(path: string, text: string, kindOf: ScalarKindOf): FrontMatter | Quarantined {
  const cut = cutFrontMatter(path, text);
  if (isQuarantined(cut)) return cut;
  if (cut.block === null) return { data: {}, lines: new Map(), placeOf: () => ({ line: 1, column: 1 }), body: text };
  const parsed = parseBlock(cut.block, kindOf);
  // Line 1 is the opening fence.
  if ('message' in parsed) return { path, line: parsed.line + 1, reason: parsed.message, mend: parsed.hint };
  const data = parsed.value ?? {};
  if (typeof data !== 'object' || Array.isArray(data)) {
    return { path, line: 2, reason: 'The front matter is no list of `key: value` lines.', mend: 'Write one `key: value` on each line between the two `---` lines.' };
  }
  const placeOf = (path: Path): Place => {
    const { line, column } = parsed.placeOf(path);
    return { line: line + 1, column };
  };
  const lines = new Map(Object.keys(data).map((key) => [key, placeOf([key]).line]));
  return { data: data as Record<string, unknown>, lines, placeOf, body: cut.body };
}

/** Where in its line the YAML of the front matter breaks, from 1; null where nothing or something else is wrong. */
export function yamlFaultColumn(text: string, kindOf: ScalarKindOf): number | null {
  const cut = cutFrontMatter('', text);
  if (isQuarantined(cut) || cut.block === null) return null;
  const parsed = parseBlock(cut.block, kindOf);
  return 'message' in parsed ? parsed.column : null;
}

/** The text after the front matter. Throws `bad-file` where the fences are wrong: call it for files that were accepted. */
export function bodyText(bytes: Uint8Array): string {
  const text = decodeText('', bytes);
  const cut = isQuarantined(text) ? text : cutFrontMatter('', text);
  if (isQuarantined(cut)) throw new CambiumError('bad-file', cut.reason, { hint: cut.mend, data: { line: cut.line } });
  return cut.body;
}

interface Cut {
  /** Null: no front matter. */
  readonly block: string | null;
  readonly body: string;
}

function cutFrontMatter(path: string, text: string): Cut | Quarantined {
  if (!text.startsWith('---')) return { block: null, body: text };
  const lines = text.split('\n');
  if (!FENCE.test(lines[0] ?? '')) {
    return { path, line: 1, reason: 'Line 1 begins with `---` and is not `---` alone; no language may be named there.', mend: 'Write `---` alone, or begin the file with other text.' };
  }
  const close = lines.findIndex((line, index) => index > 0 && line.startsWith('---'));
  if (close === -1) return { path, line: 1, reason: 'The front matter is never closed.', mend: 'Write `---` alone on the line after it.' };
  if (!FENCE.test(lines[close] ?? '')) {
    return { path, line: close + 1, reason: 'The front matter must be closed by `---` alone on a line.', mend: 'Write `---` alone, or indent the line if it belongs to a value.' };
  }
  const block = lines.slice(1, close).join('\n');
  return sizeFault(path, block) ?? { block, body: lines.slice(close + 1).join('\n') };
}

function sizeFault(path: string, block: string): Quarantined | null {
  const bytes = new TextEncoder().encode(block).length;
  if (bytes > FRONT_MATTER_BYTES_MAX) {
    return { path, line: 1, reason: `The front matter is ${bytes} bytes; at most ${FRONT_MATTER_BYTES_MAX} are read.`, mend: 'Move long text below the closing `---`.' };
  }
  let run = 0;
  let line = 2;
  for (const character of block) {
    run = character.trim() === '' ? run + 1 : 0;
    if (character === '\n') line++;
    if (run > BLANK_RUN_MAX) return { path, line, reason: `The front matter holds more than ${BLANK_RUN_MAX} blank characters in a row.`, mend: 'Delete them.' };
  }
  return null;
}

function parseBlock(block: string, kindOf: ScalarKindOf): YamlValue | YamlFault {
  // A block of blanks and comments only is not handed to an engine at all.
  let parsed: YamlValue | YamlFault = { value: null, placeOf: () => ({ line: 1, column: 1 }) };
  matter(`---\n${block}\n---\n`, {
    language: 'yaml',
    engines: {
      ...DENIED,
      // The result stays outside gray-matter: a key such as `excerpt_separator` steers what it does with its data.
      yaml: { parse: (source: string) => { parsed = readYaml(source.replace(/^\n/u, ''), kindOf); return {}; }, stringify: deny },
    },
  });
  return parsed;
}

function deny(): never {
  throw new CambiumError('bad-file', 'Only YAML front matter is read.');
}

/** Own properties, also for the names every object inherits: gray-matter looks engines up by plain indexing. */
const DENIED: Record<string, { parse: () => never; stringify: () => never }> = Object.fromEntries(
  ['js', 'javascript', 'coffee', 'coffeescript', 'cson', 'json', 'toml', 'yml', ...Object.getOwnPropertyNames(Object.prototype).filter((name) => name !== '__proto__')]
    .map((name) => [name, { parse: deny, stringify: deny }]),
);
