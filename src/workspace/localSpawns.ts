/** Spawns that only this clone knows of: those under way here, and those that have ended and are not on main yet. */
import { join } from 'node:path';
import { SPAWN_LEDGER } from '../act/run/ledger.ts';
import type { LedgerEntry } from '../act/run/ledger.ts';
import { listScratches } from '../adapters/system/spawnLook.ts';
import type { Answer } from '../model/answer.ts';
import { ulidTime } from '../model/archive.ts';
import type { Resume, Run } from '../model/run.ts';
import { UNKNOWN_SPAWN, scriptPurpose } from '../model/seenSpawn.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import type { SpawnRecord } from '../model/spawn.ts';
import { parseSpawnFacts } from '../observe/spawnRecords.ts';
import type { Clone } from './clone.ts';

/** A spawn that may be under way: its processes say whether it is. */
export interface Candidate {
  readonly facts: SpawnFacts;
  /** True where a run or an answer of this clone counts on it. */
  readonly isKept: boolean;
  readonly resume: Resume | null;
}

export interface LocalSpawns {
  readonly candidates: readonly Candidate[];
  /** Ended, and not on main yet. */
  readonly ended: readonly SpawnFacts[];
  /** Every spawn that has a folder here. */
  readonly folders: ReadonlyMap<string, { readonly ended: boolean }>;
}

export const scratchOf = ({ workDir }: Pick<Clone, 'workDir'>, id: string): string => join(workDir, 'spawns', id);

/** `node`: the name under which this clone's daemon acts. */
export async function readLocalSpawns({ local, workDir }: Pick<Clone, 'local' | 'workDir'>, node: string): Promise<LocalSpawns> {
  const read = async <T>(prefix: string): Promise<readonly T[]> => {
    const found = await Promise.all((await local.list(prefix)).map((key) => local.read(key).catch(() => undefined)));
    return found.filter((value) => value !== undefined && value !== null) as unknown[] as readonly T[];
  };
  const [runs, answers, kept, folders] = [await read<Run>('runs/'), await read<Answer>('answers/'), await read<LedgerEntry>(SPAWN_LEDGER), await listScratches(join(workDir, 'spawns'))];
  const ended = [...runs.flatMap((run) => (run.spawns ?? []).map((spawn) => ofRecord(spawn, { ...ofRun(run), node }))), ...answers.flatMap((answer) => (answer.spawns ?? []).map((spawn) => ofRecord(spawn, { ...ofAnswer(answer), node }))), ...kept.flatMap(ofEntry)];
  const over = new Set(ended.map(({ id }) => id));
  const named = [...runs.flatMap(runCandidates), ...answers.flatMap(answerCandidates)].filter(({ facts }) => !over.has(facts.id)).map((candidate) => ({ ...candidate, facts: { ...candidate.facts, node } }));
  const known = new Set([...over, ...named.map(({ facts }) => facts.id)]);
  const strays = folders.filter(({ id, ended: isOver }) => !isOver && !known.has(id)).map(({ id }): Candidate => ({ facts: { ...unknown(id), node }, isKept: false, resume: null }));
  return { candidates: [...named, ...strays], ended, folders: new Map(folders.map(({ id, ended: isOver }) => [id, { ended: isOver }])) };
}

/** What a folder's name alone tells. */
export function unknown(id: string): SpawnFacts {
  const ms = ulidTime(id.slice(0, 26));
  return { ...UNKNOWN_SPAWN, id, purpose: scriptPurpose(id) ?? 'unknown', start: ms === null ? null : new Date(ms).toISOString() };
}

function ofRun({ task, agent, epoch, attempt, provider, providerVersion, model, cause }: Run): Omit<SpawnFacts, 'id' | 'node'> {
  return { ...UNKNOWN_SPAWN, agent, purpose: 'task', task, epoch, attempt, provider, providerVersion, model, parent: cause?.parent ?? null, depth: cause?.depth ?? 0 };
}

function ofAnswer({ agent, place, messages, provider, providerVersion, model, cause }: Answer): Omit<SpawnFacts, 'id' | 'node'> {
  return { ...UNKNOWN_SPAWN, agent, purpose: 'message', channel: 'channel' in place ? place.channel : null, messages, provider, providerVersion, model, parent: cause?.parent ?? null, depth: cause?.depth ?? 0 };
}

function ofRecord({ id, purpose, start, end, outcome, failure, session, usage, costUsd, process, provider, providerVersion, model }: SpawnRecord, about: Omit<SpawnFacts, 'id'>): SpawnFacts {
  return {
    ...about, id, purpose, start, end, outcome, failure, session, usage, costUsd, process,
    ...(provider === undefined ? {} : { provider }), ...(providerVersion === undefined ? {} : { providerVersion }), ...(model === undefined ? {} : { model }),
  };
}

function ofEntry({ text }: LedgerEntry): readonly SpawnFacts[] {
  try {
    return [parseSpawnFacts(Buffer.from(text))];
  } catch {
    return [];
  }
}

function runCandidates(run: Run): readonly Candidate[] {
  const of = (id: string | undefined, more: Partial<SpawnFacts> = {}): readonly Candidate[] => (id === undefined || id === '' ? [] : [{ facts: { ...unknown(id), ...ofRun(run), start: unknown(id).start, id, node: null, ...more }, isKept: true, resume: run.resume ?? null }]);
  const script = { provider: null, providerVersion: null, model: null };
  return [
    // A spawn that is not started yet is none; an earlier turn's id stands there until the next one has its own.
    ...(run.phase === 'preparing' ? [] : of(run.spawn)),
    ...(run.phase === 'verifying' ? of(run.verifySpawn, { ...script, purpose: 'verify' }) : []),
    ...(run.phase === 'preparing' ? of(run.project?.setupSpawn, { ...script, purpose: 'setup' }) : []),
  ];
}

function answerCandidates(answer: Answer): readonly Candidate[] {
  if (answer.spawn === '' || answer.phase === 'preparing') return [];
  const { id, start } = unknown(answer.spawn);
  return [{ facts: { ...unknown(id), ...ofAnswer(answer), start, id, node: null }, isKept: true, resume: null }];
}
