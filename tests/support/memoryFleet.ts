/**
 * A fleet of nodes in one process: the real observe, orient, decide, act and cycle over a hub, stores, clock and
 * machines in memory. Whole passes take milliseconds; faults are injected push by push, and time is virtual.
 */
import { createMemoryHub } from '../../src/adapters/memory/hub.ts';
import type { MemoryHub, PushFault } from '../../src/adapters/memory/hub.ts';
import { createManualClock } from '../../src/adapters/memory/clock.ts';
import { createMemoryDecisionLog } from '../../src/adapters/memory/decisionLog.ts';
import type { ManualClock } from '../../src/adapters/memory/clock.ts';
import { createMemoryMachine } from '../../src/adapters/memory/machine.ts';
import type { MemoryMachineRoom } from '../../src/adapters/memory/machine.ts';
import { createMemoryLocal } from '../../src/adapters/memory/local.ts';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import type { MemoryStore } from '../../src/adapters/memory/store.ts';
import type { Node } from '../../src/act/node.ts';
import { publish } from '../../src/act/publish.ts';
import type { Member, Published, PublishOptions } from '../../src/act/publish.ts';
import type { Clone } from '../../src/workspace/clone.ts';
import { openLives } from '../../src/workspace/lives.ts';
import { openLoop } from '../../src/workspace/loop.ts';
import type { Loop } from '../../src/cycle/loop.ts';
import { pass } from '../../src/cycle/pass.ts';
import type { PassOptions, PassReport } from '../../src/cycle/pass.ts';
import type { Chain, ClaimRecord } from '../../src/model/claim.ts';
import type { DecisionRecord } from '../../src/model/decision.ts';
import type { RefUpdate, Signature, TreeEdit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import { FLEET_REF, branchRef, claimRef } from '../../src/model/layout.ts';
import type { Fleet } from '../../src/model/snapshot.ts';
import { archivedChain } from '../../src/observe/archive.ts';
import { openAges } from '../../src/observe/ages.ts';
import { chainHistory, createChainReader } from '../../src/observe/chains.ts';
import type { ChainReader } from '../../src/observe/chains.ts';
import { createFleetReader } from '../../src/observe/fleet.ts';
import type { FleetReader } from '../../src/observe/fleet.ts';
import { openHubMirror } from '../../src/observe/hubMirror.ts';
import { createTaskIndex } from '../../src/observe/taskIndex.ts';
import { fileAt, treeOf } from '../../src/observe/tree.ts';
import type { Checkout } from '../../src/ports/checkout.ts';
import type { Hub, PushOutcome } from '../../src/ports/hub.ts';
import { createMachine } from './memoryMachine.ts';
import { memoryProjects } from './memoryProject.ts';
import type { Job, Machine, Work } from './memoryMachine.ts';

export const MAIN = branchRef('main');

/** One place that talks to the hub: a clone with its store, and what may go wrong on its way. */
export interface Seat {
  readonly name: string;
  readonly store: MemoryStore;
  readonly reader: ChainReader;
  readonly fleets: FleetReader;
  /** The node of the present life. */
  readonly node: Node;
  /** What becomes of this seat's pushes; `ok` by default. */
  fault: (updates: readonly RefUpdate[]) => PushFault;
  /** Runs after the hub has judged a push and before this seat learns of it. */
  afterPush: ((updates: readonly RefUpdate[], outcome: PushOutcome) => Promise<void>) | undefined;
  /** The order in which the hub renames the refs of a push; `half` leaves out the last. */
  order: (updates: readonly RefUpdate[]) => readonly RefUpdate[];
  /** Null, or how a listing that takes a moment mixes what it saw at its start and at its end: no listing is a snapshot. */
  tear: (() => (before: Oid, now: Oid) => Oid) | null;
  /** True: nothing this seat asks the hub is ever answered again, as when its process is killed. */
  dead: boolean;
  /** Every push that was sent, as its ref names. */
  readonly pushes: (readonly RefUpdate[])[];
  /** The fleet as this seat sees it now. */
  look(): Promise<Fleet>;
  publish<T>(members: readonly Member<T>[], options?: PublishOptions): Promise<ReadonlyMap<string, Published<T>>>;
}

export interface MemoryNode extends Seat {
  readonly machine: Machine;
  /** What its machine has left. */
  readonly room: MemoryMachineRoom;
  readonly records: Map<string, string>;
  readonly loop: Loop;
  /** What the node said for the log. */
  readonly said: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[];
  /** What it put on record, oldest first. */
  readonly decided: readonly DecisionRecord[];
  pass(options?: Partial<PassOptions>): Promise<PassReport>;
  /** Passes until nothing moves, at most `max`. */
  rest(max?: number): Promise<PassReport>;
  /** Kills the daemon: what it was doing never goes on, and the pass it was in rejects with `killed`. */
  kill(): void;
  /** A new daemon process over the same clone. */
  restart(): Promise<void>;
}

export interface MemoryFleet {
  readonly hub: MemoryHub;
  readonly clock: ManualClock;
  node(name: string): MemoryNode;
  /** Somebody who talks to the hub without a daemon. */
  seat(name: string): Promise<Seat>;
  /** Commits files straight onto the hub's main, as a person with plain git does; null deletes. */
  commit(files: Readonly<Record<string, string | null>>): Promise<Oid>;
  /** Text of a file on the hub's main. */
  file(path: string): Promise<string | null>;
  /** The claim chain on the hub, oldest first; that in the archive where its ref was collected. */
  chain(task: string): Promise<readonly ClaimRecord[]>;
  tip(task: string): Promise<Chain>;
  /** Lets virtual time pass until the work is done. */
  drive<T>(work: Promise<T>): Promise<T>;
}

export interface MemoryFleetOptions {
  readonly seed?: number;
  /** Agents by node. */
  readonly nodes: Readonly<Record<string, readonly string[]>>;
  readonly files?: Readonly<Record<string, string>>;
  /** More keys of each agent, as `fallback: [codex]`. */
  readonly agent?: string;
  /** More lines of cambium.yaml. */
  readonly config?: string;
  readonly provider?: 'runbook' | 'claude';
  readonly work?: (job: Job) => Work;
  readonly verify?: (task: string, read: (path: string) => Promise<string | null>) => number | Promise<number>;
  readonly checkouts?: Readonly<Record<string, Checkout>>;
  /** Hubs of the projects that `config` names. */
  readonly projects?: Readonly<Record<string, MemoryHub>>;
}

export const TTL_MS = 60_000;

/** Nodes are opened in order; nothing has passed yet. */
export async function createMemoryFleet(options: MemoryFleetOptions): Promise<MemoryFleet> {
  const { seed = 1, nodes: agentsByNode, files = {} } = options;
  const hub = createMemoryHub();
  const clock = createManualClock(seed);
  const faults = new WeakMap<readonly RefUpdate[], (updates: readonly RefUpdate[]) => PushFault>();
  for (const each of [hub, ...Object.values(options.projects ?? {})]) each.onPush = (updates) => faults.get(updates)?.(updates) ?? 'ok';
  const world: World = { hub, clock, faults, drive: (work) => drive(clock, work) };
  const founder = await found(world, { 'cambium.yaml': configText(options), ...files });
  const nodes = new Map<string, MemoryNode>();
  for (const name of Object.keys(agentsByNode)) nodes.set(name, await openNode(world, name, options));
  return {
    hub, clock, drive: world.drive,
    node: (name) => nodes.get(name) as MemoryNode,
    seat: (name) => openSeat(world, name),
    commit: (changes) => commitFiles(world, founder, changes),
    async file(path) {
      await refresh(world, founder);
      const found = await fileAt(founder.store, await treeOf(founder.store, hub.refs.get(MAIN) as Oid), path);
      return found === null ? null : Buffer.from(found.bytes).toString('utf8');
    },
    async chain(task) {
      await refresh(world, founder);
      const tip = hub.refs.get(claimRef(task)) ?? (await archivedChain(founder.store, founder.node.hub, founder.reader, hub, task))?.tip;
      return tip === undefined ? [] : (await chainHistory(founder.store, founder.reader, tip)).map(({ record }) => record).toReversed();
    },
    async tip(task) {
      await refresh(world, founder);
      return founder.reader.chain(hub.refs.get(claimRef(task)) as Oid);
    },
  };
}

interface World {
  readonly hub: MemoryHub;
  readonly clock: ManualClock;
  readonly faults: WeakMap<readonly RefUpdate[], (updates: readonly RefUpdate[]) => PushFault>;
  drive<T>(work: Promise<T>): Promise<T>;
}

async function drive<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let open = true;
  const ended = work.finally(() => { open = false; });
  ended.catch(() => undefined);
  while (open) {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    const next = clock.nextWakeMs();
    if (open && next !== null) await clock.advance(Math.max(0, next - clock.bootMs()));
  }
  return ended;
}

