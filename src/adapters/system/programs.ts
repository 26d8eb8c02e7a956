/** Where the programs stand that are started as processes of their own. */
import { fileURLToPath } from 'node:url';

export interface Programs {
  /** Path of superviseMain.js. */
  readonly supervise: string;
  /** Path of runbookMain.js. */
  readonly runbook: string;
  /** Path of cli.js: agents call it as `cambium`. */
  readonly cli: string;
  /** Path of hook.js: what agents' CLIs call at their hooks. */
  readonly hook: string;
}

/** Those of a build folder (`dist`). Node 20 runs no TypeScript, so tests pass the folder they built. */
export function programsOf(dist: string): Programs {
  return { supervise: `${dist}/adapters/system/superviseMain.js`, runbook: `${dist}/adapters/providers/runbookMain.js`, cli: `${dist}/cli.js`, hook: `${dist}/hook.js` };
}

/** Those beside this file. */
export function builtPrograms(): Programs {
  return programsOf(fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, ''));
}
