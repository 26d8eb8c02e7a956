/** Runs an advance in a process of its own that is killed with SIGKILL at a chosen call, or whenever the test likes. */
import { once } from 'node:events';
import type { Oid } from '../../../src/model/ids.ts';
import { distDir } from '../../support/build.ts';
import { startProgram } from '../../support/program.ts';
import type { Program } from '../../support/program.ts';

export interface Crash {
  readonly root: string;
  readonly gitDir: string;
  readonly head: Oid;
  readonly target: Oid;
  readonly synced: Oid;
}

/** Right before the n-th file-system change or git process, or before the first call whose arguments hold this text. */
export type Moment = number | { readonly call: string; readonly with: string };

export async function advanceAndDie(crash: Crash, moment: Moment): Promise<'died' | 'done'> {
  const program = startAdvance(crash, moment);
  const [code] = await once(program.child, 'exit');
  return code === 0 ? 'done' : 'died';
}

const builtAt = (path: string): string => JSON.stringify(`${distDir()}/adapters/${path}`);

export function startAdvance({ root, gitDir, head, target, synced }: Crash, moment: Moment | null): Program {
  return startProgram(`
    import fs from 'node:fs';
    import fsp from 'node:fs/promises';
    import child from 'node:child_process';
    import { syncBuiltinESMExports } from 'node:module';
    const { openCheckout } = await import(${builtAt('checkout/checkout.js')});
    const { openGitStore } = await import(${builtAt('git/store.js')});
    const { createSystemClock } = await import(${builtAt('system/clock.js')});
    const store = await openGitStore({ gitDir: ${JSON.stringify(gitDir)} });
    const checkout = openCheckout({ root: ${JSON.stringify(root)}, gitDir: ${JSON.stringify(gitDir)}, commonDir: ${JSON.stringify(gitDir)},
      branch: 'main', store, clock: createSystemClock(), halfSavedMs: 2000, settleMs: 100 });
    await checkout.look();
    const moment = ${JSON.stringify(moment)};
    let count = 0;
    const isNow = (name, args) => (typeof moment === 'number' ? ++count === moment : moment?.call === name && JSON.stringify(args).includes(moment.with));
    const held = (module, name) => {
      const real = module[name];
      module[name] = (...args) => {
        if (isNow(name, args)) process.kill(process.pid, 'SIGKILL');
        return real(...args);
      };
    };
    for (const name of ['renameSync', 'linkSync', 'symlinkSync', 'unlinkSync', 'rmSync', 'mkdirSync', 'rmdirSync', 'writeFileSync', 'copyFileSync']) held(fs, name);
    for (const name of ['open', 'rename', 'link', 'unlink', 'mkdir']) held(fsp, name);
    held(child, 'spawn');
    syncBuiltinESMExports();
    console.log('ready');
    const moved = await checkout.advance(${JSON.stringify({ head, target, synced })});
    console.log(JSON.stringify(moved));
    process.exit(0);`);
}