const PERSON: Signature = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0000' };

function configText({ nodes, config = '', provider = 'runbook', agent = '' }: MemoryFleetOptions): string {
  const all = [...new Set(Object.values(nodes).flat())];
  // An agent of several nodes is whichever node's is first.
  const nodeOf = (id: string): string => { const those = Object.keys(nodes).filter((node) => nodes[node]?.includes(id)); return those.length > 1 ? '"*"' : (those[0] ?? ''); };
  const agents = all.map((id) => `  ${id}: { role: worker, node: ${nodeOf(id)}, provider: ${provider}${agent === '' ? '' : `, ${agent}`} }`);
  return `schema: cambium.fleet/1\ntimings: { ttl: 60s, heartbeat: 20s, fetch: 2s, grace: 5s }\ndefaults: { provider: ${provider}, max_attempts: 3, timeout_minutes: 60 }\nagents:\n${agents.join('\n')}\n${config}`;
}

async function found(world: World, files: Readonly<Record<string, string>>): Promise<Seat> {
  const founder = await openSeat(world, 'founder');
  const main = await writeFiles(founder, null, files);
  const record = { schema: 'cambium.hub/1', fleet: 'f-test', format: 1, generation: 1, branch: 'main', created: '2026-11-20T23:00:00Z' };
  const marker = await writeFiles(founder, null, { 'fleet.json': `${JSON.stringify(record)}\n` });
  await founder.node.hub.push([{ ref: MAIN, expect: null, to: main }, { ref: FLEET_REF, expect: null, to: marker }]);
  return founder;
}

