/** Eight clones at once: a lock is one party's, and so are paths that overlap (PROTOCOL P2, P10). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLockSeats } from '../support/lockSeats.ts';
import type { LockSeats } from '../support/lockSeats.ts';
import { gitIn } from '../support/repo.ts';

let locks: LockSeats;
beforeAll(async () => {
  locks = await openLockSeats(8);
});
afterAll(() => locks.close());

describe('of 8 clones that all have read before any writes', () => {
  test('exactly one gets the lock, and the others are told who', async () => {
    const { ends, gathered } = await locks.race((node) => locks.take(node, 'deploy'));
    expect(gathered).toBe(true);
    const won = ends.filter((end) => end.state === 'published');
    expect(won).toHaveLength(1);
    const { holder } = locks.onHub('deploy');
    expect(won[0]?.state === 'published' && won[0].value.holder).toBe(holder);
    expect(ends.filter((end) => end.state === 'dropped' && end.drop.code === 'lost' && end.drop.detail.includes(holder))).toHaveLength(7);
    expect(gitIn(locks.hub, ['rev-list', '--count', 'refs/cambium/locks/deploy'])).toBe('1');
  });

  test('exactly one gets paths that all overlap, though no two asked for the same', async () => {
    const { ends, gathered } = await locks.race((node) => locks.reserve(node, [`api/*${node.identity.node.slice(3)}*/**`, 'api/**/same.ts']));
    expect(gathered).toBe(true);
    expect(ends.filter((end) => end.state === 'published')).toHaveLength(1);
    expect(locks.onHub('paths').reservations?.filter(({ globs }) => globs[1] === 'api/**/same.ts')).toHaveLength(1);
  });

  test('all get paths that do not overlap, in the one ref', async () => {
    const { ends } = await locks.race((node) => locks.reserve(node, [`own/${node.identity.node}/**`]));
    expect(ends.every((end) => end.state === 'published')).toBe(true);
    expect(locks.onHub('paths').reservations?.filter(({ globs }) => globs[0]?.startsWith('own/'))).toHaveLength(8);
  });
});
