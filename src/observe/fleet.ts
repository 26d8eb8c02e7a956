/** The fleet as hub and tree tell it at one moment. Unchanged objects are never read twice. */
import { CambiumError } from '../errors.ts';
import { chainState, isTerminal } from '../model/claim.ts';
import type { Chain } from '../model/claim.ts';
import type { FleetConfig } from '../model/config.ts';
import type { Oid, TaskId } from '../model/ids.ts';
import { CLAIMS_PREFIX, CONFIG_FILE, FLEET_REF, NODES_PREFIX, STOP_REF, WORKSPACE, taskFileKind, taskStem } from '../model/layout.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Quarantined, TaskResult } from '../model/task.ts';
import type { Local } from '../ports/local.ts';
import type { Store } from '../ports/store.ts';
import type { TaskAges } from './ages.ts';
import type { ChainReader } from './chains.ts';
import { parseFleetRecord } from './fleetRecord.ts';
import type { HubView } from './hubMirror.ts';
import { createArchiveLook } from './archiveLook.ts';
import { lastNamed } from './lastNamed.ts';
import { createLedgerReader } from './ledger.ts';
import { createParksReader } from './providersRecord.ts';
import { readStop } from './stopRecord.ts';
import type { TaskIndex, TaskView } from './taskIndex.ts';
import { entryAt, fileAt, treeOf } from './tree.ts';

export interface FleetReader {
  /** Throws `hub-not-joined` when the hub has no main yet. */
  read(view: HubView): Promise<Fleet>;
  /** The settings of the last reading; null before the first. */
  config(): FleetConfig | null;
}

export interface FleetReaderOptions {
  readonly store: Store;
  readonly chains: ChainReader;
  readonly index: TaskIndex;
  readonly ages: TaskAges;
  readonly local: Local;
  readonly version: string;
}

export function createFleetReader({ store, chains, index, ages, local, version }: FleetReaderOptions): FleetReader {
  const readConfig = createConfigReader(store, local, version);
  const isUnlanded = createLandingCheck(store, chains);
  const lookIntoArchive = createArchiveLook(store);
  const readParks = createParksReader(store);
  const readLedger = createLedgerReader(store);
  let last: { readonly view: HubView; readonly fleet: Fleet } | null = null;
  return {
    config: () => last?.fleet.config ?? null,
    async read(view) {
      // The mirror replaces its map only when a ref has moved.
      if (last?.view.refs === view.refs) return last.fleet;
      await requireKnownFormat(store, view.refs.get(FLEET_REF));
      const commit = view.main as Oid;
      const tree = await treeOf(store, commit);
      const [files, { config, problems }, claims, nodes, since] = await Promise.all([
        index.read(tree), readConfig(tree), readRefs(view, CLAIMS_PREFIX, (tip) => chains.chain(tip)), readRefs(view, NODES_PREFIX, (tip) => chains.node(tip)), ages.at(commit),
      ]);
      const archive = await lookIntoArchive(tree, files, claims.read, claims.unreadable);
      const [stop, parks, ledger] = await Promise.all([readStop(store, view.refs.get(STOP_REF)), readParks(tree), readLedger(tree, { config, tasks: archive.tasks, results: files.results, chains: claims.read, since })]);
      const unlanded = new Set<TaskId>();
      for (const [task, chain] of claims.read) if (await isUnlanded(chain, files.results.get(task) ?? archive.resultOf(task, chain), commit)) unlanded.add(task);
      const projections = new Map([...files.projections].map(([task, { record }]) => [task, record]));
      const fleet: Fleet = {
        main: { commit, tree }, config, tasks: archive.tasks, results: files.results, projections, strays: files.strays,
        quarantine: [...files.quarantine, ...problems, ...claims.problems, ...nodes.problems, ...archive.problems, ...stop.problems, ...parks.problems],
        chains: claims.read, nodes: nodes.read, unlanded, archived: archive.archived, reopened: archive.reopened, missingContext: await missingContext(store, tree, files, claims.read), since,
        unreadable: new Set([...claims.unreadable, ...unreadableResults(files)]), stop: stop.stop, parks: parks.parks, ledger,
      };
      last = { view, fleet };
      return fleet;
    },
  };
}

/** What main shows of a task's end: its epoch is enough. */
type Shown = Pick<TaskResult, 'epoch'>;

/** Ended chains whose main commit main does not have. What was found landed once stays landed. */
function createLandingCheck(store: Store, chains: ChainReader): (chain: Chain, result: Shown | undefined, main: Oid) => Promise<boolean> {
  const landed = new Set<Oid>();
  return async (chain, result, main) => {
    if (landed.has(chain.tip)) return false;
    const { kind, epoch } = chain.record;
    const ended = isTerminal(chainState(chain));
    // What main itself shows needs no walk: nearly all chains are told by their result file.
    if (kind === 'reopen' ? result === undefined : ended ? result?.epoch === epoch : result === undefined) return false;
    const named = await lastNamed(store, chains, chain);
    if (named !== null && !(await store.isAncestor(named.commit, main))) return true;
    landed.add(chain.tip);
    return false;
  };
}

