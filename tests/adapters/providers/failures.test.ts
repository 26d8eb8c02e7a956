/** Why a service gave no answer, in the words of those who said so. */
import { describe, expect, test } from 'vitest';
import { failureOf, isoOfSeconds, resetTime } from '../../../src/adapters/providers/failures.ts';

describe('why there was no answer', () => {
  test.each([
    [429, '', 'rate_limit'], [402, 'Payment required', 'rate_limit'], [401, '', 'auth'], [403, 'OAuth token has been revoked', 'auth'], [500, '', 'overloaded'], [529, 'x', 'overloaded'], [503, '', 'overloaded'],
    [400, 'Your credit balance is too low to access the API', 'rate_limit'], [400, 'API key not valid. Please pass a valid API key.', 'auth'], [404, 'model: nope', 'refused'], [400, 'prompt is too long: 300500 tokens > 200500 maximum', 'refused'],
    [403, 'Quota exceeded for quota metric', 'rate_limit'],
    [null, 'API Error: 529 overloaded_error', 'overloaded'], [null, 'exceeded retry limit, last status: 429 Too Many Requests', 'rate_limit'], [null, 'unexpected status 401 Unauthorized', 'auth'], [null, 'API Error: Request rejected (429) · x', 'rate_limit'],
    [null, "You've hit your 5-hour limit · resets 4:38pm (UTC)", 'rate_limit'], [null, 'Not logged in · Please run /login', 'auth'], [null, 'Claude AI usage limit reached|1763740000', 'rate_limit'],
    [null, 'connect ECONNREFUSED 127.0.0.1:1', 'refused'], [null, 'fetch failed', 'refused'], [null, 'error sending request for url (http://127.0.0.1:1/v1/responses)', 'refused'],
    [null, 'Wrote 500 lines to status.txt', null], [null, '', null], [200, 'fine', null],
  ] as const)('%j %j: %s', (status, text, kind) => {
    expect(failureOf(status, text)).toBe(kind);
  });
});

describe('when a limit is over', () => {
  const at = '2026-11-21T15:28:10.000Z';
  test.each([
    ['Claude AI usage limit reached|1795279134', '2026-11-21T16:38:54.000Z'],
    ['resets 4:38pm (UTC)', '2026-11-21T16:38:00.000Z'], ['resets 3pm (UTC)', '2026-11-22T15:00:00.000Z'], ['resets at 09:05', '2026-11-22T09:05:00.000Z'],
    ['resets 3pm (America/New_York)', '2026-11-21T20:00:00.000Z'], ['resets 1am (Asia/Kolkata)', '2026-11-21T19:30:00.000Z'], ['resets 12am (UTC)', '2026-11-22T00:00:00.000Z'],
    ['resets Nov 24, 9:30am (Europe/Berlin)', '2026-11-24T08:30:00.000Z'], ['try again at Dec 2nd, 2026 12:01 AM', '2026-12-02T00:01:00.000Z'], ['resets Dec 22 at 9am (UTC)', '2026-12-22T09:00:00.000Z'],
    ['Please try again in 1.2s.', '2026-11-21T15:28:11.200Z'], ['try again in 1 hour 20 minutes', '2026-11-21T16:48:10.000Z'], ['Please retry in 37.5s', '2026-11-21T15:28:47.500Z'],
    ['try again in 3 days, 4 hours and 5 minutes.', '2026-11-24T19:33:10.000Z'], ['quota will reset after 18h31m10s', '2026-11-22T09:59:20.000Z'], ['try again in 250ms', '2026-11-21T15:28:10.250Z'],
    ['available again after 2026-11-22T00:00:00Z', '2026-11-22T00:00:00.000Z'],
    ['resets 3pm (Nowhere/Atall)', null], ['resets 25:00 (UTC)', null], ['resets in the 3 files', null], ['resets Foo 3, 3pm', null], ['|9999999999', null], ['try again in 900 days', null], ['it says nothing', null],
  ])('%j: %s', (text, reset) => {
    expect(resetTime(text, at, 'UTC')).toBe(reset);
  });

  test('a date of January, told in November, is of the next year', () => {
    expect(resetTime('resets Jan 2, 3am (UTC)', '2026-12-20T00:00:00.000Z')).toBe('2027-01-02T03:00:00.000Z');
  });

  test('seconds that cannot be are no time', () => {
    expect([isoOfSeconds(1795279134, null), isoOfSeconds(1e300, null), isoOfSeconds(Number.NaN, null), isoOfSeconds(-1, null), isoOfSeconds('1795279134', null)]).toEqual(['2026-11-21T16:38:54.000Z', null, null, null, null]);
  });
});
