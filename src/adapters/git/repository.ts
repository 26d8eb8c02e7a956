/** Where a repository keeps its parts. A linked worktree shares objects and refs with its main one. */
import { resolve } from 'node:path';
import { gitText } from './run.ts';
import type { GitOptions } from './run.ts';
import type { ObjectFormat } from './objects.ts';

export interface Repository {
  readonly gitDir: string;
  readonly commonDir: string;
  readonly objectsDir: string;
  readonly format: ObjectFormat;
  /** True where refs are files that anyone may read (gitrepository-layout); false for any other ref storage. */
  readonly refsAreFiles: boolean;
  /** For every git command of the store. */
  readonly options: GitOptions;
}

/** Objects are what they are: no replacement, and no download behind a read (partial clones are refused at join). */
const LITERAL = { GIT_NO_REPLACE_OBJECTS: '1', GIT_NO_LAZY_FETCH: '1' };

/** Throws `git-failed` where there is no repository. */
export async function openRepository(gitDir: string): Promise<Repository> {
  const options: GitOptions = { gitDir: resolve(gitDir), env: LITERAL };
  const [places, storage] = await Promise.all([
    gitText(['rev-parse', '--path-format=absolute', '--show-object-format', '--git-common-dir', '--git-path', 'objects'], options),
    gitText(['config', '--default', 'files', '--get', 'extensions.refStorage'], options),
  ]);
  const [format, commonDir, objectsDir] = places.split('\n') as [string, string, string];
  return {
    gitDir: resolve(gitDir), commonDir, objectsDir, options,
    format: format === 'sha256' ? 'sha256' : 'sha1', refsAreFiles: storage === 'files',
  };
}
