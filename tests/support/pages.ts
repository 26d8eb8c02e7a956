/** The pages that people and agents read, as data: the commands they name, the examples they show, their tables. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fencedBlocks } from '../../src/adapters/providers/fences.ts';

export const page = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

/** Every line of the page's `sh` blocks, in order, without comments. What stands inside a block of another language is an example. */
export function commandsOf(markdown: string): readonly string[] {
  const lines = fencedBlocks(markdown).filter(({ language }) => language === 'sh').flatMap(({ text }) => text.split('\n'));
  return lines.map((line) => line.replace(/\s+#\s.*$/, '').trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

export interface Example {
  readonly kind: 'good' | 'bad';
  /** Where the page says it stands: `tasks/api-hello.md`. */
  readonly path: string;
  readonly text: string;
}

/** Instruction files that a page shows below `**Good** \`tasks/x.md\`` or `**Bad** …`. */
export function examplesOf(markdown: string): readonly Example[] {
  const blocks = fencedBlocks(markdown);
  const lines = markdown.split('\n');
  return [...lines.entries()].flatMap(([at, line]) => {
    const [, kind, path] = /^\*\*(Good|Bad)\*\* `(tasks\/[^`]+)`/.exec(line) ?? [];
    const block = blocks.find((one) => one.line > at + 1);
    return kind === undefined || path === undefined || block === undefined ? [] : [{ kind: kind === 'Good' ? 'good' as const : 'bad' as const, path, text: block.text }];
  });
}

/** Each `cambium …` of the page, in blocks and in running text, as words; `…`, quotes and placeholders stay as they are. */
export function mentionsOf(markdown: string): readonly (readonly string[])[] {
  const code = fencedBlocks(markdown).filter(({ language }) => ['sh', 'console', ''].includes(language)).flatMap(({ text }) => text.split('\n'));
  const prose = markdown.replace(/^(`{3,})[^]*?^\1/gm, '').matchAll(/`([^`\n]+)`/g);
  const commands = [...code, ...[...prose].map(([, text = '']) => text)].flatMap((line) => [...line.matchAll(/(?:^|\$ |&& |\s{2})cambium ([a-z][^#&|]*)/g)].map(([, rest = '']) => rest));
  return commands.map((rest) => rest.replace(/"[^"]*"|'[^']*'/g, '"…"').trim().split(/\s+/));
}

/** Rows of the table whose first head cell is this, cell by cell, without the marks of code. */
export function tableOf(markdown: string, head: string): readonly (readonly string[])[] {
  const lines = markdown.split('\n');
  const from = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  if (from < 0) throw new Error(`no table begins with ${head}`);
  const rows = lines.slice(from + 2);
  const to = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, to < 0 ? undefined : to).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
}
