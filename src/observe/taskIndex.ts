/**
 * The `tasks/` part of a tree, typed. What a blob says never changes, so each is read and parsed once, and what is
 * known can be handed to another process as text. The parsers are loaded at the first blob that is not known.
 */
import { CambiumError } from '../errors.ts';
import type { ClaimRecord } from '../model/claim.ts';
import type { FileEntry, TreeEntry } from '../model/git.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { type TaskFileKind, taskFileKind, taskStem } from '../model/layout.ts';
import type { Quarantined, Task, TaskResult } from '../model/task.ts';
import type { Store } from '../ports/store.ts';
import { checkTaskPath, duplicateStems } from './names.ts';
import { type SeenTask, moveResult, moveTask, placeResult, placeTask } from './taskDraft.ts';
import { FILE_BYTES_MAX, isQuarantined, tooLarge } from './text.ts';

export interface TaskView {
  readonly tasks: ReadonlyMap<TaskId, Task>;
  readonly results: ReadonlyMap<TaskId, TaskResult>;
  readonly projections: ReadonlyMap<TaskId, { readonly blob: Oid; readonly record: ClaimRecord }>;
  /** Projections that stand beside no instruction file: it was moved, or deleted. */
  readonly strays: readonly string[];
  /** Sorted by path. */
  readonly quarantine: readonly Quarantined[];
}

export interface TaskIndex {
  /** `root` is the tree of a commit. A tree that was read last is answered without looking at it. Throws what the store throws. */
  read(root: Oid): Promise<TaskView>;
  /** True when something was judged that no import brought: worth exporting. */
  readonly changed: boolean;
  /** What is known of the blobs of the last read, as JSON text for `import`. Keep it where no agent can write. */
  export(): string;
  /** False, and nothing taken, for text that is damaged or of another version. */
  import(text: string): boolean;
}

/** Raise it whenever the door judges any bytes differently, so that no old verdict survives an upgrade. */
const CACHE_VERSION = 1;
const BATCH = 256;
const FOLDERS_DEEP_MAX = 16;
const EMPTY: TaskView = { tasks: new Map(), results: new Map(), projections: new Map(), strays: [], quarantine: [] };

type Known = Exclude<TaskFileKind, 'none'>;
/** Of a blob, by kind: a fault's path is empty, a task or result stands where it was first seen. */
type Verdict = SeenTask | TaskResult | SeenClaim | Quarantined;
/** Wrapped, because a record keeps keys it does not know and could look like anything. */
interface SeenClaim {
  readonly record: ClaimRecord;
}

type Placed = { readonly entry: FileEntry; readonly kind: TaskFileKind; readonly id: TaskId; readonly key: string; readonly fault: Quarantined | null };

export function createTaskIndex(store: Store, persisted: string | null = null): TaskIndex {
  const verdicts = new Map<string, Verdict>();
  const folders = new Map<Oid, readonly TreeEntry[]>();
  let placed = new Map<string, Placed>();
  let last: { readonly tasks: Oid | null; readonly view: TaskView } = { tasks: null, view: EMPTY };
  let turn: Promise<unknown> = Promise.resolve();
  let changed = false;

  async function readNow(root: Oid): Promise<TaskView> {
    const tasks = (await store.readTree(root)).find(({ name, mode }) => name === 'tasks' && mode === '40000')?.oid ?? null;
    if (tasks === last.tasks) return last.view;
    if (tasks === null) {
      last = { tasks, view: EMPTY };
      placed = new Map();
      return EMPTY;
    }
    const seen = new Set<Oid>();
    const deep: Quarantined[] = [];
    const files = await listFiles(tasks, 'tasks/', 1, seen, deep);
    placed = new Map(files.map((entry) => [entry.path, place(entry)]));
    await judgeUnknown([...placed.values()]);
    last = { tasks, view: buildView([...placed.values()], verdicts, deep) };
    forget(seen);
    return last.view;
  }

  async function listFiles(tree: Oid, prefix: string, depth: number, seen: Set<Oid>, deep: Quarantined[]): Promise<FileEntry[]> {
    seen.add(tree);
    const entries = folders.get(tree) ?? (await store.readTree(tree));
    folders.set(tree, entries);
    const files: FileEntry[] = [];
    for (const { name, mode, oid } of entries) {
      const path = prefix + name;
      if (mode !== '40000') files.push({ path, mode, oid });
      else if (path === 'tasks/archive' || name.startsWith('.') || name.startsWith('_')) continue;
      else if (depth < FOLDERS_DEEP_MAX) files.push(...(await listFiles(oid, `${path}/`, depth + 1, seen, deep)));
      else deep.push({ path, line: 1, reason: `The folder lies deeper than ${FOLDERS_DEEP_MAX} levels.`, mend: 'Move its files up.' });
    }
    return files;
  }

  function place(entry: FileEntry): Placed {
    const before = placed.get(entry.path);
    if (before !== undefined && before.entry.oid === entry.oid && before.entry.mode === entry.mode) return before;
    const kind = taskFileKind(entry.path);
    return { entry, kind, id: taskStem(entry.path), key: `${kind} ${entry.oid}`, fault: checkTaskPath(entry) };
  }

  async function judgeUnknown(files: readonly Placed[]): Promise<void> {
    const unknown = new Map<string, Placed>();
    for (const file of files) if (file.kind !== 'none' && file.fault === null && !verdicts.has(file.key)) unknown.set(file.key, file);
    if (unknown.size === 0) return;
    changed = true;
    const parsers = await loadParsers();
    const wanted = [...unknown.values()];
    for (let from = 0; from < wanted.length; from += BATCH) {
      await Promise.all(wanted.slice(from, from + BATCH).map(async ({ key, kind, entry }) => verdicts.set(key, await judge(store, parsers[kind as Known], entry))));
    }
  }

  function forget(seen: ReadonlySet<Oid>): void {
    for (const tree of folders.keys()) if (!seen.has(tree)) folders.delete(tree);
    // Reading back and forth between trees stays cheap, and yet memory is bounded by the size of one.
    if (verdicts.size <= 2 * placed.size + 1_000) return;
    const used = new Set([...placed.values()].map(({ key }) => key));
    for (const key of verdicts.keys()) if (!used.has(key)) verdicts.delete(key);
  }

  function take(text: string): boolean {
    const entries = parseCache(text);
    for (const [key, verdict] of entries ?? []) if (!verdicts.has(key)) verdicts.set(key, verdict);
    return entries !== null;
  }

  if (persisted !== null) take(persisted);
  return {
    read(root) {
      // One at a time: two reads side by side would both parse what neither knows.
      const mine = turn.then(() => readNow(root));
      turn = mine.catch(() => undefined);
      return mine;
    },
    get changed() {
      return changed;
    },
    export() {
      const used = new Set([...placed.values()].map(({ key }) => key));
      return JSON.stringify({ version: CACHE_VERSION, blobs: [...verdicts].filter(([key]) => used.has(key)) });
    },
    import: take,
  };
}

