/** A spawn request with everything filled in. */
import type { Task } from '../../src/model/task.ts';
import type { SpawnEnd, SpawnRequest } from '../../src/ports/provider.ts';

export function taskOf(more: Partial<Task> = {}): Task {
  return {
    id: 'add-login', path: 'tasks/add-login.md', blob: 'b'.repeat(40), title: 'Add login', priority: 2, requires: [], dependsOn: [],
    contextFiles: [], acceptanceCriteria: [], labels: [], extra: {}, ...more,
  };
}

export function requestOf(more: Partial<SpawnRequest> = {}): SpawnRequest {
  return {
    spawn: '01JD0Z8M3N0000000000000000', task: taskOf(), epoch: 2, attempt: 1, agent: 'worker-1', node: 'vm-a', instruction: 'Do it.',
    context: [], worktree: '/tmp', directory: '/tmp', scratch: '/tmp/scratch', timeoutMs: 60_000, ...more,
  };
}

export function endOf(more: Partial<SpawnEnd> = {}): SpawnEnd {
  return { exit: 0, signal: null, stopped: null, startedAt: '2026-11-21T00:00:00.000Z', endedAt: '2026-11-21T00:00:01.000Z', tail: '', ...more };
}
