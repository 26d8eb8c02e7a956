/**
 * Fleets in bad weather whose work is reviewed and whose instructions are edited: people approve and reject at any moment
 * (also what is under review no longer), edit texts, cancel, reopen, renew claims that are not theirs, and push branches
 * of their own where reviews are shown. Then the sky clears, a person judges what still waits, and the history is audited.
 * A failing seed is repeated exactly: `STORM_SEED=17 npx vitest run --project unit tests/cycle/reviewStorm.test.ts`; STORM_COUNT=300 looks at more of them.
 */
import { expect, test } from 'vitest';
import { releaseMember, renewMember } from '../../src/act/claim.ts';
import { cancelMember, reopenMember } from '../../src/act/close.ts';
import { editMember } from '../../src/act/edit.ts';
import type { Member } from '../../src/act/publish.ts';
import { approveMember, rejectMember } from '../../src/act/review.ts';
import { CambiumError } from '../../src/errors.ts';
import { chainState } from '../../src/model/claim.ts';
import type { ClaimRecord } from '../../src/model/claim.ts';
import type { Oid } from '../../src/model/ids.ts';
import { MAIN, createMemoryFleet } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryNode, Seat } from '../support/memoryFleet.ts';
import { entryAt, fileAt, treeOf } from '../../src/observe/tree.ts';
import { parseTask } from '../../src/observe/taskFile.ts';
import { chanceOf, clearUp, cloudOver, stumble } from '../support/weather.ts';
import type { Chance } from '../support/weather.ts';

const NODES = { 'vm-a': ['ann', 'abe'], 'vm-b': ['bob'], 'vm-c': ['cid'] };
const TASKS = ['a', 'b', 'c', 'd'];
const LATE_MS = 20_000;
const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };

/** `version` stands in the text, and an agent writes the one that it was told into its file. */
const textOf = (version: number, front: readonly string[]): string => `---\n${front.join('\n')}\n---\n\n# Version ${version}\n`;
const versionIn = (text: string | null | undefined): string => /version (\d+)/i.exec(text ?? '')?.[1] ?? 'none';

interface Weather {
  readonly fleet: MemoryFleet;
  readonly nodes: readonly MemoryNode[];
  readonly desk: Seat;
  readonly chance: Chance;
  /** Branches that a stranger pushed where reviews are shown. */
  readonly strangers: Set<Oid>;
  /** Commits that Maria judged good. */
  readonly approved: Set<Oid>;
  versions: number;
}

async function storm(seed: number): Promise<Weather> {
  const chance = chanceOf(seed);
  const onEdit = seed % 2 === 0 ? 'rebrief' : 'stop';
  const fleet = await createMemoryFleet({
    seed, nodes: NODES, provider: seed % 3 === 0 ? 'runbook' : 'claude', config: `landing: { on_edit: ${onEdit} }\n`,
    files: { ...Object.fromEntries(TASKS.map((id, at) => [`tasks/${id}.md`, textOf(at, frontOf(id))])), 'code.txt': 'one\n' },
    work: ({ task: id, epoch, text }) => ({ afterMs: chance([[3, 0], [3, 4_000], [1, 30_000]]), exit: chance([[8, 0], [1, 1]]), files: { [`${id}.txt`]: `version ${versionIn(text)} epoch ${epoch}\n` } }),
    verify: () => chance([[8, 0], [1, 1]]),
  });
  const nodes = Object.keys(NODES).map((name) => fleet.node(name));
  const weather: Weather = { fleet, nodes, desk: await fleet.seat('desk'), chance, strangers: new Set(), approved: new Set(), versions: 10 };
  cloudOver(chance, nodes, [weather.desk]);
  let deliveredMs = 0;
  for (let round = 0; round < 60; round++) {
    if (fleet.clock.bootMs() - deliveredMs > LATE_MS) {
      fleet.hub.deliverLate();
      deliveredMs = fleet.clock.bootMs();
    }
    await Promise.all([...nodes.map((node) => chance([[4, true], [1, false]]) && stumble(node)), chance([[1, true], [2, false]]) && meddle(weather)]);
    aloneAtWork(nodes);
    await chance<() => Promise<unknown>>([
      [8, async () => undefined],
      [2, async () => fleet.hub.deliverLate()],
      [4, () => meddle(weather)],
      [1, () => intrude(weather)],
      [1, () => fleet.commit({ 'code.txt': `${round}\n` }).catch(() => undefined)],
      [1, () => chance(nodes.map((node) => [1, node] as const)).restart()],
    ])();
    await fleet.clock.advance(chance([[6, 1_000], [4, 5_000], [1, 20_000], [1, 80_000]]));
    aloneAtWork(nodes);
  }
  await settle(weather);
  return weather;
}

const frontOf = (id: string): string[] => (id === 'd' ? ['priority: 2'] : ['review: human', ...(id === 'b' ? ['verify: check'] : [])]);

