/**
 * Folders that only machines add to hold most files of an old workspace, and a person edits them hardly ever. Walking
 * them at each look would cost seconds, so git's index tells, now and then, which of their files were touched. What
 * was found is looked at again in each look until it has come to rest and is dealt with.
 */
import { MACHINE_FOLDERS, isBelow } from '../git/sparse.ts';
import type { Settings } from './settings.ts';
import { fieldsOf, treeGit } from './site.ts';
import type { Site } from './site.ts';

/** Between two questions to git, in milliseconds. A process that has just started asks at its first full look. */
const ASK_EVERY_MS = 600_000;

export class MachineFolders {
  readonly #site: Site;
  #askedBootMs = -Infinity;
  #open: readonly string[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  /** The folders that are not walked: those that a sparse checkout leaves out have next to nothing to walk. */
  passedOver({ leftOut }: Settings): readonly string[] {
    return MACHINE_FOLDERS.filter((folder) => !isBelow(leftOut.folders, folder));
  }

  /** Paths in them to look at now. */
  async touched(folders: readonly string[], full: boolean): Promise<readonly string[]> {
    const nowMs = this.#site.clock.bootMs();
    if (!full || folders.length === 0 || nowMs - this.#askedBootMs < ASK_EVERY_MS) return this.#open.filter((path) => isBelow(folders, path));
    this.#askedBootMs = nowMs;
    const [changed, fresh] = await Promise.all([
      treeGit(this.#site, ['diff-files', '--name-only', '--no-renames', '-z', '--', ...folders]),
      treeGit(this.#site, ['ls-files', '--others', '--exclude-standard', '-z', '--', ...folders]),
    ]);
    return [...new Set([...this.#open, ...fieldsOf(changed.stdout), ...fieldsOf(fresh.stdout)])];
  }

  /** What differs from the synced tree after a look, and is to be looked at in the next. */
  keep(paths: readonly string[]): void {
    this.#open = paths.filter((path) => isBelow(MACHINE_FOLDERS, path));
  }
}
