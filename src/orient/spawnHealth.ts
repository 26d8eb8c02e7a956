/**
 * Whether a spawn that has not ended is well. Four rules, each with what is done about it:
 *
 *   dead        its supervisor is gone without a record (killed, a reboot): it is lost, and never counts as running again
 *   over-time   it runs for longer than it may: its supervisor ends it
 *   silent      it says nothing for longer than it may: its supervisor ends it as hung
 *   no-session  a CLI that names its session first has said nothing at all yet: it waits for a login, a question, a network
 *
 * Pure: times are differences on one clock, in milliseconds.
 */
import { span } from './spans.ts';

export type HealthRule = 'dead' | 'over-time' | 'silent' | 'no-session';
export type SpawnState = 'starting' | 'running' | 'no session' | 'stalled' | 'over time' | 'lost' | 'ended';

export interface SpawnVitals {
  readonly alive: 'starting' | 'running' | 'lost';
  readonly ageMs: number;
  /** Since it last said something; null when it has said nothing yet. */
  readonly quietMs: number | null;
  /** Its own limits; null: none. */
  readonly timeoutMs: number | null;
  readonly silenceMs: number | null;
  readonly graceMs: number;
  /** True for a CLI whose first line names its session. */
  readonly namesSession: boolean;
  /** Who looks after it: a daemon that runs, the next one (a run of its stands in the clone), or nobody. */
  readonly keeper: 'daemon' | 'next daemon' | 'nobody';
}

export interface Sickness {
  readonly rule: HealthRule;
  readonly why: string;
  /** What is being done about it, or what a person does. */
  readonly action: string;
}

/** CLIs name their session within seconds, unless they wait for something. */
const SESSION_MS = 60_000;
/** From the hard end of an agent to its record; a supervisor that needs longer does not answer. */
const LATE_MS = 15_000;

/** Null for one that is well. */
export function sicknessOf(vitals: SpawnVitals): Sickness | null {
  const { alive, ageMs, quietMs, timeoutMs, silenceMs, namesSession } = vitals;
  if (alive === 'lost') return { rule: 'dead', why: 'its supervisor is gone and left no record: it was killed, or the machine was restarted', action: deadAction(vitals) };
  if (timeoutMs !== null && ageMs >= timeoutMs) return { rule: 'over-time', why: `it runs for ${span(ageMs / 1000)} and may run for ${span(timeoutMs / 1000)}`, action: endedBySupervisor(vitals, ageMs - timeoutMs) };
  const silentMs = quietMs ?? ageMs;
  if (silenceMs !== null && silentMs >= silenceMs) return { rule: 'silent', why: `it has said nothing for ${span(silentMs / 1000)} and may be silent for ${span(silenceMs / 1000)}`, action: endedBySupervisor(vitals, silentMs - silenceMs) };
  const sessionMs = Math.min(SESSION_MS, silenceMs ?? SESSION_MS);
  if (!namesSession || quietMs !== null || ageMs < sessionMs) return null;
  return { rule: 'no-session', why: `it has named no session for ${span(ageMs / 1000)}, though its CLI does so at once`, action: silenceMs === null ? 'Look what it waits for, or stop it.' : `Its supervisor ends it when it has been silent for ${span(silenceMs / 1000)}; the attempt counts as hung.` };
}

const STATES: Readonly<Record<HealthRule, SpawnState>> = { dead: 'lost', 'over-time': 'over time', silent: 'stalled', 'no-session': 'no session' };

export function stateOf({ alive }: Pick<SpawnVitals, 'alive'>, sickness: Sickness | null): SpawnState {
  return sickness === null ? alive : STATES[sickness.rule];
}

function deadAction({ keeper }: SpawnVitals): string {
  if (keeper === 'daemon') return 'The daemon ends what it left running, puts it on record as lost and tries again, at its next look.';
  const ends = '`cambium spawn cleanup` ends what it left running';
  return keeper === 'nobody' ? `${ends}, and marks it as lost.` : `The next daemon (\`cambium up\`) puts it on record as lost and tries again; ${ends} now.`;
}

function endedBySupervisor({ graceMs, keeper }: SpawnVitals, overMs: number): string {
  if (overMs > graceMs + LATE_MS) return 'Its supervisor should have ended it and did not: `cambium spawn stop` ends both.';
  return `Its supervisor is ending it, with all that it started; ${keeper === 'nobody' ? 'nobody tries again.' : 'the attempt counts, and it is tried again while attempts are left.'}`;
}
