/** The archive as whole fleets live with it (PROTOCOL P9): moved, folded, collected, taken out again, in good and bad order. */
import { describe, expect, test } from 'vitest';
import { archiveMember } from '../../src/act/archive.ts';
import { collectMember, foldMember } from '../../src/act/collect.ts';
import { claimTasks } from '../../src/act/claim.ts';
import { cancelMember, reopenMember } from '../../src/act/close.ts';
import { settleAll } from '../../src/act/settle.ts';
import { publish } from '../../src/act/publish.ts';
import type { Member, Published } from '../../src/act/publish.ts';
import { archiveDay, archiveRef, archivedPath, chainEntry, monthOf } from '../../src/model/archive.ts';
import type { RefUpdate } from '../../src/model/git.ts';
import { CLAIMS_PREFIX, claimRef } from '../../src/model/layout.ts';
import { archivedChain, entryOf } from '../../src/observe/archive.ts';
import { MAIN, createMemoryFleet, refsOf, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode, Seat } from '../support/memoryFleet.ts';

const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const AT_ONCE = 'archive: { after_days: 0, ended_max: 0 }\n';
const kinds = async (fleet: MemoryFleet, id = 'a'): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);
const closing = (id = 'a') => ({ task: id, path: `tasks/${id}.md`, by: maria, reason: 'a whim' });
const reopening = (seat: Seat, id = 'a') => reopenMember(seat.node, seat.reader, { ...closing(id), evenDone: true });

async function world(more: Partial<MemoryFleetOptions> = {}): Promise<{ readonly fleet: MemoryFleet; readonly a: MemoryNode; readonly desk: Seat }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, config: AT_ONCE, files: { 'tasks/a.md': task() }, ...more });
  return { fleet, a: fleet.node('vm-a'), desk: await fleet.seat('desk') };
}

/** The janitor is due in every pass from now on. */
async function tidy(fleet: MemoryFleet, node: MemoryNode, passes = 8): Promise<void> {
  for (let at = 0; at < passes; at++) {
    node.loop.state.janitor.nextMs = 0;
    await node.pass();
  }
  await fleet.clock.advance(0);
}

/** Ended, moved, folded, and, once no request of before can live any more, collected. */
async function archived(more: Partial<MemoryFleetOptions> = {}): ReturnType<typeof world> {
  const made = await world(more);
  await made.a.rest();
  await tidy(made.fleet, made.a);
  await made.fleet.clock.advance(11 * 60_000);
  await tidy(made.fleet, made.a);
  return made;
}

const day = ({ clock }: MemoryFleet): string => archiveDay(clock.now().getTime());
const claims = ({ hub }: MemoryFleet): readonly string[] => [...hub.refs.keys()].filter((ref) => ref.startsWith(CLAIMS_PREFIX));
const end = async <T>(seat: Seat, member: Member<T>): Promise<Published<T>> => (await seat.publish([member])).get(member.key) as Published<T>;

