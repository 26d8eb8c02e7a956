/**
 * A hub after a year of work: finished tasks in the archive, the last ones still in `tasks/`. All files, messages and
 * records are rendered by the code that nodes write them with; only the order of events and the clock are made up, from
 * a seed. The layout is that of docs/formats.md and PROTOCOL P9.
 */
import { spawnFiles } from '../../src/act/projections.ts';
import type { Node } from '../../src/act/node.ts';
import type { ClaimRecord } from '../../src/model/claim.ts';
import type { Signature } from '../../src/model/git.ts';
import { archiveDay, archiveRef, archivedPath, chainEntry, monthOf } from '../../src/model/archive.ts';
import type { Oid, TaskId } from '../../src/model/ids.ts';
import { FLEET_REF, ROSTER_PATH, branchRef, claimPath, claimRef, nodeRef, resultPath, taskPath } from '../../src/model/layout.ts';
import { machineSignature, renderMessage } from '../../src/model/message.ts';
import type { NodeHeartbeat } from '../../src/model/node.ts';
import type { Run } from '../../src/model/run.ts';
import { renderClaimRecord } from '../../src/observe/claimRecord.ts';
import { renderFleetRecord } from '../../src/observe/fleetRecord.ts';
import { renderNodeRecord } from '../../src/observe/nodeRecord.ts';
import { renderResult } from '../../src/observe/resultFile.ts';
import { hashObject } from '../../src/adapters/git/objects.ts';
import { startFastImport } from './fastImport.ts';
import type { FastImport, Mark } from './fastImport.ts';
import { gitIn, makeBareHub } from './repo.ts';

export interface YearOptions {
  /** Finished tasks, the archived and the last ones together. */
  readonly count: number;
  /** Of these, how many still stand in `tasks/` with a live claim ref. */
  readonly live: number;
  /** cambium.yaml. */
  readonly config: string;
  readonly seed?: number;
}

export interface Year {
  /** Ids of all tasks, oldest first; the last `live` of them are not archived. */
  readonly ids: readonly TaskId[];
  /** Where a task's instruction file stands at the end. */
  path(id: TaskId): string;
}

/** Past for every machine that reads it: git walks history by date, and commits from the future make each push slow. */
const YEAR_START_MS = Date.UTC(2025, 0, 1);
const YEAR_MS = 365 * 86_400_000;
/** Tasks that are added and claimed in one commit each, as a busy fleet's pushes bring them together. */
const GROUP = 20;
/** PROTOCOL P9: at most this many tasks in one move, tips in one fold. */
const MOVED_MAX = 200;
const FOLDED_MAX = 100;
const NODES = ['vm-a', 'vm-b', 'vm-c', 'laptop'] as const;
const AGENTS = ['worker-1', 'worker-2', 'worker-3', 'worker-4'] as const;
const CODE_FILES = 2_000;
const CHAIN_REF = 'refs/year/chain';
const PERSON = { name: 'Maria', email: 'maria@example.org' };
const TITLES = ['Mend the parser', 'Add a login form', 'Speed up the search', 'Document the importer', 'Test the scheduler', 'Rename the settings', 'Drop the old cache'];

/** One task on its way through the year. */
interface Work {
  readonly id: TaskId;
  readonly number: number;
  readonly title: string;
  readonly agent: string;
  readonly node: string;
  readonly epoch: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly instruction: string;
}

interface Ended extends Work {
  readonly done: Mark;
  readonly tip: Oid;
}

/** Writes the hub: a bare repository of one pack, with packed refs. */
export async function writeYear(hub: string, options: YearOptions): Promise<Year> {
  makeBareHub(hub);
  const works = worksOf(options);
  const git = startFastImport(hub);
  const year = new YearWriter(git, options.config);
  for (let from = 0; from < works.length; from += GROUP) {
    await year.work(works.slice(from, from + GROUP));
    // Through the year fewer stand in `tasks/` than at its end: a folder of twice the size takes git twice the time.
    const room = from + GROUP < works.length - options.live ? 0 : options.live;
    while (year.waiting >= room + MOVED_MAX) year.archive(MOVED_MAX);
  }
  while (year.waiting > options.live) year.archive(Math.min(MOVED_MAX, year.waiting - options.live));
  await year.finish();
  gitIn(hub, ['update-ref', '-d', CHAIN_REF]);
  gitIn(hub, ['pack-refs', '--all', '--prune']);
  const places = new Map(works.slice(0, -options.live).map((work) => [work.id, archivedTo(work)]));
  return { ids: works.map(({ id }) => id), path: (id) => places.get(id) ?? taskPath(id) };
}

