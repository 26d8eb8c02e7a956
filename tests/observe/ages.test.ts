import { expect, test } from 'vitest';
import { createMemoryLocal } from '../../src/adapters/memory/local.ts';
import { openAges } from '../../src/observe/ages.ts';
import type { History } from '../../src/ports/history.ts';
import type { Store } from '../../src/ports/store.ts';

/** A main that only goes forward, commit `m1` before `m2`. */
const store = { has: async () => true, isAncestor: async () => true } as unknown as Store;

function history(of: (not: string | null) => Record<string, number>): History {
  return { additions: async (_from, not) => new Map(Object.entries(of(not))) };
}

test('a task is as old as its instruction file; results, projections and the archive tell nothing', async () => {
  const seen = { 'tasks/a.md': 5, 'tasks/web/b.md': 7, 'tasks/a.result.md': 9, 'tasks/a.claim.json': 6, 'tasks/archive/2026-03/14/c.md': 8 };
  const ages = await openAges(createMemoryLocal(), store, history(() => seen));
  expect(await ages.at('m1')).toEqual(new Map([['a', 5], ['b', 7]]));
});

test('what one process has seen the next one knows, and only what came since is asked for', async () => {
  const local = createMemoryLocal();
  await (await openAges(local, store, history(() => ({ 'tasks/a.md': 5 })))).at('m1');
  const later = await openAges(local, store, history((not) => (not === 'm1' ? { 'tasks/b.md': 7 } : {})));
  expect(await later.at('m2')).toEqual(new Map([['a', 5], ['b', 7]]));
});

test('of very many tasks the newest are remembered: the others are all equally old', async () => {
  const many = Object.fromEntries(Array.from({ length: 25_000 }, (_, at) => [`tasks/t${at}.md`, at + 1]));
  const since = await (await openAges(createMemoryLocal(), store, history(() => many))).at('m1');
  expect(since.size).toBeLessThanOrEqual(20_000);
  expect([since.get('t24999'), since.get('t0')]).toEqual([25_000, undefined]);
  expect(Math.min(...since.values())).toBeGreaterThan(10_000);
});
