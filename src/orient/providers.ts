/**
 * Which provider an agent may be run with now, and when one is parked (docs/decisions, DESIGN 9). Pure: times are UTC ISO
 * texts; a reset is the provider's own word, and nothing safe hangs on it.
 */
import { TIERS } from '../model/config.ts';
import type { FleetConfig } from '../model/config.ts';
import { fnv1a } from '../model/hash.ts';
import type { ProviderPark } from '../model/providers.ts';
import type { LocalAgent } from '../model/snapshot.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import type { FailureKind } from '../model/spawn.ts';
import type { StopRecord } from '../model/stop.ts';
import type { Task } from '../model/task.ts';

/** Runs shell blocks as they stand: never a stand-in for an agent that was meant to think (DESIGN 9). */
const RUNBOOK = 'runbook';

/**
 * Providers for the agent's work, in the order in which they are tried: its own, then its fallback. A task that names a
 * provider gets there only what is named for it: the fallback belongs to the agent's own provider.
 */
export function providersFor(agent: Pick<LocalAgent, 'provider' | 'fallback'>, task: Pick<Task, 'provider'> | null): readonly string[] {
  const first = task?.provider ?? agent.provider;
  const fallback = first === agent.provider ? (agent.fallback ?? []).filter((name) => name !== RUNBOOK && name !== first) : [];
  return [first, ...new Set(fallback)];
}

/** The model to ask a stand-in for: a tier means the same everywhere, any other name only where the provider lists it. */
export function modelFor({ providers }: Pick<FleetConfig, 'providers'>, name: string, own: string, asked: string | null): string | null {
  if (asked === null || name === own || TIERS.some((tier) => tier === asked)) return asked;
  return Object.hasOwn(providers, name) && Object.hasOwn(providers[name]?.models ?? {}, asked) ? asked : null;
}

/** Failures that say nothing about the work: no attempt is spent on them, and the provider is left alone for a while. */
export function isProvidersFault(failure: FailureKind | null, outputTokens: number | null): boolean {
  // Half an answer means that a connection was there: what broke it may be the work.
  if (failure === 'refused') return (outputTokens ?? 0) === 0;
  return failure === 'auth' || failure === 'rate_limit' || failure === 'overloaded';
}

const BACKOFF_MIN_MS = 60_000;
const BACKOFF_MAX_MS = 3_600_000;
/** A garbled time must not park a provider for ever; weekly limits are the longest there are. */
const RESET_MAX_MS = 8 * 86_400_000;

export interface ParkRequest {
  readonly provider: string;
  readonly node: string;
  readonly failure: FailureKind;
  readonly reason: string;
  /** UTC ISO time that the provider named; null where it did not. */
  readonly resetAt: string | null;
  readonly now: string;
  readonly scope: 'node' | 'fleet';
  readonly settings: string;
  readonly resumed: string | null;
  /** The provider's last park here; null where it has worked since. */
  readonly before: ProviderPark | null;
}

/** Until its reset, else for one minute doubling to an hour; without credentials until a person says so. */
export function parkAfter({ before, now, resetAt, ...said }: ParkRequest): ProviderPark {
  const times = (before?.times ?? 0) + 1;
  const nowMs = Date.parse(now);
  const backoff = nowMs + Math.min(BACKOFF_MIN_MS * 2 ** Math.min(times - 1, 10), BACKOFF_MAX_MS);
  const reset = resetAt === null ? NaN : Date.parse(resetAt);
  const named = reset > nowMs ? Math.min(reset, nowMs + RESET_MAX_MS) : null;
  // A reset that was promised and did not come is believed no longer: the later of both.
  const untilMs = named === null ? backoff : times === 1 ? named : Math.max(named, backoff);
  return { ...said, reason: oneLine(said.reason), since: now, until: said.failure === 'auth' ? null : new Date(untilMs).toISOString(), times };
}

const REASON_MAX = 300;

const oneLine = (text: string): string => text.replace(/\s+/gu, ' ').trim().slice(0, REASON_MAX);

/** Changes when the provider's entry in cambium.yaml does: new settings deserve a new try. */
export function settingsOf({ providers }: Pick<FleetConfig, 'providers'>, name: string): string {
  return fnv1a(JSON.stringify(Object.hasOwn(providers, name) ? providers[name] : null)).toString(16);
}

export const lastResume = ({ resumed }: StopRecord, name: string): string | null => (Object.hasOwn(resumed, name) ? (resumed[name]?.op ?? null) : null);

/** Over when its time has come, when a person has resumed the provider since, or when what waits for a person has other settings now. */
export function isInForce(park: ProviderPark, { stop, config, now }: { readonly stop: StopRecord; readonly config: Pick<FleetConfig, 'providers'>; readonly now: string }): boolean {
  if (lastResume(stop, park.provider) !== park.resumed) return false;
  return park.until === null ? settingsOf(config, park.provider) === park.settings : park.until > now;
}

/** What keeps one node from asking the provider: its own parks, and rate limits of an account that all nodes share. */
export function holdsFor(park: ProviderPark, node: string): boolean {
  return park.node === node || (park.scope === 'fleet' && park.failure === 'rate_limit');
}

const LAST = 5;
const SAME = 3;
const TELLING: ReadonlySet<string> = new Set(['hung', 'crashed', 'empty', 'denied', 'refused']);

/**
 * Three of the last five spawns of a provider failed in the same way, on more than one task: the provider is at fault, not
 * the work. Null while nothing says so. `ledger` in any order.
 */
export function brokenProvider(ledger: readonly SpawnFacts[], provider: string): { readonly failure: FailureKind; readonly times: number } | null {
  const last = ledger.filter((spawn) => spawn.provider === provider && spawn.outcome !== 'stopped' && spawn.outcome !== 'fenced').toSorted((a, b) => ((a.end ?? '') < (b.end ?? '') ? 1 : -1)).slice(0, LAST);
  for (const failure of TELLING) {
    const same = last.filter((spawn) => spawn.failure === failure);
    if (same.length >= SAME && new Set(same.map(({ task, id }) => task ?? id)).size > 1) return { failure: failure as FailureKind, times: same.length };
  }
  return null;
}

/**
 * What a failure is when its changing parts are taken out: times, sizes, ids, paths. Two reasons with the same text are the
 * same failure.
 */
export function failureText(reason: string): string {
  return reason.toLowerCase()
    .replace(/\b[0-9a-hjkmnp-tv-z]{26}\b|\b[0-9a-f]{7,64}\b/gu, '#')
    .replace(/(?:[a-z]:)?(?:[\w.-]*[/\\])+[\w.-]+/gu, '/')
    .replace(/\d+(?:[.:]\d+)*/gu, '#')
    .replace(/\s+/gu, ' ').trim().slice(0, 500);
}