describe('an ended task', () => {
  test('moves to the folder of its day by a commit that only moves, and says so', async () => {
    const { fleet, a } = await world();
    await a.rest();
    const [instruction, result] = [await fleet.file('tasks/a.md'), await fleet.file('tasks/a.result.md')];
    await tidy(fleet, a, 1);
    const path = archivedPath('a', day(fleet));
    expect(await fleet.file('tasks/a.md')).toBeNull();
    expect(await fleet.file('tasks/a.result.md')).toBeNull();
    expect([await fleet.file(path), await fleet.file(path.replace('.md', '.result.md'))]).toEqual([instruction, result]);
    expect((await a.store.readCommit(fleet.hub.refs.get(MAIN)!)).message).toBe('archive: 1 task\n\na\n\nKind: archive\n');
  });

  test('is folded in a push of its own, and its ref stays as long as a request of before may live', async () => {
    const { fleet, a } = await world();
    await a.rest();
    await tidy(fleet, a);
    expect(a.pushes.map(refsOf).slice(-2)).toEqual([['main'], [archiveRef(monthOf(fleet.clock.now().getTime())).replace('refs/cambium/', '')]]);
    expect(claims(fleet)).toEqual([claimRef('a')]);
    await fleet.clock.advance(11 * 60_000);
    await tidy(fleet, a);
    expect(claims(fleet)).toEqual([]);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
  });

  test('is found in the archive by reading three trees of its month', async () => {
    const { fleet, a } = await archived();
    const tip = fleet.hub.refs.get(archiveRef(monthOf(fleet.clock.now().getTime())))!;
    const found = await entryOf(a.store, tip, chainEntry('a'));
    expect((await a.store.readCommit(tip)).parents).toEqual([found]);
    const stranger = await fleet.seat('stranger');
    const view = await stranger.node.mirror.refresh();
    expect(await archivedChain(stranger.store, stranger.node.hub, stranger.reader, view, 'a')).toMatchObject({ tip: found, record: { kind: 'done', epoch: 1 } });
    expect(await archivedChain(stranger.store, stranger.node.hub, stranger.reader, view, 'b')).toBeUndefined();
  });

  test('goes with what else the hub keeps of it, and nothing of that is lost', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    const work = await desk.store.writeCommit({ tree: await desk.store.writeTree([]), parents: [], author: maria, committer: maria, message: 'late work\n' });
    const pins = ['refs/cambium/stale/a/1', 'refs/cambium/wip/a/2', 'refs/cambium/review/a/1', 'refs/heads/review/a', 'refs/cambium/wip/other/1'];
    await desk.node.hub.push(pins.map((ref): RefUpdate => ({ ref, expect: null, to: work })));
    await tidy(fleet, a);
    await fleet.clock.advance(11 * 60_000);
    await tidy(fleet, a);
    expect(pins.filter((ref) => fleet.hub.refs.has(ref))).toEqual(['refs/cambium/wip/other/1']);
    const witness = await fleet.seat('witness');
    await witness.look();
    const [ref, tip] = [...fleet.hub.refs].find(([name]) => name.startsWith('refs/cambium/archive/'))!;
    await witness.node.hub.fetch(new Map([[ref, tip]]));
    expect(await witness.store.isAncestor(work, tip)).toBe(true);
    expect(await entryOf(witness.store, tip, chainEntry('a', 'a.stale.1'))).toBe(work);
  });

  test('takes no branch of somebody else along that is named like its review', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    const own = await desk.store.writeCommit({ tree: await desk.store.writeTree([]), parents: [], author: maria, committer: maria, message: 'my own\n' });
    await desk.node.hub.push([{ ref: 'refs/heads/review/a', expect: null, to: own }]);
    await tidy(fleet, a);
    await fleet.clock.advance(11 * 60_000);
    await tidy(fleet, a);
    expect(claims(fleet)).toEqual([]);
    expect(fleet.hub.refs.get('refs/heads/review/a')).toBe(own);
  });

  test('stays while a task that has not ended depends on it', async () => {
    const { fleet, a } = await world({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task(), 'tasks/b.md': task({ depends_on: '[a]', assigned_to: 'nobody-here' }) } });
    await a.rest();
    await tidy(fleet, a);
    expect(await fleet.file('tasks/a.result.md')).not.toBeNull();
    expect(claims(fleet)).toEqual([claimRef('a')]);
  });

  test('whose file was deleted by a cancel is archived by its result alone', async () => {
    const { fleet, a, desk } = await world();
    await desk.publish([cancelMember(desk.node, desk.reader, { ...closing(), dropInstruction: true })]);
    await tidy(fleet, a);
    expect(await fleet.file(archivedPath('a', day(fleet)).replace('.md', '.result.md'))).toContain('outcome: cancelled');
    await fleet.clock.advance(11 * 60_000);
    await tidy(fleet, a);
    expect(claims(fleet)).toEqual([]);
    expect(await end(desk, reopening(desk))).toMatchObject({ state: 'dropped', drop: { detail: expect.stringContaining('deleted') } });
  });
});

