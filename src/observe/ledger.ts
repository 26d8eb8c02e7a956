/** The spawn records that budgets are counted from: a few days of `agents/spawns/<yyyy-mm>/<dd>/`, each file read once. */
import { chainState, isTerminal } from '../model/claim.ts';
import type { FleetConfig } from '../model/config.ts';
import type { TreeEntry } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Store } from '../ports/store.ts';
import { CambiumError } from '../errors.ts';
import { parseSpawnFacts } from './spawnRecords.ts';
import { entryAt } from './tree.ts';

const FOLDER = 'agents/spawns';
/** Today's, and the day before for a node whose clock is behind. */
const NEWEST = 2;
/** How far back a task's own budget is counted, in days that have records. */
const BACK_MAX = 92;
const FILES_MAX = 50_000;

export type LedgerQuestion = Pick<Fleet, 'tasks' | 'results' | 'chains' | 'since'> & { readonly config: FleetConfig };

interface Day {
  /** `2026-11-21`, in UTC: when its spawns began. */
  readonly day: string;
  readonly oid: Oid;
}

export function createLedgerReader(store: Store): (tree: Oid, question: LedgerQuestion) => Promise<readonly SpawnFacts[]> {
  const files = new Map<Oid, SpawnFacts | null>();
  const days = new Map<Oid, readonly SpawnFacts[]>();
  let listed: { readonly oid: Oid; readonly days: readonly Day[] } | null = null;
  let last: { readonly key: string; readonly records: readonly SpawnFacts[] } | null = null;

  async function listDays(tree: Oid): Promise<readonly Day[]> {
    const folder = await entryAt(store, tree, FOLDER);
    if (folder === null || !isFolder(folder)) return [];
    if (listed?.oid === folder.oid) return listed.days;
    const months = (await store.readTree(folder.oid)).filter((entry) => isFolder(entry) && /^\d{4}-\d{2}$/u.test(entry.name));
    const found = await Promise.all(months.map(async (month) => (await store.readTree(month.oid)).filter((entry) => isFolder(entry) && /^\d{2}$/u.test(entry.name)).map(({ name, oid }) => ({ day: `${month.name}-${name}`, oid }))));
    listed = { oid: folder.oid, days: found.flat().toSorted((a, b) => (a.day < b.day ? 1 : -1)) };
    return listed.days;
  }

  async function readDay({ oid }: Day): Promise<readonly SpawnFacts[]> {
    const known = days.get(oid);
    if (known !== undefined) return known;
    const entries = (await store.readTree(oid)).filter(({ mode, name }) => mode === '100644' && name.endsWith('.json'));
    const read = await Promise.all(entries.map(async (entry) => {
      if (files.size > FILES_MAX) files.clear();
      if (!files.has(entry.oid)) files.set(entry.oid, asFacts(await store.readBlob(entry.oid), entry.name));
      return files.get(entry.oid) ?? null;
    }));
    const records = read.filter((facts): facts is SpawnFacts => facts !== null);
    days.set(oid, records);
    return records;
  }

  return async (tree, question) => {
    const all = await listDays(tree);
    const from = firstDay(question);
    const wanted = all.filter(({ day }, at) => at < NEWEST || (from !== null && day >= from && at < BACK_MAX));
    const key = wanted.map(({ oid }) => oid).join(' ');
    if (last?.key === key) return last.records;
    const records = (await Promise.all(wanted.map(readDay))).flat();
    // What is counted no longer is forgotten: a daemon reads for months.
    for (const oid of days.keys()) if (!wanted.some((day) => day.oid === oid)) days.delete(oid);
    last = { key, records };
    return records;
  };
}

const isFolder = ({ mode }: TreeEntry): boolean => mode === '40000';

/** Anybody who can push may have written it: what does not say its own name counts as no record. */
function asFacts(bytes: Uint8Array, name: string): SpawnFacts | null {
  try {
    const facts = parseSpawnFacts(bytes);
    return `${facts.id}.json` === name ? facts : null;
  } catch (error) {
    if (error instanceof CambiumError) return null;
    throw error;
  }
}

/** The day on which the oldest open task that has a budget, and has been begun, came to main; null where there is none. */
function firstDay({ config, tasks, results, chains, since }: LedgerQuestion): string | null {
  const { usdPerTask, tokensPerTask } = config.limits;
  let first: number | null = null;
  for (const { id, budgetUsd } of tasks.values()) {
    if (budgetUsd === undefined && usdPerTask === null && tokensPerTask === null) continue;
    const chain = chains.get(id);
    if (results.has(id) || chain === undefined || isTerminal(chainState(chain))) continue;
    first = Math.min(first ?? Infinity, since.get(id) ?? 0);
  }
  return first === null ? null : new Date(first * 1000).toISOString().slice(0, 10);
}
