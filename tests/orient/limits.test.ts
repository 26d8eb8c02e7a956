/** Pure rules of limits: parks, stand-ins, budgets, quiet hours, what counts as the same failure, what wishes do. */
import { describe, expect, test } from 'vitest';
import { UNLIMITED } from '../../src/model/limits.ts';
import type { LimitFacts } from '../../src/model/limits.ts';
import type { ProviderPark } from '../../src/model/providers.ts';
import { isQuietHours, quietUntil } from '../../src/model/quietHours.ts';
import { UNKNOWN_SPAWN } from '../../src/model/seenSpawn.ts';
import type { SpawnFacts } from '../../src/model/seenSpawn.ts';
import { NO_STOP } from '../../src/model/stop.ts';
import { DEFAULT_CONFIG } from '../../src/observe/fleetConfig.ts';
import { spentFor, spentOn } from '../../src/orient/budgets.ts';
import { mayStart, providerWait } from '../../src/orient/limits.ts';
import { brokenProvider, failureText, holdsFor, isInForce, isProvidersFault, modelFor, parkAfter, providersFor, settingsOf } from '../../src/orient/providers.ts';
import type { ParkRequest } from '../../src/orient/providers.ts';
import { stopped, wentOn, withPause, withoutPause } from '../../src/orient/wishes.ts';
import { NOW, agentOf, taskOf } from '../support/situations.ts';

const ask = (more: Partial<ParkRequest> = {}): ParkRequest => ({ provider: 'claude', node: 'vm-a', failure: 'rate_limit', reason: 'limit\nreached', resetAt: null, now: NOW, scope: 'node', settings: 's', resumed: null, before: null, ...more });
const at = (minutes: number): string => new Date(Date.parse(NOW) + minutes * 60_000).toISOString();
const parkOf = (more: Partial<ProviderPark> = {}): ProviderPark => ({ ...parkAfter(ask()), settings: settingsOf(DEFAULT_CONFIG, 'claude'), ...more });
const facts = (more: Partial<LimitFacts> = {}): LimitFacts => ({ ...UNLIMITED, config: DEFAULT_CONFIG, ...more });
const WISH = { by: 'human:Maria', why: null, at: NOW };

describe('a park', () => {
  test('lasts until the reset that was named, or a minute', () => {
    expect(parkAfter(ask({ resetAt: at(90) }))).toMatchObject({ until: at(90), times: 1, reason: 'limit reached' });
    expect(parkAfter(ask())).toMatchObject({ until: at(1) });
    expect(parkAfter(ask({ resetAt: at(-5) }))).toMatchObject({ until: at(1) });
    expect(parkAfter(ask({ resetAt: 'soon' }))).toMatchObject({ until: at(1) });
  });

  test('for ever is none: a garbled reset is bounded by eight days', () => {
    expect(parkAfter(ask({ resetAt: '9999-01-01T00:00:00Z' })).until).toBe(at(8 * 24 * 60));
  });

  test('a reset that was promised and did not come is believed no longer', () => {
    expect(parkAfter(ask({ resetAt: at(0.01), before: parkOf({ times: 3 }) }))).toMatchObject({ until: at(8), times: 4 });
  });

  test('without credentials waits for a person, or for other settings', () => {
    const park = parkOf({ failure: 'auth', until: null });
    expect(isInForce(park, { stop: NO_STOP, config: DEFAULT_CONFIG, now: '2099-01-01T00:00:00Z' })).toBe(true);
    expect(isInForce(park, { stop: NO_STOP, config: { providers: { claude: { kind: 'claude', command: ['c'], env: {}, baseUrl: null, models: {} } } }, now: NOW })).toBe(false);
    expect(isInForce(park, { stop: { ...NO_STOP, resumed: { claude: { ...WISH, op: 'x' } } }, config: DEFAULT_CONFIG, now: NOW })).toBe(false);
  });

  test('of another node holds where one account serves all, and for a rate limit only', () => {
    expect([holdsFor(parkOf(), 'vm-a'), holdsFor(parkOf(), 'vm-b'), holdsFor(parkOf({ scope: 'fleet' }), 'vm-b'), holdsFor(parkOf({ scope: 'fleet', failure: 'auth' }), 'vm-b')]).toEqual([true, false, true, false]);
  });

  test('is told with its end and how to end it sooner', () => {
    expect(providerWait(facts({ parks: [parkOf({ until: at(5) })] }), 'claude', NOW)).toEqual({ kind: 'parked', reason: 'claude is parked on vm-a until 2026-11-21T12:05:00Z (rate limit: limit reached)', until: at(5), mend: 'Sooner with `cambium provider resume claude`.' });
    expect(providerWait(facts({ parks: [parkOf({ until: at(5) })] }), 'claude', at(5))).toBeNull();
  });
});