describe('bytes that a person was rescued', () => {
  test('stay for thirty days and then go to the archive', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    const kept = await desk.store.writeCommit({ tree: await desk.store.writeTree([]), parents: [], author: maria, committer: maria, message: 'rescued\n' });
    const ref = `refs/cambium/rescue/vm-b/${fleet.clock.ulid()}`;
    await desk.node.hub.push([{ ref, expect: null, to: kept }]);
    await fleet.clock.advance(29 * 24 * 3_600_000);
    await tidy(fleet, a);
    expect(fleet.hub.refs.has(ref)).toBe(true);
    await fleet.clock.advance(2 * 24 * 3_600_000);
    await tidy(fleet, a);
    expect(fleet.hub.refs.has(ref)).toBe(false);
  });
});

describe('a node that dies', () => {
  test.each([1, 2, 3, 4])('after push %i on the way to the archive leaves nothing that the next life does not finish', async (deadly) => {
    const { fleet, a } = await world();
    await a.rest();
    let pushes = 0;
    a.afterPush = async (updates) => {
      if (!refsOf(updates).some((ref) => ref === 'main' || /^(archive|claims)\//.test(ref))) return;
      pushes += 1;
      if (pushes === deadly) a.kill();
    };
    for (let tries = 0; tries < 30 && claims(fleet).length > 0; tries++) {
      if (a.dead) await a.restart();
      a.loop.state.janitor.nextMs = 0;
      await a.pass().catch((error: unknown) => expect(String(error)).toContain('killed'));
      await fleet.clock.advance(60_000);
    }
    expect(claims(fleet)).toEqual([]);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1']);
  });
});

describe('a reopening wins', () => {
  /** Reopens between the moment a step was built and its push. */
  function overtaken<T>(seat: Seat, member: Member<T>): Member<T> {
    let first = true;
    return {
      ...member,
      async build(base) {
        const built = await member.build(base);
        if (first) {
          first = false;
          await seat.node.mirror.refresh();
          await publish(seat.node, [reopening(seat)]);
        }
        return built;
      },
    };
  }

  test('over the move: the task is not archived', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    const mover = await fleet.seat('mover');
    await mover.look();
    const member = archiveMember(mover.node, mover.reader, { fleets: mover.fleets, choose: ({ results }) => [...results.keys()] });
    expect(await end(mover, overtaken(desk, member))).toMatchObject({ state: 'dropped' });
    expect(await fleet.file('tasks/a.md')).not.toBeNull();
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1']);
  });

  test('over the folding: what was folded is older than the chain, and nothing is collected', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    await tidy(fleet, a, 1);
    const collecting = { nowMs: fleet.clock.now().getTime() + 3_600_000 };
    const folder = await fleet.seat('folder');
    expect(await end(folder, overtaken(desk, foldMember(folder.node, folder.reader, collecting)))).toMatchObject({ state: 'published' });
    expect(await end(folder, collectMember(folder.node, folder.reader, collecting))).toMatchObject({ state: 'dropped', drop: { code: 'nothing' } });
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1']);
    await fleet.node('vm-a').rest();
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
  });

  test('over the collection: its ref stays, and those of the others go', async () => {
    const { fleet, a, desk } = await world({ files: { 'tasks/a.md': task(), 'tasks/b.md': task() } });
    await a.rest();
    await tidy(fleet, a);
    const collecting = { nowMs: fleet.clock.now().getTime() + 3_600_000 };
    const collector = await fleet.seat('collector');
    expect(await end(collector, overtaken(desk, collectMember(collector.node, collector.reader, collecting)))).toMatchObject({ state: 'published', value: 1 });
    expect(claims(fleet)).toEqual([claimRef('a')]);
  });
});