/** One deed of a person's, on whatever the hub shows at this moment. */
async function meddle(weather: Weather): Promise<void> {
  const { desk, chance, fleet } = weather;
  const id = chance(TASKS.map((name) => [1, name] as const));
  const seen = await desk.look().catch(() => null);
  const chain = seen?.chains.get(id);
  const closing = { task: id, path: `tasks/${id}.md`, by: maria, reason: 'a whim' };
  const judged = chance([[4, chain?.record.commit], [1, [...fleet.hub.moves].findLast(({ ref }) => ref.startsWith(`refs/cambium/review/${id}/`))?.to ?? undefined]]) ?? 'f'.repeat(40);
  const judgement = { task: id, commit: judged, by: maria, why: 'so be it' };
  const deed = chance<() => Member<unknown>>([
    [6, () => {
      weather.approved.add(judged);
      return approveMember(desk.node, desk.reader, judgement);
    }],
    [3, () => rejectMember(desk.node, desk.reader, judgement)],
    [4, () => editMember(desk.node, { task: id, path: `tasks/${id}.md`, by: maria, change: () => textOf(weather.versions += 1, chance([[9, frontOf(id)], [1, id === 'd' ? ['review: human'] : ['priority: 1']]])) })],
    [1, () => cancelMember(desk.node, desk.reader, closing)],
    [2, () => reopenMember(desk.node, desk.reader, { ...closing, evenDone: true })],
    [1, () => renewMember(desk.node, desk.reader, id, chain?.record.epoch ?? 0, chain?.record.agent ?? '', chance([[1, undefined], [1, { blob: seen?.tasks.get(id)?.blob ?? 'f'.repeat(40), commit: seen?.main.commit ?? 'f'.repeat(40) }]]))],
  ]);
  await desk.publish([deed()], { patienceMs: 500 }).catch((error: unknown) => {
    if (!(error instanceof CambiumError && ['lost-race', 'hub-away', 'refused'].includes(error.code))) throw error;
  });
}

/** Somebody pushes a branch of their own where a review would be shown, or deletes what is shown. */
async function intrude({ fleet, desk, chance, strangers }: Weather): Promise<void> {
  const ref = `refs/heads/review/${chance(TASKS.map((name) => [1, name] as const))}`;
  const now = fleet.hub.refs.get(ref) ?? null;
  if (now !== null) return chance([[1, true], [1, false]]) ? void (await desk.node.hub.push([{ ref, expect: now, to: null }])) : undefined;
  const tree = await desk.store.writeTree([]);
  const own = await desk.store.writeCommit({ tree, parents: [], author: maria, committer: { ...maria, seconds: maria.seconds + strangers.size + 1 }, message: 'a branch of my own\n' });
  strangers.add(own);
  await desk.node.hub.push([{ ref, expect: null, to: own }]);
}

/** A person judges all that waits, and the fleet comes to rest. */
async function settle(weather: Weather): Promise<void> {
  const { fleet, nodes, desk } = weather;
  await clearUp(fleet, nodes, [desk]);
  let quiet = 0;
  for (let round = 0; round < 150; round++) {
    const moved = await judgeAll(weather);
    const reports = await Promise.all(nodes.map((node) => node.pass()));
    aloneAtWork(nodes);
    quiet = round > 3 && !moved && reports.every(({ idle, progress, settled }) => idle && settled && !progress) ? quiet + 1 : 0;
    if (quiet > 3) return;
    await fleet.clock.advance(5_000);
  }
  const open = nodes.flatMap((node) => [...node.loop.state.runs.values()].map((run) => `${node.name}: ${run.task}.${run.epoch} ${run.phase}`));
  throw new Error(`the fleet does not come to rest: ${open.join(', ')}`);
}

async function judgeAll({ desk, approved }: Weather): Promise<boolean> {
  const { chains, tasks } = await desk.look();
  const members = [...chains].flatMap(([task, chain]): Member<unknown>[] => {
    const state = chainState(chain);
    if (state === 'waiting') return [releaseMember(desk.node, desk.reader, { task, tip: chain.tip, reason: 'go on', feedback: true })];
    if (state !== 'review' || tasks.get(task)?.blob !== chain.record.instruction?.blob) return [];
    approved.add(chain.record.commit as Oid);
    return [approveMember(desk.node, desk.reader, { task, commit: chain.record.commit as Oid, by: maria, why: '' })];
  });
  if (members.length > 0) await desk.publish(members);
  return members.length > 0;
}

/** Two agents never work on one task at the same time. */
function aloneAtWork(nodes: readonly MemoryNode[]): void {
  const tasks = nodes.flatMap(({ machine }) => machine.running()).map((run) => run.split('.')[0]);
  expect(tasks.toSorted()).toEqual([...new Set(tasks)].toSorted());
}

const ENDS = ['done', 'failed', 'cancel'];

