import { describe, expect, test } from 'vitest';
import { claimTasks, releaseMember } from '../../src/act/claim.ts';
import { addMember, cancelMember, reopenMember } from '../../src/act/close.ts';
import type { Closed } from '../../src/act/close.ts';
import type { Published } from '../../src/act/publish.ts';
import type { Signature } from '../../src/model/git.ts';
import { claimRef } from '../../src/model/layout.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const maria: Signature = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };
const closing = { task: 'a', path: 'tasks/a.md', by: maria, reason: 'not needed' };

async function world(): Promise<{ readonly fleet: MemoryFleet; readonly seat: Seat }> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() } });
  const seat = await fleet.seat('desk');
  await seat.look();
  return { fleet, seat };
}

const cancel = async (seat: Seat, more: { readonly dropInstruction?: boolean } = {}): Promise<Published<Closed>> => only(await seat.publish([cancelMember(seat.node, seat.reader, { ...closing, ...more })]));
const reopen = async (seat: Seat, evenDone = false): Promise<Published<Closed>> => only(await seat.publish([reopenMember(seat.node, seat.reader, { ...closing, evenDone })]));

function only<T>(ends: ReadonlyMap<string, T>): T {
  return [...ends.values()][0]!;
}

async function claim(fleet: MemoryFleet, seat: Seat): Promise<string> {
  const { tasks } = await seat.look();
  const end = only(await fleet.drive(claimTasks(seat.node, seat.reader, [{ task: tasks.get('a')!, agent: 'ann', ttlMs: 60_000, maxAttempts: 3 }])));
  if (end.state !== 'published') throw new Error('not won');
  return end.value.chain.tip;
}

