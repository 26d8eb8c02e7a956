/** An author's script under supervision: a string is run as `sh -eu FILE`, a list is an argument vector. No shell string is composed. */
import type { Script } from '../../model/task.ts';
import type { SpawnSpec } from '../../ports/provider.ts';

export function scriptSpec(script: Script, scratch: string, cwd: string): SpawnSpec {
  if (typeof script !== 'string') return { argv: script, cwd, env: {}, stdin: '', files: {} };
  return { argv: ['sh', '-eu', `${scratch}/script.sh`], cwd, env: {}, stdin: '', files: { 'script.sh': `${script}\n` } };
}
