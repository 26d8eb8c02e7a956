/** What the checkout has to say to the hub, and what it is told: edits, commits and deletions of a person (PROTOCOL P11). */
import { describe, expect, test } from 'vitest';
import { agreedCheckout, bringUpToDate, checkoutMembers, lookAtCheckout } from '../../src/act/checkout.ts';
import type { CheckoutView } from '../../src/act/checkout.ts';
import { commitOn } from '../../src/act/commit.ts';
import type { Oid } from '../../src/model/ids.ts';
import { SYNCED_REF } from '../../src/model/layout.ts';
import { treeOf } from '../../src/observe/tree.ts';
import type { Checkout, CheckoutEdit, CheckoutLook } from '../../src/ports/checkout.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const maria = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0100' };

interface Desk {
  readonly fleet: MemoryFleet;
  readonly seat: Seat;
  /** The state that the checkout is in; tests change it. */
  readonly at: { look: CheckoutLook; edits: readonly CheckoutEdit[]; advances: Oid[] };
  readonly checkout: Checkout;
  edit(path: string, text: string | null): Promise<CheckoutEdit>;
  look(consent?: boolean): Promise<CheckoutView>;
  publish(view: CheckoutView): Promise<readonly string[]>;
}

async function desk(files: Readonly<Record<string, string>> = { 'tasks/a.md': task(), 'memory/x.md': 'first\n' }): Promise<Desk> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files });
  const seat = await fleet.seat('desk');
  await seat.look();
  const main = (): Oid => fleet.hub.refs.get(MAIN)!;
  const at: Desk['at'] = { look: { state: 'ready', head: main() }, edits: [], advances: [] };
  const checkout: Checkout = {
    look: async () => at.look,
    person: async () => maria,
    edits: async () => ({ edits: at.edits, unsettled: ['memory/half.md'], refused: [{ path: 'tasks/pipe', reason: 'it is no regular file' }] }),
    advance: async ({ target, synced }) => {
      at.advances.push(target);
      return { moved: true, synced, skipped: [], displaced: [] };
    },
    recover: async () => undefined,
  };
  return {
    fleet, seat, at, checkout,
    edit: async (path, text) => (text === null ? { path, mode: null, oid: null } : { path, mode: '100644', oid: await seat.store.writeBlob(Buffer.from(text)) }),
    async look(consent = false) {
      await seat.look();
      return lookAtCheckout(seat.node, checkout, main(), { full: true, consent });
    },
    async publish(view) {
      const ends = await seat.publish(await checkoutMembers(seat.node, seat.reader, checkout, view, main()));
      return [...ends].map(([key, { state }]) => `${key} ${state}`);
    },
  };
}

const subjectOf = async ({ fleet, seat }: Desk): Promise<string> => {
  await seat.look();
  return (await seat.store.readCommit(fleet.hub.refs.get(MAIN)!)).message.split('\n')[0]!;
};

describe('many deletions at once', () => {
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`memory/${String(at).padStart(2, '0')}.md`, 'x\n']));

  test('wait for a yes: nothing of the look is published, and what to do is said', async () => {
    const one = await desk(many);
    one.at.edits = await Promise.all([...Object.keys(many).map((path) => one.edit(path, null)), one.edit('memory/new.md', 'new\n')]);
    const view = await one.look();
    expect(view).toMatchObject({ edits: [], cancels: [], notes: [expect.stringContaining('21 deletions wait for a yes: run `cambium sync --yes`')] });
    expect(await one.publish(view)).toEqual([]);
    expect(await one.fleet.file('memory/00.md')).toBe('x\n');
  });

  test('are published with that yes', async () => {
    const one = await desk(many);
    one.at.edits = await Promise.all(Object.keys(many).map((path) => one.edit(path, null)));
    expect(await one.publish(await one.look(true))).toEqual(['checkout:edits published']);
    expect(await one.fleet.file('memory/00.md')).toBeNull();
    expect(await subjectOf(one)).toBe('checkout: 21 saved edits');
  });

  test('twenty are as many as go without one', async () => {
    const one = await desk(many);
    one.at.edits = await Promise.all(Object.keys(many).slice(1).map((path) => one.edit(path, null)));
    expect((await one.look()).edits).toHaveLength(20);
  });
});

