import { describe, expect, test } from 'vitest';
import { createDaemon } from '../../src/cycle/daemon.ts';
import type { Daemon, DaemonOptions } from '../../src/cycle/daemon.ts';
import type { PassReport } from '../../src/cycle/pass.ts';
import { CambiumError } from '../../src/errors.ts';
import { MAIN, createMemoryFleet, task } from '../support/memoryFleet.ts';
import type { MemoryFleet, MemoryFleetOptions, MemoryNode } from '../support/memoryFleet.ts';

interface World {
  readonly fleet: MemoryFleet;
  readonly node: MemoryNode;
  readonly daemon: Daemon;
  readonly passes: PassReport[];
  /** What the watcher calls when a file was touched. */
  touch(): void;
}

async function world(options: Partial<MemoryFleetOptions> = {}, more: Partial<DaemonOptions> = {}): Promise<World> {
  const fleet = await createMemoryFleet({ nodes: { 'vm-a': ['ann'] }, files: { 'tasks/a.md': task() }, ...options });
  const node = fleet.node('vm-a');
  const passes: PassReport[] = [];
  let touch = (): void => undefined;
  const watcher = { start: async (nudge: () => void) => void (touch = nudge), close: async () => undefined };
  const daemon = createDaemon(node.loop, watcher, { idleMs: null, onExit: 'release', ...more, onPass: async (report) => { passes.push(report); await more.onPass?.(report); } });
  return { fleet, node, daemon, passes, touch: () => touch() };
}

const kinds = async (fleet: MemoryFleet): Promise<readonly string[]> => (await fleet.chain('a')).map(({ kind }) => kind);

test('a daemon that shall end when idle does its work first', async () => {
  const { fleet, daemon } = await world({ work: () => ({ afterMs: 30_000 }) }, { idleMs: 0 });
  await fleet.drive(daemon.run());
  expect(await kinds(fleet)).toEqual(['claim', 'done']);
});

test('a daemon that shall end after some idle time waits so long, and new work starts the time anew', async () => {
  let added = false;
  const { fleet, daemon, passes } = await world({}, {
    idleMs: 20_000,
    onPass: async ({ idle }) => {
      if (!idle || added) return;
      added = true;
      await fleet.clock.sleep(10_000);
      await fleet.commit({ 'tasks/b.md': task() });
    },
  });
  const started = fleet.clock.bootMs();
  await fleet.drive(daemon.run());
  expect(fleet.clock.bootMs() - started).toBeGreaterThanOrEqual(30_000);
  expect(passes.at(-1)?.situation?.tasks.get('b')?.state).toBe('done');
});

test('an idle daemon asks the hub ever more seldom, and at once when it is nudged', async () => {
  const at: number[] = [];
  let stop = (): void => undefined;
  const { fleet, daemon, touch } = await world({ files: {} }, { onPass: async () => {
    at.push(fleet.clock.bootMs());
    if (at.length === 14) void fleet.clock.sleep(1).then(touch);
    if (at.length === 15) stop();
  } });
  stop = daemon.stop;
  await fleet.drive(daemon.run());
  const gaps = at.slice(1).map((ms, index) => ms - at[index]!);
  expect(gaps[12]).toBeGreaterThan(gaps[2]!);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(12_000);
  expect(gaps[13]).toBe(1);
});

describe('a daemon that is stopped', () => {
  test('lets its agents end within the grace and lands their work', async () => {
    const { fleet, node, daemon, passes } = await world({ work: () => ({ afterMs: 3_000 }) }, { onPass: async () => { if (passes.length === 2) daemon.stop(); } });
    await fleet.drive(daemon.run());
    expect(await kinds(fleet)).toEqual(['claim', 'done']);
    expect(node.loop.state.runs.size).toBe(0);
  });

  test('gives back what does not end in time, with the work kept, and claims nothing more', async () => {
    const { fleet, node, daemon, passes } = await world({ work: () => ({ afterMs: 1e9 }), files: { 'tasks/a.md': task({ priority: 0 }), 'tasks/b.md': task() } }, { onPass: async () => {
      if (passes.length !== 2) return;
      await node.machine.write('a-1', { 'half.txt': 'half\n' });
      daemon.stop();
    } });
    await fleet.drive(daemon.run());
    expect(node.machine.running()).toEqual([]);
    expect(await kinds(fleet)).toEqual(['claim', 'release']);
    expect((await fleet.tip('a')).record).not.toHaveProperty('spent');
    expect(fleet.hub.refs.has('refs/cambium/wip/a/1')).toBe(true);
    expect(await fleet.chain('b')).toEqual([]);
  });

  test('and shall keep its agents leaves them to its next life', async () => {
    const { fleet, node, daemon, passes } = await world({ work: () => ({ afterMs: 10_000 }) }, { onExit: 'keep', onPass: async () => { if (passes.length === 2) daemon.stop(); } });
    await fleet.drive(daemon.run());
    expect(node.machine.running()).toEqual(['a.1']);
    await node.restart();
    await fleet.clock.advance(10_000);
    await node.rest();
    expect(await kinds(fleet)).toEqual(['claim', 'done']);
  });
});

describe('what goes wrong in a pass', () => {
  test('and may pass by itself is told, and the daemon looks again', async () => {
    const { fleet, node, daemon } = await world({}, { idleMs: 0 });
    let failures = 2;
    const store = node.store as { readTree: typeof node.store.readTree };
    const { readTree } = store;
    store.readTree = async (oid) => {
      if (failures > 0 && failures-- > 0) throw new CambiumError('disk-full', 'No space is left.');
      return readTree(oid);
    };
    await fleet.drive(daemon.run());
    expect(node.said.filter(({ event }) => event === 'pass failed')).toHaveLength(2);
    expect(await kinds(fleet)).toEqual(['claim', 'done']);
  });

  test('and is a rewritten hub halts the daemon and stops its agents', async () => {
    const { fleet, node, daemon, passes } = await world({ work: () => ({ afterMs: 1e9 }) }, { onPass: async () => { if (passes.length === 3) fleet.hub.force(MAIN, first); } });
    const first = fleet.hub.refs.get(MAIN)!;
    await fleet.commit({ 'README.md': 'x\n' });
    await expect(fleet.drive(daemon.run())).rejects.toMatchObject({ code: 'hub-rewritten' });
    expect(node.machine.running()).toEqual([]);
  });

  test('and is a bug ends the daemon', async () => {
    const { fleet, node, daemon } = await world();
    (node.store as { readTree: unknown }).readTree = async () => { throw new TypeError('a bug'); };
    await expect(fleet.drive(daemon.run())).rejects.toThrow('a bug');
  });
});
