/** What every Clock promises. `pass` lets `ms` go by on it. */
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';

export interface ClockWorld {
  readonly clock: Clock;
  pass(ms: number): Promise<void>;
}

export function clockContract(name: string, create: () => ClockWorld): void {
  describe(`a clock (${name})`, () => {
    test('the boot clock never goes back and counts what passes', async () => {
      const { clock, pass } = create();
      const before = clock.bootMs();
      await pass(60);
      // /proc/uptime has steps of 10 ms.
      expect(clock.bootMs() - before).toBeGreaterThanOrEqual(50);
    });

    test('sleep resolves when its time has passed and not before', async () => {
      const { clock, pass } = create();
      const before = clock.bootMs();
      let woken = false;
      const sleeping = clock.sleep(50).then(() => (woken = true));
      await Promise.resolve();
      expect(woken).toBe(false);
      await pass(80);
      await sleeping;
      expect(clock.bootMs() - before).toBeGreaterThanOrEqual(40);
    });

    test('an abort wakes a sleeper at once, and one that came before keeps it from sleeping', async () => {
      const { clock } = create();
      const stop = new AbortController();
      const sleeping = clock.sleep(3_600_000, stop.signal);
      stop.abort();
      await sleeping;
      await clock.sleep(3_600_000, stop.signal);
    });

    test('ids are ULIDs, unique, and sort in the order they were made', () => {
      const { clock } = create();
      const ids = Array.from({ length: 500 }, () => clock.ulid());
      expect(ids.every((id) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id))).toBe(true);
      expect(ids.toSorted()).toEqual(ids);
      expect(new Set(ids).size).toBe(500);
    });

    test('an id begins with the wall-clock time', () => {
      const { clock } = create();
      const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
      const time = Array.from(clock.ulid().slice(0, 10)).reduce((sum, char) => sum * 32 + alphabet.indexOf(char), 0);
      expect(Math.abs(time - clock.now().getTime())).toBeLessThan(60_000);
    });

    test('random bytes are as many as asked for and not the same twice', () => {
      const { clock } = create();
      const [a, b] = [clock.randomBytes(16), clock.randomBytes(16)];
      expect([a.length, b.length]).toEqual([16, 16]);
      expect(a).not.toEqual(b);
    });
  });
}
