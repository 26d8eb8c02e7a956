/**
 * Records of spawns whose run did not land: another attempt, a claim given back, one that was fenced. A landing takes its
 * run's records to main with it; these wait in this clone until something of this node goes to main anyway, so that what
 * they took is counted and a retry costs no push of its own.
 */
import type { Run } from '../../model/run.ts';
import { renderMessage } from '../../model/message.ts';
import type { SpawnRecord } from '../../model/spawn.ts';
import { entryAt, treeOf } from '../../observe/tree.ts';
import { addFilesMember } from '../addFile.ts';
import { nodeSignature } from '../node.ts';
import type { Node } from '../node.ts';
import { spawnFiles } from '../projections.ts';
import type { Member } from '../publish.ts';
import type { Workshop } from './workshop.ts';

export const SPAWN_LEDGER = 'spawns/';

/** One record that is not on main yet: its path in the tree and its bytes. */
export interface LedgerEntry {
  readonly path: string;
  readonly text: string;
}

/** Called before the run is forgotten. What has landed is on main by then, and is not kept twice. */
export async function keepRecords(shop: Workshop, run: Run): Promise<void> {
  if (run.ending === null && run.phase !== 'fenced') return;
  if (run.ending?.kind === 'failed') return;
  const whole = await withLast(shop, run);
  for (const [path, text] of spawnFiles(shop.node, whole)) await shop.node.local.write(`${SPAWN_LEDGER}${idOf(path)}`, { path, text } satisfies LedgerEntry);
}

const idOf = (path: string): string => (path.split('/').at(-1) ?? '').replace(/\.json$/, '');

/** The spawn that was stopped with its run has no record of its own yet. */
async function withLast(shop: Workshop, run: Run): Promise<Run> {
  if (run.spawn === '' || run.spawns.some(({ id }) => id === run.spawn)) return run;
  const status = await shop.node.supervisor.status(shop.scratch(run.spawn));
  if (status.state !== 'ended') return run;
  const { end, supervisor } = status;
  const record: SpawnRecord = {
    id: run.spawn, purpose: 'task', provider: run.provider, providerVersion: run.providerVersion, model: run.model,
    start: end.startedAt, end: end.endedAt, outcome: run.phase === 'fenced' ? 'fenced' : 'stopped', failure: null, session: null, usage: null, costUsd: null,
    process: supervisor === null ? null : { boot_id: supervisor.boot_id, pid: supervisor.pid, start: supervisor.start },
  };
  return { ...run, spawns: [...run.spawns, record] };
}

const ENTRIES_MAX = 200;

/** The kept records as one commit, to go along with what else is said; null where there are none. */
export async function ledgerMember(node: Node): Promise<Member<unknown> | null> {
  const keys = (await node.local.list(SPAWN_LEDGER)).slice(0, ENTRIES_MAX);
  const entries = await Promise.all(keys.map(async (key) => (await node.local.read(key)) as LedgerEntry | undefined));
  const kept = entries.flatMap((entry, at) => (entry === undefined ? [] : [{ ...entry, key: keys[at] as string }]));
  if (kept.length === 0) return null;
  return addFilesMember(node, {
    key: LEDGER_KEY, by: nodeSignature(node),
    message: renderMessage({ subject: `${node.identity.node}: ${kept.length} spawn record${kept.length === 1 ? '' : 's'}`, trailers: { Kind: 'spawns', Node: node.identity.node } }),
    async files(main) {
      const tree = await treeOf(node.store, main);
      const there = await Promise.all(kept.map(({ path }) => entryAt(node.store, tree, path)));
      // Proven to be on main: only then are they forgotten here.
      await Promise.all(kept.map(({ key }, at) => (there[at] === null ? undefined : node.local.remove(key))));
      const missing = kept.filter((_, at) => there[at] === null);
      return missing.length === 0 ? null : new Map(missing.map(({ path, text }) => [path, text]));
    },
  }) as Member<unknown>;
}

export const LEDGER_KEY = 'spawns';
