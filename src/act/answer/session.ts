/** Questions to the session of a spawn that has ended: only the node that ran it has that session. */
import { ulidTime } from '../../model/archive.ts';
import type { Resume } from '../../model/run.ts';
import type { SpawnFacts } from '../../model/seenSpawn.ts';
import { spawnRecordPath } from '../../model/spawn.ts';
import { parseSpawnFacts } from '../../observe/spawnRecords.ts';
import { fileAt } from '../../observe/tree.ts';
import type { DueWake } from '../../orient/wakes.ts';
import { SPAWN_LEDGER } from '../run/ledger.ts';
import type { LedgerEntry } from '../run/ledger.ts';
import type { Workshop } from '../run/workshop.ts';

export type AskedSession =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'here'; readonly provider: string; readonly epoch: number; readonly resume: Resume }
  /** Another node has it. */
  | { readonly kind: 'elsewhere'; readonly node: string }
  /** No node can go on with it. */
  | { readonly kind: 'gone'; readonly reason: string };

/** The session that the newest of these messages asks for. */
export async function askedSession(shop: Pick<Workshop, 'node' | 'fleet' | 'providers'>, { messages }: Pick<DueWake, 'messages'>): Promise<AskedSession> {
  const spawn = messages.findLast(({ session }) => session !== null)?.session ?? null;
  return spawn === null ? { kind: 'fresh' } : sessionOf(shop, spawn);
}

export async function sessionOf(shop: Pick<Workshop, 'node' | 'fleet' | 'providers'>, spawn: string): Promise<AskedSession> {
  const facts = await factsOf(shop, spawn);
  if (facts === null) return { kind: 'gone', reason: `there is no record of the spawn ${spawn}` };
  if (facts.session === null || facts.provider === null) return { kind: 'gone', reason: `the spawn ${spawn} left no session` };
  if (shop.providers.get(facts.provider)?.resumes !== 'anywhere') return { kind: 'gone', reason: `${facts.provider} cannot go on with a session from another folder` };
  if (facts.node !== shop.node.identity.node) return { kind: 'elsewhere', node: facts.node ?? '?' };
  return { kind: 'here', provider: facts.provider, epoch: facts.epoch ?? 0, resume: { session: facts.session, usage: facts.usage, costUsd: facts.costUsd } };
}

/** From main, or from this clone where it waits for the next push. */
async function factsOf({ node, fleet }: Pick<Workshop, 'node' | 'fleet'>, spawn: string): Promise<SpawnFacts | null> {
  const kept = (await node.local.read(`${SPAWN_LEDGER}${spawn}`)) as LedgerEntry | null | undefined;
  if (kept !== null && kept !== undefined) return parseSpawnFacts(Buffer.from(kept.text));
  const ms = ulidTime(spawn);
  // Its record stands under the day it began, which may be the one after its id was made.
  const days = ms === null ? [] : [ms, ms + 86_400_000].map((at) => new Date(at).toISOString());
  for (const start of days) {
    const file = await fileAt(node.store, fleet().main.tree, spawnRecordPath({ id: spawn, start }));
    if (file !== null) return parseSpawnFacts(file.bytes);
  }
  return null;
}
