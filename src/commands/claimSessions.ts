/**
 * Claims that were won from the command line, where no daemon beats: kept by `cambium task renew`. The record is
 * written before the push, so that a claim that lands after its process died is known to be nobody's.
 */
import type { Local } from '../ports/local.ts';

export interface ClaimSession {
  readonly task: string;
  readonly epoch: number;
  readonly agent: string;
  readonly incarnation: string;
  readonly base: string;
}

const key = (task: string, epoch: number): string => `sessions/${task}.${epoch}`;

export async function saveSession(local: Local, session: ClaimSession): Promise<void> {
  await local.write(key(session.task, session.epoch), session);
}

export async function readSession(local: Local, task: string, epoch: number): Promise<ClaimSession | null> {
  return ((await local.read(key(task, epoch))) as ClaimSession | null | undefined) ?? null;
}

export function dropSession(local: Local, task: string, epoch: number): Promise<void> {
  return local.remove(key(task, epoch));
}