describe('a cancel', () => {
  test('writes the result and ends the chain in one push, and each names the other', async () => {
    const { fleet, seat } = await world();
    expect(await cancel(seat)).toMatchObject({ state: 'published' });
    const { tip, record } = await fleet.tip('a');
    expect(record).toMatchObject({ kind: 'cancel', epoch: 0, by: 'Maria', reason: 'not needed', result: fleet.hub.refs.get(MAIN) });
    expect((await seat.store.readCommit(tip)).parents).toContain(record.result);
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: cancelled');
    expect(seat.pushes).toHaveLength(1);
  });

  test('of a held task names the epoch that it ends', async () => {
    const { fleet, seat } = await world();
    const tip = await claim(fleet, seat);
    await cancel(seat);
    expect((await fleet.tip('a')).record).toMatchObject({ kind: 'cancel', epoch: 1, agent: 'ann' });
    expect(await fleet.file('tasks/a.result.md')).toContain(`claim: ${tip}`);
  });

  test('of a deleted file leaves it deleted', async () => {
    const { fleet, seat } = await world();
    await cancel(seat, { dropInstruction: true });
    expect(await fleet.file('tasks/a.md')).toBeNull();
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: cancelled');
  });

  test('of what has ended moves nothing', async () => {
    const { fleet, seat } = await world();
    await cancel(seat);
    const main = fleet.hub.refs.get(MAIN);
    expect(await cancel(seat)).toMatchObject({ state: 'dropped', drop: { code: 'nothing' } });
    expect(fleet.hub.refs.get(MAIN)).toBe(main);
  });

  test('whose reply was lost happens once', async () => {
    const { fleet, seat } = await world();
    seat.fault = () => (['lose-reply', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
    expect(await cancel(seat)).toMatchObject({ state: 'published' });
    expect(await fleet.chain('a')).toHaveLength(1);
  });

  test('that was applied to the chain only is told as done only when main has it too', async () => {
    const { fleet, seat } = await world();
    await claim(fleet, seat);
    seat.fault = () => (seat.pushes.length === 2 ? 'half' : 'ok');
    seat.afterPush = async () => {
      if (seat.pushes.length === 2) await fleet.commit({ 'README.md': 'main moves on\n' });
    };
    expect(await cancel(seat)).toMatchObject({ state: 'published' });
    expect(await fleet.file('tasks/a.result.md')).toContain('outcome: cancelled');
    expect((await fleet.chain('a')).map(({ kind }) => kind)).toEqual(['claim', 'cancel']);
  });

  test('that was applied to main only gets its transition, and no second result', async () => {
    const { fleet, seat } = await world();
    // A ref that the push creates is renamed last: main has moved, the claim ref is not there.
    seat.afterPush = async (updates) => {
      if (seat.pushes.length !== 1) return;
      fleet.hub.force(claimRef('a'), null);
      fleet.hub.force(MAIN, updates.find(({ ref }) => ref === MAIN)!.to);
      await fleet.commit({ 'README.md': 'main moves on\n' });
    };
    seat.fault = () => (seat.pushes.length === 1 ? 'lose-reply' : 'ok');
    const end = await cancel(seat);
    expect(end).toMatchObject({ state: 'published' });
    expect(await fleet.chain('a')).toMatchObject([{ kind: 'cancel', epoch: 0 }]);
  });
});

describe('a reopen', () => {
  test('removes the result, goes on with the epoch and starts the attempts over', async () => {
    const { fleet, seat } = await world();
    for (const spent of [true, true]) {
      await seat.publish([releaseMember(seat.node, seat.reader, { task: 'a', tip: await claim(fleet, seat), reason: 'failed', spent })]);
    }
    await cancel(seat);
    expect(await reopen(seat)).toMatchObject({ state: 'published' });
    expect(await fleet.file('tasks/a.result.md')).toBeNull();
    await claim(fleet, seat);
    expect((await fleet.chain('a')).map(({ kind, epoch, attempt }) => `${kind} ${epoch}.${attempt}`)).toEqual([
      'claim 1.1', 'release 1.1', 'claim 2.2', 'release 2.2', 'cancel 2.2', 'reopen 2.0', 'claim 3.1',
    ]);
  });

  test('of an open task moves nothing', async () => {
    const { seat } = await world();
    expect(await reopen(seat)).toMatchObject({ state: 'dropped', drop: { code: 'nothing' } });
  });

  test('waits while the end it takes back is not on main', async () => {
    const { fleet, seat } = await world();
    const before = fleet.hub.refs.get(MAIN)!;
    await claim(fleet, seat);
    await cancel(seat);
    fleet.hub.force(MAIN, before);
    const other = await fleet.seat('other');
    expect(await reopen(other)).toMatchObject({ state: 'dropped', drop: { code: 'not-ready' } });
  });

  test('waits while main shows another end than the chain does', async () => {
    const { fleet, seat } = await world();
    await cancel(seat);
    await fleet.commit({ 'tasks/a.result.md': null });
    expect(await reopen(seat)).toMatchObject({ state: 'dropped', drop: { code: 'not-ready' } });
    expect((await fleet.chain('a')).map(({ kind }) => kind)).toEqual(['cancel']);
  });

  test('is possible after a person has mended the words of the result', async () => {
    const { fleet, seat } = await world();
    await cancel(seat);
    await fleet.commit({ 'tasks/a.result.md': `${await fleet.file('tasks/a.result.md')}\nAn afterthought.\n` });
    expect(await reopen(seat)).toMatchObject({ state: 'published' });
  });
});

describe('adding', () => {
  const add = async (seat: Seat, id: string): Promise<Published<string>> => only(await seat.publish([addMember(seat.node, { task: id, path: `tasks/${id}.md`, content: task(), by: maria })]));

  test('a task puts its file on main', async () => {
    const { fleet, seat } = await world();
    expect(await add(seat, 'new')).toMatchObject({ state: 'published' });
    expect(await fleet.file('tasks/new.md')).toBe(task());
  });

  test.each([
    ['a task', { 'tasks/used.md': task() }],
    ['a task in a subfolder', { 'tasks/web/used.md': task() }],
    ['an archived task', { 'tasks/archive/2026-11/used.md': task() }],
    ['a result whose instruction is gone', { 'tasks/used.result.md': 'x\n' }],
  ])('an id that %s uses is refused', async (_name, files) => {
    const { fleet, seat } = await world();
    await fleet.commit(files);
    expect(await add(seat, 'used')).toMatchObject({ state: 'dropped', drop: { code: 'used' } });
  });

  test('an id whose claim chain is still there is refused, though its file was deleted', async () => {
    const { fleet, seat } = await world();
    await claim(fleet, seat);
    await fleet.commit({ 'tasks/a.md': null });
    expect(await add(seat, 'a')).toMatchObject({ state: 'dropped', drop: { code: 'used' } });
  });

  test('twice by two at once lands once', async () => {
    const { fleet, seat } = await world();
    const other = await fleet.seat('other');
    const states = (await Promise.all([add(seat, 'new'), add(other, 'new')])).map(({ state }) => state);
    expect(states.toSorted()).toEqual(['dropped', 'published']);
  });

  test('whose reply was lost happens once', async () => {
    const { fleet, seat } = await world();
    seat.fault = () => (['lose-reply', 'refuse'] as const)[seat.pushes.length - 1] ?? 'ok';
    expect(await add(seat, 'new')).toMatchObject({ state: 'published' });
    expect(fleet.hub.moves.filter(({ ref }) => ref === MAIN)).toHaveLength(2);
  });
});
