/** Lengths of time as people say them. Pure. */

/** A time for people, coarse: `40 s`, `12 min`, `3 h`, `5 days`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  if (whole < 5_400) return `${Math.round(whole / 60)} min`;
  return whole < 172_800 ? `${Math.round(whole / 3_600)} h` : `${Math.round(whole / 86_400)} days`;
}

/** How long ago a UTC ISO time was; null for a text that is no time. `nowS`: seconds since 1970. */
export function agoOf(time: string, nowS: number): string | null {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : span(nowS - ms / 1000);
}
