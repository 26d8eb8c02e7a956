/** One spawn's record by its id, which tells the folder: no other record is read. */
import { ulidTime } from '../model/archive.ts';
import type { Oid } from '../model/ids.ts';
import type { SpawnFacts } from '../model/seenSpawn.ts';
import { spawnRecordPath } from '../model/spawn.ts';
import type { Store } from '../ports/store.ts';
import { parseSpawnFacts } from './spawnRecords.ts';
import { fileAt } from './tree.ts';

/** `tree`: the root tree of main. Null where there is no record that can be read. */
export async function recordedSpawn(store: Store, tree: Oid, id: string): Promise<SpawnFacts | null> {
  const ms = ulidTime(id);
  // It stands under the day on which the spawn began, which may be the one after its id was made.
  for (const start of ms === null ? [] : [ms, ms + 86_400_000].map((at) => new Date(at).toISOString())) {
    const file = await fileAt(store, tree, spawnRecordPath({ id, start }));
    if (file === null) continue;
    try {
      return parseSpawnFacts(file.bytes);
    } catch {
      return null;
    }
  }
  return null;
}
