/** What people stop and pause is heeded by every node within a cycle; running agents finish or stand still, as was asked. */
import { describe, expect, test } from 'vitest';
import { STOP_KEY, stopMember } from '../../src/act/stop.ts';
import type { StopRequest } from '../../src/act/stop.ts';
import { STOP_REF } from '../../src/model/layout.ts';
import type { Wish } from '../../src/model/stop.ts';
import { stopped, wentOn, withPause, withoutPause } from '../../src/orient/wishes.ts';
import { TTL_MS, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, Seat } from '../support/memoryFleet.ts';

const WISH: Wish = { by: 'human:Maria', why: 'wrong branch', at: '2026-11-21T00:00:00.000Z' };
const AUTHOR = { name: 'Maria', email: 'maria@example.org', seconds: 1_795_219_200, zone: '+0000' };

async function wish(seat: Seat, change: StopRequest['change']): Promise<string | undefined> {
  await seat.look();
  return (await seat.publish([stopMember(seat.node, { change, author: AUTHOR, subject: 'a wish' })])).get(STOP_KEY)?.state;
}

const kinds = async (fleet: MemoryFleet, id: string): Promise<readonly string[]> => (await fleet.chain(id)).map(({ kind, epoch }) => `${kind} ${epoch}`);

async function pass(fleet: MemoryFleet, names: readonly string[], ms: number, step = 5_000): Promise<void> {
  for (let left = ms; left > 0; left -= step) {
    for (const name of names) await fleet.node(name).rest();
    await fleet.clock.advance(Math.min(step, left));
  }
  for (const name of names) await fleet.node(name).rest();
}

const two = (afterMs = 30_000): Promise<MemoryFleet> =>
  createMemoryFleet({ nodes: { 'vm-a': ['ann'], 'vm-b': ['bob'] }, files: { 'tasks/a.md': task({ assigned_to: 'ann' }), 'tasks/b.md': task({ assigned_to: 'bob' }), 'tasks/c.md': task({ priority: 4 }) }, work: ({ task: id }) => ({ afterMs, files: { [`${id}.txt`]: 'done\n' } }) });

describe('a fleet that is stopped', () => {
  test('claims nothing and starts nothing; what runs finishes and lands; it goes on when it is resumed', async () => {
    const fleet = await two();
    const person = await fleet.seat('person');
    await pass(fleet, ['vm-a', 'vm-b'], 5_000);
    expect(await wish(person, (stop) => stopped(stop, 'drain', WISH))).toBe('published');
    await pass(fleet, ['vm-a', 'vm-b'], 60_000);
    expect([await kinds(fleet, 'a'), await kinds(fleet, 'b'), await kinds(fleet, 'c')]).toEqual([['claim 1', 'done 1'], ['claim 1', 'done 1'], []]);
    const report = await fleet.node('vm-a').rest();
    expect(report.situation?.tasks.get('c')).toMatchObject({ state: 'waiting', reasons: ['the fleet is stopped by Maria: wrong branch', expect.stringContaining('cambium resume --fleet')] });
    expect(report.idle).toBe(true);
    expect(await wish(person, wentOn)).toBe('published');
    await pass(fleet, ['vm-a', 'vm-b'], 60_000);
    expect((await kinds(fleet, 'c')).at(-1)).toBe('done 1');
  });

  test('gives back what was claimed and has not begun', async () => {
    const fleet = await two();
    const person = await fleet.seat('person');
    const node = fleet.node('vm-a');
    // Stopped between the win and the start.
    node.afterPush = async (updates) => {
      if (!updates.some(({ ref }) => ref === 'refs/cambium/claims/a')) return;
      node.afterPush = undefined;
      await person.look();
      const built = await stopMember(person.node, { change: (stop) => stopped(stop, 'drain', WISH), author: AUTHOR, subject: 'stop' }).build({ main: person.node.mirror.known().main ?? '', view: person.node.mirror.known() });
      if ('refs' in built) await person.node.hub.push(built.refs);
    };
    await node.rest();
    expect(node.machine.started).toEqual([]);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'release 1']);
  });

  test('takes over nothing from a node that falls silent, until it goes on', async () => {
    const fleet = await two(600_000);
    const person = await fleet.seat('person');
    await pass(fleet, ['vm-a', 'vm-b'], 5_000);
    await wish(person, (stop) => stopped(stop, 'drain', WISH));
    fleet.node('vm-a').kill();
    await pass(fleet, ['vm-b'], 3 * TTL_MS);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1']);
    await wish(person, wentOn);
    await pass(fleet, ['vm-b'], 3 * TTL_MS);
    expect((await kinds(fleet, 'a')).length).toBeGreaterThan(1);
  });

  test('also where the record cannot be read: somebody wished something', async () => {
    const fleet = await two();
    const person = await fleet.seat('person');
    await person.look();
    const blob = await person.store.writeBlob(Buffer.from('{"schema":"cambium.stop/9"}'));
    const tree = await person.store.writeTree([{ mode: '100644', name: 'stop.json', oid: blob }]);
    const to = await person.store.writeCommit({ tree, parents: [], author: AUTHOR, committer: AUTHOR, message: 'newer\n' });
    await person.node.hub.push([{ ref: STOP_REF, expect: null, to }]);
    const report = await fleet.node('vm-a').rest();
    expect(fleet.node('vm-a').machine.started).toEqual([]);
    expect(report.situation?.tasks.get('c')?.state).toBe('waiting');
    expect((await person.look()).quarantine).toMatchObject([{ path: STOP_REF }]);
  });
});

