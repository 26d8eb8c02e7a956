/** What git ignores is no edit: asked with one process for all new paths, remembered until an ignore file changes. */
import { join } from 'node:path';
import { fieldsOf, treeGit } from './site.ts';
import type { Site } from './site.ts';
import { stampOf, statOf } from './stamp.ts';

export class Ignored {
  readonly #site: Site;
  #top = '';
  #stamps = '';
  #answers = new Map<string, boolean>();

  constructor(site: Site) {
    this.#site = site;
  }

  /** True for a path already known to be ignored. */
  knows(path: string): boolean {
    return this.#answers.get(path) === true;
  }

  /** Called before a walk: answers given by an older `.gitignore` of the top are forgotten, with `all` every answer. */
  startLook(all: boolean): void {
    if (this.#top !== this.#topStamps() || all) this.#answers.clear();
    this.#top = this.#topStamps();
  }

  /** The ignored ones among these paths. `stamps` changes whenever an ignore file below the state paths does. */
  async among(paths: readonly string[], stamps: string): Promise<ReadonlySet<string>> {
    if (stamps !== this.#stamps) this.#answers.clear();
    this.#stamps = stamps;
    const asked = paths.filter((path) => !this.#answers.has(path));
    if (asked.length > 0) {
      const said = await treeGit(this.#site, ['check-ignore', '-z', '--stdin'], { input: asked.map((path) => `${path}\0`).join(''), ok: [0, 1] });
      const ignored = new Set(fieldsOf(said.stdout));
      for (const path of asked) this.#answers.set(path, ignored.has(path));
    }
    return new Set(paths.filter((path) => this.#answers.get(path) === true));
  }

  #topStamps(): string {
    const files = [join(this.#site.root, '.gitignore'), join(this.#site.commonDir, 'info', 'exclude')].map((file) => statOf(file));
    return files.map((stat) => (stat === null ? '-' : stampOf(stat))).join(' ');
  }
}
