/** When files first stood on main, by one `git log` process, whatever the number of commits. */
import type { History } from '../../ports/history.ts';
import { git } from './run.ts';

export function openAdditions(gitDir: string): History {
  return {
    async additions(from, not, folder, commitsMax) {
      const range = not === null ? [from] : [from, `^${not}`];
      const args = ['log', '--first-parent', '-m', '--no-renames', '--diff-filter=A', '--name-only', '-z', '--format=%x01%ct', '-n', String(commitsMax), ...range, '--', folder];
      return parseAdditions((await git(args, { gitDir })).stdout.toString('utf8'));
    },
  };
}

/** `\x01<seconds>` opens a commit, its paths follow, NUL between; newest first, so the oldest addition stands last and wins. */
function parseAdditions(text: string): Map<string, number> {
  const added = new Map<string, number>();
  let seconds = 0;
  for (const field of text.split('\0').flatMap((part) => part.split('\n')).filter((part) => part !== '')) {
    if (field.startsWith('\x01')) seconds = Number(field.slice(1));
    else added.set(field, seconds);
  }
  return added;
}
