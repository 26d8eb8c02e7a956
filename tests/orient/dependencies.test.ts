import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/model/task.ts';
import { orientDependencies } from '../../src/orient/dependencies.ts';

/** `{ a: ['b'] }`: a depends on b. */
function orient(graph: Readonly<Record<string, readonly string[]>>, outcomes: Readonly<Record<string, Outcome>> = {}) {
  const tasks = new Map(Object.entries(graph).map(([id, dependsOn]) => [id, { path: `tasks/${id}.md`, dependsOn }]));
  return orientDependencies(tasks, new Map(Object.entries(outcomes).map(([id, outcome]) => [id, { outcome }])));
}

test('a task without dependencies, or with done ones only, is met', () => {
  const states = orient({ a: [], b: ['a'], c: ['a', 'archived'] }, { a: 'done', archived: 'done' });
  expect([...states]).toEqual([['a', 'met'], ['b', 'met'], ['c', 'met']]);
});

test('an open dependency is waited for', () => {
  expect(orient({ a: [], b: ['a'] }).get('b')).toMatchObject({ kind: 'waiting', on: 'a', reason: 'waits for a', mend: 'It starts by itself when a is done.' });
});

describe('a dependency that ended otherwise blocks, with the way out', () => {
  test.each([['failed', 'depends on a, which failed'], ['cancelled', 'depends on a, which was cancelled']] as const)('%s', (outcome, reason) => {
    expect(orient({ a: [], b: ['a'] }, { a: outcome }).get('b')).toMatchObject({ kind: outcome, on: 'a', reason, mend: 'Reopen it with `cambium task retry a`, or take it out of depends_on in tasks/b.md.' });
  });
});

test('what a person must mend is told before what merely takes time', () => {
  expect(orient({ slow: [], broken: [], b: ['slow', 'broken'] }, { broken: 'failed' }).get('b')).toMatchObject({ kind: 'failed', on: 'broken' });
});

test('who waits for a blocked task is told the root of it', () => {
  const states = orient({ a: [], b: ['a'], c: ['b'], d: ['c'] }, { a: 'failed' });
  expect(states.get('d')).toMatchObject({ kind: 'stuck', on: 'c', reason: 'waits for c, which is blocked: depends on a, which failed', mend: expect.stringContaining('task retry a') });
});

test('an unknown dependency is named, and so is the id its author probably meant', () => {
  expect(orient({ b: ['nobody'] }).get('b')).toMatchObject({ kind: 'unknown', on: 'nobody', mend: 'Add tasks/nobody.md, or correct depends_on in tasks/b.md.' });
  expect(orient({ 'add-login-k3f9': [], b: ['add-login'] }).get('b')).toMatchObject({ mend: 'Did you mean add-login-k3f9? Correct depends_on in tasks/b.md.' });
});

describe('a cycle is named in full to each of its members', () => {
  test.each([
    [{ a: ['a'] }, 'a', 'a → a'],
    [{ a: ['b'], b: ['a'] }, 'a', 'a → b → a'],
    [{ a: ['b'], b: ['a'] }, 'b', 'a → b → a'],
    [{ c: ['a'], a: ['b'], b: ['c'] }, 'c', 'a → b → c → a'],
    [{ a: ['b'], b: ['a', 'c'], c: ['b'] }, 'c', 'c → b → c'],
  ])('%j, %s', (graph, id, cycle) => {
    expect(orient(graph).get(id)).toMatchObject({ kind: 'cycle', reason: `depends on itself: ${cycle}` });
  });
});

test('a task that depends on a cycle without being in it is stuck, not part of it', () => {
  expect(orient({ a: ['b'], b: ['a'], c: ['a'] }).get('c')).toMatchObject({ kind: 'stuck', on: 'a', reason: 'waits for a, which is blocked: depends on itself: a → b → a' });
});

test('a done task breaks the cycle it was in', () => {
  const states = orient({ a: ['b'], b: ['a'] }, { b: 'done' });
  expect([...states.values()]).toEqual(['met', 'met']);
});

test('a chain and a ring of ten thousand tasks overflow nothing', () => {
  const ids = Array.from({ length: 10_000 }, (_, at) => `t${at}`);
  const chain = orient(Object.fromEntries(ids.map((id, at) => [id, at === 0 ? [] : [`t${at - 1}`]])));
  expect(chain.get('t9999')).toMatchObject({ kind: 'waiting', on: 't9998' });
  const ring = orient(Object.fromEntries(ids.map((id, at) => [id, [`t${(at + 1) % 10_000}`]])));
  expect((ring.get('t5000') as { reason: string }).reason.split(' → ').length).toBe(10_001);
});
