/** The architecture, checked: what DESIGN and STYLE promise about the shape of this repository. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;

function filesBelow(folder: string, ending: RegExp): readonly string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile() && ending.test(entry.name)).map((entry) => relative(ROOT, join(entry.parentPath, entry.name))).toSorted();
}

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const sources = filesBelow('src', /\.ts$/);
const layerOf = (path: string): string => (path.split('/').length === 2 ? 'top' : (path.split('/')[1] as string));

/** Code without comments and without the insides of plain strings, so that words about a thing are not the thing. */
function codeOf(path: string): string {
  return text(path).replace(/\/\*[^]*?\*\//g, '').replace(/(^|[^:'"`])\/\/[^\n]*/g, '$1');
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const imports: readonly Import[] = sources.flatMap((from) =>
  [...codeOf(from).matchAll(/(?:^|\n)\s*(import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)/g)].flatMap(([, , type, fixed, lazy]) => {
    const target = fixed ?? lazy ?? '';
    return target.startsWith('.') ? [{ from, to: normalize(join(dirname(from), target)), isType: type !== undefined }] : [{ from, to: target, isType: type !== undefined }];
  }));

/** What each folder of src may import from. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  top: ['commands', 'workspace', 'model', 'ports', 'adapters', 'errors', 'top'],
  commands: ['commands', 'workspace', 'cycle', 'observe', 'orient', 'decide', 'act', 'model', 'ports', 'adapters'],
  workspace: ['workspace', 'cycle', 'observe', 'orient', 'decide', 'act', 'model', 'ports', 'adapters'],
  cycle: ['cycle', 'observe', 'orient', 'decide', 'act', 'model', 'ports'],
  act: ['act', 'observe', 'orient', 'model', 'ports'],
  decide: ['decide', 'orient', 'model'],
  orient: ['orient', 'model'],
  observe: ['observe', 'model', 'ports'],
  ports: ['ports', 'model'],
  model: ['model'],
  adapters: ['adapters', 'ports', 'model', 'observe'],
};

describe('imports', () => {
  test.each(Object.keys(ALLOWED))('of %s point one way', (layer) => {
    const wrong = imports.filter(({ from, to }) => layerOf(from) === layer && to.startsWith('src/') && to !== 'src/errors.ts' && !ALLOWED[layer]?.includes(layerOf(to)));
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test('every folder of src is a known layer', () => {
    expect([...new Set(sources.map(layerOf))].filter((layer) => !(layer in ALLOWED))).toEqual([]);
  });

  test('adapters read bytes by the parsers of observe only: nothing there asks a port for more', () => {
    const used = imports.filter(({ from, to, isType }) => layerOf(from) === 'adapters' && layerOf(to) === 'observe' && !isType).map(({ to }) => to);
    expect([...new Set(used)].filter((path) => /hubMirror|fleet\.ts|chains|taskIndex/.test(path))).toEqual([]);
  });

  test('form no circle, types included', () => {
    const targets = (file: string): readonly string[] => imports.filter(({ from, to }) => from === file && to.startsWith('src/')).map(({ to }) => to);
    const state = new Map<string, 'open' | 'closed'>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === 'closed') return;
      if (state.get(file) === 'open') return void circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      state.set(file, 'open');
      for (const to of targets(file)) visit(to, [...path, file]);
      state.set(file, 'closed');
    };
    for (const file of sources) visit(file, []);
    expect(circles).toEqual([]);
  });

  test('name files that exist, with their ending', () => {
    expect(imports.filter(({ to }) => to.startsWith('src/') && !existsSync(join(ROOT, to))).map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });
});

describe('only adapters may use', () => {
  const FORBIDDEN: readonly (readonly [string, RegExp])[] = [
    ['node:fs', /from 'node:fs(?:\/promises)?'|import\('node:fs/], ['node:child_process', /'node:child_process'/], ['node:net and its like', /'node:(?:net|http|https|tls|dgram|dns)'/],
    ['Date.now', /\bDate\.now\b/], ['the time of a new Date()', /\bnew Date\(\)/], ['performance.now', /\bperformance\.now\b/], ['Math.random', /\bMath\.random\b/], ['random UUIDs', /\brandomUUID\b/],
    ['process.env', /\bprocess\.env\b/], ['timers', /\bset(?:Timeout|Interval|Immediate)\s*\(/], ['execa', /from 'execa'/], ['chokidar', /from 'chokidar'/],
  ];
  test.each(FORBIDDEN)('%s', (_name, pattern) => {
    expect(sources.filter((path) => layerOf(path) !== 'adapters' && pattern.test(codeOf(path)))).toEqual([]);
  });

  test('a shell: nobody at all composes one', () => {
    expect(sources.filter((path) => /\bshell:\s*true\b|import \{[^}]*\bexec(?:Sync)?\b[^}]*\} from 'node:child_process'|\bexecaCommand\b|'sh',\s*\[?'-c'/.test(codeOf(path)))).toEqual([]);
  });
});

describe('decisions are pure', () => {
  test.each(['model', 'orient', 'decide'])('%s knows no clock, no chance, no promise', (layer) => {
    const impure = sources.filter((path) => layerOf(path) === layer && /\bDate\b(?!\.parse|\.UTC|\((?!\)))|\basync\b|\bawait\b|\bprocess\./.test(codeOf(path).replace(/now: Date|\bDate\): /g, '')));
    expect(impure).toEqual([]);
  });
});

describe('files', () => {
  test('of src are at most 400 lines long', () => {
    expect(sources.filter((path) => text(path).split('\n').length > 401)).toEqual([]);
  });

  test('are named for what they do: no utils, managers, misc or common', () => {
    expect([...sources, ...filesBelow('tests', /\.ts$/)].filter((path) => /(?:^|\/)(?:utils?|misc|common)(?:\/|\.ts$)|manager/i.test(path))).toEqual([]);
  });

  test('begin with what they are for', () => {
    expect(sources.filter((path) => !/^(?:#![^\n]*\n)?\/\*\*/.test(text(path)))).toEqual([]);
  });

  test('promise nothing that is not there', () => {
    const marks = new RegExp(`\\b(?:${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')}|${['X', 'X', 'X'].join('')}|${['not', 'implemented'].join(' ')})\\b`);
    expect([...sources, ...filesBelow('tests', /\.ts$/)].filter((path) => marks.test(text(path)))).toEqual([]);
  });
});

