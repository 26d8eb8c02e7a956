/** The end of an answer on this machine: nothing of it stays here but its log, and what it took is on record. */
import { answerRecordKey, answerWorktree } from '../../model/answer.ts';
import type { Answer } from '../../model/answer.ts';
import { spawnRecordPath } from '../../model/spawn.ts';
import type { SpawnRecord } from '../../model/spawn.ts';
import { renderSpawn } from '../projections.ts';
import { SPAWN_LEDGER } from '../run/ledger.ts';
import type { LedgerEntry } from '../run/ledger.ts';
import type { Workshop } from '../run/workshop.ts';
import { subjectOf } from './land.ts';
import { endOf } from './watch.ts';

/** `landed`: its message is on main, with the records of its spawns. Those of another wait here until something goes to main anyway. */
export async function closeAnswer(shop: Workshop, answer: Answer, landed: boolean): Promise<void> {
  const { node, worktrees } = shop;
  if (!landed) {
    for (const spawn of await spawnsOf(shop, answer)) {
      const entry: LedgerEntry = { path: spawnRecordPath(spawn), text: renderSpawn(node, { ...subjectOf(answer), ...answer.cause }, spawn) };
      await node.local.write(`${SPAWN_LEDGER}${spawn.id}`, entry);
    }
  }
  // Each try had a worktree of its own.
  for (const spawn of new Set([...answer.spawns.map(({ id }) => id), answer.spawn])) await worktrees.remove(answerWorktree({ spawn }));
  await node.local.remove(answerRecordKey(answer.key));
}

/** The spawn that was stopped with its answer has no record yet. */
async function spawnsOf(shop: Workshop, answer: Answer): Promise<readonly SpawnRecord[]> {
  if (answer.spawns.some(({ id }) => id === answer.spawn)) return answer.spawns;
  const last = await endOf(shop, answer);
  return last === null ? answer.spawns : [...answer.spawns, last];
}
