/** The same claims and landings over real git: real object stores, a bare hub, `git push --atomic`. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimTasks, releaseMember } from '../../src/act/claim.ts';
import { cancelMember } from '../../src/act/close.ts';
import { createHeart } from '../../src/act/heartbeat.ts';
import { landMember } from '../../src/act/land.ts';
import type { Landing } from '../../src/act/land.ts';
import type { Node } from '../../src/act/node.ts';
import { publish } from '../../src/act/publish.ts';
import { takeOver } from '../../src/act/takeover.ts';
import { openGitHub } from '../../src/adapters/git/hub.ts';
import { openGitStore } from '../../src/adapters/git/store.ts';
import { createMemoryLocal } from '../../src/adapters/memory/local.ts';
import { createSystemClock } from '../../src/adapters/system/clock.ts';
import { claimRef, nodeRef } from '../../src/model/layout.ts';
import { createChainReader } from '../../src/observe/chains.ts';
import type { ChainReader } from '../../src/observe/chains.ts';
import { openHubMirror } from '../../src/observe/hubMirror.ts';
import { treeOf } from '../../src/observe/tree.ts';
import type { Supervisor } from '../../src/ports/process.ts';
import { gitIn, makeBareHub, makeClone, refsOf, setHook, tempDir, writeCommit } from '../support/repo.ts';
import { taskOf } from '../support/situations.ts';

const folder = tempDir('real-git');
const bare = join(folder.path, 'hub.git');
const MAIN = 'refs/heads/main';
const seats: Seat[] = [];
const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };

interface Seat {
  readonly node: Node;
  readonly reader: ChainReader;
}

async function openSeat(name: string): Promise<Seat> {
  const gitDir = join(makeClone(join(folder.path, name), bare), '.git');
  const store = await openGitStore({ gitDir });
  const hub = openGitHub({ gitDir, url: bare });
  const mirror = await openHubMirror({ store, hub, local: createMemoryLocal(), branch: 'main', trackingRef: null });
  await mirror.refresh();
  const process = { boot_id: 'b', namespace: 'n', pid: seats.length + 1, start: 1 };
  const supervisor = { alive: async () => true } as unknown as Supervisor;
  const identity = { node: name, incarnation: `life-${name}`, machine: 'm', bootId: 'b', process };
  const seat = { node: { identity, store, hub, mirror, clock: createSystemClock(), local: createMemoryLocal(), supervisor, version: '0', config: () => null }, reader: createChainReader(store) };
  seats.push(seat);
  return seat;
}

const instruction = '# Do it\n';
const claim = ({ node, reader }: Seat, id: string, blob: string) => claimTasks(node, reader, [{ task: taskOf(id, { blob }), agent: `agent-${node.identity.node}`, ttlMs: 60_000, maxAttempts: 3 }]);
let blob = '';

beforeAll(async () => {
  makeBareHub(bare);
  const founder = makeClone(join(folder.path, 'founder'), bare);
  blob = gitIn(founder, ['hash-object', '-w', '--stdin'], instruction);
  const tasks = gitIn(founder, ['mktree'], ['a', 'b', 'c'].map((id) => `100644 blob ${blob}\t${id}.md\n`).join(''));
  const tree = gitIn(founder, ['mktree'], `40000 tree ${tasks}\ttasks\n`);
  const main = gitIn(founder, ['commit-tree', tree, '-m', 'first']);
  gitIn(founder, ['push', '--quiet', bare, `${main}:${MAIN}`, `${writeCommit(founder, 'marker')}:refs/cambium/fleet`]);
  for (const name of ['one', 'two', 'three', 'four']) await openSeat(name);
});

afterAll(async () => {
  await Promise.all(seats.map(({ node }) => node.store.close()));
  folder.remove();
});

test('of four clones that all have read before any writes exactly one wins', async () => {
  const gate = join(folder.path, 'gate');
  mkdirSync(gate);
  setHook(bare, 'pre-receive', `touch '${gate}'/$$; n=0\nwhile [ "$(ls '${gate}' | wc -l)" -lt 4 ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n+1)); done`);
  const ends = await Promise.all(seats.map((seat) => claim(seat, 'a', blob)));
  setHook(bare, 'pre-receive', null);
  expect(ends.map((end) => end.get('a')?.state).toSorted()).toEqual(['dropped', 'dropped', 'dropped', 'published']);
  expect(gitIn(bare, ['rev-list', '--count', claimRef('a')])).toBe('1');
});

test('a claim whose answer was lost is known as won', async () => {
  const [one] = seats;
  // The hub has moved every ref and dies before it says so, once.
  setHook(bare, 'reference-transaction', `test "$1" = committed && grep -q claims/b && test ! -e '${folder.path}/died' && touch '${folder.path}/died' && kill -9 $PPID; exit 0`);
  const ends = await claim(one!, 'b', blob);
  setHook(bare, 'reference-transaction', null);
  const end = ends.get('b');
  expect(end?.state === 'published' && end.value.chain.tip).toBe(refsOf(bare).get(claimRef('b')));
});

test('a landing moves main and claim together, and is fenced once the chain has moved', async () => {
  const [one, two] = seats;
  const { node, reader } = one!;
  await node.mirror.refresh();
  const tip = node.mirror.known().refs.get(claimRef('b'))!;
  const base = node.mirror.known().main!;
  const tree = await node.store.editTree(await treeOf(node.store, base), new Map([['work.txt', { mode: '100644', oid: await node.store.writeBlob(Buffer.from('work\n')) }]]));
  const landing: Landing = {
    task: 'b', title: 'b', path: 'tasks/b.md', instruction: blob, tip, agent: 'agent-one', work: { base, tree, head: null }, report: 'Done.', files: new Map(),
    result: { task: 'b', outcome: 'done', epoch: 1, attempts: 1, agent: 'agent-one', node: 'one', provider: null, model: null, started: null, ended: '2026-11-21T00:00:00Z', usage: null, costUsd: null, commits: [], criteria: [], verify: null, spawns: [] },
    roster: { id: 'agent-one', role: 'worker', provider: 'runbook', capabilities: [] },
  };
  const [end] = [...(await publish(node, [landMember(node, reader, landing)])).values()];
  expect(end?.state).toBe('published');
  expect(gitIn(bare, ['show', `${MAIN}:work.txt`])).toBe('work');
  expect(gitIn(bare, ['show', `${MAIN}:tasks/b.result.md`])).toContain(`claim: ${tip}`);
  expect(gitIn(bare, ['rev-list', '--parents', '-1', claimRef('b')])).toBe(`${refsOf(bare).get(claimRef('b'))} ${tip} ${refsOf(bare).get(MAIN)}`);
  const main = refsOf(bare).get(MAIN);
  await two!.node.mirror.refresh();
  const [late] = [...(await publish(two!.node, [landMember(two!.node, two!.reader, { ...landing, task: 'a', path: 'tasks/a.md', tip: 'f'.repeat(40) })])).values()];
  expect(late).toMatchObject({ state: 'dropped', drop: { code: 'fenced' } });
  expect(refsOf(bare).get(MAIN)).toBe(main);
});

test('a cancel and a release that meet: one of them wins, and chain and tree agree', async () => {
  const [one, two, three] = seats;
  await claim(one!, 'c', blob);
  await Promise.all([two!, three!].map(({ node }) => node.mirror.refresh()));
  const tip = refsOf(bare).get(claimRef('c'))!;
  const ends = await Promise.all([
    publish(one!.node, [releaseMember(one!.node, one!.reader, { task: 'c', tip, reason: 'enough' })]),
    publish(two!.node, [cancelMember(two!.node, two!.reader, { task: 'c', path: 'tasks/c.md', by: maria, reason: 'no' })]),
  ]);
  expect([...ends[1].values()][0]?.state).toBe('published');
  const kinds = gitIn(bare, ['log', '--first-parent', '--format=%s', '-3', claimRef('c')]).split('\n').map((subject) => subject.split(' ')[1]);
  expect(kinds[0]).toBe('cancel');
  expect(gitIn(bare, ['show', `${MAIN}:tasks/c.result.md`])).toContain('outcome: cancelled');
});

test('a takeover leaves its break on the owner\'s ref, and the owner learns of it with its next beat', async () => {
  const owner = await openSeat('owner');
  const heart = await createHeart(owner.node, owner.reader, null);
  expect(await heart.beat({ claims: [], spawns: [] })).toMatchObject({ kind: 'renewed' });
  const [one] = seats;
  await one!.node.mirror.refresh();
  const winner = seats.find(({ node }) => node.identity.node === gitIn(bare, ['show', `${claimRef('a')}:claim.json`]).match(/"node": ?"(\w+)"/)?.[1])!;
  const lapsed = await one!.reader.chain(refsOf(bare).get(claimRef('a'))!);
  const ownerTip = refsOf(bare).get(nodeRef(winner.node.identity.node)) ?? null;
  const taker = seats.find((seat) => seat !== winner)!;
  await taker.node.mirror.refresh();
  const end = await takeOver(taker.node, taker.reader, { owner: winner.node.identity.node, ownerTip, claims: [{ id: 'a', blob, lapsed, agent: 'agent-x' }], ttlMs: 60_000 });
  expect(end).toMatchObject({ state: 'published' });
  expect(await (await createHeart(winner.node, winner.reader, ownerTip)).beat({ claims: [], spawns: [] })).toEqual({ kind: 'broken', breaks: [{ task: 'a', epoch: 1 }] });
});