/** A missing half is mended when it was seen missing at two fetches. */
async function mend(node: MemoryNode): Promise<void> {
  await node.pass();
  await node.rest();
}

describe('a task that is taken out of the archive', () => {
  test('goes on with its chain: the next claim has the next epoch', async () => {
    const { fleet, a, desk } = await archived();
    const path = archivedPath('a', day(fleet));
    expect(await end(desk, reopening(desk))).toMatchObject({ state: 'published' });
    expect([await fleet.file(path), await fleet.file(path.replace('.md', '.result.md'))]).toEqual([null, null]);
    expect(await fleet.file('tasks/a.md')).not.toBeNull();
    a.loop.state.janitor.nextMs = null;
    await a.rest();
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
  });

  test('and ends again is archived again, and found by its newest end', async () => {
    const { fleet, a, desk } = await archived();
    await fleet.clock.advance(40 * 24 * 3_600_000);
    await end(desk, reopening(desk));
    await a.rest();
    await tidy(fleet, a);
    await fleet.clock.advance(11 * 60_000);
    await tidy(fleet, a);
    expect(claims(fleet)).toEqual([]);
    expect([...fleet.hub.refs.keys()].filter((ref) => ref.startsWith('refs/cambium/archive/'))).toHaveLength(2);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
    const witness = await fleet.seat('witness');
    await end(witness, reopening(witness));
    expect((await kinds(fleet)).at(-1)).toBe('reopen 2');
  });

  test('of which only main knows starts no agent, and its chain is mended from the archive', async () => {
    const { fleet, a, desk } = await archived();
    desk.order = (updates) => updates.toSorted(({ ref }) => (ref === MAIN ? -1 : 1));
    desk.fault = () => (desk.pushes.length === 1 ? 'half' : 'refuse');
    await desk.publish([reopening(desk)], { patienceMs: 0 }).catch(() => undefined);
    expect(await fleet.file('tasks/a.md')).not.toBeNull();
    expect(claims(fleet)).toEqual([]);
    const seen = await (await fleet.seat('eye')).look();
    expect(seen.reopened).toEqual(new Set(['a']));
    const half = fleet.hub.refs.get(MAIN);
    await mend(a);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
    expect((await fleet.chain('a'))[2]?.result).toBe(half);
  });

  test('before its chain was collected, of which only main knows, is mended by the very commit that took it out', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    await tidy(fleet, a);
    desk.order = (updates) => updates.toSorted(({ ref }) => (ref === MAIN ? -1 : 1));
    desk.fault = () => (desk.pushes.length === 1 ? 'half' : 'refuse');
    await desk.publish([reopening(desk)], { patienceMs: 0 }).catch(() => undefined);
    const half = fleet.hub.refs.get(MAIN);
    await mend(a);
    expect((await fleet.chain('a'))[2]).toMatchObject({ kind: 'reopen', result: half });
  });

  test('of which only its chain knows gets its files back', async () => {
    const { fleet, a, desk } = await archived();
    desk.order = (updates) => updates.toSorted(({ ref }) => (ref === MAIN ? 1 : -1));
    desk.fault = () => (desk.pushes.length === 1 ? 'half' : 'refuse');
    await desk.publish([reopening(desk)], { patienceMs: 0 }).catch(() => undefined);
    expect(claims(fleet)).toEqual([claimRef('a')]);
    expect(await fleet.file('tasks/a.md')).toBeNull();
    await mend(a);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
  });

  test('while it was being moved there, of which only its chain knows, gets its files back', async () => {
    const { fleet, a, desk } = await world();
    await a.rest();
    const mover = await fleet.seat('mover');
    await mover.look();
    desk.order = (updates) => updates.toSorted(({ ref }) => (ref === MAIN ? 1 : -1));
    desk.fault = () => (desk.pushes.length === 1 ? 'half' : 'refuse');
    await desk.publish([reopening(desk)], { patienceMs: 0 }).catch(() => undefined);
    const member = archiveMember(mover.node, mover.reader, { fleets: mover.fleets, choose: ({ results }) => [...results.keys()] });
    await mover.publish([member], { trustKnown: true });
    expect(await fleet.file('tasks/a.md')).toBeNull();
    a.loop.state.janitor.nextMs = null;
    await mend(a);
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
  });

  test('keeps the text that a person has put in its place', async () => {
    const { fleet, a, desk } = await archived();
    await fleet.commit({ 'tasks/a.md': '# Do it better\n' });
    await a.pass();
    expect((await desk.look()).quarantine).toMatchObject([{ path: 'tasks/a.md', reason: expect.stringContaining('used before') }]);
    await end(desk, reopening(desk));
    expect(await fleet.file('tasks/a.md')).toBe('# Do it better\n');
    await a.rest();
    expect((await kinds(fleet)).at(-1)).toBe('done 2');
  });
});