/** A fleet of a newer format is left alone: this version would not understand what it breaks. */
async function requireKnownFormat(store: Store, marker: Oid | undefined): Promise<void> {
  if (marker === undefined) return;
  const file = await fileAt(store, await treeOf(store, marker), 'fleet.json');
  if (file !== null) parseFleetRecord(file.bytes);
}

/** A result that cannot be read is a result all the same: its task neither runs again nor counts as reopened. */
function unreadableResults({ quarantine }: TaskView): readonly TaskId[] {
  return quarantine.filter(({ path }) => taskFileKind(path) === 'result').map(({ path }) => taskStem(path));
}

async function missingContext(store: Store, tree: Oid, files: TaskView, claims: ReadonlyMap<TaskId, Chain>): Promise<ReadonlyMap<TaskId, readonly string[]>> {
  const missing = new Map<TaskId, readonly string[]>();
  for (const task of files.tasks.values()) {
    if (task.contextFiles.length === 0 || files.results.has(task.id) || isTerminal(chainState(claims.get(task.id)))) continue;
    // What stands in a project cannot be seen from here: that is looked at when the task starts.
    const here = task.contextFiles.filter((path) => task.project === undefined || path.startsWith(WORKSPACE));
    const entries = await Promise.all(here.map((path) => entryAt(store, tree, path.startsWith(WORKSPACE) ? path.slice(WORKSPACE.length) : path)));
    const absent = here.filter((_, at) => entries[at]?.mode !== '100644' && entries[at]?.mode !== '100755');
    if (absent.length > 0) missing.set(task.id, absent);
  }
  return missing;
}

interface RefsRead<T> {
  readonly read: Map<string, T>;
  readonly problems: readonly Quarantined[];
  readonly unreadable: ReadonlySet<string>;
}

/** Anybody who may push may push nonsense to a ref: it is named and set aside, and the others are read. */
async function readRefs<T>(view: HubView, prefix: string, read: (tip: Oid) => Promise<T>): Promise<RefsRead<T>> {
  const found = new Map<string, T>();
  const problems: Quarantined[] = [];
  const unreadable = new Set<string>();
  await Promise.all([...view.refs].filter(([ref]) => ref.startsWith(prefix)).map(async ([ref, tip]) => {
    const name = ref.slice(prefix.length);
    try {
      found.set(name, await read(tip));
    } catch (error) {
      if (!(error instanceof CambiumError) || !['bad-file', 'schema-too-new', 'object-missing'].includes(error.code)) throw error;
      unreadable.add(name);
      problems.push({ path: ref, line: 1, reason: error.message, mend: error.hint ?? 'Look at it with `git show`.' });
    }
  }));
  return { read: found, problems, unreadable };
}

interface ReadConfig {
  readonly blob: Oid | null;
  readonly config: FleetConfig;
  readonly problems: readonly Quarantined[];
}

/** The last good configuration as a process before this one parsed it; `version` says by which build. */
interface KeptConfig {
  readonly blob: Oid;
  readonly version: string;
  readonly config: FleetConfig;
}

const KEPT = 'config';

/**
 * Reloaded live: a bad edit keeps the last good one in force, also for a process that starts later, and says where it is
 * bad. The parser is loaded only for a file that nobody has parsed yet: it costs more than most commands.
 */
function createConfigReader(store: Store, local: Local, version: string): (tree: Oid) => Promise<ReadConfig> {
  let last: ReadConfig | null = null;

  async function readNow(tree: Oid): Promise<ReadConfig> {
    const file = await fileAt(store, tree, CONFIG_FILE);
    if (last !== null && last.blob === (file?.oid ?? null)) return last;
    const kept = (await local.read(KEPT)) as KeptConfig | undefined;
    if (file !== null && kept?.blob === file.oid && kept.version === version) return { blob: file.oid, config: kept.config, problems: [] };
    const { DEFAULT_CONFIG, parseFleetConfig } = await import('./fleetConfig.ts');
    if (file === null) return { blob: null, config: DEFAULT_CONFIG, problems: [] };
    const parsed = parseFleetConfig(file.bytes);
    if ('config' in parsed) {
      await local.write(KEPT, { blob: file.oid, version, config: parsed.config } satisfies KeptConfig);
      return { blob: file.oid, config: parsed.config, problems: [] };
    }
    const problems = parsed.problems.map(({ line, message, hint }) => ({ path: CONFIG_FILE, line, reason: message, mend: hint }));
    return { blob: file.oid, config: last?.config ?? kept?.config ?? DEFAULT_CONFIG, problems };
  }

  return async (tree) => {
    last = await readNow(tree);
    return last;
  };
}
