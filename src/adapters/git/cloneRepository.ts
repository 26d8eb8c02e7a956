/** `git clone` as a person runs it: its progress and its questions are theirs to see. */
import { execa } from 'execa';
import { CambiumError } from '../../errors.ts';
import { leaveMachineFoldersOut } from './sparse.ts';

/**
 * Clones the branch; the folders that only machines add to stay out of the work tree, which makes a clone of a year's
 * work a matter of seconds. Throws `refused` with git's own last word. Hooks of the template are not run.
 */
export async function cloneRepository(address: string, branch: string, folder: string): Promise<void> {
  await ask(['clone', ...progress(), '--no-checkout', '--branch', branch, '--', address, folder], 'clone', 'Choose a new folder: `cambium clone <url> <dir>`.');
  await leaveMachineFoldersOut(folder);
  await ask(['-C', folder, 'checkout', ...progress(), branch, '--'], 'checkout', `The clone is there: mend what git names, then run \`git checkout ${branch}\` in it.`);
}

const progress = (): string[] => [process.stderr.isTTY === true ? '--progress' : '--quiet'];

async function ask(args: readonly string[], what: string, hint: string): Promise<void> {
  const said = await execa('git', ['-c', 'core.hooksPath=/dev/null', '-c', 'protocol.ext.allow=never', ...args], {
    stdin: 'inherit', stdout: 'ignore', stderr: ['pipe', ...(process.stderr.isTTY === true ? ['inherit' as const] : [])], reject: false,
  });
  if (said.exitCode === 0) return;
  throw new CambiumError('refused', `git ${what} failed: ${said.stderr.trim().split('\n').at(-1) ?? said.shortMessage ?? ''}`, { hint });
}
