/**
 * Every decision goes on record with its reason: "why did it do that?" must have an answer the next morning. What is
 * said for the daemon's log is heard here and put into words; what a pass asks of the hub is noted when the hub has
 * answered. An idle pass notes nothing.
 */
import { releaseKey } from '../act/claim.ts';
import type { Ingested } from '../act/checkout.ts';
import type { Published } from '../act/publish.ts';
import { HEALING_REASONS } from '../decide/recovery.ts';
import type { Healing } from '../decide/recovery.ts';
import type { Decision, DecisionRecord } from '../model/decision.ts';
import type { TaskId } from '../model/ids.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Clock } from '../ports/clock.ts';
import type { DecisionLog } from '../ports/decisionLog.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Decisions {
  /** A pass begins: what is noted from here on belongs together. */
  begin(): void;
  note(decision: Decision): void;
  /** An event of the daemon's log; one that is no decision is left out. */
  hear(event: string, fields: Fields): void;
  /** What this pass asks of the hub. */
  pledge(pledges: Pledges): void;
  /** The hub's answers to that, by the key of the member; `told` are the tasks whose claims main was to be told of. */
  settle(ends: ReadonlyMap<string, Published<unknown>>, told: readonly TaskId[]): void;
}

/** Decisions by the key of the member that carries them to the hub. */
export type Pledges = ReadonlyMap<string, Decision>;

/** What goes on by itself (a hub that goes on refusing) is told again only after this time. */
const SAME_MS = 600_000;
const STANDING: ReadonlySet<string> = new Set(['held-off', 'refused', 'parked', 'offline', 'again', 'janitor-refused']);
const REMEMBERED_MAX = 1_000;

export function createDecisions(log: DecisionLog, node: string, clock: Clock): Decisions {
  const noted = new Map<string, number>();
  let cycle: string | null = null;
  let pledged: Pledges = new Map();

  function isRepeat({ kind, task, epoch, reason }: Decision): boolean {
    if (!STANDING.has(kind)) return false;
    const key = JSON.stringify([kind, task, epoch, reason]);
    const before = noted.get(key);
    const now = clock.bootMs();
    if (before !== undefined && now - before < SAME_MS) return true;
    noted.delete(key);
    noted.set(key, now);
    if (noted.size > REMEMBERED_MAX) noted.delete(noted.keys().next().value as string);
    return false;
  }

  function note(decision: Decision): void {
    if (isRepeat(decision)) return;
    cycle ??= clock.ulid();
    const { kind, task, agent, epoch, reason } = decision;
    const record: DecisionRecord = { at: clock.now().toISOString(), node, cycle, kind, task, agent, epoch, reason };
    log.append(record);
  }

  return {
    begin: () => void (cycle = null),
    note,
    hear(event, fields) {
      const decision = decisionOf(event, fields);
      if (decision !== null) note(decision);
    },
    pledge: (pledges) => void (pledged = pledges),
    settle(ends, told) {
      for (const [key, end] of ends) {
        const decision = pledged.get(key) ?? besides(key, end, told);
        if (decision !== null) noteEnd(note, decision, end);
      }
    },
  };
}

function noteEnd(note: Decisions['note'], decision: Decision, end: Published<unknown>): void {
  if (end.state === 'published') note(decision);
  if (end.state === 'refused-by-policy') note({ ...decision, kind: 'refused', reason: `${decision.reason}; the hub refuses it: ${end.detail}` });
}

const text = (value: unknown): string | null => (value === null || value === undefined || value === '' ? null : String(value));

interface Wording {
  readonly kind: string | ((fields: Fields) => string);
  readonly reason: (fields: Fields) => string | null;
}