function worksOf({ count, seed = 1 }: YearOptions): Work[] {
  const chance = chances(seed);
  const stepMs = YEAR_MS / count;
  return Array.from({ length: count }, (_, number) => {
    const title = `${TITLES[chance(TITLES.length)] as string}, part ${number}`;
    const id = `${title.toLowerCase().split(/[ ,]+/).slice(0, 3).join('-')}-${number.toString(36).padStart(4, '0')}`;
    const endedMs = YEAR_START_MS + Math.floor(number * stepMs) + 600_000;
    const startedMs = endedMs - 30_000 - chance(300_000);
    return {
      id, number, title, agent: AGENTS[chance(AGENTS.length)] as string, node: NODES[chance(NODES.length)] as string,
      epoch: chance(10) === 0 ? 2 : 1, startedMs, endedMs, instruction: instructionOf(title, number, chance(4)),
    };
  });
}

/** Mulberry32: the same year from the same seed, everywhere. */
function chances(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function instructionOf(title: string, number: number, priority: number): string {
  return `---\ntitle: ${title}\npriority: ${priority}\nlabels: [year]\nacceptance_criteria:\n  - File ${number % CODE_FILES} says so.\n---\n# ${title}\n\nDo part ${number} of the work on file ${number % CODE_FILES}, then say what was done.\n`;
}

const archivedTo = ({ id, endedMs }: Pick<Work, 'id' | 'endedMs'>): string => archivedPath(id, archiveDay(endedMs));

/** Says the year to fast-import, in the order of its events. */
class YearWriter {
  readonly #git: FastImport;
  readonly #main = branchRef('main');
  readonly #ended: Ended[] = [];
  readonly #folds = new Map<string, Mark>();
  #tip: Mark;

  constructor(git: FastImport, config: string) {
    this.#git = git;
    const at = person(YEAR_START_MS);
    const files = new Map([['cambium.yaml', config], ['.gitignore', '.cambium/\n'], [ROSTER_PATH, rosterText(YEAR_START_MS)]]);
    this.#tip = git.commit({ ref: this.#main, author: at, committer: at, message: 'A workspace\n', files });
    const marker = renderFleetRecord({ schema: 'cambium.hub/1', fleet: 'f-12345678', format: 1, generation: 1, branch: 'main', created: iso(YEAR_START_MS) });
    git.commit({ ref: FLEET_REF, author: at, committer: at, message: 'fleet f-12345678\n', from: null, files: new Map([['fleet.json', marker]]) });
  }

  /** Ended tasks that still stand in `tasks/`. */
  get waiting(): number {
    return this.#ended.length;
  }

  /** Added, claimed, shown, landed and ended: one group of tasks. */
  async work(group: readonly Work[]): Promise<void> {
    const git = this.#git;
    const added = this.#add(group);
    const [base] = await git.oids([added]) as [Oid];
    const claims = group.map((work) => this.#claim(work, base));
    const tips = await git.oids(claims.map(({ mark }) => mark));
    this.#show(group, claims.map(({ record }) => record));
    const landings = group.map((work, at) => this.#land(work, tips[at] as Oid));
    const results = await git.oids(landings);
    const dones = group.map((work, at) => this.#done(work, claims[at] as Claim, landings[at] as Mark, results[at] as Oid));
    const ends = await git.oids(dones);
    this.#ended.push(...group.map((work, at): Ended => ({ ...work, done: dones[at] as Mark, tip: ends[at] as Oid })));
  }

  /** One move and its folds: the oldest that have ended leave `tasks/`, and their tips the claim refs. */
  archive(count: number): void {
    const group = this.#ended.splice(0, count);
    const last = group.at(-1) as Ended;
    const at = machine(last.node, 'node', last.endedMs);
    const moves = new Map(group.flatMap((work) => [[taskPath(work.id), archivedTo(work)], [resultPath(taskPath(work.id)), resultPath(archivedTo(work))]] as [string, string][]));
    const message = renderMessage({ subject: `archive: ${group.length} tasks`, body: group.map(({ id }) => id).join('\n'), trailers: { Kind: 'archive', Node: last.node } });
    this.#tip = this.#git.commit({ ref: this.#main, author: at, committer: at, message, moves });
    for (let from = 0; from < group.length; from += FOLDED_MAX) this.#fold(group.slice(from, from + FOLDED_MAX), monthOf(last.endedMs), at);
  }

  async finish(): Promise<void> {
    for (const { id, done } of this.#ended) this.#git.pointRef(claimRef(id), done);
    const [main] = await this.#git.oids([this.#tip]) as [Oid];
    for (const [seq, node] of NODES.entries()) this.#beat(node, seq, main);
    await this.#git.end();
  }

  #add(group: readonly Work[]): Mark {
    const at = person((group[0] as Work).startedMs - 60_000);
    const message = renderMessage({ subject: `tasks: add ${group.length} files`, body: group.map(({ id }) => `add ${taskPath(id)}`).join('\n'), trailers: { Kind: 'edit' } });
    this.#tip = this.#git.commit({ ref: this.#main, author: at, committer: at, message, files: new Map(group.map(({ id, instruction }) => [taskPath(id), instruction])) });
    return this.#tip;
  }

  #claim(work: Work, main: Oid): Claim {
    const record: ClaimRecord = {
      schema: 'cambium.claim/1', task: work.id, kind: 'claim', epoch: 1, attempt: 1, agent: work.agent, node: work.node, incarnation: `life-${work.node}`,
      op: op(work, 'c'), instruction: { blob: blobOf(work.instruction), commit: main }, ttl_s: 180, claimed_at: iso(work.startedMs),
    };
    const first = this.#transition(work, record, null, []);
    if (work.epoch === 1) return { record, mark: first };
    // Given back once and claimed again: one chain in ten is longer.
    const released = this.#transition(work, { ...record, kind: 'release', op: op(work, 'r'), reason: 'the node was stopped' }, first, []);
    const again = { ...record, epoch: 2, op: op(work, 'a') };
    return { record: again, mark: this.#transition(work, again, released, []) };
  }

  #show(group: readonly Work[], records: readonly ClaimRecord[]): void {
    const [first] = group as [Work];
    const at = machine(first.node, 'node', first.startedMs);
    const message = renderMessage({ subject: `tasks: ${group.length} claims`, trailers: { Kind: 'claim' } });
    const files = new Map(records.map((record) => [claimPath(taskPath(record.task)), renderClaimRecord(record)]));
    this.#tip = this.#git.commit({ ref: this.#main, author: at, committer: at, message, files });
  }

  #land(work: Work, claim: Oid): Mark {
    const { id, agent, node, endedMs, number } = work;
    const path = taskPath(id);
    const spawn = spawnOf(work);
    const result = renderResult({
      task: id, outcome: 'done', epoch: work.epoch, claim, attempts: 1, agent, node, provider: 'runbook', model: null, started: iso(work.startedMs), ended: iso(endedMs),
      usage: { input: 18_200, cached: 9_100, output: 2_400 }, costUsd: 0.12, commits: [], spawns: [spawn.id], verify: null,
      criteria: [{ text: `File ${number % CODE_FILES} says so.`, met: true, evidence: 'read again after the change' }],
    }, `# Report\n\nPart ${number} is done.\n`);
    const run = { task: id, epoch: work.epoch, attempt: 1, agent, provider: 'runbook', providerVersion: '0.1.0', model: null, spawns: [spawn] } as unknown as Run;
    const message = renderMessage({
      subject: `${id}: done by ${agent} on ${node}`, body: work.title,
      trailers: { Kind: 'done', Task: id, Agent: agent, Node: node, Epoch: work.epoch, Attempt: 1, Spawn: spawn.id, Claim: claim, 'Op-Id': op(work, 'd') },
    });
    this.#tip = this.#git.commit({
      ref: this.#main, author: machine(agent, 'agent', endedMs), committer: machine(node, 'node', endedMs), message,
      files: new Map<string, string | null>([
        [resultPath(path), result], [claimPath(path), null], [ROSTER_PATH, rosterText(endedMs)],
        ...spawnFiles({ identity: { node } } as Node, run), [codePath(number), `// file ${number % CODE_FILES}, last changed by ${id}\nexport const part = ${number};\n`],
      ]),
    });
    return this.#tip;
  }

  #done(work: Work, { record, mark }: Claim, landing: Mark, result: Oid): Mark {
    return this.#transition(work, { ...record, kind: 'done', op: op(work, 'd'), outcome: 'done', result }, mark, [landing]);
  }

  #transition(work: Work, record: ClaimRecord, from: Mark | null, merges: readonly Mark[]): Mark {
    const ms = record.kind === 'done' ? work.endedMs : work.startedMs;
    const message = renderMessage({
      subject: `${record.task}: ${record.kind} epoch ${record.epoch} by ${record.agent}`, body: record.reason ?? '',
      trailers: { Kind: record.kind, Task: record.task, Agent: record.agent, Node: record.node, Epoch: record.epoch, Attempt: record.attempt, 'Op-Id': record.op },
    });
    return this.#git.commit({
      ref: CHAIN_REF, author: machine(work.agent, 'agent', ms), committer: machine(work.node, 'node', ms), message, from, merges, files: new Map([['claim.json', renderClaimRecord(record)]]),
    });
  }

  #fold(group: readonly Ended[], month: string, at: Signature): void {
    const ref = archiveRef(month);
    const before = this.#folds.get(ref);
    const merges = group.map(({ done }) => done);
    const draft = { ref, author: at, committer: at, message: renderMessage({ subject: `archive: fold ${group.length} chains`, trailers: { Kind: 'archive' } }), merges };
    const files = new Map(group.map(({ id, tip }) => [chainEntry(id), { gitlink: tip }]));
    this.#folds.set(ref, this.#git.commit({ ...draft, files, ...(before === undefined ? { from: null } : {}) }));
  }

  #beat(node: string, seq: number, main: Oid): void {
    const at = machine(node, 'node', YEAR_START_MS + YEAR_MS);
    const record: NodeHeartbeat = {
      schema: 'cambium.node/1', kind: 'heartbeat', nonce: `nonce-${seq}`, main, node, machine: `machine-${node}`, incarnation: `life-${node}`, boot_id: `boot-${node}`, seq: 400_000 + seq,
      version: '0.1.0', claims: [], spawns: [],
    };
    this.#git.commit({ ref: nodeRef(node), author: at, committer: at, message: `${node}: heartbeat\n`, from: null, files: new Map([['node.json', renderNodeRecord(record)]]) });
  }
}

