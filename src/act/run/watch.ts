/** working and verifying: reading how a supervised process ended, and what that means for the run. */
import { backoffMs, stopReasonKey } from '../../model/run.ts';
import { mergedName, worktreeName } from '../../model/run.ts';
import { isPinnedRun } from './pin.ts';
import type { Run } from '../../model/run.ts';
import { treeOf } from '../../observe/tree.ts';
import { addCost, addUsage } from '../../model/spawn.ts';
import { sameCode } from '../agreement.ts';
import { afresh, contextSource, inProject } from '../project/work.ts';
import type { Script, Usage } from '../../model/task.ts';
import type { SpawnEnd, SpawnReport } from '../../ports/provider.ts';
import type { ProcessIdentity, SpawnStatus } from '../../ports/process.ts';
import { runScript } from './script.ts';
import { readTexts } from './context.ts';
import { endAttempt, endRun, spawnRecord } from './end.ts';
import { endFailedAttempt, settleFailure } from './failure.ts';
import { workProblems } from './landing.ts';
import { pushWip } from './salvage.ts';
import { requestOf } from './request.ts';
import { saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

/** working → verifying, landing, preparing (another turn) or ending; unchanged while it runs. */
export async function watchSpawn(shop: Workshop, run: Run): Promise<Run> {
  const status = await shop.node.supervisor.status(shop.scratch(run.spawn));
  if (status.state === 'lost') return spawnLost(shop, run);
  if (status.state !== 'ended') return run;
  if (status.end.stopped === 'fenced') return endRun(shop, recordSpawn(status.supervisor, run, status.end, 'fenced', null), { kind: 'release', reason: 'the lease could not be renewed in time' });
  const report = await readReport(shop, run, status.end);
  const { supervisor } = status;
  const reported = recordSpawn(supervisor, { ...run, report: withWarnings(report), criteria: report.criteria, usage: addUsage(run.usage, report.usage), costUsd: addCost(run.costUsd, report.costUsd) }, status.end, report.ok ? 'succeeded' : 'failed', report);
  shop.say('spawn ended', { task: run.task, spawn: run.spawn, ok: report.ok, failure: report.failure });
  if (report.question !== null) return endRun(shop, await saveRun(shop, reported), { kind: 'input', question: report.question });
  if (report.ok) await shop.unpark(run.provider);
  if (report.ok) return judgeWork(shop, await saveRun(shop, reported));
  // Somebody asked for it (`cambium spawn stop`): no fault of the work, so no attempt is spent.
  if (status.end.stopped === 'asked') return endRun(shop, reported, { kind: 'release', reason: `its agent was stopped${await stopReason(shop, run.spawn)}` });
  return settleFailure(shop, reported, report, describeFailure(run.provider, report, status.end));
}

/** What went wrong on the way and ended nothing (a denied permission, a tool that was not there) is for whoever reads the result. */
function withWarnings({ report, warnings }: SpawnReport): string {
  return warnings.length === 0 ? report : `${report.trimEnd()}\n\n## Warnings\n\n${warnings.slice(0, WARNINGS_MAX).map((text) => `- ${text.replace(/\s+/g, ' ').slice(0, 500)}`).join('\n')}\n`;
}

const WARNINGS_MAX = 20;

/** The supervisor died without a record. Its orphans are ended by their mark; the attempt counts, or it would repeat for ever. */
async function spawnLost(shop: Workshop, run: Run): Promise<Run> {
  await shop.node.supervisor.stop(shop.scratch(run.spawn), 'asked');
  const now = shop.node.clock.now().toISOString();
  const lost = { ...run, spawns: [...run.spawns, spawnRecord(run, { start: run.startedAt, end: now, outcome: 'lost', failure: 'crashed', session: null, usage: null, costUsd: null, process: null })] };
  return endAttempt(shop, lost, 'its supervisor was killed', { retryable: true, backoffMs: 0 });
}

async function stopReason({ node }: Workshop, spawn: string): Promise<string> {
  const why = await node.local.read(stopReasonKey(spawn));
  return typeof why === 'string' ? `: ${why}` : ' by somebody';
}

/** A spawn that was ended from here, on record with what it has cost. */
export async function recordEnd(shop: Workshop, run: Run, said: { readonly usage: Usage | null; readonly usd: number | null } | null): Promise<Run> {
  const status = await shop.node.supervisor.status(shop.scratch(run.spawn));
  if (status.state !== 'ended') return run;
  const told = await readReport(shop, run, status.end);
  const report = { ...told, usage: told.usage ?? said?.usage ?? null, costUsd: told.costUsd ?? said?.usd ?? null };
  return recordSpawn(status.supervisor, { ...run, usage: addUsage(run.usage, report.usage), costUsd: addCost(run.costUsd, report.costUsd) }, status.end, 'failed', report);
}

async function readReport(shop: Workshop, run: Run, end: SpawnEnd): Promise<SpawnReport> {
  const task = shop.fleet().tasks.get(run.task);
  const provider = shop.providers.get(run.provider);
  if (task === undefined || provider === undefined) {
    return { ok: false, failure: 'refused', report: '', criteria: [], usage: null, costUsd: null, session: null, retryable: true, resetAt: null, warnings: [], question: null };
  }
  const texts = await readTexts(shop.node.store, { ...task, blob: run.instruction }, run.base, await contextSource(shop, run));
  const scratch = shop.scratch(run.spawn);
  return provider.interpret(requestOf(shop, run, task, texts.instruction), end, (name) => shop.node.supervisor.readFile(scratch, name));
}

function recordSpawn(supervisor: ProcessIdentity | null, run: Run, end: SpawnEnd, outcome: 'succeeded' | 'failed' | 'fenced', report: SpawnReport | null): Run {
  const record = spawnRecord(run, {
    start: end.startedAt, end: end.endedAt, outcome: end.stopped === 'asked' ? 'stopped' : outcome, failure: report?.failure ?? null,
    session: report?.session ?? null, model: report?.model ?? run.model, usage: report?.usage ?? null, costUsd: report?.costUsd ?? null,
    process: supervisor === null ? null : { boot_id: supervisor.boot_id, pid: supervisor.pid, start: supervisor.start },
  });
  return { ...run, spawns: [...run.spawns, record] };
}

function describeFailure(provider: string, { failure, report }: SpawnReport, { exit, signal, stopped }: SpawnEnd): string {
  const how = stopped === 'timeout' ? 'ran out of time' : stopped === 'silence' ? 'fell silent' : signal !== null ? `ended on ${signal}` : `ended with exit ${exit ?? '?'}`;
  const first = report.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#')) ?? '';
  return first === '' || stopped !== null ? `${provider} ${how}${failure === null ? '' : ` (${failure})`}` : `${provider} failed: ${first.slice(0, 200)}`;
}

async function judgeWork(shop: Workshop, run: Run): Promise<Run> {
  const { run: kept, problems } = await workProblems(shop, run);
  if (problems.length > 0) return anotherTurn(shop, kept, problems.join('\n'));
  const verify = shop.fleet().tasks.get(run.task)?.verify;
  return verify === undefined ? saveRun(shop, { ...kept, phase: 'landing' }) : startVerify(shop, kept, verify, shop.worktrees.path(worktreeName(kept)));
}

/** An agent gets one more turn to mend what was found; a runbook gets none, it would only repeat itself. */
function anotherTurn(shop: Workshop, run: Run, feedback: string): Promise<Run> {
  const conversational = shop.providers.get(run.provider)?.conversational === true;
  if (conversational && run.turns === 0) shop.say('another turn', { task: run.task, agent: run.agent, epoch: run.epoch, reason: feedback.split('\n')[0] });
  if (conversational && run.turns === 0) return saveRun(shop, { ...run, phase: 'preparing', turns: 1, feedback, work: null });
  return endFailedAttempt(shop, run, feedback, { retryable: conversational, backoffMs: backoffMs(run.attempt) });
}

/** `verify` is run by the node, not by the agent (DESIGN 6), and under the same supervision. */
export async function startVerify(shop: Workshop, run: Run, script: Script, worktree: string): Promise<Run> {
  const task = shop.fleet().tasks.get(run.task);
  const verifySpawn = `${shop.node.clock.ulid()}-verify`;
  const scratch = shop.scratch(verifySpawn);
  const timeoutMs = (task?.timeoutMinutes ?? shop.config().defaults.timeoutMinutes) * 60_000;
  const cwd = task?.workingDirectory === undefined ? worktree : `${worktree}/${task.workingDirectory}`;
  const env = { CAMBIUM_TASK: run.task, CAMBIUM_AGENT: run.agent, CAMBIUM_NODE: shop.node.identity.node };
  const verifying = await saveRun(shop, { ...run, phase: 'verifying', verifySpawn });
  await shop.node.supervisor.start(verifySpawn, scratch, runScript(script, { cwd, scratch, env }), { timeoutMs, silenceMs: timeoutMs, graceMs: shop.config().timings.graceMs, deadlineBootMs: shop.fenceAtMs(run) });
  return verifying;
}

/**
 * With `landing.verify: merged`, verify runs again on the tree that would land, outside the fetch-to-push window (P5.6),
 * whenever main's code has moved since it was last green. What the fleet itself writes does not count as code.
 */
export async function verifyMerged(shop: Workshop, run: Run): Promise<Run> {
  if (inProject(run)) return run;
  const script = shop.fleet().tasks.get(run.task)?.verify;
  const { store } = shop.node;
  const main = shop.fleet().main.commit;
  if ((shop.config().landing.verify !== 'merged' && !isPinnedRun(run)) || script === undefined || run.work === null || (await sameCode(store, run.verifiedOn ?? run.base, main))) return run;
  const { tree, conflicts } = await store.mergeTrees(await treeOf(store, run.base), await treeOf(store, main), run.work.tree);
  // The landing on this very main finds the conflict, and has it mended.
  if (conflicts.length > 0) return saveRun(shop, { ...run, verifiedOn: main });
  const { author, committer } = await store.readCommit(run.work.commit);
  const merged = await store.writeCommit({ tree, parents: [main, run.work.commit], author, committer, message: `${run.task}: merged for verify\n` });
  const worktree = await shop.worktrees.create(mergedName(run), merged);
  return startVerify(shop, { ...run, verifiedOn: main }, script, worktree);
}

/** verifying → landing when green; red goes back to the agent, or ends the attempt. Approved work spends none: its verify is run again. */
export async function watchVerify(shop: Workshop, run: Run): Promise<Run> {
  const status: SpawnStatus = await shop.node.supervisor.status(shop.scratch(run.verifySpawn));
  if (status.state === 'lost') return isPinnedRun(run) ? saveRun(shop, { ...run, phase: 'landing', verifiedOn: null }) : endAttempt(shop, run, 'verify was killed', { retryable: true, backoffMs: 0 });
  if (status.state !== 'ended') return run;
  const { end } = status;
  if (end.stopped === 'fenced') return endRun(shop, run, { kind: 'release', reason: 'the lease could not be renewed in time' });
  const seconds = Math.round((Date.parse(end.endedAt) - Date.parse(end.startedAt)) / 100) / 10;
  const script = shop.fleet().tasks.get(run.task)?.verify ?? '';
  const verified = { ...run, verify: { command: typeof script === 'string' ? script : script.join(' '), exit: end.exit ?? -1, seconds } };
  shop.say('verify ended', { task: run.task, exit: end.exit });
  if (end.exit === 0) return saveRun(shop, { ...verified, phase: 'landing' });
  if (isPinnedRun(run)) return endRun(shop, verified, { kind: 'release', reason: `\`verify\` was red on the newest main, after the work had been approved on an older one (exit ${end.exit ?? '?'}): ${end.tail.slice(-2_000)}`, feedback: true });
  if (run.verifiedOn !== null && run.conflicts === 0) return onNewestMain(shop, verified, `\`verify\` was red once your work was merged with the newest main (exit ${end.exit ?? end.signal ?? '?'}):\n\n${end.tail.slice(-8_000)}`);
  return anotherTurn(shop, verified, `\`verify\` was red (exit ${end.exit ?? end.signal ?? '?'}):\n\n${end.tail.slice(-8_000)}`);
}

/** What does not fit main as it is now is no fault of the work: once more from there, the work kept, as after a conflict. */
async function onNewestMain(shop: Workshop, run: Run, feedback: string): Promise<Run> {
  const kept = await pushWip(shop, run);
  if (kept === null) return { ...run, phase: 'verifying' };
  return saveRun(shop, { ...kept, phase: 'preparing', base: shop.fleet().main.commit, conflicts: 1, turns: 0, feedback, work: null, verifiedOn: null, ...afresh(run, run.verifiedOn ?? '') });
}
