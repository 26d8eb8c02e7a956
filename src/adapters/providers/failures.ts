/** Why a provider's service gave no answer, in the words that CLIs and their services share: HTTP statuses and texts. Pure. */
import type { FailureKind } from '../../model/spawn.ts';

/** Searched in this order: a spent quota often names the error of the service too. */
const WORDS: readonly (readonly [FailureKind, RegExp])[] = [
  ['rate_limit', /rate.?limit|too many requests|(?:usage|session|hour|weekly|monthly|opus|sonnet) limit|hit your limit|quota|resource.?exhausted|credit balance is too low/i],
  ['auth', /authenticat|unauthori[sz]ed|not logged in|invalid (?:x-)?api.?key|api.?key not (?:valid|found)|please run \/login|oauth token|permission_(?:denied|error)/i],
  ['overloaded', /overloaded|internal server error|bad gateway|service unavailable|server_error|high demand/i],
  ['refused', /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|unable to connect|connection (?:refused|error|closed|reset)|fetch failed|error sending request|stream disconnected|timed out/i],
];
/** A status within a text, where no other was given: `API Error: 529`, `status 401`, `(429)`. */
const STATUS = /(?:error|status|code|http|exceeded retry limit)\D{0,24}\b([45]\d\d)\b|\(([45]\d\d)\)/i;

/**
 * `status` is the HTTP status of the service's last answer; null where none came or nobody says. 402 (no credit) is a
 * limit: it passes without a change of the credentials. Other 4xx are answers to a request that this provider cannot
 * take: an unknown model, a prompt that is too long. Null where neither says anything.
 */
export function failureOf(status: number | null, text: string): FailureKind | null {
  const said = WORDS.find(([, words]) => words.test(text))?.[0] ?? null;
  const found = STATUS.exec(text);
  const known = status ?? (found === null ? null : Number(found[1] ?? found[2]));
  if (known === null) return said;
  if (known === 429 || known === 402) return 'rate_limit';
  if (known === 401 || known === 403) return said === 'rate_limit' ? said : 'auth';
  if (known >= 500 && known <= 599) return 'overloaded';
  if (known >= 400) return said === 'rate_limit' || said === 'auth' ? said : 'refused';
  return said;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** No provider's window is longer than a month; what lies beyond was misread. */
const AHEAD_MS_MAX = 32 * 86_400_000;

/**
 * When a limit is over, as a text says it, read at `at` (ISO): `|1764000000`, an ISO time, `resets 3pm (Europe/Berlin)`,
 * `resets Nov 24 at 9:30am (UTC)`, `try again in 1h 20m`. A time of day without a zone is of this machine, whose clock the
 * CLI read. UTC ISO time; null where nothing of that kind is said.
 */
export function resetTime(text: string, at: string, zone?: string): string | null {
  const now = Date.parse(at);
  if (Number.isNaN(now)) return null;
  const epoch = /\|(\d{10})(?!\d)/.exec(text)?.[1];
  const iso = /\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)/.exec(text)?.[0];
  const ms = epoch === undefined ? (iso === undefined ? (durationIn(text, now) ?? clockTimeIn(text, now, zone)) : Date.parse(iso)) : Number(epoch) * 1000;
  return isoOf(ms, now);
}

/** UTC ISO time of a moment in Unix seconds, as limits are told by services; null for none and for one that cannot be. */
export function isoOfSeconds(seconds: unknown, at: string | null): string | null {
  if (typeof seconds !== 'number') return null;
  return isoOf(seconds * 1000, at === null ? null : Date.parse(at));
}

/** Null for what is no time, and for what lies more than a month ahead. */
function isoOf(ms: number | null, now: number | null): string | null {
  if (ms === null || !Number.isFinite(ms) || ms <= 0 || ms > 8.64e15) return null;
  return now !== null && ms - now > AHEAD_MS_MAX ? null : new Date(ms).toISOString();
}

function durationIn(text: string, now: number): number | null {
  const said = /\b(?:again|retry|reset(?:s|ting)?|retrying|available)\s+(?:in|after)\s+((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-z])[\s,]*(?:and\s+)?)+)/i.exec(text)?.[1];
  if (said === undefined) return null;
  const parts = [...said.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)];
  return now + Math.ceil(parts.reduce((sum, [, count = '0', unit = 's']) => sum + Number(count) * (UNIT_MS[/^m(?:s|illi)/i.test(unit) ? 'ms' : unit.charAt(0).toLowerCase()] ?? 0), 0));
}

/** The next such time of day in the zone that the text names. */
function clockTimeIn(text: string, now: number, local?: string): number | null {
  const found = /\b(?:resets?|again)\s+(?:at\s+)?(?:([A-Z][a-z]{2})[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(\d{4}))?(?:,|\s+at)?\s+)?(\d{1,2})(?::(\d\d))?\s*([ap]m)?\b(?:\s*\(([\w+/-]+)\))?/i.exec(text);
  if (found === null) return null;
  const [, month, day, year, hour = '0', minute, half, zone = local] = found;
  if (half === undefined && minute === undefined) return null;
  const hours = half === undefined ? Number(hour) : (Number(hour) % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
  const wall = wallTime(now, zone);
  if (wall === null || hours > 23 || Number(minute ?? 0) > 59) return null;
  const monthAt = month === undefined ? wall.getUTCMonth() : MONTHS.indexOf(month.toLowerCase());
  if (monthAt < 0) return null;
  const target = Date.UTC(year === undefined ? wall.getUTCFullYear() : Number(year), monthAt, day === undefined ? wall.getUTCDate() : Number(day), hours, Number(minute ?? 0));
  return now + aheadOf(target, wall.getTime(), month === undefined);
}

const MONTHS: readonly string[] = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY_MS = 86_400_000;

/** A time of day that is past is tomorrow's; a date that is past by months is next year's. */
function aheadOf(target: number, wall: number, isDaily: boolean): number {
  if (isDaily) return target > wall ? target - wall : target + DAY_MS - wall;
  return target < wall - 180 * DAY_MS ? target + 365 * DAY_MS - wall : target - wall;
}

/** The clock on the wall there, as if it were UTC; null for a zone that nobody knows. */
function wallTime(now: number, zone: string | undefined): Date | null {
  try {
    const parts = new Intl.DateTimeFormat('en-US', { ...(zone === undefined ? {} : { timeZone: zone }), hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }).formatToParts(new Date(now));
    const at = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
    return new Date(Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second')));
  } catch {
    return null;
  }
}