describe('an id that the archive has', () => {
  test('is never claimed anew, cancelled or added', async () => {
    const { fleet, a, desk } = await archived();
    await fleet.commit({ 'tasks/a.md': '# Something else\n' });
    await a.rest();
    expect(claims(fleet)).toEqual([]);
    expect(a.machine.started).toHaveLength(1);
    expect((await desk.look()).tasks.has('a')).toBe(false);
    expect(await end(desk, cancelMember(desk.node, desk.reader, closing()))).toMatchObject({ state: 'dropped', drop: { code: 'not-ready' } });
  });
});

describe('a task that depends on an archived one', () => {
  test('runs when that was done', async () => {
    const { fleet, a } = await archived();
    await fleet.commit({ 'tasks/b.md': task({ depends_on: '[a]' }) });
    await a.rest();
    expect(await kinds(fleet, 'b')).toEqual(['claim 1', 'done 1']);
  });

  test('is blocked, with the mend, when that failed', async () => {
    const { fleet, a } = await archived({ work: () => ({ exit: 1, retryable: false }) });
    await fleet.commit({ 'tasks/b.md': task({ depends_on: '[a]' }) });
    const { situation } = await a.rest();
    expect(situation?.tasks.get('b')).toMatchObject({ state: 'blocked', reasons: [expect.stringContaining('depends on a, which failed'), expect.anything()] });
  });
});