async function audit(weather: Weather, id: string): Promise<void> {
  const { fleet } = weather;
  const chain = await fleet.chain(id);
  const witness = await fleet.seat('witness');
  const { results } = await witness.look();
  const main = fleet.hub.refs.get(MAIN)!;
  auditChain(weather, id, chain);
  for (const { kind, result } of chain) if (result !== undefined) expect(await witness.store.isAncestor(result, main), `${id}: ${kind} is on main`).toBe(true);
  const last = chain.at(-1)?.kind;
  expect(ENDS, `${id} has ended`).toContain(last);
  expect(results.get(id)?.outcome).toBe(last === 'cancel' ? 'cancelled' : last);
  await auditMain(witness, main, id, chain.filter(({ kind }) => ENDS.includes(kind) || kind === 'reopen').map(({ kind }) => kind));
  for (const record of chain) if (record.kind === 'done') await auditWork(weather, witness, id, record);
}

/** Epochs, ends, and what an approval goes through before it lands. */
function auditChain({ approved }: Weather, id: string, chain: readonly ClaimRecord[]): void {
  let newest = 0;
  let ended = false;
  let judged: ClaimRecord | null = null;
  for (const record of chain) {
    const { kind, epoch, commit } = record;
    if (kind === 'claim') expect(epoch).toBe(newest + 1);
    newest = Math.max(newest, epoch);
    expect(epoch, `${id}: ${kind} carries the newest epoch`).toBe(newest);
    expect(ended, `${id}: what has ended is left by reopen only`).toBe(kind === 'reopen');
    ended = ENDS.includes(kind);
    if (kind === 'review') judged = record;
    if (commit !== undefined && kind !== 'review') {
      expect(commit, `${id}: ${kind} carries the commit that was reviewed last`).toBe(judged?.commit);
      expect(record.instruction, `${id}: ${kind} pins the text that was reviewed`).toEqual(judged?.instruction);
      expect(approved, `${id}: ${kind} carries an approved commit`).toContain(commit);
    }
  }
}

/** What landed was made for the text that stood on main, and where that asks for review, it is what was approved. */
async function auditWork({ approved }: Weather, { store, reader }: Seat, id: string, { result }: ClaimRecord): Promise<void> {
  const tree = await treeOf(store, result as Oid);
  // The end of a repaired landing stands on whatever the chain was by then; the claim that it was made under says more.
  const claim = /^Claim: (\w+)$/m.exec((await store.readCommit(result as Oid)).message)?.[1] as Oid;
  const { commit, instruction } = (await reader.chain(claim)).record;
  const path = `tasks/${id}.md`;
  const [text, work] = [await fileAt(store, tree, path), await fileAt(store, tree, `${id}.txt`)];
  const told = Buffer.from(text?.bytes ?? []).toString('utf8');
  expect(text?.oid, `${id}: the pinned text stands on main`).toBe(instruction?.blob);
  expect(versionIn(Buffer.from(work?.bytes ?? []).toString('utf8')), `${id}: made for the text that it landed against`).toBe(versionIn(told));
  const task = parseTask({ path, blob: text!.oid, bytes: text!.bytes });
  const isReviewed = !('reason' in task) && task.review !== undefined;
  expect(commit !== undefined, `${id}: reviewed or not as the text asks`).toBe(isReviewed);
  if (commit === undefined) return;
  expect(approved).toContain(commit);
  expect(work?.oid, `${id}: what landed is what was approved`).toBe((await entryAt(store, await treeOf(store, commit), `${id}.txt`))?.oid);
}

/** Main tells the same ends as the chain, each once: commits that change the result, by their trailers. */
async function auditMain({ store }: Seat, main: string, id: string, expected: readonly string[]): Promise<void> {
  const path = `tasks/${id}.result.md`;
  const resultOf = async (commit: string): Promise<string | undefined> => (await entryAt(store, await treeOf(store, commit), path))?.oid;
  const told: string[] = [];
  for (const { oid, parents: [before], message } of await store.log(main)) {
    const kind = message.includes(`\nTask: ${id}\n`) ? /^Kind: (\w+)$/m.exec(message)?.[1] : undefined;
    if (kind === undefined || before === undefined || (await resultOf(oid)) === (await resultOf(before))) continue;
    told.push(kind);
  }
  expect(told.toSorted(), `${id}: every end is on main exactly once`).toEqual([...expected].toSorted());
}

/** A branch that is not the fleet's is neither moved nor deleted by it. */
function auditBranches({ fleet, strangers, desk }: Weather): void {
  const deleted = new Set(desk.pushes.flat().filter(({ to }) => to === null).map(({ expect: from }) => from));
  const lost = fleet.hub.moves.filter(({ ref, from }) => ref.startsWith('refs/heads/review/') && from !== null && strangers.has(from) && !deleted.has(from));
  expect(lost).toEqual([]);
}

const { STORM_SEED, STORM_COUNT = '12' } = process.env;
const seeds = STORM_SEED === undefined ? Array.from({ length: Number(STORM_COUNT) }, (_, at) => at + 1) : [Number(STORM_SEED)];

test.each(seeds)('storm %i lands nothing but what was approved, against the text that it was made for', async (seed) => {
  const weather = await storm(seed);
  for (const id of TASKS) await audit(weather, id);
  auditBranches(weather);
});
