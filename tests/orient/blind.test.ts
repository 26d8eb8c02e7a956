import { describe, expect, test } from 'vitest';
import { withheldFrom } from '../../src/orient/blind.ts';
import type { Conversation, Message } from '../../src/model/talk.ts';

const message = (id: string, more: Partial<Message>): Message => ({
  path: '', id, from: 'human:maria', channel: null, to: [], mentions: [], kind: 'say', replyTo: null, chain: [], hops: 0, thread: null, spawn: null, session: null, answers: [], at: '2026-11-21T00:00:00Z', text: '', ...more,
});
const inbox = (agent: string, ...messages: readonly Message[]): Conversation => ({ place: { inbox: agent }, messages });
const asked = (agent: string, group = 'g'): Message => message(`ask-${agent}-${group}`, { to: [agent], group });
const answer = (agent: string, group = 'g', more: Partial<Message> = {}): Message => message(`of-${agent}-${group}`, { from: `agent:${agent}`, replyTo: `ask-${agent}-${group}`, answers: [`ask-${agent}-${group}`], ...more });
const withheld = (agent: string, ...conversations: readonly Conversation[]): readonly string[] => [...withheldFrom(agent, conversations)];

describe('while an answer is missing', () => {
  const open = [inbox('one', asked('one'), answer('one')), inbox('two', asked('two'), answer('two')), inbox('three', asked('three'))];

  test.each([
    ['three', ['of-one-g', 'of-two-g']], ['one', ['of-two-g']], ['four', []],
  ])('%s does not see %j', (agent, ids) => expect(withheld(agent, ...open)).toEqual(ids));

  test('the copy that went to an agent that asked is withheld like the answer', () => {
    expect(withheld('three', ...open, inbox('prime', answer('one', 'g', { id: 'copy', answers: [] })))).toEqual(['of-one-g', 'of-two-g', 'copy']);
  });

  test('what else was said is nobody\'s secret, nor is the answer of a group that it is not asked in', () => {
    expect(withheld('three', inbox('one', asked('one'), answer('one'), message('other', {}), asked('one', 'h'), answer('one', 'h')), inbox('three', asked('three')))).toEqual(['of-one-g']);
  });

  test('somebody else\'s word that it is answered is none', () => {
    expect(withheld('two', inbox('one', asked('one'), answer('one')), inbox('two', asked('two'), message('forged', { from: 'agent:one', answers: ['ask-two-g'] })))).toEqual(['of-one-g']);
  });
});

test('once all are in, each sees all; that one could not answer counts too', () => {
  const all = [inbox('one', asked('one'), answer('one')), inbox('two', asked('two'), answer('two', 'g', { kind: 'system' }))];
  expect([withheld('one', ...all), withheld('two', ...all)]).toEqual([[], []]);
});
