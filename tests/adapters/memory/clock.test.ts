import { expect, test } from 'vitest';
import { createManualClock } from '../../../src/adapters/memory/clock.ts';
import { clockContract } from '../../contracts/clock.ts';

clockContract('manual', () => {
  const clock = createManualClock(1);
  return { clock, pass: (ms) => clock.advance(ms) };
});

test('the same seed gives the same ids and bytes, another seed others', () => {
  const [a, b, c] = [createManualClock(7), createManualClock(7), createManualClock(8)];
  expect([a.ulid(), ...a.randomBytes(8)]).toEqual([b.ulid(), ...b.randomBytes(8)]);
  expect(a.ulid()).not.toBe(c.ulid());
});

test('sleepers wake in the order of time, each at its own, also those who sleep again meanwhile', async () => {
  const clock = createManualClock(1);
  const start = clock.bootMs();
  const seen: string[] = [];
  const beat = async (name: string, ms: number): Promise<void> => {
    for (;;) {
      await clock.sleep(ms);
      seen.push(`${name}${clock.bootMs() - start}`);
    }
  };
  void beat('a', 30);
  void beat('b', 20);
  await clock.advance(70);
  expect(seen).toEqual(['b20', 'a30', 'b40', 'a60', 'b60']);
  expect(clock.bootMs() - start).toBe(70);
  expect(clock.nextWakeMs()).toBe(start + 80);
});

test('a jump of the wall clock does not move the boot clock', () => {
  const clock = createManualClock(1);
  const [boot, wall] = [clock.bootMs(), clock.now().getTime()];
  clock.jumpWall(-3_600_000);
  expect([clock.bootMs(), clock.now().getTime()]).toEqual([boot, wall - 3_600_000]);
});
