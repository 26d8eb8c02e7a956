/** Spawns of the whole fleet as they are seen from this clone: what is under way, here and on other nodes, and what has ended. */
import { lookAtScratch } from '../adapters/system/spawnLook.ts';
import { CambiumError } from '../errors.ts';
import type { ToldSpawn, SpawnFacts } from '../model/seenSpawn.ts';
import { UNKNOWN_SPAWN } from '../model/seenSpawn.ts';
import type { SpawnEvent } from '../model/spawnEvent.ts';
import { openSpawnRecords, startedMs } from '../observe/spawnRecords.ts';
import type { SpawnRecords } from '../observe/spawnRecords.ts';
import { sicknessOf, stateOf } from '../orient/spawnHealth.ts';
import type { Sickness, SpawnState, SpawnVitals } from '../orient/spawnHealth.ts';
import { span } from '../orient/spans.ts';
import type { SpawnStatus } from '../ports/process.ts';
import { readLocalSpawns, scratchOf, unknown } from './localSpawns.ts';
import type { Candidate, LocalSpawns } from './localSpawns.ts';
import { daemonRuns } from './session.ts';
import type { Session } from './session.ts';
import { digestLog, fleetProviders, readerOf } from './spawnLog.ts';

export interface SeenSpawn extends SpawnFacts {
  readonly state: SpawnState;
  /** True where its folder, and with it its log, stands on this machine. */
  readonly here: boolean;
  /** What is wrong with one that has not ended; null where it is well, or another machine's. */
  readonly sickness: Sickness | null;
  /** Milliseconds since it last said something; null where it has ended, or said nothing yet, or is another machine's. */
  readonly quietMs: number | null;
  /** The last thing that a live one said or did. */
  readonly last: SpawnEvent | null;
  /** `exit 0`: how the process ended that nobody has judged yet; null where it runs, or is on record. */
  readonly exited: string | null;
  readonly keeper: SpawnVitals['keeper'] | null;
}

/** Everything a command about spawns asks for, read once. */
export interface SpawnSight {
  /** Those that have not ended, or are not on main yet, here and elsewhere; newest first. */
  readonly fresh: readonly SeenSpawn[];
  readonly local: LocalSpawns;
  readonly records: SpawnRecords;
  /** Every record of main of these months, newest month first, in no order within one. */
  recorded(since: string | null): AsyncGenerator<readonly SeenSpawn[]>;
}

export async function lookAtSpawns(session: Session): Promise<SpawnSight> {
  const { clone, fleet } = session;
  const daemon = await daemonRuns(clone);
  const node = daemon ? (await daemonNode(session)) : session.node.identity.node;
  const local = await readLocalSpawns(clone, node);
  const records = openSpawnRecords(clone.store, clone.local, fleet.main.tree);
  const live = await Promise.all(local.candidates.map((candidate) => seeCandidate(session, candidate, daemon)));
  const ended = local.ended.map((facts) => seenRecord(facts, local));
  const known = new Set([...live, ...ended].map(({ id }) => id));
  const told = (await toldElsewhere(session, node)).filter(({ id }) => !known.has(id));
  return {
    fresh: [...live, ...ended, ...told].toSorted(newestFirst), local, records,
    async *recorded(since) {
      for (const month of await records.months()) {
        if (since !== null && month < since.slice(0, 7)) return;
        yield (await records.month(month)).map((facts) => seenRecord(facts, local));
      }
    },
  };
}

export async function daemonNode({ clone, node }: Session): Promise<string> {
  const record = (await clone.local.read('daemon')) as { readonly node?: unknown } | null | undefined;
  return typeof record?.node === 'string' ? record.node : node.identity.node;
}

export const newestFirst = (a: Pick<SpawnFacts, 'id' | 'start'>, b: Pick<SpawnFacts, 'id' | 'start'>): number => (startedMs(b) ?? 0) - (startedMs(a) ?? 0) || (a.id < b.id ? 1 : -1);

const ENDED = { state: 'ended', sickness: null, quietMs: null, last: null, exited: null, keeper: null } as const;

function seenRecord(facts: SpawnFacts, local: LocalSpawns): SeenSpawn {
  return { ...facts, ...ENDED, here: local.folders.has(facts.id) };
}