describe('a fleet that is frozen', () => {
  test('holds its agents still, keeps their claims, lands nothing, and goes on where it was', async () => {
    const fleet = await two(30_000);
    const person = await fleet.seat('person');
    await pass(fleet, ['vm-a', 'vm-b'], 10_000);
    await wish(person, (stop) => stopped(stop, 'freeze', WISH));
    // Longer than any lease, than the silence that is allowed and than their time: a frozen agent spends none of it.
    await pass(fleet, ['vm-a', 'vm-b'], 4_000_000, 18_000);
    expect([await kinds(fleet, 'a'), await kinds(fleet, 'b')]).toEqual([['claim 1'], ['claim 1']]);
    expect([fleet.node('vm-a').machine.running(), fleet.node('vm-b').machine.running()]).toEqual([['a.1'], ['b.1']]);
    await wish(person, wentOn);
    await pass(fleet, ['vm-a', 'vm-b'], 60_000);
    expect([await kinds(fleet, 'a'), await kinds(fleet, 'b')]).toEqual([['claim 1', 'done 1'], ['claim 1', 'done 1']]);
    expect(fleet.node('vm-a').machine.started.filter(({ task: id }) => id === 'a')).toHaveLength(1);
  });

  test('judges nothing that has ended meanwhile, and begins no check of it', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task({ verify: 'make test' }) }, work: () => ({ afterMs: 10_000, files: { 'a.txt': 'x\n' } }) });
    const node = fleet.node('vm-a');
    await node.rest();
    await fleet.clock.advance(11_000);
    const person = await fleet.seat('person');
    await wish(person, (stop) => stopped(stop, 'freeze', WISH));
    await pass(fleet, ['vm-a'], 60_000);
    expect(node.loop.state.runs.get('a')).toMatchObject({ phase: 'working', verifySpawn: '' });
    await wish(person, wentOn);
    await pass(fleet, ['vm-a'], 10_000);
    expect(await kinds(fleet, 'a')).toEqual(['claim 1', 'done 1']);
  });

  test('does not keep a node that has lost the hub from ending its agents at the lease', async () => {
    const fleet = await two(600_000);
    const person = await fleet.seat('person');
    await pass(fleet, ['vm-a'], 10_000);
    await wish(person, (stop) => stopped(stop, 'freeze', WISH));
    await fleet.node('vm-a').rest();
    fleet.node('vm-a').fault = () => 'lose-request';
    await fleet.clock.advance(TTL_MS);
    expect(fleet.node('vm-a').machine.running()).toEqual([]);
  });
});