describe('what one look brings', () => {
  test('is one commit of the person, whose subject tells what it is', async () => {
    const one = await desk();
    one.at.edits = [await one.edit('tasks/b.md', task()), await one.edit('tasks/c.md', task())];
    expect(await one.publish(await one.look())).toEqual(['checkout:edits published']);
    expect(await subjectOf(one)).toBe('tasks: add 2 files');
    one.at.edits = [await one.edit('tasks/d.md', task()), await one.edit('memory/x.md', 'mine\n')];
    await one.publish(await one.look());
    expect(await subjectOf(one)).toBe('checkout: 2 saved edits');
    expect((await one.seat.store.readCommit(one.fleet.hub.refs.get(MAIN)!)).author).toEqual(maria);
  });

  test('shows what cannot be published with the reason, and what is still being saved', async () => {
    const one = await desk();
    expect(await one.look()).toMatchObject({ held: [{ path: 'tasks/pipe', reason: 'it is no regular file', line: 1 }], unsettled: ['memory/half.md'] });
  });

  test('of a checkout that is busy or not there is nothing, with the reason where there is one', async () => {
    const one = await desk();
    one.at.edits = [await one.edit('memory/x.md', 'mine\n')];
    one.at.look = { state: 'busy', reason: 'a merge is under way' };
    expect(await one.look()).toMatchObject({ blocked: 'a merge is under way', edits: [], head: null });
    expect(await one.publish(await one.look())).toEqual([]);
    expect(await agreedCheckout(one.seat.node, one.checkout)).toMatchObject({ head: null, synced: null });
    one.at.look = { state: 'absent' };
    expect(await one.look()).toMatchObject({ blocked: null, edits: [], head: null });
  });
});

describe('commits of the person that were not pushed', () => {
  const commitLocally = async ({ seat, at }: Desk, files: Readonly<Record<string, string>>): Promise<Oid> => {
    if (at.look.state !== 'ready') throw new Error('not ready');
    const head = await commitOn(seat.node, at.look.head, new Map(Object.entries(files)), { author: maria, message: 'by hand\n' });
    at.look = { state: 'ready', head };
    return head;
  };

  test('reach main as they are where main has not moved', async () => {
    const one = await desk();
    const head = await commitLocally(one, { 'memory/y.md': 'y\n' });
    expect(await one.publish(await one.look())).toEqual(['checkout:commits published']);
    expect(one.fleet.hub.refs.get(MAIN)).toBe(head);
    expect(await one.publish(await one.look())).toEqual([]);
  });

  test('are a parent of a merge where it has, never copies', async () => {
    const one = await desk();
    const head = await commitLocally(one, { 'memory/y.md': 'y\n' });
    const theirs = await one.fleet.commit({ 'memory/z.md': 'z\n' });
    await one.publish(await one.look());
    await one.seat.look();
    expect((await one.seat.store.readCommit(one.fleet.hub.refs.get(MAIN)!)).parents).toEqual([theirs, head]);
    expect([await one.fleet.file('memory/y.md'), await one.fleet.file('memory/z.md')]).toEqual(['y\n', 'z\n']);
  });

  test('that conflict with main stay where they are', async () => {
    const one = await desk();
    await commitLocally(one, { 'memory/x.md': 'mine\n' });
    const theirs = await one.fleet.commit({ 'memory/x.md': 'theirs\n' });
    expect(await one.publish(await one.look())).toEqual(['checkout:commits dropped']);
    expect(one.fleet.hub.refs.get(MAIN)).toBe(theirs);
  });

  test('are no edits: what HEAD holds already is agreed with, and the rest is', async () => {
    const one = await desk();
    expect((await one.look()).synced).toBe(await treeOf(one.seat.store, one.fleet.hub.refs.get(MAIN)!));
    await commitLocally(one, { 'memory/y.md': 'y\n' });
    one.at.edits = [await one.edit('memory/y.md', 'y\n'), await one.edit('memory/x.md', 'mine\n')];
    const view = await one.look();
    expect(view.edits.map(({ path }) => path)).toEqual(['memory/x.md']);
    const agreed = await treeOf(one.seat.store, (await one.seat.store.readRef(SYNCED_REF))!);
    expect([view.synced, (await one.seat.store.readTree(agreed)).map(({ name }) => name)]).toEqual([agreed, ['cambium.yaml', 'memory', 'tasks']]);
  });
});

describe('bringing the checkout up to date', () => {
  test('records what was published as agreed, and asks for nothing where nothing is new', async () => {
    const one = await desk();
    const main = one.fleet.hub.refs.get(MAIN)!;
    const view = await agreedCheckout(one.seat.node, one.checkout);
    expect(await bringUpToDate(one.seat.node, one.checkout, view, [], main)).toEqual({ moved: false, skipped: [] });
    one.at.edits = [await one.edit('memory/x.md', 'mine\n')];
    const saved = await one.look();
    await one.publish(saved);
    await one.seat.look();
    const target = one.fleet.hub.refs.get(MAIN)!;
    expect(await bringUpToDate(one.seat.node, one.checkout, saved, saved.edits, target)).toEqual({ moved: true, skipped: [] });
    expect(one.at.advances).toEqual([target]);
    expect(await treeOf(one.seat.store, (await one.seat.store.readRef(SYNCED_REF))!)).toBe(await treeOf(one.seat.store, target));
  });

  test('waits while the person has commits that main does not have', async () => {
    const one = await desk();
    const main = one.fleet.hub.refs.get(MAIN)!;
    const head = await commitOn(one.seat.node, main, new Map([['memory/y.md', 'y\n']]), { author: maria, message: 'by hand\n' });
    one.at.look = { state: 'ready', head };
    expect(await bringUpToDate(one.seat.node, one.checkout, await one.look(), [], main)).toEqual({ moved: false, skipped: [] });
    expect(one.at.advances).toEqual([]);
  });
});