async function commitFiles(world: World, founder: Seat, files: Readonly<Record<string, string | null>>): Promise<Oid> {
  await refresh(world, founder);
  const expect = world.hub.refs.get(MAIN) as Oid;
  const to = await writeFiles(founder, expect, files);
  const outcome = await founder.node.hub.push([{ ref: MAIN, expect, to }]);
  if (outcome.kind !== 'accepted') throw new Error('the plain commit was not taken');
  return to;
}

async function writeFiles({ store }: Seat, parent: Oid | null, files: Readonly<Record<string, string | null>>): Promise<Oid> {
  const before = parent === null ? await store.writeTree([]) : await treeOf(store, parent);
  const edits = await Promise.all(Object.entries(files).map(async ([path, text]): Promise<[string, TreeEdit]> => [path, text === null ? null : { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }]));
  return store.writeCommit({ tree: await store.editTree(before, new Map(edits)), parents: parent === null ? [] : [parent], author: PERSON, committer: PERSON, message: 'by hand\n' });
}

async function refresh({ hub }: World, { node }: Seat): Promise<void> {
  await node.hub.fetch(new Map([...hub.refs].filter(([ref]) => ref === MAIN || ref.startsWith('refs/cambium/'))));
}

/** A pass that asks this often what is known turns in a circle: better an error than a test that never ends. */
const ASKED_MAX = 50_000;

async function openSeat(world: World, name: string, machine?: Machine, kept: { readonly store: MemoryStore; readonly records: Map<string, string> } = { store: createMemoryStore(), records: new Map() }): Promise<Seat & { readonly clone: Clone }> {
  const { clock } = world;
  const { store, records } = kept;
  const local = createMemoryLocal(records);
  const used = machine ?? createMachine({ clock, store, work: () => ({}), verify: () => 0 });
  const hub = guard(world, () => seat, world.hub.connect(store));
  const opened = await openHubMirror({ store, hub, local, branch: 'main', trackingRef: null });
  let asked = 0;
  const known = (): ReturnType<typeof opened.known> => {
    asked += 1;
    if (asked > ASKED_MAX) throw new Error(`${name} turns in a circle`);
    return opened.known();
  };
  const mirror = { ...opened, known, refresh: async () => { asked = 0; return opened.refresh(); } };
  const reader = createChainReader(store);
  const ages = await openAges(local, store, { additions: async () => new Map() });
  const fleets = createFleetReader({ store, chains: reader, index: createTaskIndex(store), ages, local, version: '0.2.0' });
  const { process, machine: id } = await used.supervisor.self();
  const identity = { node: name, incarnation: clock.ulid(), machine: id, bootId: process.boot_id, process };
  const node: Node = { identity, store, hub, mirror, clock, local, supervisor: used.supervisor, version: '0.2.0', config: fleets.config };
  const seat: Seat & { readonly clone: Clone } = {
    name, store, reader, fleets, node, fault: () => 'ok', afterPush: undefined, order: (updates) => updates, tear: null, dead: false, pushes: [],
    clone: { mirror, fleets, reader, local, worktrees: used.worktrees, workDir: '/work', stateDir: '/state', store, hub, clock, supervisor: used.supervisor, branch: 'main', version: '0.2.0', config: fleets.config } as unknown as Clone,
    look: async () => fleets.read(await mirror.refresh()),
    publish: (members, more) => world.drive(publish(node, members, more)),
  };
  return seat;
}

/** How long a torn listing takes. */
const LISTING_MS = 50;

