import { describe, expect, test } from 'vitest';
import { CLAIM_KINDS, attemptsUsed, chainState, isTerminal, mayFollow, nextAttempt } from '../../src/model/claim.ts';
import type { Chain, ClaimKind, ClaimRecord } from '../../src/model/claim.ts';

function chain(kind: ClaimKind, more: Partial<ClaimRecord> = {}): Chain {
  return {
    tip: 'c'.repeat(40),
    record: { schema: 'cambium.claim/1', task: 'a', kind, epoch: 1, attempt: 1, agent: 'ann', node: 'vm-a', incarnation: 'i', op: 'o', instruction: null, ttl_s: 60, claimed_at: '', ...more },
  };
}

/** docs/formats.md, "Task states": what may follow what. */
const TABLE: Readonly<Record<ClaimKind | 'nothing', readonly ClaimKind[]>> = {
  nothing: ['claim', 'cancel'],
  claim: ['claim', 'renew', 'release', 'input', 'review', 'done', 'failed', 'cancel'],
  renew: ['claim', 'renew', 'release', 'input', 'review', 'done', 'failed', 'cancel'],
  release: ['claim', 'cancel'],
  input: ['release', 'cancel'],
  review: ['release', 'approve', 'cancel'],
  approve: ['claim', 'release', 'cancel'],
  done: ['reopen'], failed: ['reopen'], cancel: ['reopen'],
  reopen: ['claim', 'cancel'],
};

test.each(Object.entries(TABLE))('after %s may come only what the table says', (kind, expected) => {
  const before = kind === 'nothing' ? undefined : chain(kind as ClaimKind);
  expect(CLAIM_KINDS.filter((next) => mayFollow(before, next)).toSorted()).toEqual([...expected].toSorted());
});

test('what has ended has no way out but a reopen', () => {
  const terminal = CLAIM_KINDS.filter((kind) => isTerminal(chainState(chain(kind))));
  expect(terminal.toSorted()).toEqual(['cancel', 'done', 'failed']);
});

describe('the next attempt', () => {
  test.each([
    ['the first is 1', undefined, 1],
    ['a takeover keeps the number', chain('claim', { attempt: 2 }), 2],
    ['an attempt that ended by itself adds one', chain('release', { attempt: 2, spent: true }), 3],
    ['a release that nobody failed adds none', chain('release', { attempt: 2 }), 2],
    ['an answer to a question adds none', chain('release', { attempt: 1, question: 'Which port?' }), 1],
    ['a reopen starts over, whatever came before', chain('reopen', { attempt: 3, spent: true, epoch: 7 }), 1],
  ])('%s', (_name, before, expected) => {
    expect(nextAttempt(before)).toBe(expected);
    expect(attemptsUsed(before)).toBe(expected - 1);
  });
});
