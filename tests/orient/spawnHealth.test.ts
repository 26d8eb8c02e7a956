import { describe, expect, test } from 'vitest';
import { sicknessOf, stateOf } from '../../src/orient/spawnHealth.ts';
import type { SpawnVitals } from '../../src/orient/spawnHealth.ts';

const well: SpawnVitals = { alive: 'running', ageMs: 120_000, quietMs: 1_000, timeoutMs: 600_000, silenceMs: 180_000, graceMs: 10_000, namesSession: true, keeper: 'daemon' };

describe('a spawn', () => {
  test('that says something now and then is well, up to the last moment of its limits', () => {
    expect(sicknessOf(well)).toBeNull();
    expect(sicknessOf({ ...well, ageMs: 599_999, quietMs: 179_999 })).toBeNull();
    expect(stateOf(well, null)).toBe('running');
    expect(stateOf({ ...well, alive: 'starting' }, null)).toBe('starting');
  });

  test.each<[string, Partial<SpawnVitals>, string, string]>([
    ['whose supervisor is gone is dead, whatever else', { alive: 'lost', ageMs: 10 }, 'dead', 'lost'],
    ['that runs for longer than it may is over time', { ageMs: 600_000 }, 'over-time', 'over time'],
    ['that has said nothing for its silence is stalled', { quietMs: 180_000 }, 'silent', 'stalled'],
    ['that never said anything is silent too when its silence is over', { quietMs: null, ageMs: 180_000 }, 'silent', 'stalled'],
    ['whose CLI has named no session for a minute waits for something', { quietMs: null, ageMs: 60_000 }, 'no-session', 'no session'],
  ])('%s', (_name, more, rule, state) => {
    const vitals = { ...well, ...more };
    const sickness = sicknessOf(vitals);
    expect(sickness).toMatchObject({ rule });
    expect(stateOf(vitals, sickness)).toBe(state);
  });

  test.each<[string, Partial<SpawnVitals>]>([
    ['of a program without sessions may be quiet for a minute', { namesSession: false, quietMs: null, ageMs: 60_000 }],
    ['that has just begun has time to name its session', { quietMs: null, ageMs: 59_999 }],
    ['without limits is never over them', { timeoutMs: null, silenceMs: null, ageMs: 86_400_000, quietMs: 80_000_000 }],
  ])('%s', (_name, more) => expect(sicknessOf({ ...well, ...more })).toBeNull());

  test('says who does something about it', () => {
    const action = (more: Partial<SpawnVitals>): string => sicknessOf({ ...well, ...more })?.action ?? '';
    expect(action({ alive: 'lost', keeper: 'daemon' })).toMatch(/^The daemon ends what it left/);
    expect(action({ alive: 'lost', keeper: 'next daemon' })).toMatch(/`cambium up`.*`cambium spawn cleanup`/);
    expect(action({ alive: 'lost', keeper: 'nobody' })).toMatch(/^`cambium spawn cleanup`.*marks it as lost/);
    expect(action({ ageMs: 600_000 })).toMatch(/^Its supervisor is ending it/);
    expect(action({ ageMs: 600_000 + 25_001 })).toMatch(/should have ended it.*`cambium spawn stop`/);
  });
});