describe('nothing tells of the place where it was made', () => {
  const everywhere = ['src', 'tests', 'docs', 'scripts', 'bench', 'templates', 'hooks', 'agents', 'memory', 'tasks'].flatMap((folder) => filesBelow(folder, /\.(?:ts|mjs|js|md|json|ya?ml|sh)$/));
  const top = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name);
  // Spelt in parts, so that this file does not find itself.
  const words = [['/wo', 'rk/'], ['share', 'd/'], ['/ro', 'ot/']].map((parts) => parts.join(''));

  test.each(words)('%s', (word) => {
    // A path of this machine, or the folder of its papers; not the end of a longer name such as `.cambium/…` or `unshared/`.
    const pattern = new RegExp(`(?<![\\w.}$-])${word}(?![*}])`);
    expect([...everywhere, ...top].filter((path) => path !== 'package-lock.json' && pattern.test(text(path)))).toEqual([]);
  });
});

interface Lock {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean; readonly resolved?: string; readonly dev?: boolean; readonly optional?: boolean }>>;
}

describe('dependencies', () => {
  const lock = JSON.parse(text('package-lock.json')) as Lock;
  const { dependencies = {}, devDependencies = {} } = JSON.parse(text('package.json')) as { readonly dependencies?: Record<string, string>; readonly devDependencies?: Record<string, string> };

  test('run nothing when they are installed', () => {
    // fsevents is chokidar's and vite's on macOS only; its script is npm's own build, and it is optional.
    const scripted = Object.entries(lock.packages).filter(([name, { hasInstallScript }]) => name !== '' && hasInstallScript === true).map(([name]) => name);
    expect(scripted.filter((name) => !name.endsWith('node_modules/fsevents'))).toEqual([]);
  });

  test('are locked without the address of a registry', () => {
    expect(Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
  });

  test.each(Object.keys({ ...dependencies, ...devDependencies }))('%s has its line in docs/dependencies.md', (name) => {
    expect(existsSync(join(ROOT, 'docs/dependencies.md')) ? text('docs/dependencies.md') : '').toContain(name);
  });

  test.each(Object.keys(dependencies))('%s is used by src', (name) => {
    expect(imports.some(({ to }) => to === name || to.startsWith(`${name}/`))).toBe(true);
  });

  test('of src are all declared', () => {
    const foreign = imports.map(({ to }) => to).filter((to) => !to.startsWith('src/') && !to.startsWith('node:'));
    const names = foreign.map((to) => (to.startsWith('@') ? to.split('/').slice(0, 2).join('/') : to.split('/')[0] as string));
    expect([...new Set(names)].filter((name) => !(name in dependencies))).toEqual([]);
  });
});