async function seeCandidate(session: Session, { facts, isKept, resume }: Candidate, daemon: boolean): Promise<SeenSpawn> {
  const { clone, node, fleet } = session;
  const scratch = scratchOf(clone, facts.id);
  const [status, look] = [await node.supervisor.status(scratch), await lookAtScratch(scratch)];
  const providers = fleetProviders(session);
  const provider = facts.provider === null ? undefined : providers.get(facts.provider);
  const digest = await digestLog(scratch, readerOf(providers, facts.provider), resume);
  const keeper = !isKept ? 'nobody' : daemon ? 'daemon' : 'next daemon';
  const supervisor = look.supervisor;
  const about = {
    ...facts, here: look.startedBootMs !== null, session: digest.session, model: facts.model ?? digest.model, usage: digest.usage, costUsd: digest.costUsd, last: digest.last, keeper,
    process: supervisor === null ? null : { boot_id: supervisor.boot_id, pid: supervisor.pid, start: supervisor.start },
  } as const;
  if (status.state === 'ended') return { ...about, ...endedUnjudged(status), sickness: null, quietMs: null };
  const nowMs = clone.clock.bootMs();
  const limits = { timeoutMs: look.timeoutMs ?? fleet.config.defaults.timeoutMinutes * 60_000, silenceMs: look.silenceMs, graceMs: look.graceMs };
  const startBootMs = look.startedBootMs ?? nowMs;
  const vitals: SpawnVitals = {
    alive: status.state, keeper, ...limits, ageMs: Math.max(0, nowMs - startBootMs), namesSession: provider !== undefined && provider.resumes !== 'never',
    quietMs: look.lastOutputBootMs === null || look.logBytes === 0 ? null : Math.max(0, nowMs - look.lastOutputBootMs),
  };
  const sickness = sicknessOf(vitals);
  return { ...about, state: stateOf(vitals, sickness), sickness, quietMs: vitals.quietMs, exited: null };
}

/** Its process is over; the daemon has not judged its work yet, or nobody ever will. */
function endedUnjudged({ end }: Extract<SpawnStatus, { readonly state: 'ended' }>): Pick<SeenSpawn, 'state' | 'start' | 'end' | 'outcome' | 'exited'> {
  const isLost = end.exit === null && end.signal === null && end.stopped === null;
  const outcome = isLost ? 'lost' : end.stopped === 'asked' ? 'stopped' : end.stopped === 'fenced' ? 'fenced' : end.stopped === null ? null : 'failed';
  return { state: 'ended', start: end.startedAt, end: end.endedAt, outcome, exited: end.stopped ?? (end.exit === null ? `signal ${end.signal ?? 'unknown'}` : `exit ${end.exit}`) };
}

/** What other nodes' heartbeats tell. A node that has not been heard for two leases may have died with them. */
async function toldElsewhere({ clone, fleet }: Session, self: string): Promise<readonly SeenSpawn[]> {
  const beats = [...fleet.nodes].filter(([node]) => node !== self).flatMap(([node, { heartbeat }]) => (heartbeat === null ? [] : [{ node, ...heartbeat }]));
  const seen = await Promise.all(beats.map(async ({ node, oid, record }) => {
    if (record.spawns.length === 0) return [];
    const heardMs = (await clone.store.readCommit(oid)).committer.seconds * 1000;
    const silentMs = clone.clock.now().getTime() - heardMs;
    const isSilent = silentMs > 2 * fleet.config.timings.ttlMs;
    return (record.spawns as readonly ToldSpawn[]).map((told): SeenSpawn => ({
      ...UNKNOWN_SPAWN, ...unknown(told.id), ...toldFacts(told), ...ENDED, node, here: false, state: isSilent ? 'lost' : 'running',
      sickness: isSilent ? { rule: 'dead', why: `its node ${node} was last heard ${span(silentMs / 1000)} ago`, action: 'Its claim is taken over by another node; nothing is to be done here.' } : null,
    }));
  }));
  return seen.flat();
}