/** The way to the hub: faults of this seat only, and silence once its process is dead. */
function guard(world: World, seatOf: () => Seat, hub: Hub): Hub {
  const alive = async <T>(answer: () => Promise<T>): Promise<T> => {
    if (seatOf().dead) return new Promise<T>(() => undefined);
    const given = await answer();
    return seatOf().dead ? new Promise<T>(() => undefined) : given;
  };
  return {
    url: hub.url,
    list: () => alive(async () => {
      const before = await hub.list();
      const pick = seatOf().tear?.();
      if (pick === undefined) return before;
      await world.clock.sleep(LISTING_MS);
      return new Map([...(await hub.list())].map(([ref, oid]) => [ref, pick(before.get(ref) ?? oid, oid)]));
    }),
    fetch: (refs) => alive(() => hub.fetch(refs)),
    push: (updates) => alive(async () => {
      const seat = seatOf();
      const sent = seat.order(updates);
      world.faults.set(sent, () => seat.fault(updates));
      seat.pushes.push(updates);
      const outcome = await hub.push(sent);
      await seat.afterPush?.(updates, outcome);
      return outcome;
    }),
  };
}

const ABSENT: Checkout = {
  look: async () => ({ state: 'absent' }),
  person: async () => PERSON,
  edits: async () => ({ edits: [], unsettled: [], refused: [] }),
  advance: async ({ synced }) => ({ moved: false, synced, skipped: [], displaced: [] }),
  recover: async () => undefined,
};

interface Life {
  readonly seat: Seat;
  readonly loop: Loop;
  readonly gone: Promise<never>;
  readonly end: () => void;
}

async function openNode(world: World, name: string, options: MemoryFleetOptions): Promise<MemoryNode> {
  const kept = { store: createMemoryStore(), records: new Map<string, string>() };
  const machine = createMachine({ clock: world.clock, store: kept.store, work: options.work ?? (() => ({})), verify: options.verify ?? (() => 0) });
  const said: MemoryNode['said'] = [];
  const room = createMemoryMachine();
  const decided: DecisionRecord[] = [];
  const agents = [...(options.nodes[name] ?? [])];

  async function live(): Promise<Life> {
    const seat = await openSeat(world, name, machine, kept);
    const { process, machine: id } = await machine.supervisor.self();
    const lives = await openLives(seat.node.local, id, process, world.clock.ulid());
    const node: Node = { ...seat.node, identity: { ...seat.node.identity, incarnation: lives.incarnation } };
    const projects = memoryProjects(kept.store, machine.worktrees, (project, store) => guard(world, () => seat, (options.projects ?? {})[project]!.connect(store)));
    const clone = { ...seat.clone, projects, checkout: async () => options.checkouts?.[name] ?? ABSENT };
    const loop = await world.drive(openLoop({ clone, node, lives, agents, machine: room, log: createMemoryDecisionLog(decided), say: (event, fields = {}) => void said.push({ event, fields }) }));
    Object.defineProperty(loop.shop, 'providers', { value: machine.providers });
    let end: () => void = () => undefined;
    const gone = new Promise<never>((_resolve, reject) => {
      end = () => reject(new Error('killed'));
    });
    gone.catch(() => undefined);
    return { seat: Object.assign(seat, { node }), loop, gone, end };
  }

  function kill(): void {
    life.seat.dead = true;
    life.end();
  }

  let life = await live();
  const passed = (more: Partial<PassOptions> = {}): Promise<PassReport> => world.drive(Promise.race([pass(life.loop, { fullScan: true, ...more }), life.gone]));
  const node: Partial<MemoryNode> = {
    machine, room, records: kept.records, said, decided, kill,
    pass: passed,
    async rest(max = 20) {
      for (let passes = 1; ; passes++) {
        const report = await passed();
        if (!report.progress || passes === max) return report;
      }
    },
    async restart() {
      const { fault, afterPush, order, tear } = life.seat;
      kill();
      machine.boot();
      life = await live();
      Object.assign(life.seat, { fault, afterPush, order, tear });
    },
  };
  // What belongs to a life is asked of the present one.
  return new Proxy(node as MemoryNode, {
    get: (own, key) => (key in own ? Reflect.get(own, key) : key === 'loop' ? life.loop : Reflect.get(life.seat, key)),
    set: (_own, key, value) => Reflect.set(life.seat, key, value),
  });
}

/** The instruction file of a task: front matter lines, then a line of text. */
export function task(front: Readonly<Record<string, string | number>> = {}): string {
  const lines = Object.entries(front).map(([key, value]) => `${key}: ${value}`);
  return lines.length === 0 ? '# Do it\n' : `---\n${lines.join('\n')}\n---\n\n# Do it\n`;
}

/** Refs that a push moves, shortened: `main`, `claims/a`, `nodes/vm-a`. */
export function refsOf(updates: readonly RefUpdate[]): readonly string[] {
  return updates.map(({ ref }) => (ref === MAIN ? 'main' : ref.replace('refs/cambium/', '')));
}
