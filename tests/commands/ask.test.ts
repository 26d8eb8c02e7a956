import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { opinionTable } from '../../src/commands/ask.ts';
import { mentionsIn } from '../../src/model/talk.ts';
import { withoutMentions } from '../../src/workspace/ask.ts';
import type { Opinion } from '../../src/workspace/ask.ts';

const opinion = (more: Partial<Opinion>): Opinion => ({ agent: 'prime', state: 'answered', provider: 'claude', model: 'opus-5', verdict: 'yes', reason: 'It holds.', message: 'm', spawn: 's', ...more });

describe('the table of answers', () => {
  test('has agent, model, verdict and reason, and the reason goes on below where the terminal ends', () => {
    const table = opinionTable([opinion({ reason: 'The date is read in every query\nand written once a day.' }), opinion({ agent: 'zed', provider: null, model: null, verdict: null, reason: 'Hm.' })], 60);
    expect(table).toBe([
      'agent  model          verdict  reason',
      'prime  claude/opus-5  yes      The date is read in every',
      '                               query',
      '                               and written once a day.',
      'zed    –              –        Hm.',
    ].join('\n'));
  });

  test('tells who has not answered, and why', () => {
    const table = opinionTable([opinion({ state: 'waiting', verdict: null, provider: null, model: null, reason: 'it answers on vm-b' }), opinion({ agent: 'zed', state: 'failed', verdict: null, reason: 'zed could not answer: exit 1' })], Infinity);
    expect(table.split('\n').slice(1)).toEqual(['prime  –              waiting    it answers on vm-b', 'zed    claude/opus-5  no answer  zed could not answer: exit 1']);
  });

  test('lets nothing of an agent drive the terminal', () => {
    expect(opinionTable([opinion({ verdict: 'y\u001b[2Jes', reason: '\u001b]0;x\u0007no\u0000w' })], Infinity)).toMatch(/yes +now$/);
  });
});

describe('names without their @', () => {
  test.each([
    ['ask @two and @role:sage, not me@x.org', 'ask two and role:sage, not me@x.org'],
    ['`@code` stays', '`@code` stays'],
    ['(@human)', '(human)'],
  ])('%j', (text, plain) => expect(withoutMentions(text)).toBe(plain));

  test('of any text call nobody', () => {
    const part = fc.constantFrom('@', '@a', '@all', '@role:x', 'a', ' ', '`', '```', '\n', '|', '~~~', '.', '/', '-', ':', '@human');
    fc.assert(fc.property(fc.array(part, { maxLength: 30 }), (parts) => mentionsIn(withoutMentions(parts.join(''))).length === 0));
  });
});
