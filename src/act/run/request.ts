/** What a provider is asked for, for one turn at a task. */
import { worktreeName } from '../../model/run.ts';
import type { Resume, Run } from '../../model/run.ts';
import type { Task } from '../../model/task.ts';
import type { PromptSubject } from '../../model/prompt.ts';
import type { SpawnRequest } from '../../ports/provider.ts';
import { usdLeft } from '../../orient/budgets.ts';
import { assemblePrompt } from '../prompt/assemble.ts';
import { keptSession } from './resumption.ts';
import { RESULT_FILE } from './workshop.ts';
import type { Workshop } from './workshop.ts';

export type Texts = Pick<PromptSubject, 'instruction' | 'context' | 'self' | 'template' | 'memory' | 'situation'>;

/** The request as it is started, prompt and all. */
export function spawnRequest(shop: Workshop, run: Run, task: Task, texts: Texts): SpawnRequest {
  const { text: prompt } = assemblePrompt(promptSubject(shop, run, task, texts), shop.config().limits.promptTokens);
  return { ...requestOf(shop, run, task, texts.instruction), prompt };
}

/** The request without its prompt: enough to read what the spawn left behind. */
export function requestOf(shop: Workshop, run: Run, task: Task, instruction: string): SpawnRequest {
  const { role, ...place } = placeOf(shop, run, task);
  return {
    spawn: run.spawn, purpose: 'task', agent: run.agent, role, node: shop.node.identity.node, task, epoch: run.epoch, attempt: run.attempt, instruction, prompt: '', ...place,
    scratch: shop.scratch(run.spawn), home: shop.home(run.agent), timeoutMs: (task.timeoutMinutes ?? shop.config().defaults.timeoutMinutes) * 60_000,
    // What is left, not the whole: a CLI counts its limit from its own start, resumed or not (tried with Claude Code 2.1.329).
    model: shop.providers.get(run.provider)?.model(run.model) ?? null, resume: resumeOf(shop, run), maxTurns: task.maxTurns ?? null, budgetUsd: usdLeft(shop.limits(), { agent: run.agent, task }, shop.node.clock.now().toISOString()),
    mayWrite: (shop.config().roles[role]?.write.length ?? 0) > 0, hook: shop.hook,
    variables: { CAMBIUM_AGENT: run.agent, CAMBIUM_TASK: task.id, CAMBIUM_NODE: shop.node.identity.node, CAMBIUM_EPOCH: String(run.epoch), CAMBIUM_RESULT_FILE: place.resultFile },
  };
}

/** A second turn goes on in the session of the first: what it has read it need not read again, and its folder is the same. */
function resumeOf(shop: Workshop, run: Run): Resume | null {
  if (shop.providers.get(run.provider)?.resumes === 'never') return null;
  const last = run.turns === 0 || run.conflicts > 0 ? null : keptSession(shop, run);
  return last !== null && last.provider === run.provider ? { session: last.session, usage: last.usage, costUsd: last.costUsd } : (run.resume ?? null);
}

/** Of a run, what its prompt says. */
export type ToldRun = Pick<Run, 'task' | 'epoch' | 'attempt' | 'agent' | 'spawn' | 'turns' | 'feedback' | 'handed' | 'kept'>;
export type RequestDesk = Pick<Workshop, 'worktrees' | 'agent' | 'scratch'> & { readonly node: Pick<Workshop['node'], 'identity'> };

export function promptSubject(desk: RequestDesk, run: ToldRun, task: Task, texts: Texts): PromptSubject {
  const { agent, epoch, attempt, feedback } = run;
  return {
    agent, ...placeOf(desk, run, task), node: desk.node.identity.node, purpose: 'task', task, epoch, attempt, ...texts,
    feedback, keptWork: run.turns > 0 || (run.kept ?? null) !== null || (run.handed ?? []).length > 0, channel: null, messages: [], history: [],
  };
}

/** As whom it works, and where. */
function placeOf(desk: RequestDesk, run: ToldRun, { workingDirectory }: Task): Pick<SpawnRequest, 'role' | 'worktree' | 'directory' | 'resultFile'> {
  const worktree = desk.worktrees.path(worktreeName(run));
  return {
    role: desk.agent(run.agent)?.role ?? 'worker', worktree, directory: workingDirectory === undefined ? worktree : `${worktree}/${workingDirectory}`, resultFile: `${desk.scratch(run.spawn)}/${RESULT_FILE}`,
  };
}
