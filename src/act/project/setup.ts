/** What a fresh worktree of a project has to run, and under which key its outcome may be used again. Pure but for the hash. */
import type { ProjectConfig } from '../../model/config.ts';
import type { Script } from '../../model/task.ts';
import type { TreeNeeds } from '../../ports/projects.ts';
import type { ProjectSite } from './site.ts';

/** Fetched under supervision, with the settings of git that keep a pulled tree from running code. */
const SUBMODULES: Script = ['git', '-c', 'core.hooksPath=/dev/null', '-c', 'protocol.ext.allow=never', 'submodule', 'update', '--init', '--recursive'];

/** `first` belongs to git and is done in every worktree; what `scripts` leave behind may be kept. */
export function setupSteps({ setup }: ProjectConfig, { submodules }: TreeNeeds): { readonly first: readonly Script[]; readonly scripts: readonly Script[] } {
  return { first: submodules === null ? [] : [SUBMODULES], scripts: setup };
}

/** The same lock files and settings lead to the same dependencies. */
export function cacheKey({ node, config }: ProjectSite, { lockfiles }: TreeNeeds): string {
  return node.store.hashBlob(Buffer.from(JSON.stringify({ setup: config.setup, copy: config.copy, lockfiles: lockfiles.map(({ path, oid }) => [path, oid]) })));
}
