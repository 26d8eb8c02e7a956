/** Starts the detached supervisor and waits until it is on record. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { CambiumError } from '../../errors.ts';
import { supervisorEnvironment } from './spawnEnvironment.ts';
import { SUPERVISOR_LOG, readPlain } from './spawnFiles.ts';
import type { Order } from './spawnFiles.ts';

/** Resolves when supervisor.json is written. `onExit` is called at the supervisor's end, if this process still lives. */
export async function launchSupervisor(program: string, scratch: string, order: Order, onExit: () => void): Promise<void> {
  const log = await open(`${scratch}/${SUPERVISOR_LOG}`, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [program, scratch], {
      // A folder that is never removed; the worktree would be held by it.
      cwd: '/', detached: true, env: supervisorEnvironment(process.env), stdio: ['pipe', 'pipe', log.fd],
    });
    child.once('exit', onExit);
    await handOver(child, JSON.stringify(order), scratch);
    child.unref();
  } finally {
    await log.close();
  }
}

async function handOver(child: ChildProcess, order: string, scratch: string): Promise<void> {
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(order);
  const ready = await new Promise<boolean>((resolve) => {
    child.stdout?.once('data', () => resolve(true));
    child.once('exit', () => resolve(false));
    child.once('error', () => resolve(false));
  });
  child.stdout?.destroy();
  if (ready) return;
  const said = (await readPlain(`${scratch}/${SUPERVISOR_LOG}`)) ?? '';
  throw new CambiumError('internal', 'The supervisor of a spawn could not be started.', {
    hint: `See ${scratch}/${SUPERVISOR_LOG}.`, data: { scratch, said: said.slice(-2000) },
  });
}
