import { describe, expect, test } from 'vitest';
import { circleProblem, delegationProblem, depthOf, provenanceFields } from '../../src/orient/delegation.ts';
import type { Family } from '../../src/orient/delegation.ts';

const family = (...tasks: readonly Family[]): ReadonlyMap<string, Family> => new Map(tasks.map((task) => [task.id, task]));
const SPAWN = '01JD0Z8M3N4P5Q6R7S8T9V0W1X';

describe('how deep a task stands', () => {
  const tasks = family({ id: 'top' }, { id: 'asked', spawnedBy: SPAWN }, { id: 'a', parent: 'top', spawnedBy: SPAWN }, { id: 'b', parent: 'a' }, { id: 'c', parent: 'asked' }, { id: 'd', parent: 'archived' }, { id: 'x', parent: 'y' }, { id: 'y', parent: 'x' }, { id: 'z', parent: 'x' });
  test.each([['top', 0], ['asked', 1], ['a', 1], ['b', 2], ['c', 2], ['d', 1]])('%s: %i', (id, depth) => {
    expect(depthOf(tasks, tasks.get(id) as Family)).toBe(depth);
  });
  test('a circle that somebody wrote ends, and only who is on it is its own ancestor', () => {
    expect(['x', 'y', 'z'].map((id) => depthOf(tasks, tasks.get(id) as Family) < 5)).toEqual([true, true, true]);
    expect(['x', 'y', 'z'].map((id) => circleProblem(tasks, tasks.get(id) as Family) !== null)).toEqual([true, true, false]);
    expect(circleProblem(family({ id: 'o', parent: 'o' }), { id: 'o', parent: 'o' })).toContain('its own ancestor');
  });
});

test('a task stands below the spawn that adds it, whatever parent it names', () => {
  const tasks = family({ id: 'top' }, { id: 'new', parent: 'top' });
  expect(delegationProblem(tasks, { id: 'new', parent: 'top' }, { depth: 2 }, 3)).toBeNull();
  expect(delegationProblem(tasks, { id: 'new', parent: 'top' }, { depth: 3 }, 3)).toContain('would stand 4 deep, and limits.spawn_depth is 3');
});

test('what is said stays, but for the spawn and the request that is answered', () => {
  const from = { parent: 'top', request: 'r1', spawn: SPAWN, depth: 0 };
  expect(provenanceFields({}, from)).toEqual({ parent: 'top', request: 'r1', spawned_by: SPAWN });
  expect(provenanceFields({ parent: 'other', request: 'r2', spawnedBy: 'forged' }, from)).toEqual({ request: 'r1', spawned_by: SPAWN });
  expect(provenanceFields({ request: 'r2' }, { ...from, parent: null, request: null })).toEqual({ spawned_by: SPAWN });
});
