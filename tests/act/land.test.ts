import { describe, expect, test } from 'vitest';
import { claimTasks, releaseMember } from '../../src/act/claim.ts';
import { landMember } from '../../src/act/land.ts';
import type { Landed, Landing } from '../../src/act/land.ts';
import type { Published } from '../../src/act/publish.ts';
import { writeTransition } from '../../src/act/transition.ts';
import type { TreeEdit } from '../../src/model/git.ts';
import type { Oid } from '../../src/model/ids.ts';
import { claimRef } from '../../src/model/layout.ts';
import { treeOf } from '../../src/observe/tree.ts';
import { MAIN, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

interface World {
  readonly fleet: MemoryFleet;
  readonly seat: Seat;
  readonly landing: Landing;
  land(): Promise<Published<Landed>>;
}

/** A task claimed at epoch 1 with work that is ready to land. */
async function world(files: Readonly<Record<string, string>> = { 'work.txt': 'work\n' }): Promise<World> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task(), 'shared.txt': '1\n2\n3\n4\n5\n' } });
  const seat = await fleet.seat('desk');
  const { tasks, main } = await seat.look();
  const ends = await fleet.drive(claimTasks(seat.node, seat.reader, [{ task: tasks.get('a')!, agent: 'ann', ttlMs: 60_000, maxAttempts: 3 }]));
  const end = ends.get('a')!;
  if (end.state !== 'published') throw new Error('not won');
  const landing: Landing = {
    task: 'a', title: 'Do it', path: 'tasks/a.md', instruction: tasks.get('a')!.blob, tip: end.value.chain.tip, agent: 'ann', work: { base: main.commit, tree: await edited(seat, main.commit, files), head: null },
    result: {
      task: 'a', outcome: 'done', epoch: 1, attempts: 1, agent: 'ann', node: 'desk', provider: 'runbook', model: null, started: null, ended: '2026-11-21T00:00:00Z', usage: null, costUsd: null, commits: [],
      criteria: [], verify: null, spawns: [],
    },
    report: '# Report\n\nDone.', files: new Map(), roster: { id: 'ann', role: 'worker', provider: 'runbook', capabilities: [] },
  };
  seat.pushes.splice(0);
  return { fleet, seat, landing, land: async () => [...(await seat.publish([landMember(seat.node, seat.reader, landing)])).values()][0]! };
}

async function edited({ store }: Seat, commit: Oid, files: Readonly<Record<string, string>>): Promise<Oid> {
  const edits = await Promise.all(Object.entries(files).map(async ([path, text]): Promise<[string, TreeEdit]> => [path, { mode: '100644', oid: await store.writeBlob(Buffer.from(text)) }]));
  return store.editTree(await treeOf(store, commit), new Map(edits));
}

const published = (end: Published<Landed>): Landed => {
  if (end.state !== 'published') throw new Error(JSON.stringify(end));
  return end.value;
};

test('R and d name each other: d has the claim and R as parents, R the claim in its result', async () => {
  const { fleet, seat, landing, land } = await world();
  const { result, chain } = published(await land());
  expect(refsOf(seat.pushes[0]!)).toEqual(['claims/a', 'main']);
  expect((await seat.store.readCommit(chain.tip)).parents).toEqual([landing.tip, result]);
  expect(chain.record).toMatchObject({ kind: 'done', outcome: 'done', result, epoch: 1 });
  expect(await fleet.file('tasks/a.result.md')).toContain(`claim: ${landing.tip}`);
  expect(await fleet.file('agents/roster.json')).toContain('"ann"');
});

test('the work is merged onto a main that has moved', async () => {
  const { fleet, land } = await world({ 'shared.txt': '1\n2\n3\n4\nfive\n' });
  await fleet.commit({ 'shared.txt': 'one\n2\n3\n4\n5\n' });
  published(await land());
  expect(await fleet.file('shared.txt')).toBe('one\n2\n3\n4\nfive\n');
});

test('a conflict with main lands nothing and names the files', async () => {
  const { fleet, land } = await world({ 'shared.txt': 'mine\n' });
  const main = await fleet.commit({ 'shared.txt': 'theirs\n' });
  expect(await land()).toMatchObject({ state: 'dropped', drop: { code: 'conflict', detail: 'the work conflicts with main in shared.txt' } });
  expect(fleet.hub.refs.get(MAIN)).toBe(main);
});

describe('a landing is refused', () => {
  test('as fenced when the chain has moved', async () => {
    const { fleet, seat, landing, land } = await world();
    const thief = await fleet.seat('thief');
    await thief.look();
    await thief.publish([releaseMember(thief.node, thief.reader, { task: 'a', tip: landing.tip, reason: 'taken' })]);
    const main = fleet.hub.refs.get(MAIN);
    expect(await land()).toMatchObject({ state: 'dropped', drop: { code: 'fenced' } });
    expect([fleet.hub.refs.get(MAIN), seat.pushes]).toEqual([main, []]);
  });

  test('as fenced when the chain moves while it is under way: main does not move either', async () => {
    const { fleet, seat, landing, land } = await world();
    const thief = await fleet.seat('thief');
    await thief.look();
    let main: Oid | undefined;
    seat.fault = () => (seat.pushes.length === 1 ? 'refuse' : 'ok');
    seat.afterPush = async () => {
      if (main !== undefined) return;
      main = fleet.hub.refs.get(MAIN);
      await thief.node.hub.push([(await releaseOf(thief, landing.tip))]);
    };
    expect(await land()).toMatchObject({ state: 'dropped', drop: { code: 'fenced' } });
    expect(fleet.hub.refs.get(MAIN)).toBe(main);
  });

  test.each([
    ['instruction-changed', { 'tasks/a.md': '# Something else\n' }],
    ['instruction-deleted', { 'tasks/a.md': null }],
  ])('with %s', async (code, change) => {
    const { fleet, land } = await world();
    await fleet.commit(change);
    expect(await land()).toMatchObject({ state: 'dropped', drop: { code } });
  });

  test('while main shows an end that the chain does not know of', async () => {
    const { fleet, land } = await world();
    const { land: landOther, fleet: elsewhere } = await world();
    published(await landOther());
    await fleet.commit({ 'tasks/a.result.md': (await elsewhere.file('tasks/a.result.md'))!.replace(/claim: \w+/, `claim: ${'e'.repeat(40)}`) });
    expect(await land()).toMatchObject({ state: 'dropped', drop: { code: 'not-ready' } });
  });
});

