/**
 * Claims that were won from the command line, where no daemon beats: kept alive by `cambium task renew`. A command that
 * dies between its push and this record leaves an entry in the outbox, and the next command gives the claim back.
 */
import { clearWork, pushWip } from '../act/run/salvage.ts';
import type { Working } from '../act/run/salvage.ts';
import type { Oid } from '../model/ids.ts';
import type { Local } from '../ports/local.ts';
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
}

const key = (task: string, epoch: number): string => `sessions/${task}.${epoch}`;

export async function saveSession(local: Local, session: ClaimSession): Promise<void> {
  await local.write(key(session.task, session.epoch), session);
}

export async function readSession(local: Local, task: string, epoch: number): Promise<ClaimSession | null> {
  return ((await local.read(key(task, epoch))) as ClaimSession | null | undefined) ?? null;
}

export function workingOf({ task, epoch, attempt, agent, base }: ClaimSession): Working {
  return { task, epoch, attempt, agent, base, work: null };
}

/** Pushes the work to its wip ref; false when the hub did not take it now. */
export async function keepSession({ clone, node }: Session, saved: ClaimSession): Promise<boolean> {
  return (await pushWip({ node, worktrees: clone.worktrees }, { ...workingOf(saved), wip: null, wipAtMs: 0 })) !== null;
}

/** Called when the work is proven on the hub. */
export async function clearSession({ clone, node }: Session, saved: ClaimSession): Promise<void> {
  await clearWork({ node, worktrees: clone.worktrees }, { ...saved, verifiedOn: null });
  await clone.local.remove(key(saved.task, saved.epoch));
}
