/** A real CLI started as cambium starts it: prepared by its provider, run by the real supervisor, and its end interpreted. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { bootMs } from '../../src/adapters/system/bootClock.ts';
import { programsOf } from '../../src/adapters/system/programs.ts';
import { createSupervisor } from '../../src/adapters/system/supervisor.ts';
import type { SpawnEvent } from '../../src/model/spawnEvent.ts';
import type { Limits } from '../../src/ports/process.ts';
import type { Provider, SpawnEnd, SpawnReport, SpawnRequest } from '../../src/ports/provider.ts';
import { killMarked, livingWithMark } from '../contracts/supervisor.ts';
import { distDir } from '../support/build.ts';
import { requestOf } from '../support/spawnRequest.ts';
import { until } from '../support/temp.ts';
import type { Stage } from './drive.ts';

export interface Ended {
  readonly report: SpawnReport;
  readonly end: SpawnEnd;
  readonly events: readonly SpawnEvent[];
  readonly log: string;
  readonly scratch: string;
  /** Processes with the spawn's mark that were alive after its end. */
  readonly left: readonly number[];
}

export interface Started {
  readonly id: string;
  readonly scratch: string;
  stop(): Promise<void>;
  ended(): Promise<Ended>;
}

const supervisor = createSupervisor({ programs: programsOf(distDir()) });
const MARKED: string[] = [];

afterEach(() => MARKED.splice(0).forEach(killMarked));

/** Works in the stage's folder, with its home. `silenceMs` and `timeoutMs` are a minute where they are not said. */
export async function startSupervised(provider: Provider, at: Stage, more: Partial<SpawnRequest> = {}, limits: Partial<Limits> = {}): Promise<Started> {
  const id = `client-${randomUUID()}`;
  const scratch = more.scratch ?? join(at.home, 'spawns', id);
  const request = requestOf({ spawn: id, worktree: at.cwd, directory: at.cwd, scratch, home: at.home, prompt: 'Write the greeting.\n', ...more });
  MARKED.push(id);
  await supervisor.start(id, scratch, provider.prepare(request), { timeoutMs: 60_000, silenceMs: 60_000, graceMs: 2_000, deadlineBootMs: bootMs() + 120_000, ...limits });
  return {
    id, scratch,
    stop: () => supervisor.stop(scratch, 'asked'),
    ended: async () => {
      const end = await until(async () => {
        const status = await supervisor.status(scratch);
        if (status.state === 'lost') throw new Error('the spawn is lost');
        return status.state === 'ended' ? status.end : null;
      }, 100_000);
      const report = await provider.interpret(request, end, (name) => supervisor.readFile(scratch, name));
      const log = existsSync(join(scratch, 'output.log')) ? readFileSync(join(scratch, 'output.log'), 'utf8') : '';
      return { report, end, log, scratch, events: log.split('\n').flatMap(provider.reader()), left: livingWithMark(id) };
    },
  };
}

export async function supervised(provider: Provider, at: Stage, more: Partial<SpawnRequest> = {}, limits: Partial<Limits> = {}): Promise<Ended> {
  return (await startSupervised(provider, at, more, limits)).ended();
}
