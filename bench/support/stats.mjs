/** Medians and spread of timings, and interleaved measuring: what is compared runs in turn, so that a busy machine hits all alike. */

/** The value below which the share `at` (0 to 1) of the sorted values lies. */
export function quantile(values, at) {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const place = (sorted.length - 1) * at;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  return below + (above - below) * (place - Math.floor(place));
}

export const median = (values) => quantile(values, 0.5);

/** `{ median, low, high, n }`: low and high are the 10th and 90th percentile. */
export function summarize(values) {
  return { median: median(values), low: quantile(values, 0.1), high: quantile(values, 0.9), n: values.length };
}

/** Median of the ratios of pairs that ran next to each other: drift of the machine cancels out of each pair. */
export function pairedRatio(values, others) {
  const count = Math.min(values.length, others.length);
  return median(Array.from({ length: count }, (_, at) => values[at] / others[at]));
}

/** Milliseconds that `work` takes. */
export async function timed(work) {
  const started = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - started) / 1e6;
}

/**
 * Runs every variant once a round, in turn and from the other end in every second round, after `warmup` rounds that do
 * not count. A variant returns its own milliseconds, or nothing and is timed here. Returns a list of values a variant.
 */
export async function interleave(variants, { rounds, warmup = 1 }) {
  const names = Object.keys(variants);
  const values = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -warmup; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      let own;
      const spent = await timed(async () => {
        own = await variants[name](round);
      });
      if (round >= 0) values[name].push(typeof own === 'number' ? own : spent);
    }
  }
  return values;
}

/**
 * One row of a table. `unit`: ms or /s. `against`: { what, values } that ran beside it; `aim`: the most (or, with
 * `atLeast`, the least) that the ratio (or, without `against`, the value) may be.
 */
export function row({ what, values, unit = 'ms', against, aim, atLeast = false, note }) {
  const own = summarize(values);
  const other = against === undefined ? null : summarize(against.values);
  const ratio = against === undefined ? null : pairedRatio(values, against.values);
  const judged = ratio ?? own.median;
  const met = aim === undefined ? null : atLeast ? judged >= aim : judged <= aim;
  return {
    what, unit, ...own, against: against === undefined ? null : { what: against.what, ...other }, ratio,
    aim: aim === undefined ? null : { value: aim, atLeast, of: ratio === null ? unit : 'ratio' }, met, note: note ?? null,
  };
}
