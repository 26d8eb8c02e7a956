/** Where the programs stand that are started as processes of their own. */
import { fileURLToPath } from 'node:url';

export interface Programs {
  /** Path of superviseMain.js. */
  readonly supervise: string;
  /** Path of runbookMain.js. */
  readonly runbook: string;
}

/** Those of a build folder (`dist`). Node 20 runs no TypeScript, so tests pass the folder they built. */
export function programsOf(dist: string): Programs {
  return { supervise: `${dist}/adapters/system/superviseMain.js`, runbook: `${dist}/adapters/providers/runbookMain.js` };
}

/** Those beside this file. */
export function builtPrograms(): Programs {
  return programsOf(fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, ''));
}