interface Claim {
  readonly record: ClaimRecord;
  readonly mark: Mark;
}

function spawnOf(work: Work): Run['spawns'][number] {
  return {
    id: op(work, 's').toUpperCase(), purpose: 'task', start: iso(work.startedMs), end: iso(work.endedMs), outcome: 'succeeded', failure: null, session: null,
    usage: { input: 18_200, cached: 9_100, output: 2_400 }, costUsd: 0.12, process: { boot_id: 'c0de', pid: 4_000 + (work.number % 1_000), start: work.number },
  };
}

function rosterText(ms: number): string {
  const agents = AGENTS.map((id, at) => ({ joined: iso(YEAR_START_MS), id, role: 'worker', provider: 'runbook', capabilities: [], node: NODES[at % NODES.length], status: 'active', last_active: iso(ms) }));
  return `${JSON.stringify({ schema: 'cambium.roster/1', agents }, null, 2)}\n`;
}

const blobOf = (text: string): Oid => hashObject('sha1', 'blob', Buffer.from(text));
const op = ({ number }: Work, letter: string): string => `01year${letter}${String(number).padStart(19, '0')}`;
const codePath = (number: number): string => `src/part${String(number % 50).padStart(2, '0')}/file${String(number % CODE_FILES).padStart(4, '0')}.ts`;
const iso = (ms: number): string => new Date(ms).toISOString();
const machine = (name: string, kind: 'agent' | 'node', ms: number): Signature => machineSignature(name, kind, new Date(ms));
const person = (ms: number): Signature => ({ ...PERSON, seconds: Math.floor(ms / 1000), zone: '+0000' });
