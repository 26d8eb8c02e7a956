/** Who adds a task from within a spawn: the node has told the agent's process who it is. */
import { variable } from '../adapters/system/environment.ts';
import type { Answer } from '../model/answer.ts';
import { isId } from '../model/ids.ts';
import type { Run } from '../model/run.ts';
import { isMessageId } from '../model/talk.ts';
import type { Provenance } from '../orient/delegation.ts';
import type { Clone } from './clone.ts';

/** Null outside a spawn: a person adds it, or a program of a person's. */
export async function ownProvenance({ local }: Pick<Clone, 'local'>): Promise<Provenance | null> {
  const spawn = variable('CAMBIUM_SPAWN');
  if (spawn === undefined || !isMessageId(spawn)) return null;
  const [task, request] = [variable('CAMBIUM_TASK'), variable('CAMBIUM_REQUEST')];
  return { spawn, depth: await ownDepth(local, spawn), parent: task !== undefined && isId(task) ? task : null, request: request !== undefined && isMessageId(request) ? request : null };
}

/** The node that started it keeps it on record in this clone; 0 where it does not. */
async function ownDepth(local: Clone['local'], spawn: string): Promise<number> {
  for (const key of [...(await local.list('runs/')), ...(await local.list('answers/'))]) {
    const work = (await local.read(key)) as Partial<Pick<Run | Answer, 'spawn' | 'cause'>> | null | undefined;
    if (work?.spawn === spawn) return work.cause?.depth ?? 0;
  }
  return 0;
}
