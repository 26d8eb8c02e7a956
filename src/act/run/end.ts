/** Ends of a run that are not a landing as done: another attempt, failed, a person's answer, a release, or fenced. */
import { isPinnedRun } from './pin.ts';
import type { Ending, Run } from '../../model/run.ts';
import type { SpawnRecord } from '../../model/spawn.ts';
import { releaseMember } from '../claim.ts';
import type { Member } from '../publish.ts';
import { landMember } from '../land.ts';
import { landingOf } from './landing.ts';
import { keepRecords } from './ledger.ts';
import { keptSession } from './resumption.ts';
import { clearWork, pushStale, pushWip } from './salvage.ts';
import { forgetRun, saveRun } from './workshop.ts';
import type { Workshop } from './workshop.ts';

export function endRun(shop: Workshop, run: Run, ending: Ending): Promise<Run> {
  shop.say('run ending', { task: run.task, epoch: run.epoch, kind: ending.kind, reason: 'question' in ending ? ending.question : ending.reason });
  return saveRun(shop, { ...run, phase: 'ending', ending });
}

export function fenceRun(shop: Workshop, run: Run, why: string): Promise<Run> {
  shop.say('run fenced', { task: run.task, epoch: run.epoch, why });
  return saveRun(shop, { ...run, phase: 'fenced' });
}

/** An attempt that ended by itself and badly: once more after a pause, or failed when none is left or none can help. */
export function endAttempt(shop: Workshop, run: Run, reason: string, options: { readonly retryable: boolean; readonly backoffMs: number }): Promise<Run> {
  const max = shop.fleet().tasks.get(run.task)?.maxAttempts ?? shop.config().defaults.maxAttempts;
  const again = options.retryable && run.attempt < max;
  return endRun(shop, run, again ? { kind: 'retry', reason, backoffMs: options.backoffMs } : { kind: 'failed', reason });
}

/** Stops whatever still runs for it. Zero descendants are left when this resolves. */
export async function stopSpawn(shop: Workshop, run: Run, reason: 'fenced' | 'asked', graceMs?: number): Promise<void> {
  for (const spawn of [run.spawn, run.verifySpawn]) if (spawn !== '') await shop.node.supervisor.stop(shop.scratch(spawn), reason, graceMs);
}

/** What an ending publishes; null while its work could not be kept on the hub yet. */
export async function endingMember(shop: Workshop, run: Run): Promise<Member<unknown> | null> {
  const { ending } = run;
  if (ending === null) return null;
  await stopSpawn(shop, run, 'asked');
  // What was approved is kept by the claim chain itself.
  if (!isPinnedRun(run) && (await pushWip(shop, run)) === null) return null;
  const { node, reader } = shop;
  if (ending.kind === 'failed') return landMember(node, reader, landingOf(shop, { ...run, report: failedReport(run, ending.reason) }, 'failed'));
  const reason = ending.kind === 'input' ? ending.question : ending.reason;
  return releaseMember(node, reader, {
    task: run.task, tip: run.claim, reason,
    ...(ending.kind === 'input' ? { kind: 'input', session: keptSession(shop, run) } : {}), ...(ending.kind === 'release' && ending.feedback === true ? { feedback: true } : {}),
    ...(ending.kind === 'retry' ? { spent: true, notBefore: new Date(node.clock.now().getTime() + ending.backoffMs).toISOString() } : {}),
  });
}

function failedReport(run: Run, reason: string): string {
  return `# Failed\n\n${reason}\n${run.report === '' ? '' : `\n${run.report}`}`;
}

/** The run is over and its work is on the hub: nothing of it stays on this machine but its log. */
export async function closeRun(shop: Workshop, run: Run): Promise<void> {
  await clearWork(shop, run);
  await keepRecords(shop, run);
  await forgetRun(shop, run);
}

/** The claim is somebody else's: stop the agent's tree, keep its work under stale, and let go (P4.2, P6). Null when gone. */
export async function finishFenced(shop: Workshop, run: Run): Promise<Run | null> {
  await stopSpawn(shop, run, 'fenced');
  if (!isPinnedRun(run) && !(await pushStale(shop, run))) return run;
  await closeRun(shop, run);
  if (!isPinnedRun(run)) shop.say('stale work kept', { task: run.task, epoch: run.epoch });
  return null;
}

export function spawnRecord(run: Run, end: Pick<SpawnRecord, 'start' | 'end' | 'outcome' | 'failure' | 'session' | 'usage' | 'costUsd' | 'process'> & Pick<Partial<SpawnRecord>, 'model'>): SpawnRecord {
  return { id: run.spawn, purpose: 'task', provider: run.provider, providerVersion: run.providerVersion, model: run.model, ...end };
}

