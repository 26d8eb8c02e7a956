/** The simulated year (tests/support/year.ts) speaks the format that the fleet's own readers read. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAdditions } from '../../../src/adapters/git/additions.ts';
import { openGitHub } from '../../../src/adapters/git/hub.ts';
import { openGitStore } from '../../../src/adapters/git/store.ts';
import { createMemoryLocal } from '../../../src/adapters/memory/local.ts';
import { chainState } from '../../../src/model/claim.ts';
import type { Chain } from '../../../src/model/claim.ts';
import type { Fleet } from '../../../src/model/snapshot.ts';
import type { TaskResult } from '../../../src/model/task.ts';
import { openAges } from '../../../src/observe/ages.ts';
import { archivedChain, archivedNames } from '../../../src/observe/archive.ts';
import { chainHistory, createChainReader } from '../../../src/observe/chains.ts';
import { createFleetReader } from '../../../src/observe/fleet.ts';
import { parseResult } from '../../../src/observe/resultFile.ts';
import { createTaskIndex } from '../../../src/observe/taskIndex.ts';
import { parseTask } from '../../../src/observe/taskFile.ts';
import { fileAt } from '../../../src/observe/tree.ts';
import { orient } from '../../../src/orient/situation.ts';
import type { Store } from '../../../src/ports/store.ts';
import { config, fsck } from '../../support/fleet.ts';
import { gitIn, refsOf, tempDir } from '../../support/repo.ts';
import { writeYear } from '../../support/year.ts';
import type { Year } from '../../support/year.ts';

const OPTIONS = { count: 700, live: 60, config: config() };
const dir = tempDir('year');
const hub = join(dir.path, 'hub.git');
let year: Year;
let store: Store;
let fleet: Fleet;

beforeAll(async () => {
  year = await writeYear(hub, OPTIONS);
  store = await openGitStore({ gitDir: hub });
  const refs = refsOf(hub);
  const chains = createChainReader(store);
  const local = createMemoryLocal();
  const ages = await openAges(local, store, openAdditions(hub));
  const reader = createFleetReader({ store, chains, index: createTaskIndex(store), ages, local, version: 'test' });
  fleet = await reader.read({ main: refs.get('refs/heads/main') ?? null, refs });
});

afterAll(async () => {
  await store.close();
  dir.remove();
});

test('the last tasks stand in tasks/, are done in tree and chain, and nothing is quarantined', () => {
  const live = year.ids.slice(-OPTIONS.live).toSorted();
  const { tasks } = orient(fleet, '2026-01-01T00:00:00Z');
  expect([[...tasks.keys()].toSorted(), new Set([...tasks.values()].map(({ state }) => state))]).toEqual([live, new Set(['done'])]);
  expect([...fleet.chains.keys()].toSorted()).toEqual(live);
  expect(new Set([...fleet.chains.values()].map((chain) => chainState(chain)))).toEqual(new Set(['done']));
  expect({ quarantine: fleet.quarantine, unlanded: fleet.unlanded, unreadable: fleet.unreadable, projections: fleet.projections }).toEqual({ quarantine: [], unlanded: new Set(), unreadable: new Set(), projections: new Map() });
  expect([...fleet.nodes.values()].filter(({ heartbeat }) => heartbeat !== null)).toHaveLength(4);
});

test('each archived task has its files, and its chain from the claim that its result names to the end', async () => {
  const chains = createChainReader(store);
  const view = { refs: refsOf(hub) };
  const names = await archivedNames(store, fleet.main.tree);
  const onMain = new Set(gitIn(hub, ['rev-list', 'main']).split('\n'));
  for (const id of year.ids.slice(0, -OPTIONS.live)) {
    const path = year.path(id);
    expect(names.get(id)).toMatchObject({ instruction: path });
    const result = await resultOf(path);
    const chain = await archivedChain(store, openGitHub({ gitDir: hub, url: hub }), chains, view, id, { ...result, path }) as Chain;
    const history = await chainHistory(store, chains, chain.tip);
    expect(history.map(({ record }) => record.kind), id).toEqual(result.epoch === 1 ? ['done', 'claim'] : ['done', 'claim', 'release', 'claim']);
    expect([history[1]?.tip, chain.record.epoch], id).toEqual([result.claim, result.epoch]);
    expect(onMain.has(chain.record.result ?? ''), id).toBe(true);
  }
});

async function resultOf(path: string): Promise<TaskResult> {
  const [instruction, file] = await Promise.all([fileAt(store, fleet.main.tree, path), fileAt(store, fleet.main.tree, path.replace(/\.md$/, '.result.md'))]);
  if (instruction === null || file === null) throw new Error(`${path} is not on main`);
  const task = parseTask({ path, blob: instruction.oid, bytes: instruction.bytes });
  const result = parseResult({ path, bytes: file.bytes });
  if ('reason' in task || 'reason' in result) throw new Error(`${path} does not parse`);
  return result;
}

test('git has nothing to complain about, and the same seed writes the same year', async () => {
  const again = join(dir.path, 'again.git');
  await writeYear(again, OPTIONS);
  expect([fsck(hub), refsOf(again)]).toEqual(['', refsOf(hub)]);
  expect(gitIn(hub, ['count-objects', '-v'])).toMatch(/^packs: 1$/m);
});
