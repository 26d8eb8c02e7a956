/**
 * An instruction that a person edits while an agent works on it (PROTOCOL P5.4): nothing lands against the old text.
 * `landing.on_edit` of cambium.yaml says whether the agent is told of the new one or stopped.
 *
 * Telling takes two steps, so that a crash or a lost answer between them costs nothing: the run goes back to its beginning
 * at once, and starts from there when its claim pins the new text (runs.ts renews it).
 */
import { afresh } from '../act/project/work.ts';
import { endRun, stopSpawn } from '../act/run/end.ts';
import { saveRun } from '../act/run/workshop.ts';
import { misfit } from '../orient/fit.ts';
import { taskFileKind, taskStem } from '../model/layout.ts';
import { isPinnedRun } from '../act/run/pin.ts';
import type { Run } from '../model/run.ts';
import type { Fleet } from '../model/snapshot.ts';
import type { Task } from '../model/task.ts';
import { claimProblem } from '../orient/situation.ts';
import type { Loop } from './loop.ts';

const AT_WORK: ReadonlySet<Run['phase']> = new Set(['preparing', 'working', 'verifying', 'landing']);

export async function heedEdits(loop: Loop, fleet: Fleet): Promise<void> {
  for (const known of loop.state.runs.values()) {
    if (!AT_WORK.has(known.phase)) continue;
    const task = fleet.tasks.get(known.task);
    const run = await followPath(loop, known, task);
    const problem = task === undefined ? setAside(fleet, run) : task.blob === run.instruction ? null : whyNotOn(loop, fleet, run, task);
    if (problem !== null) loop.state.runs.set(run.task, await giveBack(loop, run, problem));
    else if (task !== undefined && awaitsRenewal(run, task) && !isAtStart(run)) loop.state.runs.set(run.task, await goBack(loop, run));
  }
}

/** A task that was filed into another folder lands its result there. */
async function followPath({ shop, state }: Loop, run: Run, task: Task | undefined): Promise<Run> {
  if (task === undefined || task.path === run.path) return run;
  const followed = await saveRun(shop, { ...run, path: task.path });
  state.runs.set(run.task, followed);
  return followed;
}

/** The claim still pins the text as it was before somebody edited it. */
export function awaitsRenewal(run: Run, { blob }: Task): boolean {
  return blob !== run.instruction;
}

/** No agent has begun, so none has read the old text. */
export function isAtStart({ phase, spawn }: Run): boolean {
  return phase === 'preparing' && spawn === '';
}

/** An instruction that cannot be trusted any more says neither how the work is verified nor who reviews it. */
function setAside({ quarantine }: Fleet, { task }: Run): string | null {
  const found = quarantine.find(({ path }) => taskFileKind(path) === 'instruction' && taskStem(path) === task);
  return found === undefined ? null : `it was set aside: ${found.reason}`;
}

/** Why this agent does not go on with the new text; null when it does. */
function whyNotOn({ shop }: Loop, fleet: Fleet, run: Run, task: Task): string | null {
  if (isPinnedRun(run)) return 'its work had been reviewed for the text before';
  if (fleet.config.landing.onEdit === 'stop') return 'it is claimed anew';
  if (run.project?.name !== task.project && !(run.project === undefined && isAtStart(run))) return 'it works in another repository now';
  if (run.project !== undefined && run.project !== null && run.phase === 'landing') return 'its work was on the way to its project';
  const agent = shop.agent(run.agent);
  const unfit = agent === undefined ? 'its agent is gone' : misfit(agent, task, fleet.config.defaults.provider);
  return unfit ?? claimProblem(fleet, task);
}

/** Approved work that is given back for another text is done again; while its text cannot be read it stays approved. */
async function giveBack({ shop }: Loop, run: Run, problem: string): Promise<Run> {
  await stopSpawn(shop, run, 'asked');
  const isReadable = shop.fleet().tasks.has(run.task);
  return endRun(shop, run, { kind: 'release', reason: `the instruction was edited: ${problem}`, ...(isPinnedRun(run) && isReadable ? { feedback: true } : {}) });
}

/** The agent gets another turn, in its worktree where it can make use of that. */
async function goBack({ shop }: Loop, run: Run): Promise<Run> {
  await stopSpawn(shop, run, 'asked');
  const goesOn = shop.providers.get(run.provider)?.conversational === true;
  return saveRun(shop, {
    ...run, phase: 'preparing', work: null, verifiedOn: null, spawn: '', verifySpawn: '', turns: goesOn ? Math.max(1, run.turns) : 0,
    ...(goesOn ? {} : afresh(run, run.project?.base ?? '')),
    feedback: goesOn ? 'The instruction was edited while you worked: what you read now is the new text. Your work so far stands in the worktree. Keep what still fits and undo the rest.' : null,
  });
}
