import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fenced, fencedBlocks } from '../../../src/adapters/providers/fences.ts';

const texts = (markdown: string) => fencedBlocks(markdown).map(({ language, text }) => [language, text]);

test('blocks come in order with language, line and text', () => {
  const markdown = 'Intro\n\n```sh\necho 1\necho 2\n```\n\n~~~ SHELL title="x"\necho 3\n~~~\n';
  expect(fencedBlocks(markdown)).toEqual([
    { language: 'sh', text: 'echo 1\necho 2\n', line: 3, closed: true },
    { language: 'shell', text: 'echo 3\n', line: 8, closed: true },
  ]);
});

test('a longer fence holds a shorter one', () => {
  expect(texts('````markdown\n```sh\nrm x\n```\n````\n')).toEqual([['markdown', '```sh\nrm x\n```\n']]);
});

test('a block in a list item loses the indentation of its fence', () => {
  expect(texts('10. Do:\n    ```sh\n    if true; then\n      echo x\n    fi\n    ```\n')).toEqual([['sh', 'if true; then\n  echo x\nfi\n']]);
});

test('a block that was commented out or is quoted is none', () => {
  expect(texts('<!--\n```sh\nrm x\n```\n-->\n<!-- one line -->\n> ```sh\n> rm y\n> ```\n```sh\nok\n```')).toEqual([['sh', 'ok\n']]);
});

test('an unclosed block is said to be so', () => {
  expect(fencedBlocks('```sh\necho 1\n')).toMatchObject([{ closed: false }]);
});

test('inline code that looks like a fence opens nothing', () => {
  expect(texts('```sh``` is inline\n')).toEqual([]);
});

test('lines that end as on Windows are read', () => {
  expect(texts('```sh\r\necho 1\r\n```\r\n')).toEqual([['sh', 'echo 1\n']]);
});

test('whatever is fenced comes out again as one block', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom('`', '```', '````', '~~~', 'a', '\n', ' ', '<!--')), (parts) => {
    const text = parts.join('');
    const found = fencedBlocks(`${fenced(text, 'text')}\n`);
    return found.length === 1 && found[0]?.closed === true && found[0].text === (text === '' || text.endsWith('\n') ? text : `${text}\n`);
  }));
});
