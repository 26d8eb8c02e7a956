import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { globToRegExp, matchesAny } from '../../src/model/glob.ts';
import { generateTaskId, isAgentId, isId, proposeId } from '../../src/model/ids.ts';
import { claimPath, isStatePath, mirrorRef, resultPath, taskFileKind, taskStem, unmirrorRef } from '../../src/model/layout.ts';
import { machineSignature, renderMessage } from '../../src/model/message.ts';
import { backoffMs } from '../../src/model/run.ts';

describe('ids', () => {
  test.each(['a', 'add-login-k3f9', 'a_b', '2nd', 'x'.repeat(63)])('%s is one', (id) => expect(isId(id)).toBe(true));
  test.each(['', '42', 'A', 'a.b', 'a..b', 'a.lock', '-a', 'a-', '_a', 'con', 'lpt1', 'x'.repeat(64), 'a b', 'ä', 'a/b', 'foo.result'])('%j is none', (id) => expect(isId(id)).toBe(false));
  test.each(['human', 'all', 'project', 'channels'])('%s names no agent', (id) => expect(isAgentId(id)).toBe(false));

  test('whatever a person writes, the proposed id is a good one', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (words) => isId(proposeId(words))));
    expect(proposeId('Add Login!')).toBe('add-login');
    expect(proposeId('2026')).toBe('task-2026');
  });

  test('generated ids are good ones, from the title and four random characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array({ minLength: 4, maxLength: 4 }), (title, random) => isId(generateTaskId(title, random))));
    expect(generateTaskId('Add login', Uint8Array.from([0, 1, 31, 30]))).toBe('add-login-ab98');
  });
});

describe('paths of tasks', () => {
  test.each([
    ['tasks/a.md', 'instruction'], ['tasks/web/a.md', 'instruction'], ['tasks/a.result.md', 'result'], ['tasks/a.claim.json', 'claim'], ['tasks/README.md', 'none'],
    ['tasks/_draft.md', 'none'], ['tasks/.hidden.md', 'none'], ['tasks/_old/a.md', 'none'], ['tasks/archive/2026-11/a.md', 'none'], ['tasks/a.png', 'none'], ['docs/a.md', 'none'],
  ])('%s is %s', (path, kind) => expect(taskFileKind(path)).toBe(kind));

  test('result and claim stand beside the instruction, under its stem', () => {
    expect([resultPath('tasks/web/a.md'), claimPath('tasks/web/a.md')]).toEqual(['tasks/web/a.result.md', 'tasks/web/a.claim.json']);
    expect(['tasks/web/a.md', 'tasks/a.result.md', 'tasks/a.claim.json'].map(taskStem)).toEqual(['a', 'a', 'a']);
  });

  test('state is what the fleet publishes for a person', () => {
    expect(['cambium.yaml', 'tasks/a.md', 'memory/x'].map(isStatePath)).toEqual([true, true, true]);
    expect(['src/a.ts', 'tasksx/a.md', 'README.md'].map(isStatePath)).toEqual([false, false, false]);
  });

  test('a mirrored ref finds its way back', () => {
    expect(unmirrorRef(mirrorRef('refs/cambium/claims/a'))).toBe('refs/cambium/claims/a');
  });
});

describe('globs', () => {
  test.each([
    ['**', 'a/b/c', true], ['tasks/**', 'tasks/a.md', true], ['tasks/**', 'tasks', false], ['tasks/*.md', 'tasks/web/a.md', false], ['**/x.md', 'x.md', true], ['**/x.md', 'a/b/x.md', true],
    ['a?c', 'abc', true], ['a?c', 'a/c', false], ['a.c', 'abc', false], ['(a|b)', 'a', false], ['a*', 'a\nb', true],
  ])('%s against %j: %s', (glob, path, expected) => expect(globToRegExp(glob).test(path)).toBe(expected));

  test('none of no globs', () => expect(matchesAny('a', [])).toBe(false));
});

describe('a commit message', () => {
  test('is a subject, a body and trailers', () => {
    expect(renderMessage({ subject: 'a: done', body: 'Why.\n', trailers: { Kind: 'done', Epoch: 2, Spawn: null } })).toBe('a: done\n\nWhy.\n\nKind: done\nEpoch: 2\n');
  });

  test('has trailers of our own only: nothing that was put in makes a line', () => {
    const message = renderMessage({ subject: 'a: done\n\nKind: evil', trailers: { Task: 'a\nKind: evil' } });
    expect(message).toBe('a: done Kind: evil\n\nTask: a Kind: evil\n');
  });

  test('machines sign with an address that can never receive mail', () => {
    expect(machineSignature('ann', 'agent', new Date(5_000))).toEqual({ name: 'ann', email: 'ann@agents.cambium.invalid', seconds: 5, zone: '+0000' });
  });
});

test('the pause before another attempt doubles from 5 s to 5 min', () => {
  expect([1, 2, 3, 4, 10].map(backoffMs)).toEqual([5_000, 10_000, 20_000, 40_000, 300_000]);
});
