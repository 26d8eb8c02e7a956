/** The fleet's hooks as files that can be started: written from the tree, below `.cambium/hooks/`, where no checkout of a person reaches. */
import { mkdir, readdir, rm, writeFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** How many runs keep their folder with the output. */
const KEPT_RUNS = 200;

export interface HookFiles {
  /** Absolute path of the executable `<oid>/<name>`, written anew: what stood there before is not trusted. */
  place(oid: string, name: string, bytes: Uint8Array): Promise<string>;
  /** Absolute path of the folder of one run: its output.log is there. */
  run(id: string): string;
  /** Removes the oldest runs but those in `keep`. */
  prune(keep: ReadonlySet<string>): Promise<void>;
}

/** `home` is `.cambium/hooks`. Names are plain file names of the tree's folder `hooks/`. */
export function openHookFiles(home: string): HookFiles {
  const runs = join(home, 'runs');
  return {
    run: (id) => join(runs, id),
    async place(oid, name, bytes) {
      const folder = join(home, oid);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const half = join(folder, `.${process.pid}-${name}`);
      await rm(half, { force: true });
      await writeFile(half, bytes, { mode: 0o700, flag: 'wx' });
      await rename(half, join(folder, name));
      return join(folder, name);
    },
    async prune(keep) {
      const names = await readdir(runs).catch(() => []);
      // Each name ends in the time-sortable id of its start.
      const old = names.toSorted((a, b) => (a.slice(-26) < b.slice(-26) ? -1 : 1)).slice(0, Math.max(0, names.length - KEPT_RUNS));
      for (const name of old) if (!keep.has(name)) await rm(join(runs, name), { recursive: true, force: true });
    },
  };
}
