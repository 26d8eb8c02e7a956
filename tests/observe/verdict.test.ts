import { expect, test } from 'vitest';
import { parseJudgement } from '../../src/observe/verdict.ts';

test.each([
  ['verdict: yes\nIt holds.\n', 'yes', 'It holds.'],
  ['Verdict:no', 'no', ''],
  ['**Verdict:** ship it\n\nTwo reasons.', 'ship it', 'Two reasons.'],
  ['**Verdict: ship it**\nx', 'ship it', 'x'],
  ['## Verdict: not yet\nx', 'not yet', 'x'],
  ['- verdict: a | b\nx', 'a | b', 'x'],
  ['I looked.\n\nverdict: yes\nIt holds.', 'yes', 'I looked.\n\nIt holds.'],
  ['verdict: yes\nverdict: no', 'yes', 'verdict: no'],
  ['verdict: yes\r\nIt holds.\r\n', 'yes', 'It holds.'],
  ['The verdict: none', null, 'The verdict: none'],
  ['verdict:\nyes', null, 'verdict:\nyes'],
  ['verdicts: many', null, 'verdicts: many'],
  ['', null, ''],
])('%j', (text, verdict, reason) => expect(parseJudgement(text)).toEqual({ verdict, reason }));
