/** What a spawned process is told about itself. Pure. */
import type { SpawnRequest } from '../../ports/provider.ts';

/** CAMBIUM_SPAWN is added by the supervisor, by which it finds descendants. */
export function spawnVariables({ agent, task, node, epoch }: Pick<SpawnRequest, 'agent' | 'task' | 'node' | 'epoch'>): Record<string, string> {
  return { CAMBIUM_AGENT: agent, CAMBIUM_TASK: task.id, CAMBIUM_NODE: node, CAMBIUM_EPOCH: String(epoch) };
}
