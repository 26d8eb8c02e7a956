import { describe, expect, test } from 'vitest';
import { closestWord } from '../../src/model/closest.ts';

const KEYS = ['title', 'priority', 'assigned_to', 'role', 'requires', 'depends_on', 'context_files', 'acceptance_criteria', 'verify', 'review', 'max_attempts', 'not_before'];

describe('the word that was meant', () => {
  test.each([
    ['dependsOn', 'depends_on'], ['depends-on', 'depends_on'], ['depend_on', 'depends_on'], ['priorty', 'priority'], ['pirority', 'priority'], ['Title', 'title'], ['acceptance', 'acceptance_criteria'],
    ['verfiy', 'verify'], ['contextFiles', 'context_files'], ['context', 'context_files'], ['assigned', 'assigned_to'], ['max_attempt', 'max_attempts'], ['rolle', 'role'],
  ])('%s → %s', (word, meant) => {
    expect(closestWord(word, KEYS)).toBe(meant);
  });
});

test.each(['colour', 'due', 'x', '', '___', 'estimate', 'zzzzzzzzzzzzzz'])('%j is near none', (word) => {
  expect(closestWord(word, KEYS)).toBeNull();
});

test('the nearest of several is taken', () => {
  expect(closestWord('worker-12', ['worker-1', 'worker-2', 'worker-12x', 'other'])).not.toBe('other');
  expect(closestWord('reviewer', ['review', 'reviewers'])).toBe('reviewers');
});

test('a word of any length costs little', () => {
  expect(closestWord('p'.repeat(1_000_000), KEYS)).toBeNull();
});
