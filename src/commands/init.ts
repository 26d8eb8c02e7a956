/** `cambium init [dir]`: makes a workspace, commits what it creates, and run twice changes nothing. */
import { initWorkspace } from '../workspace/init.ts';
import type { InitOptions } from '../workspace/init.ts';
import type { Answer } from './output.ts';

export async function initCommand(dir: string | undefined, options: InitOptions): Promise<Answer> {
  const { root, branch, created, beside } = await initWorkspace(dir, options);
  const data = { root, branch, created, ...(beside === null ? {} : { beside }) };
  if (created.length === 0) return { data, text: `${root} is a cambium workspace already: nothing was changed.` };
  const first = `${root} is a cambium workspace now (${created.length} files, committed on ${branch}).`;
  if (beside !== null) {
    return { data, text: `${first}\nBranch ${beside} and its files are as they were; tasks with \`project: code\` work there.\n\nNext:\n  cd ${root} && cambium up\n  cambium task add "A first task" --project code` };
  }
  return { data, text: `${first}\n\nNext:\n  cambium up                       run the fleet here\n  cambium task add "A first task"  add work; or drop a Markdown file into tasks/\n  cambium join <url>               share it with other machines` };
}
