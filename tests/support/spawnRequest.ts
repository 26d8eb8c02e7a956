/** A spawn request with everything filled in. */
import type { Task } from '../../src/model/task.ts';
import type { PromptSubject } from '../../src/model/prompt.ts';
import type { SpawnEnd, SpawnRequest } from '../../src/ports/provider.ts';

export function taskOf(more: Partial<Task> = {}): Task {
  return {
    id: 'add-login', path: 'tasks/add-login.md', blob: 'b'.repeat(40), title: 'Add login', priority: 2, requires: [], dependsOn: [],
    contextFiles: [], acceptanceCriteria: [], labels: [], extra: {}, ...more,
  };
}

export function requestOf(more: Partial<SpawnRequest> = {}): SpawnRequest {
  return {
    spawn: '01JD0Z8M3N0000000000000000', purpose: 'task', task: taskOf(), epoch: 2, attempt: 1, agent: 'worker-1', role: 'worker', node: 'vm-a', instruction: 'Do it.', prompt: 'Do it.\n',
    worktree: '/tmp', directory: '/tmp', scratch: '/tmp/scratch', resultFile: `${more.scratch ?? '/tmp/scratch'}/result.md`, home: '/tmp/home', timeoutMs: 60_000, model: null, resume: null, maxTurns: null, budgetUsd: null, mayWrite: true, hook: null,
    variables: { CAMBIUM_AGENT: 'worker-1', CAMBIUM_TASK: 'add-login', CAMBIUM_NODE: 'vm-a', CAMBIUM_EPOCH: '2' }, ...more,
  };
}

export function subjectOf(more: Partial<PromptSubject> = {}): PromptSubject {
  return {
    agent: 'worker-1', role: 'worker', node: 'vm-a', purpose: 'task', directory: '/tmp', worktree: '/tmp', resultFile: '/tmp/scratch/result.md', task: taskOf(), epoch: 2, attempt: 1,
    instruction: 'Do it.', context: [], feedback: null, keptWork: false, channel: null, messages: [], history: [], self: [], template: null, memory: [], situation: [], ...more,
  };
}

export function endOf(more: Partial<SpawnEnd> = {}): SpawnEnd {
  return { exit: 0, signal: null, stopped: null, startedAt: '2026-11-21T00:00:00.000Z', endedAt: '2026-11-21T00:00:01.000Z', tail: '', ...more };
}
