/** Another `git` in front of PATH: none, an old one, or one that fails where the real one never would when it is asked to. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the real one is, whatever PATH says later. */
export const REAL_GIT = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();

/**
 * Runs `body` with a `git` that is this `sh` script, or with none at all. `$GIT` in the script is the real one; the
 * script's own arguments are those of the call, with all of its `-c` settings first.
 */
export async function withGit<T>(folder: string, script: string | null, body: () => Promise<T>): Promise<T> {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  if (script !== null) {
    writeFileSync(join(bin, 'git'), `#!/bin/sh\nGIT='${REAL_GIT}'\n${script}\n`);
    chmodSync(join(bin, 'git'), 0o755);
  }
  const path = process.env['PATH'];
  process.env['PATH'] = script === null ? bin : `${bin}:${path}`;
  try {
    return await body();
  } finally {
    process.env['PATH'] = path;
  }
}

/** A script that takes over calls of one git command, and hands all others to the real one. */
export const onlyFor = (command: string, script: string): string => `case " $* " in *' ${command} '*) ;; *) exec "$GIT" "$@" ;; esac\n${script}`;
