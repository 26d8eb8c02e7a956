/** Start times by ps are part of a process's identity (PROTOCOL P4.5): they may not depend on who asks. */
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { parsePs, psProcess } from '../../../src/adapters/system/processTablePs.ts';

const zone = process.env['TZ'];
const hasPs = spawnSync('ps', ['-o', 'lstart=', '-p', String(process.pid)]).status === 0;

afterEach(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

function inZone<T>(name: string, ask: () => T): T {
  process.env['TZ'] = name;
  return ask();
}

describe('a start time by ps', () => {
  const ZONES = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Auckland'];

  test.skipIf(!hasPs)('is the same for askers in every time zone', () => {
    const starts = ZONES.map((name) => inZone(name, () => psProcess(process.pid)?.start));
    expect(new Set(starts).size).toBe(1);
    expect(Math.abs((starts[0] ?? 0) - (Date.now() / 1000 - process.uptime()))).toBeLessThan(3_600);
  });

  test('is read as UTC: no hour of the year comes twice', () => {
    const starts = ZONES.map((name) => inZone(name, () => parsePs('   41     1 Ss   Sun Oct 25 02:30:00 2026\n')[0]?.start));
    expect(starts).toEqual(ZONES.map(() => Date.UTC(2026, 9, 25, 2, 30) / 1000));
  });
});
