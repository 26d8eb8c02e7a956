/**
 * Claims that were won from the command line, where no daemon beats: kept alive by `cambium task renew`. A command that
 * dies between its push and this record leaves an entry in the outbox, and the next command gives the claim back.
 */
import { clearWork, pushWip } from '../act/run/salvage.ts';
import type { Salvage, Working } from '../act/run/salvage.ts';
import type { Oid } from '../model/ids.ts';
import type { ProjectRun } from '../model/run.ts';
import type { Local } from '../ports/local.ts';
import { projectDesk } from './projectDesk.ts';
import type { Session } from './session.ts';

export interface ClaimSession {
  readonly task: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly agent: string;
  /** Tip of the claim chain at the win; renewals sit on top of it. */
  readonly claim: Oid;
  /** Commit that the worktree was made from. */
  readonly base: Oid;
  /** Set once the claim has begun in the task's project (PROTOCOL P7). */
  readonly project?: ProjectRun;
}

const key = (task: string, epoch: number): string => `sessions/${task}.${epoch}`;

export async function saveSession(local: Local, session: ClaimSession): Promise<void> {
  await local.write(key(session.task, session.epoch), session);
}

export async function readSession(local: Local, task: string, epoch: number): Promise<ClaimSession | null> {
  return ((await local.read(key(task, epoch))) as ClaimSession | null | undefined) ?? null;
}

export function workingOf({ task, epoch, attempt, agent, base, project }: ClaimSession): Working {
  return { task, epoch, attempt, agent, base, work: null, ...(project === undefined ? {} : { project }) };
}

/** What keeping a claim's work needs, wherever it was made. */
export function salvageOf(session: Session): Salvage {
  return { node: session.node, worktrees: session.clone.worktrees, projects: projectDesk(session) };
}

/** Pushes the work to its wip ref; false when the hub did not take it now. */
export async function keepSession(session: Session, saved: ClaimSession): Promise<boolean> {
  return (await pushWip(salvageOf(session), { ...workingOf(saved), wip: null, wipAtMs: 0 })) !== null;
}

/** Called when the work is proven on the hub. */
export async function clearSession(session: Session, saved: ClaimSession): Promise<void> {
  const { clone } = session;
  await clearWork(salvageOf(session), { ...saved, verifiedOn: null });
  await clone.local.remove(key(saved.task, saved.epoch));
}
