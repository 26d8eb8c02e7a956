import { describe, expect, test } from 'vitest';
import { instructionText, parseTask } from '../../src/observe/taskFile.ts';

const BLOB = 'b'.repeat(40);
const parse = (text: string, path = 'tasks/add-login.md') => parseTask({ path, blob: BLOB, bytes: new TextEncoder().encode(text) });

const WHOLE = `---
title: Add the login form   # shown in lists
priority: 0
assigned_to: worker-1
role: worker
requires: node
depends_on: [design-k3f9, api-x2b1, design-k3f9]
context_files: [docs/api.md, ./src/web/]
working_directory: ./packages/web/
project: api
acceptance_criteria: ["Tests pass", Form shows]
verify: [npm, test]
review: human
provider: claude
model: daily
max_attempts: 2
timeout_minutes: 1.5
budget_usd: 0.50
max_turns: 40
not_before: 2026-11-21
parent: release-2
labels: [web, 1.10]
estimated_minutes: 30
due: 2026-11-20
---
Do it.
`;

test('every key of the format is read', () => {
  expect(parse(WHOLE, 'tasks/web/add-login.md')).toEqual({
    id: 'add-login', path: 'tasks/web/add-login.md', blob: BLOB, title: 'Add the login form', priority: 0, assignedTo: 'worker-1', role: 'worker', requires: ['node'],
    dependsOn: ['design-k3f9', 'api-x2b1'], contextFiles: ['docs/api.md', 'src/web'], workingDirectory: 'packages/web', project: 'api', acceptanceCriteria: ['Tests pass', 'Form shows'],
    verify: ['npm', 'test'], review: 'human', provider: 'claude', model: 'daily', maxAttempts: 2, timeoutMinutes: 1.5, budgetUsd: 0.5, maxTurns: 40, notBefore: '2026-11-21T00:00:00.000Z',
    parent: 'release-2', labels: ['web', '1.10'], estimatedMinutes: 30, extra: { due: '2026-11-20' },
  });
});

test('what nobody said is absent, not undefined', () => {
  expect(parse('Do it.\n')).toStrictEqual({
    id: 'add-login', path: 'tasks/add-login.md', blob: BLOB, title: 'add-login', priority: 2, requires: [], dependsOn: [], contextFiles: [], acceptanceCriteria: [], labels: [], extra: {},
  });
});

describe('the title is the front matter\'s, else the first heading, else the stem', () => {
  test.each([
    ['---\ntitle: "  Said  "\n---\n# Heading\n', 'Said'],
    ['# Heading ##\n', 'Heading'],
    ['text\n\n### Third level\n# First\n', 'Third level'],
    ['```sh\n# a comment\n```\n# Heading\n', 'Heading'],
    ['~~~~\n# a\n~~~\n# b\n~~~~\n# Heading\n', 'Heading'],
    ['Underlined\n==========\n', 'Underlined'],
    ['Smaller\n---\n', 'Smaller'],
    ['- item\n---\n', 'add-login'],
    ['#no heading\n', 'add-login'],
    ['#\n\n    # code\n', 'add-login'],
    ['# A \u001b[31mred\u001b[0m one\n', 'A [31mred [0m one'],
  ])('%j', (text, title) => {
    expect(parse(text)).toMatchObject({ title });
  });
});

test('a wrong value is set aside with the line of its key and a line that would be right', () => {
  expect(parse('---\ntitle: x\npriority: urgent\n---\n')).toEqual({
    path: 'tasks/add-login.md', line: 3, reason: '`priority` must be a whole number from 0 to 4.', mend: 'Write for example `priority: 2`.',
  });
  expect(parse('---\ndepends_on:\n  - good\n  - Bad Id\n---\n')).toMatchObject({ line: 2, reason: expect.stringMatching(/^`depends_on\.1` must be an id/) });
});

test('the instruction text is the body without its front matter', () => {
  expect(instructionText(new TextEncoder().encode(WHOLE))).toBe('Do it.\n');
});