async function releaseOf(thief: Seat, tip: Oid) {
  const { record } = await thief.reader.chain(tip);
  const { schema: _schema, op: _op, ...held } = record;
  return (await writeTransition(thief.node, { tip, author: { name: 'thief', email: 't@example.org', seconds: 0, zone: '+0000' }, record: { ...held, kind: 'release' } })).update;
}

test('a rebuild makes a new R and a new d', async () => {
  const { fleet, seat, land } = await world();
  seat.afterPush = async () => {
    if (seat.pushes.length === 1) await fleet.commit({ 'README.md': 'moved\n' });
  };
  seat.fault = () => (seat.pushes.length === 1 ? 'refuse' : 'ok');
  published(await land());
  const [first, second] = seat.pushes.map((updates) => updates.map(({ to }) => to));
  expect(first?.filter((oid) => second?.includes(oid))).toEqual([]);
  const ops = await Promise.all(seat.pushes.map(async (updates) => (await seat.reader.chain(updates.find(({ ref }) => ref === claimRef('a'))!.to!)).record.op));
  expect(new Set(ops).size).toBe(2);
});

test('a landing whose reply was lost is landed once', async () => {
  const { fleet, seat, land } = await world();
  seat.fault = () => (['lose-reply', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
  expect(published(await land()).result).toBe(fleet.hub.refs.get(MAIN));
  expect((await fleet.chain('a')).map(({ kind }) => kind)).toEqual(['claim', 'done']);
});

test('a copy that arrives after the rebuild was decided does not land twice', async () => {
  const { fleet, seat, land } = await world();
  seat.fault = () => (['late', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
  seat.afterPush = async () => {
    // The repeat was refused for nothing; the first copy arrives before the rebuild is sent.
    if (seat.pushes.length === 2) fleet.hub.deliverLate();
  };
  published(await land());
  expect((await fleet.chain('a')).map(({ kind }) => kind)).toEqual(['claim', 'done']);
  expect((await seat.store.log(fleet.hub.refs.get(MAIN)!)).filter(({ message }) => message.includes('Kind: done'))).toHaveLength(1);
});

describe('half of it', () => {
  const halved = async (which: 'chain' | 'main'): Promise<World> => {
    const made = await world();
    const { fleet, seat } = made;
    seat.fault = () => (seat.pushes.length === 1 ? 'lose-reply' : 'ok');
    seat.afterPush = async (updates) => {
      if (seat.pushes.length !== 1) return;
      const undo = updates.find(({ ref }) => (which === 'chain' ? ref === MAIN : ref === claimRef('a')))!;
      fleet.hub.force(undo.ref, undo.expect);
      await fleet.commit({ 'README.md': 'moved\n', 'agents/roster.json': '{"schema":"cambium.roster/1","agents":[]}\n' });
    };
    return made;
  };

  test('on the chain: R is merged, and only then is it told', async () => {
    const { fleet, seat, land } = await halved('chain');
    const { result } = published(await land());
    expect(await seat.store.isAncestor(result, fleet.hub.refs.get(MAIN)!)).toBe(true);
    expect(await fleet.file('README.md')).toBe('moved\n');
    expect(await fleet.file('work.txt')).toBe('work\n');
    expect((await fleet.chain('a')).map(({ kind }) => kind)).toEqual(['claim', 'done']);
  });

  test('on main: only d is sent, and it names that R', async () => {
    const { fleet, seat, land } = await halved('main');
    const { result } = published(await land());
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'done', result });
    expect(seat.pushes[0]!.find(({ ref }) => ref === MAIN)?.to).toBe(result);
    expect(refsOf(seat.pushes.at(-1)!)).toEqual(['claims/a']);
  });
});

test('an attempt that failed lands its result and nothing of its work', async () => {
  const { fleet, seat, landing } = await world();
  const failed: Landing = { ...landing, work: null, result: { ...landing.result, outcome: 'failed' }, report: '# Failed' };
  const [end] = [...(await seat.publish([landMember(seat.node, seat.reader, failed)])).values()];
  expect(published(end!).chain.record).toMatchObject({ kind: 'failed', outcome: 'failed' });
  expect(await fleet.file('work.txt')).toBeNull();
});

test('an agent that committed itself is a parent of R', async () => {
  const { seat, landing } = await world();
  const { work } = landing;
  const who = { name: 'ann', email: 'ann@example.org', seconds: 0, zone: '+0000' };
  const head = await seat.store.writeCommit({ tree: work!.tree, parents: [work!.base], author: who, committer: who, message: 'my own\n' });
  const [end] = [...(await seat.publish([landMember(seat.node, seat.reader, { ...landing, work: { ...work!, head } })])).values()];
  expect((await seat.store.readCommit(published(end!).result)).parents[1]).toBe(head);
});
