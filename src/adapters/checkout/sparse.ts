/** Which paths a sparse checkout leaves out of the work tree on purpose: neither deleted, nor to be written. */
import { isBelow } from '../git/sparse.ts';
import { newIndex } from './index.ts';
import type { Pass } from './pass.ts';
import type { Settings } from './settings.ts';
import { fieldsOf, treeGit } from './site.ts';
import type { Site } from './site.ts';

export type IsLeftOut = (path: string) => boolean;

/**
 * Patterns that only leave out whole folders are judged by themselves, because the index of an old workspace names
 * hundreds of thousands of files. For any others the index is asked; `pass` asks its new index instead of the person's.
 */
export async function sparseJudge(site: Site, { sparse, leftOut }: Settings, pass?: Pass): Promise<IsLeftOut> {
  if (!sparse) return () => false;
  if (leftOut.nothingElse) return (path) => isBelow(leftOut.folders, path);
  const said = await treeGit(site, ['ls-files', '-t', '-z'], pass === undefined ? {} : { env: newIndex(pass) });
  const marked = new Set(fieldsOf(said.stdout).filter((line) => line.startsWith('S ')).map((line) => line.slice(2)));
  return (path) => marked.has(path) || isBelow(leftOut.folders, path);
}
