/** A script of an author's (a task's `verify`, a project's setup) as something to start. Pure. */
import type { Script } from '../../model/task.ts';
import type { SpawnSpec } from '../../ports/provider.ts';

export interface ScriptOptions {
  readonly cwd: string;
  /** Absolute path of the folder where the script is written. */
  readonly scratch: string;
  readonly env?: Readonly<Record<string, string>>;
}

const SCRIPT_FILE = 'script.sh';

/** A string is run as `sh -eu FILE`; a list is the argument vector itself (DESIGN 11). Time limits are the supervisor's. */
export function runScript(script: Script, { cwd, scratch, env = {} }: ScriptOptions): SpawnSpec {
  const common = { cwd, env, stdin: '' };
  if (typeof script !== 'string') return { ...common, argv: script, files: {} };
  return { ...common, argv: ['sh', '-eu', `${scratch}/${SCRIPT_FILE}`], files: { [SCRIPT_FILE]: script.endsWith('\n') ? script : `${script}\n` } };
}