describe('who stands in', () => {
  const agent = agentOf('ann', { provider: 'claude', fallback: ['codex', 'runbook', 'claude', 'codex', 'gemini'] });

  test.each([[null, ['claude', 'codex', 'gemini']], ['claude', ['claude', 'codex', 'gemini']], ['codex', ['codex']]])('for a task that names %s', (provider, expected) => {
    expect(providersFor(agent, provider === null ? {} : { provider })).toEqual(expected);
  });

  test('is asked for the same tier, and for no name of another\'s models', () => {
    const config = { providers: { codex: { kind: 'codex', command: [], env: {}, baseUrl: null, models: { big: 'gpt-9' } } } } as const;
    expect(['daily', 'claude-x', 'big', null].map((asked) => modelFor(config, 'codex', 'claude', asked))).toEqual(['daily', null, 'big', null]);
    expect(modelFor(config, 'claude', 'claude', 'claude-x')).toBe('claude-x');
  });

  test.each([['rate_limit', 50, true], ['overloaded', 50, true], ['auth', 0, true], ['refused', 0, true], ['refused', null, true], ['refused', 1, false], ['crashed', 0, false], ['hung', 0, false], ['empty', 0, false], ['denied', 0, false], [null, 0, false]] as const)('%s after %s tokens is the provider\'s fault: %s', (failure, output, expected) => {
    expect(isProvidersFault(failure, output)).toBe(expected);
  });
});

const spawn = (id: string, more: Partial<SpawnFacts> = {}): SpawnFacts => ({ ...UNKNOWN_SPAWN, id, agent: 'ann', task: id, provider: 'claude', start: NOW, end: NOW, outcome: 'failed', failure: 'hung', ...more });

test('a provider is broken when three of its last five failed alike on more than one task', () => {
  expect(brokenProvider([spawn('a'), spawn('b'), spawn('c')], 'claude')).toEqual({ failure: 'hung', times: 3 });
  expect(brokenProvider([spawn('a'), spawn('b')], 'claude')).toBeNull();
  expect(brokenProvider([spawn('a', { task: 't' }), spawn('b', { task: 't' }), spawn('c', { task: 't' })], 'claude')).toBeNull();
  expect(brokenProvider([spawn('a'), spawn('b'), spawn('c', { failure: 'crashed' })], 'claude')).toBeNull();
  expect(brokenProvider([spawn('a'), spawn('b'), spawn('c')], 'codex')).toBeNull();
  const well = ['d', 'e', 'f'].map((id) => spawn(id, { failure: null, outcome: 'succeeded', end: at(1) }));
  expect(brokenProvider([spawn('a'), spawn('b'), spawn('c'), ...well], 'claude')).toBeNull();
});

test('two failures are the same when they differ in numbers, paths and ids only', () => {
  const first = failureText('Test failed at /tmp/x1/a.ts:12 after 3.2 s (01JD0Z8M3N01JD0Z8M3N01JD0Z), commit 4e1f0aa9');
  expect(failureText('test failed at  /home/b/c.ts:99 after 14.1 s (01JD0Z8M3P01JD0Z8M3P01JD0Z), commit 00ff12ab')).toBe(first);
  expect(failureText('Build failed at /tmp/x1/a.ts:12 after 3.2 s')).not.toBe(first);
});