type Parser = (bytes: Uint8Array, entry: FileEntry) => Verdict;

async function loadParsers(): Promise<Readonly<Record<Known, Parser>>> {
  const [{ readTaskDraft }, { readResultDraft }, { parseClaimRecord }] = await Promise.all([import('./taskFile.ts'), import('./resultFile.ts'), import('./claimRecord.ts')]);
  return {
    instruction(bytes, { path, oid }) {
      const draft = readTaskDraft(bytes);
      return isQuarantined(draft) ? draft : { task: placeTask(draft, path, oid), titled: draft.title !== null };
    },
    result(bytes, { path }) {
      const draft = readResultDraft(bytes);
      return isQuarantined(draft) ? draft : placeResult(draft, path);
    },
    claim: (bytes) => projection(bytes, parseClaimRecord),
  };
}

function projection(bytes: Uint8Array, parse: (bytes: Uint8Array) => ClaimRecord): Verdict {
  try {
    return { record: parse(bytes) };
  } catch (error) {
    if (!(error instanceof CambiumError)) throw error;
    const newer = error.code === 'schema-too-new';
    return { path: '', line: 1, reason: `${newer ? 'schema-too-new: ' : ''}${error.message}`, mend: newer ? error.hint ?? '' : 'Delete the file: the fleet writes this projection anew.' };
  }
}

/** The size is asked first, so that a huge file never enters memory. */
async function judge(store: Store, parse: Parser, entry: FileEntry): Promise<Verdict> {
  const bytes = await store.sizeOf(entry.oid);
  return bytes > FILE_BYTES_MAX ? tooLarge('', bytes) : parse(await store.readBlob(entry.oid), entry);
}

function buildView(files: readonly Placed[], verdicts: ReadonlyMap<string, Verdict>, deep: readonly Quarantined[]): TaskView {
  const tasks = new Map<TaskId, Task>();
  const results = new Map<TaskId, TaskResult>();
  const projections = new Map<TaskId, { blob: Oid; record: ClaimRecord }>();
  const named = files.filter(({ kind, fault }) => kind !== 'none' && fault === null);
  const twins = hasTwins(named) ? duplicateStems(named.map(({ entry }) => entry.path)) : [];
  const twinPaths = new Set(twins.map(({ path }) => path));
  const quarantine = [...deep, ...twins, ...files.flatMap(({ fault }) => fault ?? [])];
  for (const { entry: { path, oid }, kind, id, key } of named) {
    const verdict = verdicts.get(key) as Verdict;
    if (twinPaths.has(path)) continue;
    if (isQuarantined(verdict)) quarantine.push({ ...verdict, path });
    else if (kind === 'instruction') tasks.set(id, moveTask(verdict as SeenTask, path));
    else if (kind === 'result') results.set(id, moveResult(verdict as TaskResult, path));
    else if ((verdict as SeenClaim).record.task === id) projections.set(id, { blob: oid, record: (verdict as SeenClaim).record });
    else quarantine.push({ path, line: 1, reason: `It speaks of the task ${(verdict as SeenClaim).record.task}.`, mend: 'Delete the file: the fleet writes this projection anew.' });
  }
  const instructions = new Set(files.map(({ entry }) => entry.path));
  const strays = named.filter(({ kind, entry }) => kind === 'claim' && !instructions.has(entry.path.replace(/\.claim\.json$/, '.md'))).map(({ entry }) => entry.path);
  return { tasks, results, projections, strays, quarantine: quarantine.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
}

function hasTwins(named: readonly Placed[]): boolean {
  return new Set(named.map(({ kind, id }) => `${kind} ${id}`)).size < named.length;
}

function parseCache(text: string): readonly [string, Verdict][] | null {
  try {
    const { version, blobs } = JSON.parse(text) as { version?: unknown; blobs?: unknown };
    if (version !== CACHE_VERSION || !Array.isArray(blobs)) return null;
    const whole = blobs.every((entry) => Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'object' && entry[1] !== null);
    return whole ? (blobs as [string, Verdict][]) : null;
  } catch {
    return null;
  }
}