describe('what is paused', () => {
  test('an agent gets nothing new, the others go on; what it does is finished', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann', 'abe'] }, files: { 'tasks/a.md': task({ assigned_to: 'ann' }), 'tasks/b.md': task(), 'tasks/c.md': task({ assigned_to: 'ann' }) }, work: ({ task: id }) => ({ afterMs: 10_000, files: { [`${id}.txt`]: 'x\n' } }) });
    const person = await fleet.seat('person');
    await fleet.node('vm-a').rest();
    await wish(person, (stop) => withPause(stop, 'agent', 'ann', WISH));
    await pass(fleet, ['vm-a'], 60_000);
    const report = await fleet.node('vm-a').rest();
    expect((await kinds(fleet, 'b')).at(-1)).toBe('done 1');
    expect(fleet.node('vm-a').machine.started.filter(({ agent }) => agent === 'ann')).toHaveLength(1);
    const left = [...(report.situation?.tasks.values() ?? [])].filter(({ state }) => state !== 'done');
    expect(left).toMatchObject([{ state: 'waiting', reasons: ['the agent ann is paused by Maria: wrong branch', expect.stringContaining('cambium resume agent ann')] }]);
    await wish(person, (stop, op) => withoutPause(stop, 'agent', 'ann', { wish: WISH, op, parked: false }));
    await pass(fleet, ['vm-a'], 30_000);
    expect([(await kinds(fleet, 'a')).at(-1), (await kinds(fleet, 'c')).at(-1)]).toEqual(['done 1', 'done 1']);
  });

  test('a provider\'s work goes to the next one', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, provider: 'claude', agent: 'fallback: [codex]', files: { 'tasks/a.md': task() } });
    await wish(await fleet.seat('person'), (stop) => withPause(stop, 'provider', 'claude', WISH));
    await fleet.node('vm-a').rest();
    expect(fleet.node('vm-a').machine.started.map(({ provider }) => provider)).toEqual(['codex']);
  });

  test('a project\'s tasks wait', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, config: 'projects:\n  api: { url: . }\n', files: { 'tasks/a.md': task({ project: 'api' }) } });
    await wish(await fleet.seat('person'), (stop) => withPause(stop, 'project', 'api', WISH));
    const report = await fleet.node('vm-a').rest();
    expect(report.situation?.tasks.get('a')).toMatchObject({ state: 'waiting', reasons: [expect.stringContaining('the project api is paused'), expect.anything()] });
    expect(await kinds(fleet, 'a')).toEqual([]);
  });

  test('a resume of a provider ends its park on every node', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, provider: 'claude', files: { 'tasks/a.md': task() }, work: () => ({ exit: 1, failure: 'auth' }) });
    const node = fleet.node('vm-a');
    await pass(fleet, ['vm-a'], 60_000);
    expect(node.machine.started).toHaveLength(1);
    await wish(await fleet.seat('person'), (stop, op) => withoutPause(stop, 'provider', 'claude', { wish: WISH, op, parked: true }));
    await node.rest();
    expect(node.machine.started).toHaveLength(2);
  });

  test('two people who wish at the same moment both get it', async () => {
    const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] } });
    const [maria, noor] = [await fleet.seat('maria'), await fleet.seat('noor')];
    await Promise.all([maria.look(), noor.look()]);
    maria.afterPush = async () => {
      maria.afterPush = undefined;
      await noor.publish([stopMember(noor.node, { change: (stop) => withPause(stop, 'provider', 'codex', WISH), author: AUTHOR, subject: 'pause' })]);
    };
    await wish(maria, (stop) => withPause(stop, 'agent', 'ann', WISH));
    const { stop } = await noor.look();
    expect([Object.keys(stop.agents), Object.keys(stop.providers)]).toEqual([['ann'], ['codex']]);
  });
});