/** Another node wrote it: what is not what it should be is left out. */
function toldFacts(told: ToldSpawn): Partial<SpawnFacts> {
  const word = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
  const start = word(told.since);
  return {
    agent: told.agent, task: word(told.task), channel: word(told.channel), provider: word(told.provider), model: word(told.model), parent: word(told.parent),
    depth: Number.isInteger(told.depth) ? (told.depth as number) : 0, purpose: word(told.task) !== null ? 'task' : word(told.channel) !== null ? 'message' : 'unknown',
    ...(start === null || Number.isNaN(Date.parse(start)) ? {} : { start }),
  };
}

export interface SpawnQuery {
  readonly agent?: string | undefined;
  readonly task?: string | undefined;
  readonly channel?: string | undefined;
  /** Only those that have not ended. */
  readonly live?: boolean | undefined;
  /** UTC ISO time: only those that began then or later. */
  readonly since?: string | undefined;
  readonly limit: number;
}

export interface SpawnList {
  /** Newest first. */
  readonly spawns: readonly SeenSpawn[];
  /** There are more. */
  readonly cut: boolean;
  /** Files among the records that are none. */
  readonly unread: readonly string[];
}

export async function listSpawns(session: Session, query: SpawnQuery): Promise<SpawnList> {
  const { fresh, records, recorded } = await lookAtSpawns(session);
  const found = new Map(fresh.filter((spawn) => isAsked(spawn, query)).map((spawn) => [spawn.id, spawn]));
  if (query.live !== true) {
    for await (const month of recorded(query.since ?? null)) {
      for (const spawn of month) if (isAsked(spawn, query)) found.set(spawn.id, spawn);
      // Months come newest first; one spawn may stand in the next month by a clock that went ahead, which costs a place at most.
      if (found.size > query.limit) break;
    }
  }
  const all = [...found.values()].toSorted(newestFirst);
  return { spawns: all.slice(0, query.limit), cut: all.length > query.limit, unread: records.unread() };
}

function isAsked(spawn: SeenSpawn, { agent, task, channel, live, since }: SpawnQuery): boolean {
  if (live === true && spawn.state === 'ended') return false;
  if (since !== undefined && (startedMs(spawn) ?? 0) < Date.parse(since)) return false;
  return (agent === undefined || spawn.agent === agent) && (task === undefined || spawn.task === task) && (channel === undefined || spawn.channel === channel.replace(/^#/, ''));
}

/** At least so much of an id must be written. */
const REF_CHARS_MIN = 4;

/** Whether `ref` means the id: whole, its beginning or its end, in any case. */
export function meansId(ref: string, id: string): boolean {
  const [asked, whole] = [ref.toUpperCase(), id.toUpperCase()];
  return whole === asked || (asked.length >= REF_CHARS_MIN && (whole.startsWith(asked) || whole.endsWith(asked)));
}

/** The one id that is meant; null for none. Throws `usage` where several are. */
export function pickId(ref: string, ids: Iterable<string>): string | null {
  const found = [...new Set(ids)].filter((id) => meansId(ref, id));
  const exact = found.find((id) => id.toUpperCase() === ref.toUpperCase());
  if (exact !== undefined || found.length <= 1) return exact ?? found[0] ?? null;
  throw new CambiumError('usage', `${ref} may mean ${found.slice(0, 5).join(', ')}${found.length > 5 ? ` and ${found.length - 5} more` : ''}.`, { hint: 'Write more of the id.' });
}

/** Throws `unknown-spawn`, `usage` for a part of an id that several have. */
export async function findSpawn(session: Session, ref: string): Promise<SeenSpawn> {
  const sight = await lookAtSpawns(session);
  const recorded = new Map<string, SeenSpawn>();
  for await (const month of sight.recorded(null)) for (const spawn of month) recorded.set(spawn.id, spawn);
  const id = pickId(ref, [...sight.fresh.map((spawn) => spawn.id), ...sight.local.folders.keys(), ...recorded.keys()]);
  if (id === null) throw unknownSpawn(ref);
  return recorded.get(id) ?? sight.fresh.find((spawn) => spawn.id === id) ?? seeCandidate(session, { facts: { ...unknown(id), node: session.node.identity.node }, isKept: false, resume: null }, false);
}

export function unknownSpawn(ref: string): CambiumError {
  return new CambiumError('unknown-spawn', `There is no spawn ${ref}.`, { hint: `See \`cambium spawn list\`. At least ${REF_CHARS_MIN} characters of an id are needed, from its beginning or its end.` });
}