/** Events whose fields need words, and those that are called something else on the chain. */
const WORDINGS: Readonly<Record<string, Wording>> = {
  'claimed': { kind: 'claim', reason: ({ reason }) => text(reason) ?? 'it was ready and fits' },
  'claim refused': { kind: 'refused', reason: ({ detail }) => `the hub refuses the claim: ${text(detail) ?? 'it does not say why'}` },
  'landing refused by the hub': { kind: 'parked', reason: ({ detail }) => `the hub refuses the landing: ${text(detail) ?? 'it does not say why'}; the work is kept` },
  'provider away': { kind: 'held-off', reason: ({ reason }) => `its provider cannot run here: ${text(reason) ?? '?'}` },
  'project away': { kind: 'held-off', reason: ({ project, reason }) => `the project ${String(project ?? 'it works in')} cannot be worked in now: ${text(reason) ?? '?'}` },
  'archived': { kind: 'archive', reason: ({ count }) => `${String(count)} ended tasks leave tasks/: they are old enough, or too many stand there` },
  'folded': { kind: 'archive', reason: ({ count }) => `the claim chains of ${String(count)} archived tasks are folded into the archive` },
  'collected': { kind: 'archive', reason: ({ count }) => `${String(count)} refs that the archive holds leave the hub` },
  'project takes no guests': { kind: 'parked', reason: ({ project }) => `the host of ${String(project)} refuses our refs: the work goes to a branch for review only` },
  'landed in the project': { kind: 'project-landing', reason: ({ project, branch, commit }) => `its work is on ${String(branch)} of ${String(project)} as ${String(commit)}` },
  'landed in the project before': { kind: 'project-landing', reason: ({ project, commit }) => `an earlier epoch has landed its work in ${String(project)} as ${String(commit)}: nothing is done again` },
  'run ending': { kind: ({ kind }) => (kind === 'retry' ? 'release' : String(kind)), reason: ({ kind, reason }) => `${kind === 'retry' ? 'the attempt failed, it is made again: ' : ''}${text(reason) ?? ''}` },
  'run fenced': { kind: 'fence', reason: ({ why }) => text(why) },
  'spawn started': { kind: 'spawn', reason: ({ attempt, provider, spawn }) => `attempt ${String(attempt)} with ${String(provider)}, spawn ${String(spawn)}` },
  'spawn ended': { kind: 'spawn-end', reason: ({ ok, failure, spawn }) => `spawn ${String(spawn)} ended ${ok === true ? 'well' : `badly${text(failure) === null ? '' : `: ${String(failure)}`}`}` },
  'verify ended': { kind: 'verify', reason: ({ exit }) => (exit === 0 ? 'verify is green' : `verify is red, exit ${text(exit) ?? '?'}`) },
  'another turn': { kind: 'turn', reason: ({ reason }) => text(reason) },
  're-briefed': { kind: 'turn', reason: ({ reason }) => text(reason) },
  'landed': { kind: 'done', reason: () => 'its agent ended well and the checks are met; the hub has work and result' },
  'waits for review': { kind: 'review', reason: () => 'its work is finished and waits for its reviewer' },
  'draining': { kind: 'drain', reason: ({ running, grace }) => `the node was asked to stop; running agents get ${String(grace)}: ${String(running)}` },
  'hub away': { kind: 'offline', reason: ({ reason }) => `nothing is claimed or landed while the hub is away: ${text(reason) ?? '?'}` },
  'clock jumped': { kind: 'doubt', reason: () => 'the clock jumped: every lease is doubtful until it is renewed' },
  'pass failed': { kind: 'again', reason: ({ reason, again }) => `the pass failed and is made again ${String(again)}: ${text(reason) ?? '?'}` },
};

/** Outcomes and echoes of decisions that are on record already. */
const NO_DECISIONS: ReadonlySet<string> = new Set(['run ended', 'stale work kept', 'took over']);

/** An event that has no wording here counts as a decision when it gives a reason. */
function decisionOf(event: string, fields: Fields): Decision | null {
  if (NO_DECISIONS.has(event)) return null;
  const { kind, reason } = WORDINGS[event] ?? { kind: event.replaceAll(' ', '-'), reason: ({ reason: why, detail }: Fields) => text(why) ?? text(detail) };
  const told = reason(fields);
  if (told === null) return null;
  return { kind: typeof kind === 'string' ? kind : kind(fields), task: text(fields['task']), agent: text(fields['agent']), epoch: typeof fields['epoch'] === 'number' ? fields['epoch'] : null, reason: told };
}

export function pledgesOf(fleet: Fleet, releases: readonly { readonly task: TaskId; readonly reason: string }[], healing: Healing): Pledges {
  const of = (kind: string, task: TaskId, reason: string): Decision => {
    const record = fleet.chains.get(task)?.record;
    return { kind, task, agent: record?.agent ?? null, epoch: record?.epoch ?? null, reason };
  };
  return new Map([
    ...releases.map(({ task, reason }): [string, Decision] => [releaseKey(task, fleet.chains.get(task)?.tip ?? ''), of('release', task, reason)]),
    ...healing.rollForward.map((task): [string, Decision] => [`roll-forward:${task}`, of('roll-forward', task, HEALING_REASONS.rollForward)]),
    ...healing.repair.map((task): [string, Decision] => [`repair:${task}`, of('repair', task, HEALING_REASONS.repair)]),
    ...healing.cancel.map((task): [string, Decision] => [`cancel:${task}`, of('cancel', task, HEALING_REASONS.cancel)]),
  ]);
}

/** What a pass publishes besides: a person's saved edits, claims told on main. */
function besides(key: string, end: Published<unknown>, told: readonly TaskId[]): Decision | null {
  const fleetwide = (kind: string, reason: string): Decision => ({ kind, task: null, agent: null, epoch: null, reason });
  if (key === 'projections') return fleetwide('projection', `main is told what the claim chains say of ${listed(told)}`);
  if (key === 'checkout:commits') return fleetwide('publish', 'your commits were not on the hub yet');
  if (key !== 'checkout:edits' || end.state !== 'published') return null;
  const { published } = end.value as Ingested;
  return published.length === 0 ? null : fleetwide('publish', `saved in your checkout: ${listed(published.map(({ path }) => path))}`);
}

const LISTED_MAX = 20;

function listed(names: readonly string[]): string {
  return names.length <= LISTED_MAX ? names.join(', ') : `${names.slice(0, LISTED_MAX).join(', ')} and ${names.length - LISTED_MAX} more`;
}
