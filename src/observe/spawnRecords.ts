/**
 * The records of ended spawns in the tree (docs/formats.md, agents/spawns). They are written once, so what was read of
 * a folder holds for as long as the folder has that object id: a clone remembers it by month, and of a day that grew it
 * reads only what is new.
 */
import { ulidTime } from '../model/archive.ts';
import type { TreeEntry } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import type { Usage } from '../model/task.ts';
import type { Local } from '../ports/local.ts';
import type { Store } from '../ports/store.ts';
import { parseSpawnRecord } from './agentRecords.ts';
import { FILE_BYTES_MAX } from './text.ts';
import { entryAt } from './tree.ts';

const FOLDER = 'agents/spawns';
/** Of another shape than this version's is read anew. */
const SHAPE = 1;

/** Throws CambiumError `schema-too-new` or `bad-file`. */
export function parseSpawnFacts(bytes: Uint8Array): SpawnFacts {
  const record = parseSpawnRecord(bytes) as unknown as RecordKeys;
  const { id, agent, node, purpose, task, epoch, attempt, channel, messages, parent, depth, provider, provider_version, model, session, process, start, end, outcome, failure, usage, cost_usd } = record;
  return { id, agent, node, purpose, task, epoch, attempt, channel, messages, parent, depth, provider, providerVersion: provider_version, model, session, process, start, end, outcome, failure, usage: plainUsage(usage), costUsd: cost_usd };
}

interface RecordKeys extends Omit<SpawnFacts, 'providerVersion' | 'costUsd'> {
  readonly provider_version: string | null;
  readonly cost_usd: number | null;
}

const plainUsage = (usage: Usage | null): Usage | null => (usage === null ? null : { input: usage.input, cached: usage.cached, output: usage.output });

export interface SpawnRecords {
  /** `2026-11`, newest first. */
  months(): Promise<readonly string[]>;
  /** Those that began in the month, in no order. */
  month(month: string): Promise<readonly SpawnFacts[]>;
  /** Paths of what was looked at so far and is no record. */
  unread(): readonly string[];
}

interface SeenFile {
  readonly oid: Oid;
  /** Null: no record, and read no second time. */
  readonly facts: SpawnFacts | null;
}
interface SeenDay {
  readonly tree: Oid;
  readonly files: Readonly<Record<string, SeenFile>>;
}
interface SeenMonth {
  readonly shape: number;
  readonly tree: Oid;
  readonly days: Readonly<Record<string, SeenDay>>;
}

/** `tree`: the root tree of main. */
export function openSpawnRecords(store: Store, local: Local, tree: Oid): SpawnRecords {
  const unread = new Set<string>();
  let listed: Promise<readonly TreeEntry[]> | undefined;
  const list = (): Promise<readonly TreeEntry[]> => (listed ??= monthsOf(store, tree));
  return {
    unread: () => [...unread].toSorted(),
    months: async () => (await list()).map(({ name }) => name),
    async month(month) {
      const entry = (await list()).find(({ name }) => name === month);
      if (entry === undefined) return [];
      const seen = await readMonth(store, local, entry);
      const files = Object.entries(seen.days).flatMap(([day, { files: inDay }]) => Object.entries(inDay).map(([name, file]) => ({ path: `${FOLDER}/${month}/${day === '' ? '' : `${day}/`}${name}`, ...file })));
      for (const { path, facts } of files) if (facts === null) unread.add(path);
      return files.flatMap(({ facts }) => (facts === null ? [] : [facts]));
    },
  };
}

async function monthsOf(store: Store, tree: Oid): Promise<readonly TreeEntry[]> {
  const folder = await entryAt(store, tree, FOLDER);
  if (folder === null || folder.mode !== '40000') return [];
  const months = (await store.readTree(folder.oid)).filter(({ name, mode }) => mode === '40000' && /^\d{4}-\d{2}$/.test(name));
  return months.toSorted((a, b) => (a.name < b.name ? 1 : -1));
}

async function readMonth(store: Store, local: Local, month: TreeEntry): Promise<SeenMonth> {
  const key = `spawn-records/${month.name}`;
  const known = asSeen(await local.read(key).catch(() => undefined));
  if (known?.tree === month.oid) return known;
  const entries = await store.readTree(month.oid);
  // An earlier version put the files of a month into one folder.
  const loose = await readDay(store, known?.days[''], month.oid, entries);
  const days: Record<string, SeenDay> = Object.keys(loose.files).length === 0 ? {} : { '': loose };
  for (const day of entries) {
    if (day.mode !== '40000' || !/^\d{2}$/.test(day.name)) continue;
    const before = known?.days[day.name];
    days[day.name] = before?.tree === day.oid ? before : await readDay(store, before, day.oid, await store.readTree(day.oid));
  }
  const seen: SeenMonth = { shape: SHAPE, tree: month.oid, days };
  await local.write(key, seen);
  return seen;
}

/** How many blobs are asked for at once. */
const BATCH = 256;

async function readDay(store: Store, before: SeenDay | undefined, tree: Oid, entries: readonly TreeEntry[]): Promise<SeenDay> {
  const wanted = entries.filter(({ name, mode }) => name.endsWith('.json') && (mode === '100644' || mode === '100755'));
  const files: Record<string, SeenFile> = {};
  for (let at = 0; at < wanted.length; at += BATCH) {
    const batch = wanted.slice(at, at + BATCH);
    const read = await Promise.all(batch.map(async ({ name, oid }) => (before?.files[name]?.oid === oid ? before.files[name] : { oid, facts: await readFile(store, name, oid) })));
    batch.forEach(({ name }, index) => {
      files[name] = read[index] as SeenFile;
    });
  }
  return { tree, files };
}

/** Anybody who can push may have written it: what does not say its own name counts as no record. */
async function readFile(store: Store, name: string, oid: Oid): Promise<SpawnFacts | null> {
  if ((await store.sizeOf(oid)) > FILE_BYTES_MAX) return null;
  const bytes = await store.readBlob(oid);
  try {
    const facts = parseSpawnFacts(bytes);
    return `${facts.id}.json` === name ? facts : null;
  } catch {
    return null;
  }
}

function asSeen(value: unknown): SeenMonth | null {
  const seen = value as Partial<SeenMonth> | null | undefined;
  return seen?.shape === SHAPE && typeof seen.tree === 'string' && typeof seen.days === 'object' ? (seen as SeenMonth) : null;
}

/** Milliseconds since 1970 at which a spawn began: what its record says, or the time in its id; null where neither tells. */
export function startedMs({ id, start }: Pick<SpawnFacts, 'id' | 'start'>): number | null {
  const said = Date.parse(start ?? '');
  return Number.isNaN(said) ? ulidTime(id.slice(0, 26)) : said;
}
