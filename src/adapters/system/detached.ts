/** A command of our own that goes on when this process has ended: `cambium spawn run --detach`. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { MARK } from './descendants.ts';

/** Starts `cambium` with these arguments, in this folder, with its output in `log`. It has no mark of a spawn: nobody ends it with one. */
export function launchDetached(args: readonly string[], log: string): number | undefined {
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  const file = openSync(log, 'a', 0o600);
  try {
    const { [MARK]: _mark, ...env } = process.env;
    const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], { detached: true, stdio: ['ignore', file, file], env });
    child.on('error', () => undefined);
    child.unref();
    return child.pid;
  } finally {
    closeSync(file);
  }
}
