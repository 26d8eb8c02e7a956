/**
 * `22:00-07:00` or `22:00-07:00 Europe/Berlin`: hours in which nothing is begun (cambium.yaml, `limits.quiet_hours`). It is a
 * person's wish, so the wall clock serves; nothing safe hangs on it. Pure.
 */

interface QuietHours {
  /** Minutes since midnight in the zone. An end before the start is on the next day. */
  readonly from: number;
  readonly to: number;
  readonly zone: string;
}

const FORM = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: ([A-Za-z0-9_+/-]{1,64}))?$/u;

function parse(text: string): QuietHours | null {
  const found = FORM.exec(text);
  if (found === null) return null;
  const [, fromH, fromM, toH, toM, zone = 'UTC'] = found;
  const hours = { from: Number(fromH) * 60 + Number(fromM), to: Number(toH) * 60 + Number(toM), zone };
  return hours.from === hours.to || minuteOfDay(0, zone) === null ? null : hours;
}

export const isQuietHours = (text: string): boolean => parse(text) !== null;

/** When the quiet ends as a UTC ISO time, while it lasts; else null. `now` is a UTC ISO time. */
export function quietUntil(text: string, now: string): string | null {
  const hours = parse(text);
  if (hours === null) return null;
  const { from, to, zone } = hours;
  const nowMs = Date.parse(now);
  const minute = minuteOfDay(nowMs, zone);
  if (minute === null) return null;
  const isQuiet = from < to ? minute >= from && minute < to : minute >= from || minute < to;
  if (!isQuiet) return null;
  const startOfMinute = nowMs - (nowMs % 60_000);
  const endMs = startOfMinute + ((to - minute + 1440) % 1440) * 60_000;
  // The zone's clock may be put forward or back in between.
  const off = (minuteOfDay(endMs, zone) ?? to) - to;
  const drift = off > 720 ? off - 1440 : off < -720 ? off + 1440 : off;
  return new Date(endMs - drift * 60_000).toISOString();
}

/** Null for a zone that nobody knows. */
function minuteOfDay(ms: number, zone: string): number | null {
  try {
    const parts = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(ms);
    const part = (type: string): number => Number(parts.find((candidate) => candidate.type === type)?.value ?? 0);
    return part('hour') * 60 + part('minute');
  } catch {
    return null;
  }
}
