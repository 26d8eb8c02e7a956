/** Asking for the end of a spawn: its supervisor ends it with all that it started, and what it was for goes on by the rules. */
import { stopReasonKey } from '../model/run.ts';
import { CambiumError } from '../errors.ts';
import { scratchOf } from './localSpawns.ts';
import { daemonRuns, nudgeDaemon } from './session.ts';
import type { Session } from './session.ts';
import { livingProcesses } from '../adapters/system/spawnLook.ts';
import { findSpawn } from './spawns.ts';
import type { SeenSpawn } from './spawns.ts';

export interface StoppedSpawn {
  readonly id: string;
  /** False where it had ended before. */
  readonly stopped: boolean;
  /** Processes of it that live after the end: none, unless some may not be signalled. */
  readonly left: number;
  /** What becomes of what it was for. */
  readonly next: string;
}

/** Throws `unknown-spawn`, and `refused` where it runs on another node. */
export async function stopSpawn(session: Session, ref: string, why: string | undefined): Promise<StoppedSpawn> {
  const { clone, node } = session;
  const spawn = await findSpawn(session, ref);
  if (spawn.state === 'ended') return { id: spawn.id, stopped: false, left: 0, next: `It had ended before${spawn.end === null ? '' : `, at ${spawn.end}`}.` };
  if (!spawn.here && spawn.node !== null && spawn.node !== node.identity.node && spawn.keeper === null) {
    throw new CambiumError('refused', `The spawn ${spawn.id} runs on ${spawn.node}: its processes can be ended only there.`, { hint: `Run it in the clone on ${spawn.node}: \`cambium spawn stop ${spawn.id}\`${spawn.task === null ? '' : `, or end the task from anywhere: \`cambium task cancel ${spawn.task}\``}.`, data: { node: spawn.node } });
  }
  if (why !== undefined && spawn.keeper !== 'nobody') await clone.local.write(stopReasonKey(spawn.id), why);
  await node.supervisor.stop(scratchOf(clone, spawn.id), 'asked');
  await nudgeDaemon(clone);
  return { id: spawn.id, stopped: true, left: livingProcesses(spawn.id), next: nextOf(spawn, await daemonRuns(clone)) };
}

function nextOf(spawn: SeenSpawn, daemon: boolean): string {
  if (spawn.keeper === 'nobody') return 'No run counts on it: nothing follows.';
  const who = daemon ? 'The daemon' : 'No daemon runs here: the next one (`cambium up`)';
  if (spawn.purpose === 'message') return `${who} says in ${spawn.channel === null ? 'the inbox' : `#${spawn.channel}`} that ${spawn.agent} was stopped.`;
  if (spawn.purpose !== 'task') return `${who} takes it for a \`${spawn.purpose}\` that was not passed.`;
  return `${who} gives the claim on ${spawn.task} back, its work kept: the task is ready again, and no attempt is spent. To keep it from being started again: \`cambium task cancel ${spawn.task}\`.`;
}
