/** docs/from-the-sources.md, held against the repository: whatever it says is here can be found. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cliPath, start } from './support/cli.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const PAGE = 'docs/from-the-sources.md';
const PARTS = ['Real agents', 'Proof', 'Mind', 'Operations', 'Face', 'Speed'];
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const page = read(PAGE);
const lines = page.split('\n');

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

/** Rows below a head that ends in `state`. */
const rows: readonly Row[] = lines.flatMap((line, at): Row[] => {
  const head = lines.slice(0, at).findLastIndex((before, index) => before.startsWith('|') && !(lines[index - 1] ?? '').startsWith('|'));
  const isRow = line.startsWith('|') && head >= 0 && at > head + 1 && lines.slice(head, at).every((one) => one.startsWith('|'));
  return isRow && lines[head]?.endsWith('| state |') === true ? [{ line: at + 1, cells: line.slice(1, -1).split('|').map((cell) => cell.trim()) }] : [];
});

const links = [...page.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
const spans = [...page.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);

/** The anchor that a heading has where Markdown is shown with links. */
const anchorOf = (heading: string): string => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
/** What looks like a heading inside of a block is none. */
const anchorsOf = (markdown: string): ReadonlySet<string> => new Set([...markdown.replace(/^(`{3,})[^]*?^\1/gm, '').matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => anchorOf(heading)));

describe('each row', () => {
  test('has a statement, a place and a state', () => {
    expect(rows.length).toBeGreaterThan(200);
    expect(rows.filter(({ cells }) => cells.length !== 3 || cells.some((cell) => cell === '')).map(({ line }) => line)).toEqual([]);
  });

  test('has a state that is one of three, with its reason or its part', () => {
    const isPart = (text: string): boolean => text.split(', ').every((part) => PARTS.includes(part));
    const isState = (text: string): boolean => text === 'here' || (text.startsWith('later: ') && isPart(text.slice(7))) || /^otherwise: \S.{5,}/.test(text);
    expect(rows.filter(({ cells }) => !(cells[2] ?? '').split(' · ').every(isState)).map(({ line, cells }) => `${line}: ${cells[2]}`)).toEqual([]);
  });

  test('that is here names a file, a command, a function or another row', () => {
    const isPlace = (text: string): boolean => /\]\(|`|\brows?\b/.test(text);
    expect(rows.filter(({ cells: [, place = '', state = ''] }) => state.startsWith('here') && !isPlace(place)).map(({ line, cells }) => `${line}: ${cells[1]}`)).toEqual([]);
  });
});

describe('each link', () => {
  test('leads to a file or folder of the repository', () => {
    const files = links.filter((target) => !/^(?:https?:|#)/.test(target)).map((target) => normalize(join(dirname(PAGE), (target.split('#')[0] ?? ''))));
    expect(files.length).toBeGreaterThan(150);
    expect([...new Set(files)].filter((path) => path.startsWith('..') || !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('to a heading finds it', () => {
    const within = links.filter((target) => target.includes('#')).map((target) => target.split('#') as [string, string]);
    const lost = within.filter(([path, anchor]) => !anchorsOf(path === '' ? page : read(normalize(join(dirname(PAGE), path)))).has(anchor));
    expect(lost.map((parts) => parts.join('#'))).toEqual([]);
  });
});

describe('each path in code font', () => {
  const words = spans.flatMap((text) => text.split(/\s+/)).map((word) => word.replace(/[,;:]$/, ''));
  const ofRepository = /^(?:src|tests|docs|templates|schemas|scripts|bench|hooks|dist|\.ci)\/[\w./-]+$|^[A-Z][A-Z_]+\.md$|^(?:cambium\.yaml|package\.json|self-model\.md)$/;
  const ofWorkspace = /^(?:tasks|agents|memory)\/\S+$/;

  test('of the repository exists', () => {
    expect([...new Set(words.filter((word) => ofRepository.test(word)))].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('of a workspace is one that docs/formats.md or the shipped pages speak of', () => {
    const told = ['docs/formats.md', 'docs/library.md', 'agents/README.md', 'memory/README.md', 'ARCHITECTURE.md', 'templates/AGENTS.md'].map(read).join('\n').replace(/<agent>|<your name>|<id>|\{agent\}/g, '<>');
    const known = (path: string): boolean => existsSync(join(ROOT, path)) || told.includes(path.replace(/<\w+>/g, '<>')) || told.includes(`\`${path.split('/').at(-1)}\``.replace(/<\w+>/g, '<>'));
    expect([...new Set(words.filter((word) => ofWorkspace.test(word)))].filter((path) => !known(path))).toEqual([]);
  });

  test('that is an npm script is one', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> };
    const named = spans.flatMap((text) => [...text.matchAll(/\bnpm (?:run )?([a-z][\w:-]*)/g)].map(([, name = '']) => name)).filter((name) => name !== 'ci');
    expect(named).toContain('test:slow');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('each command', () => {
  const commands = [...new Set(spans.filter((text) => text.startsWith('cambium ')))].map((text) => text.split(/\s+/).slice(1));
  const verbsIn = (help: string): readonly string[] => [...(help.split('\nCommands:\n')[1] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(([, verb = '']) => verb);
  const helps = new Map<string, string>();

  const helpOf = async (words: readonly string[]): Promise<void> => {
    const { exit, stdout } = await start(process.execPath, [cliPath(), ...words, '--help'], { cwd: ROOT }).ended;
    helps.set(words.join(' '), exit === 0 ? stdout : '');
  };
  /** The words before the first that is an argument; commander shows the help of the noun for a verb it does not know. A noun by itself may be a verb too: `cambium request`. */
  const verbOf = ([noun = '', verb = '']: readonly string[]): readonly string[] => (verb !== '' && verbsIn(helps.get(noun) ?? '').length > 0 ? [noun, verb] : [noun]);

  beforeAll(async () => {
    await helpOf([]);
    await Promise.all([...new Set(commands.map(([noun = '']) => noun))].map((noun) => helpOf([noun])));
    await Promise.all([...new Set(commands.map((words) => verbOf(words).join(' ')))].filter((words) => !helps.has(words)).map((words) => helpOf(words.split(' '))));
  }, 60_000);

  test('is a verb of the command line', () => {
    expect(commands.length).toBeGreaterThan(25);
    const isVerb = (words: readonly string[]): boolean => {
      const [noun = '', verb] = verbOf(words);
      return verbsIn(helps.get('') ?? '').includes(noun) && (verb === undefined || verbsIn(helps.get(noun) ?? '').includes(verb));
    };
    expect(commands.filter((words) => !isVerb(words)).map((words) => words.join(' '))).toEqual([]);
  });

  test('has only options that its verb has', () => {
    const wrong = commands.flatMap((words) => words.filter((word) => word.startsWith('--') && !new RegExp(`^\\s.*${word}\\b`, 'm').test(helps.get(verbOf(words).join(' ')) ?? '')).map((word) => `${words.join(' ')}: ${word}`));
    expect(wrong).toEqual([]);
  });
});

describe('each function', () => {
  const methods = new Set([.../export interface Workspace \{[^]*?\n\}/.exec(read('src/workspace/workspace.ts'))?.[0].matchAll(/^ {2}(\w+)\(/gm) ?? []].map(([, name = '']) => name));

  test('of openWorkspace() is one of a workspace', () => {
    const named = [...page.matchAll(/openWorkspace\(\)\.(\w+)/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(10);
    expect([...new Set(named)].filter((name) => !methods.has(name))).toEqual([]);
  });
});

test('whoever looks for it finds it', () => {
  expect(['README.md', 'ARCHITECTURE.md'].filter((path) => !read(path).includes(`(${PAGE})`))).toEqual([]);
});
