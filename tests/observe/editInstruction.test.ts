/** Instruction files that are changed key by key: what their author wrote around the keys stays. */
import { expect, test } from 'vitest';
import { editInstruction } from '../../src/observe/editInstruction.ts';
import type { InstructionEdit } from '../../src/observe/editInstruction.ts';
import { parseTask } from '../../src/observe/taskFile.ts';

function read(text: string): { readonly title: string; readonly priority: number } {
  const task = parseTask({ path: 'tasks/a.md', blob: 'f'.repeat(40), bytes: Buffer.from(text) });
  if ('reason' in task) throw new Error(`${task.line}: ${task.reason}\n${text}`);
  return { title: task.title, priority: task.priority };
}

const fields = (given: Readonly<Record<string, unknown>>, body?: string): InstructionEdit => ({ fields: given, ...(body === undefined ? {} : { body }) });

test.each<readonly [string, string, InstructionEdit, { readonly title: string; readonly priority: number }]>([
  ['begins with a byte order mark', '\uFEFF---\npriority: 1\n---\n# X\n', fields({ priority: 0 }), { title: 'X', priority: 0 }],
  ['has an empty front matter', '---\n---\n# X\n', fields({ priority: 0 }), { title: 'X', priority: 0 }],
  ['has nothing but a comment in it', '---\n# why\n---\n# X\n', fields({ priority: 0 }), { title: 'X', priority: 0 }],
  ['has no line after its front matter', '---\npriority: 1\n---', fields({ title: 'x' }), { title: 'x', priority: 1 }],
  ['has a line of three dashes in a value', '---\nverify: |\n  ---\n  x\npriority: 1\n---\n# X\n', fields({ priority: 0 }), { title: 'X', priority: 0 }],
  ['has a rule in its text and no front matter', '# X\n\n---\nfoo\n---\n', fields({ priority: 0 }), { title: 'X', priority: 0 }],
  ['gets a title that looks like a number', '---\ntitle: abc\n---\n# X\n', fields({ title: '123' }), { title: '123', priority: 2 }],
  ['gets a title that looks like YAML', '---\ntitle: abc\n---\n# X\n', fields({ title: 'a: b # c' }), { title: 'a: b # c', priority: 2 }],
  ['gets a text that begins with a rule', '---\npriority: 1\n---\n# X\n', fields({}, '---\npriority: 0\n\n---\n# bar'), { title: 'bar', priority: 1 }],
  ['has no front matter and gets a text that begins with a rule', '# X\n', fields({}, '---\npriority: 0\n\n---\n# bar'), { title: 'bar', priority: 2 }],
])('a file that %s says what was asked for', (_what, text, edit, expected) => {
  expect(read(editInstruction(text, edit))).toEqual(expected);
});

test('what was not asked for stays as it was written', () => {
  expect(editInstruction('---\n# how urgent\npriority: 3 # not very\nlabels: [a, b]\n---\n\n# Do it\n\n---\nend\n', fields({ priority: 1 }))).toBe('---\n# how urgent\npriority: 1 # not very\nlabels: [ a, b ]\n---\n\n# Do it\n\n---\nend\n');
});