describe('the janitor', () => {
  test('comes at most every ten minutes', async () => {
    const { fleet, a } = await world();
    await a.rest();
    await fleet.clock.advance(10 * 60_000);
    await a.rest();
    expect(await fleet.file('tasks/a.md')).toBeNull();
    expect(a.loop.state.janitor.nextMs! - fleet.clock.bootMs()).toBe(10 * 60_000);
    await fleet.commit({ 'tasks/b.md': task() });
    await a.rest();
    await fleet.clock.advance(9 * 60_000);
    await a.rest();
    expect(await fleet.file('tasks/b.result.md')).not.toBeNull();
  });

  test('comes within seconds when too many ended tasks stand in tasks/', async () => {
    const many = Object.fromEntries(Array.from({ length: 110 }, (_, at) => [`tasks/t${at}.md`, task()]));
    const { fleet, a, desk } = await world({ config: 'archive: { ended_max: 3 }\n', nodes: { 'vm-a': [] }, files: many });
    await desk.look();
    for (const id of Object.keys(many).map((path) => path.slice(6, -3))) await desk.publish([cancelMember(desk.node, desk.reader, closing(id))], { trustKnown: true });
    await a.pass();
    await fleet.clock.advance(20_000);
    await a.rest(3);
    expect([...(await desk.look()).results.keys()]).toHaveLength(3);
  });

  test('keeps young tasks where they are while there are few', async () => {
    const { fleet, a } = await world({ config: '' });
    await a.rest();
    await tidy(fleet, a);
    expect(await fleet.file('tasks/a.md')).not.toBeNull();
    await fleet.clock.advance(7 * 24 * 3_600_000);
    await tidy(fleet, a);
    expect(await fleet.file('tasks/a.md')).toBeNull();
  });

  test('that loses every race comes again at its time, and the pass goes on', async () => {
    const { fleet, a } = await world();
    await a.rest();
    a.fault = (updates) => (refsOf(updates).some((ref) => ref.startsWith('archive/')) ? 'refuse' : 'ok');
    await tidy(fleet, a, 3);
    expect(claims(fleet)).toEqual([claimRef('a')]);
    expect(a.loop.state.janitor.nextMs! - fleet.clock.bootMs()).toBeGreaterThan(9 * 60_000);
    a.fault = () => 'ok';
    await fleet.clock.advance(10 * 60_000);
    await a.rest();
    expect([...fleet.hub.refs.keys()].some((ref) => ref.startsWith('refs/cambium/archive/'))).toBe(true);
  });

  test('leaves alone what is no chain, under the id of an archived task too', async () => {
    const { fleet, a, desk } = await archived();
    const nonsense = await desk.store.writeCommit({ tree: await desk.store.writeTree([]), parents: [], author: maria, committer: maria, message: 'nonsense\n' });
    await desk.node.hub.push([{ ref: claimRef('a'), expect: null, to: nonsense }]);
    await tidy(fleet, a);
    expect(fleet.hub.refs.get(claimRef('a'))).toBe(nonsense);
    expect((await desk.look()).quarantine.map(({ path }) => path)).toEqual([claimRef('a')]);
  });

  test('of a node that starts anew keeps to the time of the life before', async () => {
    const { fleet, a } = await world();
    await a.rest();
    await tidy(fleet, a);
    await fleet.clock.advance(4 * 60_000);
    await a.restart();
    await a.pass();
    expect(a.loop.state.janitor.nextMs! - fleet.clock.bootMs()).toBe(6 * 60_000);
  });

  test('that the hub refuses says so and leaves it', async () => {
    const { fleet, a } = await world();
    await a.rest();
    a.fault = (updates) => (refsOf(updates).some((ref) => ref.startsWith('archive/')) ? 'decline' : 'ok');
    await tidy(fleet, a, 3);
    expect(a.said.filter(({ event }) => event === 'janitor refused')).not.toEqual([]);
    expect(claims(fleet)).toEqual([claimRef('a')]);
  });
});

describe('a reopening whose answer was lost', () => {
  test.each(['lose-request', 'late'] as const)('(%s) is repeated by the next command of its clone, and happens once', async (fault) => {
    const { fleet, a, desk } = await archived();
    desk.fault = () => fault;
    expect(await end(desk, reopening(desk))).toMatchObject({ state: 'unknown' });
    desk.fault = () => 'ok';
    expect(await fleet.drive(settleAll(desk.node, desk.reader, 1_000))).toBe(0);
    fleet.hub.deliverLate();
    await a.rest();
    expect(await kinds(fleet)).toEqual(['claim 1', 'done 1', 'reopen 1', 'claim 2', 'done 2']);
  });
});

test('the first claim of an id that the archive has by now is never repeated', async () => {
  const { fleet, a, desk } = await world();
  const { tasks } = await desk.look();
  desk.fault = () => 'lose-request';
  await fleet.drive(claimTasks(desk.node, desk.reader, [{ task: tasks.get('a')!, agent: 'ann', ttlMs: 60_000, maxAttempts: 3 }]));
  await a.rest();
  await tidy(fleet, a);
  await fleet.clock.advance(11 * 60_000);
  await tidy(fleet, a);
  expect(claims(fleet)).toEqual([]);
  desk.fault = () => 'ok';
  expect(await fleet.drive(settleAll(desk.node, desk.reader, 1_000))).toBe(0);
  expect(claims(fleet)).toEqual([]);
});
