import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createSystemClock } from '../../../src/adapters/system/clock.ts';
import { createUlid } from '../../../src/adapters/system/ulid.ts';
import { clockContract } from '../../contracts/clock.ts';
import { startProgram } from '../../support/program.ts';

clockContract('system', () => {
  const clock = createSystemClock();
  return { clock, pass: (ms) => clock.sleep(ms) };
});

test('the boot clock is shared by all processes of this boot', async () => {
  const clock = createSystemClock();
  const before = clock.bootMs();
  const other = startProgram("console.log(require('node:fs').readFileSync('/proc/uptime', 'utf8'))".replace('require', "(await import('node:module')).createRequire('/')"));
  const theirs = Number.parseFloat(await other.line()) * 1000;
  expect(theirs).toBeGreaterThanOrEqual(before - 10);
  expect(clock.bootMs()).toBeGreaterThanOrEqual(theirs - 10);
  expect(Math.abs(clock.bootMs() - Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000)).toBeLessThan(5000);
});

test('ids keep rising when the wall clock steps back', () => {
  let nowMs = 2_000_000_000_000;
  const ulid = createUlid({ nowMs: () => nowMs, randomBytes: (count) => new Uint8Array(count).fill(255) });
  const first = ulid();
  nowMs -= 3_600_000;
  expect(ulid() > first).toBe(true);
});
