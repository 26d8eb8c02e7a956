/** What holds of locks and reservations when several clones ask at once (PROTOCOL P2, P10). `seats` gives as many as `count`. */
import { describe, expect, test } from 'vitest';
import type { LockSeats } from '../support/lockSeats.ts';
import { gitIn } from '../support/repo.ts';

export function lockRaceContract(count: number, seats: () => LockSeats): void {
  describe(`of ${count} clones that all have read before any writes`, () => {
    test('exactly one gets the lock, and the others are told who', async () => {
      const { ends, gathered } = await seats().race((node) => seats().take(node, 'deploy'));
      expect(gathered).toBe(true);
      const won = ends.filter((end) => end.state === 'published');
      expect(won).toHaveLength(1);
      const { holder } = seats().onHub('deploy');
      expect(won[0]?.state === 'published' && won[0].value.holder).toBe(holder);
      expect(ends.filter((end) => end.state === 'dropped' && end.drop.code === 'lost' && end.drop.detail.includes(holder))).toHaveLength(count - 1);
      expect(gitIn(seats().hub, ['rev-list', '--count', 'refs/cambium/locks/deploy'])).toBe('1');
    });

    test('exactly one gets paths that all overlap, though no two asked for the same', async () => {
      const { ends, gathered } = await seats().race((node) => seats().reserve(node, [`api/*${node.identity.node.slice(3)}*/**`, 'api/**/same.ts']));
      expect(gathered).toBe(true);
      expect(ends.filter((end) => end.state === 'published')).toHaveLength(1);
      expect(seats().onHub('paths').reservations?.filter(({ globs }) => globs[1] === 'api/**/same.ts')).toHaveLength(1);
    });

    test('all get paths that do not overlap, in the one ref', async () => {
      const { ends } = await seats().race((node) => seats().reserve(node, [`own/${node.identity.node}/**`]));
      expect(ends.every((end) => end.state === 'published')).toBe(true);
      expect(seats().onHub('paths').reservations?.filter(({ globs }) => globs[0]?.startsWith('own/'))).toHaveLength(count);
    });
  });
}
