/** `git clone` as a person runs it: its progress and its questions are theirs to see. */
import { execa } from 'execa';
import { CambiumError } from '../../errors.ts';

/** Throws `refused` with git's own last word. Hooks of the template are not run. */
export async function cloneRepository(address: string, branch: string, folder: string): Promise<void> {
  const progress = process.stderr.isTTY === true ? ['--progress'] : ['--quiet'];
  const cloned = await execa('git', ['-c', 'core.hooksPath=/dev/null', '-c', 'protocol.ext.allow=never', 'clone', ...progress, '--branch', branch, '--', address, folder], {
    stdin: 'inherit', stdout: 'ignore', stderr: ['pipe', ...(process.stderr.isTTY === true ? ['inherit' as const] : [])], reject: false,
  });
  if (cloned.exitCode === 0) return;
  throw new CambiumError('refused', `git clone failed: ${cloned.stderr.trim().split('\n').at(-1) ?? cloned.shortMessage ?? ''}`, { hint: 'Choose a new folder: `cambium clone <url> <dir>`.' });
}
