/**
 * What a clone leaves out of its work tree (docs/decisions/0011-a-clone-leaves-the-archive-in-git.md): folders that only machines
 * add to, and that grow by files for each task there ever was. They are in git like everything else; `git
 * sparse-checkout disable` brings them into the work tree, and a person's own patterns are never touched.
 */
import { ARCHIVE_FOLDER } from '../../model/archive.ts';
import { git } from './run.ts';

/** Written by nodes, a file once and never again; moved only when a task is reopened. */
export const MACHINE_FOLDERS: readonly string[] = [ARCHIVE_FOLDER, 'agents/spawns'];

/** Sets it up in a clone whose files are not checked out yet. */
export async function leaveMachineFoldersOut(cwd: string): Promise<void> {
  // Not by cones: a cone names what is wanted, and a new folder of the code would be missing without a word.
  await git(['sparse-checkout', 'set', '--no-cone', '/*', ...MACHINE_FOLDERS.map((folder) => `!/${folder}/`)], { cwd });
}

export interface LeftOut {
  /** Folders that no file of which is in the work tree, by the patterns alone. */
  readonly folders: readonly string[];
  /** True when the patterns say nothing else: any other path is in the work tree. */
  readonly nothingElse: boolean;
}

const PLAIN_FOLDER = /^!\/([^*?[\]\\!#]*[^*?[\]\\!#/ ])\/$/;

/** Reads `info/sparse-checkout`. Later lines win over earlier ones, so a folder counts only when no line after it takes anything in. Pure. */
export function parseLeftOut(patterns: string): LeftOut {
  const lines = patterns.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.findLastIndex((line) => !line.startsWith('!'));
  const after = lines.slice(last + 1);
  const folders = after.flatMap((line) => PLAIN_FOLDER.exec(line)?.[1] ?? []);
  return { folders, nothingElse: folders.length === after.length && lines.slice(0, last + 1).join('\n') === '/*' };
}

/** True for a folder of them, and for everything below it. */
export function isBelow(folders: readonly string[], path: string): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