describe('money', () => {
  const ledger = [spawn('a', { costUsd: 1, usage: { input: 10, cached: 8, output: 5 } }), spawn('b', { agent: 'bob', costUsd: null, usage: { input: 100, cached: 0, output: 0 } }), spawn('c', { start: '2026-11-20T23:59:00Z', costUsd: 7 })];
  const live = [{ agent: 'ann', task: 'd', usd: 0.5, tokens: 20 }];

  test('is counted by the UTC day of a spawn\'s start, what runs with it', () => {
    expect(spentOn({ ledger, live }, '2026-11-21')).toEqual({ usd: 1.5, tokens: 135 });
    expect(spentOn({ ledger, live }, '2026-11-21', 'bob')).toEqual({ usd: 0, tokens: 100 });
    expect(spentFor({ ledger, live }, 'd')).toEqual({ usd: 0.5, tokens: 20 });
  });

  test('of a task or of an agent keeps no other back', () => {
    const limits = { ...DEFAULT_CONFIG.limits, usdPerTask: 1, usdPerAgentDay: 1 };
    const config = { ...DEFAULT_CONFIG, limits, agents: { bob: { role: 'worker', node: '*', provider: 'claude', model: null, fallback: [], capabilities: [], constitution: null, sandbox: 'auto', handle: null, stop: 'remind', usdPerDay: 5 } as const } };
    const with_ = (agent: string, task: string): string | null => mayStart(facts({ config, ledger, live }), agentOf(agent, { provider: 'claude' }), { task: taskOf(task), provider: null }, NOW)?.reason ?? null;
    expect(with_('bob', 'a')).toBe('the budget of $1.00 of task a is used up ($1.00 spent)');
    expect(with_('ann', 'x')).toBe('the budget of $1.00 of ann for today is used up ($1.50 spent)');
    expect(with_('bob', 'x')).toBeNull();
  });
});

describe('quiet hours', () => {
  test.each([
    ['22:00-07:00', '2026-11-21T21:59:59.000Z', null], ['22:00-07:00', '2026-11-21T22:00:00.000Z', '2026-11-22T07:00:00.000Z'], ['22:00-07:00', '2026-11-22T06:59:00.000Z', '2026-11-22T07:00:00.000Z'], ['22:00-07:00', '2026-11-22T07:00:00.000Z', null],
    ['09:00-17:00', '2026-11-21T12:30:30.000Z', '2026-11-21T17:00:00.000Z'], ['09:00-17:00', '2026-11-21T08:00:00.000Z', null],
    ['22:00-07:00 Europe/Berlin', '2026-11-21T21:00:00.000Z', '2026-11-22T06:00:00.000Z'],
    // The night in which Berlin's clocks go forward: 07:00 there is 05:00 UTC, an hour earlier than the day before.
    ['22:00-07:00 Europe/Berlin', '2026-03-28T22:00:00.000Z', '2026-03-29T05:00:00.000Z'],
  ])('%s at %s: until %s', (hours, now, until) => expect(quietUntil(hours, now)).toBe(until));

  test.each([['22:00-07:00', true], ['22:00-07:00 Europe/Berlin', true], ['24:00-07:00', false], ['22-07', false], ['22:00-22:00', false], ['22:00-07:00 Mars/Olympus', false], ['22:00-07:00; rm', false]])('%s may be written: %s', (hours, good) => expect(isQuietHours(hours)).toBe(good));
});

describe('wishes', () => {
  test('change nothing where all is so already', () => {
    const frozen = stopped(NO_STOP, 'freeze', WISH);
    expect(frozen === null ? null : stopped(frozen, 'freeze', WISH)).toBeNull();
    expect(frozen === null ? null : stopped(frozen, 'drain', WISH)?.fleet?.mode).toBe('drain');
    expect(wentOn(NO_STOP)).toBeNull();
    expect(withoutPause(NO_STOP, 'agent', 'ann', { wish: WISH, op: 'x', parked: false })).toBeNull();
  });

  test('about one thing leave the others as they are', () => {
    const both = withPause(withPause(NO_STOP, 'agent', 'ann', WISH) ?? NO_STOP, 'agent', 'bob', WISH) ?? NO_STOP;
    expect(Object.keys(withoutPause(both, 'agent', 'ann', { wish: WISH, op: 'x', parked: false })?.agents ?? {})).toEqual(['bob']);
    expect(withoutPause(both, 'provider', 'claude', { wish: WISH, op: 'x', parked: true })).toMatchObject({ agents: both.agents, resumed: { claude: { op: 'x' } } });
  });

  test('of a name such as `constructor` pause that name and nothing by luck', () => {
    expect(providerWait(facts(), 'constructor', NOW)).toBeNull();
    expect(withPause(NO_STOP, 'agent', 'constructor', WISH)?.agents).toEqual({ constructor: WISH });
  });
});
