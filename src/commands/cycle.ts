/** `cambium cycle`: passes of the loop without a daemon, until nothing moves. Agents that are still at work are adopted by the next one. */
import { join } from 'node:path';
import { acquireDaemonLock } from '../adapters/system/daemonLock.ts';
import { pass } from '../cycle/pass.ts';
import { CambiumError } from '../errors.ts';
import { nodeName, nodeOf, openClone } from '../workspace/compose.ts';
import { openLives } from '../workspace/lives.ts';
import { openLoop } from '../workspace/loop.ts';
import type { Answer } from './output.ts';

export interface CycleOptions {
  readonly node?: string | undefined;
  readonly agents?: string | undefined;
}

const PASSES_MAX = 50;

/** Exit 0 when it did something, 3 when there was nothing to do. */
export async function cycleCommand(options: CycleOptions): Promise<Answer> {
  const clone = await openClone();
  const lock = await acquireDaemonLock(join(clone.stateDir, 'daemon'));
  if ('heldBy' in lock) throw new CambiumError('daemon-running', 'A daemon serves this clone: it cycles by itself.', { hint: 'See `cambium status`.' });
  const events: Record<string, unknown>[] = [];
  try {
    const { place } = clone;
    const { process: self, machine } = await clone.supervisor.self();
    const lives = await openLives(clone.local, machine, self, clone.clock.ulid());
    const node = await nodeOf(clone, nodeName(place, options.node), lives.incarnation);
    const loop = await openLoop({ clone, node, lives, agents: options.agents?.split(',') ?? null, say: (event, fields) => void events.push({ event, ...fields }) });
    await loop.checkout.recover();
    let passes = 0;
    for (let progress = true; progress && passes < PASSES_MAX; passes++) ({ progress } = await pass(loop, { fullScan: passes === 0 }));
    const text = events.length === 0 ? 'Nothing to do.' : events.map(({ event, ...fields }) => `${String(event)}  ${Object.entries(fields).map(([key, value]) => `${key} ${String(value)}`).join('  ')}`).join('\n');
    return { data: { events, running: [...loop.state.runs.keys()] }, text, exit: events.length === 0 && passes === 1 ? 3 : 0 };
  } finally {
    await lock.release();
    await clone.close();
  }
}
