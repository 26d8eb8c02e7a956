/** Running a script of an author's to its end, under supervision, for whoever works by hand. */
import { runScript } from '../act/run/script.ts';
import { CambiumError } from '../errors.ts';
import type { Script } from '../model/task.ts';
import type { SpawnEnd } from '../ports/provider.ts';
import { plain } from './plain.ts';
import type { Session } from './session.ts';

export interface ScriptRun {
  readonly script: Script;
  /** Ends the name of its folder below `.cambium/spawns/`: `verify`, `setup`. */
  readonly purpose: string;
  readonly cwd: string;
  readonly task: string;
  readonly timeoutMs: number;
}

/** Throws `refused` when the script is killed from outside. */
export async function scriptEnd({ clone, node, fleet }: Session, { script, purpose, cwd, task, timeoutMs }: ScriptRun): Promise<SpawnEnd> {
  const id = `${clone.clock.ulid()}-${purpose}`;
  const scratch = `${clone.workDir}/spawns/${id}`;
  const spec = runScript(script, { cwd, scratch, env: { CAMBIUM_TASK: task, CAMBIUM_NODE: node.identity.node } });
  await node.supervisor.start(id, scratch, spec, { timeoutMs, silenceMs: timeoutMs, graceMs: fleet.config.timings.graceMs, deadlineBootMs: clone.clock.bootMs() + timeoutMs });
  for (;;) {
    const status = await node.supervisor.status(scratch);
    if (status.state === 'ended') return status.end;
    if (status.state === 'lost') throw new CambiumError('refused', `${purpose} was killed.`, { hint: 'Try again.' });
    const waiting = new AbortController();
    node.supervisor.onChange(() => waiting.abort());
    await clone.clock.sleep(200, waiting.signal);
  }
}

/** The last lines of what it said, as a person may read them in a terminal. */
export function lastWords({ tail }: SpawnEnd): string {
  return tail.trimEnd().split('\n').slice(-20).map((line) => `    ${plain(line)}`).join('\n');
}
