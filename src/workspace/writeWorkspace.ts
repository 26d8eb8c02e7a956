/** The files of a new workspace, written and committed where they are missing. */
import { join } from 'node:path';
import { git, tryGit } from '../adapters/git/run.ts';
import { appendLine, writeNew } from '../adapters/system/files.ts';

/** Writes the files that are missing and commits them on the branch that HEAD is on. */
export async function writeWorkspace(top: string, files: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const made: string[] = [];
  for (const [path, content] of files) if (await writeNew(join(top, path), content)) made.push(path);
  if (await addIgnore(top)) made.push('.gitignore');
  if (made.length > 0) await commit(top, made);
  return made;
}

async function addIgnore(top: string): Promise<boolean> {
  const ignored = await tryGit(['check-ignore', '--quiet', '.cambium/x'], { cwd: top });
  if (ignored.code === 0) return false;
  await appendLine(join(top, '.gitignore'), '.cambium/');
  return true;
}

async function commit(top: string, paths: readonly string[]): Promise<void> {
  await git(['add', '--force', '--', ...paths], { cwd: top });
  await git(['commit', '--quiet', '--no-verify', '-m', 'cambium: init workspace', '--', ...paths], { cwd: top });
}
